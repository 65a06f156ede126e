import math

import numpy as np
import pytest
import torch
from torch import Tensor

from faceswap.faces.align import crop_matrix, face_similarity, head_pose, mean_face, transform
from faceswap.swap.training.pair_matching import (
    LandmarkSet,
    match_faces,
    neutral_landmarks,
    retarget,
    retarget_landmarks,
    turned_mean,
)
from faceswap.swap.training.pair_sampler import PairSampler
from faceswap.training import augment

CPU = torch.device("cpu")
LEFT_LIDS = ([37, 38], [41, 40])
LIPS = ([61, 62, 63], [67, 66, 65])


def face(jaw: float = 1.0, eyes: float = 1.0, mouth: float = 0.0, shut: float = 0.0) -> Tensor:
    """Points (81, 2): a jaw so much longer, eyes so much larger, the mouth open, the eyes shut."""
    points = torch.from_numpy(mean_face().points[:, :2]).float() * 0.9
    points[:17] *= torch.tensor([1.0, jaw])
    for eye in (slice(36, 42), slice(42, 48)):
        middle = points[eye].mean(0)
        points[eye] = middle + (points[eye] - middle) * torch.tensor([1.0, eyes * (1 - shut)])
    # However the mean face holds its mouth, these lips touch where it is not opened.
    middle = (points[LIPS[0], 1] + points[LIPS[1], 1]) / 2
    points[LIPS[0], 1], points[LIPS[1], 1] = middle, middle + mouth
    points[55:60, 1] += mouth
    points[5:12, 1] += mouth
    return points


def shapes(*faces: Tensor, yaws: Tensor | None = None, gazes: Tensor | None = None) -> LandmarkSet:
    count = len(faces)
    poses = torch.zeros(count, 2)
    if yaws is not None:
        poses[:, 0] = yaws
    return LandmarkSet(torch.stack(faces), poses, torch.zeros(count, 2) if gazes is None else gazes)


def opening(points: Tensor, pairs: tuple[list[int], list[int]]) -> Tensor:
    return (points[:, pairs[1], 1] - points[:, pairs[0], 1]).mean(1)


def person(count: int, jaw: float, eyes: float, talks: float, away: float = 0.0) -> LandmarkSet:
    """Faces of a person who looks ``away`` and around there and opens their mouth to ``talks``."""
    random = torch.Generator().manual_seed(round(100 * jaw))
    mouths = torch.rand(count, generator=random) * talks
    poses = torch.rand(count, 2, generator=random) * 30 - 15 + away
    faces = torch.stack([face(jaw, eyes, float(m)) for m in mouths])
    faces = faces + turned_mean(poses) - turned_mean(torch.zeros(1, 2))
    return LandmarkSet(faces, poses, torch.zeros(count, 2))


def test_the_mean_face_turns_as_heads_do() -> None:
    mean = mean_face()
    for yaw, pitch in ((0.0, 0.0), (20.0, 0.0), (-35.0, 10.0), (15.0, -25.0)):
        y, p = math.radians(yaw), math.radians(pitch)
        about_y = np.array(
            [[math.cos(y), 0, -math.sin(y)], [0, 1, 0], [math.sin(y), 0, math.cos(y)]]
        )
        about_x = np.array(
            [[1, 0, 0], [0, math.cos(p), math.sin(p)], [0, -math.sin(p), math.cos(p)]]
        )
        seen = 100 * (mean.points @ (about_x @ about_y).T)[:, :2] + 300
        assert head_pose(seen[:68]) == pytest.approx((yaw, pitch, 0), abs=0.5)
        crop = transform(crop_matrix(face_similarity(seen[:68]), 160), seen)
        found = turned_mean(torch.tensor([[yaw, pitch]]))[0]
        assert np.abs((crop + 0.5) / 80 - 1 - found.numpy()).max() < 2e-3


def test_people_are_told_apart_from_what_they_do() -> None:
    a, b = person(60, 1.0, 0.6, 0.3, away=12), person(60, 1.2, 1.0, 0.0)
    rests = neutral_landmarks({"a": a, "b": b})
    assert torch.allclose(rests["a"], face(1.0, 0.6), atol=0.025)
    assert torch.allclose(rests["b"], face(1.2, 1.0), atol=0.025)


def test_a_mouth_that_is_seen_a_little_open_is_a_shut_one() -> None:
    a, b = person(60, 1.0, 0.6, 0.3), person(60, 1.2, 1.0, 0.3)
    seen = b.points.clone()
    seen[:, 65:68, 1] += 0.05
    rests = neutral_landmarks({"a": a, "b": LandmarkSet(seen, b.poses, b.gazes)})
    shut = retarget_landmarks(shapes(face(1.0, 0.6)), rests["a"], rests["b"])
    assert float(opening(shut, LIPS)) == pytest.approx(0.05, abs=0.02)


def test_another_person_does_the_same_with_their_own_face() -> None:
    own, other = face(1.0, 0.6), face(1.2, 1.0)
    doing = shapes(face(1.0, 0.6, mouth=0.2), face(1.0, 0.6, shut=1.0), face(1.0, 0.6, shut=0.5))
    told = retarget_landmarks(doing, own, other)
    assert torch.allclose(told[0], face(1.2, 1.0, mouth=0.2), atol=1e-5)
    for number, shut in ((1, 1.0), (2, 0.5)):
        wanted = face(1.2, 1.0, shut=shut)
        assert torch.allclose(opening(told, LEFT_LIDS)[number], opening(wanted[None], LEFT_LIDS)[0])


def test_the_partner_is_the_one_who_does_the_same() -> None:
    own, other = face(1.0, 0.6), face(1.2, 1.0)
    doing = shapes(
        face(1.0, 0.6, mouth=0.2),
        face(1.0, 0.6, shut=0.9),
        face(1.0, 0.6),
        yaws=torch.tensor([0.0, 0.0, 15.0]),
        gazes=torch.tensor([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]),
    )
    others = shapes(
        face(1.2, 1.0),
        face(1.2, 1.0, shut=1.0),
        face(1.2, 1.0, mouth=0.18),
        face(1.2, 1.0),
        face(1.2, 1.0),
        yaws=torch.tensor([0.0, 0.0, 0.0, 14.0, 14.0]),
        gazes=torch.tensor([[0.0, 0], [0.0, 0], [0.0, 0], [0.3, 0], [0.0, 0]]),
    )
    assert match_faces(doing, others, own, other)[:, 0].tolist() == [2, 1, 4]
    assert match_faces(doing, others, own, other, count=9).shape == (3, 5)


def test_an_imitation_reaches_what_it_can_and_says_what_it_cannot() -> None:
    rest = face()
    cases = {
        "the same already": (face(mouth=0.2), face(mouth=0.2), 0.0),
        "a little more of it": (face(mouth=0.2), face(mouth=0.25), 0.0),
        "an open mouth where lips touch": (face(), face(mouth=0.2), 0.0),
        "an open eye where lids touch": (face(shut=1.0), face(), 0.0),
        "shut eyes where they are open": (face(), face(shut=1.0), 0.0),
        "a shut mouth where it is open": (face(mouth=0.2), face(), 0.0),
        "another way to look": (face(), face(), 0.4),
        "lashes of shut eyes": (face(shut=1.0), face(shut=1.0), 0.4),
    }
    gazes = torch.tensor([[gaze, 0.0] for *_, gaze in cases.values()])
    found = retarget(
        shapes(*(own for own, *_ in cases.values())),
        shapes(*(like for _, like, _ in cases.values()), gazes=gazes),
        rest,
        rest,
    )
    trusted = dict(zip(cases, found.confidence.tolist(), strict=True))
    assert {name for name, trust in trusted.items() if trust > 0.99} == {
        "the same already",
        "a little more of it",
        "an open mouth where lips touch",
        "lashes of shut eyes",
    }
    used = found.unmoved(found.confidence)
    for number, (name, (own, like, _)) in enumerate(cases.items()):
        wanted = like if trusted[name] > 0.99 else own
        assert torch.allclose(used.end[number], wanted, atol=1e-5), name
    assert used.opened.tolist() == pytest.approx([0, 0, 1, 0, 0, 0, 0, 0])
    away = shapes(face(mouth=0.2), gazes=torch.tensor([[0.4, 0.0]]))
    far = retarget(shapes(face()), away, rest, rest)
    assert far.opened > 0
    assert far.unmoved(far.confidence).opened == 0


def test_what_is_dragged_shows_the_opening_that_is_claimed() -> None:
    def shown(start: Tensor, end: Tensor) -> float:
        """How high what was between the lips is in the dragged picture."""
        size = 320
        field = augment.resize_field(augment.displacement_field(start[None], end[None], 32), size)
        heights = augment.pixel_centers(size, CPU)
        column = int((float(end[62, 0]) + 1) * size / 2)
        come_from = heights + field[0, :, column, 1]
        between = (come_from > float(start[62, 1])) & (come_from < float(start[66, 1]))
        return float(between.sum()) * 2 / size

    rest = face()
    for opening, wanted in ((0.1, 0.1), (0.1, 0.2), (0.1, 0.3), (0.1, 0.08), (0.05, 0.04)):
        own, like = face(mouth=opening), face(mouth=wanted)
        found = retarget(shapes(own), shapes(like), rest, rest)
        assert found.confidence > 0.9
        assert shown(found.start[0], found.end[0]) == pytest.approx(wanted, abs=0.02)


def test_a_head_that_is_turned_much_farther_is_not_made_up() -> None:
    ahead = face()
    like = shapes(*(ahead + torch.tensor([x, 0.0]) for x in (0.0, 0.05, 0.08, 0.3)))
    found = retarget(shapes(ahead, ahead, ahead, ahead), like, ahead, ahead)
    moved = (found.unmoved(found.confidence).end - found.start)[:, 27:36].norm(dim=2).mean(1)
    assert moved.tolist() == pytest.approx([0.0, 0.05, 0.06, 0.0], abs=1e-4)
    assert found.confidence[:2].tolist() == pytest.approx([1, 1], abs=1e-3)
    assert 0.2 < found.confidence[2] < 0.8
    assert found.confidence[3] == 0


def test_pairs_take_turns_in_leading() -> None:
    a, b = person(30, 1.0, 0.6, 0.3), person(50, 1.2, 1.0, 0.3)
    pairing = PairSampler({"a": a, "b": b})
    drawn = {"a": torch.arange(5), "b": torch.arange(10, 15)}
    places, driven = pairing.sample(drawn, torch.Generator().manual_seed(0))
    assert places["a"][::2].tolist() == drawn["a"][::2].tolist()
    assert places["b"][1::2].tolist() == drawn["b"][1::2].tolist()
    followers = driven["b"]
    assert followers.driving_side == "a"
    assert torch.equal(followers.driving_points, a.points[places["a"][followers.driven_rows]])
    assert torch.equal(followers.places, places["b"][followers.driven_rows])
    away = (followers.start - followers.end).norm(dim=2).mean(1)
    free = (b.points[drawn["b"][::2]] - followers.end).norm(dim=2).mean(1)
    assert (away < free).float().mean() > 0.6
    assert (followers.confidence > 0.8).all()
    again, _ = pairing.sample(drawn, torch.Generator().manual_seed(0))
    assert all(torch.equal(places[s], again[s]) for s in "ab")


def test_a_blink_with_the_mouth_shut_is_put_together_from_two_faces() -> None:
    """B blinks with the mouth open and looks with it shut; A blinks with it shut."""
    rest = face()
    a = shapes(*([rest] * 6), *([face(shut=0.9)] * 2))
    looks, blinks = [rest] * 8, [face(shut=0.9, mouth=0.25)] * 6
    b = shapes(*looks, *blinks)
    pairing = PairSampler({"a": a, "b": b})
    drawn = {"a": torch.tensor([6, 0, 7, 0]), "b": torch.tensor([0, 1, 2, 3])}
    places, driven = pairing.sample(drawn, torch.Generator().manual_seed(0))
    followers = driven["b"]
    assert (places["b"][::2] >= len(looks)).all(), "their eyes are those of B's blinks"
    assert followers.lower.joined.all()
    assert (followers.lower.places < len(looks)).all(), "their mouths are those of shut ones"
    assert (followers.confidence > 0.9).all()
    assert torch.allclose(opening(followers.mouths, LIPS), torch.zeros(2), atol=0.02)
    lids = opening(followers.end, LEFT_LIDS)
    assert torch.allclose(lids, opening(face(shut=0.9)[None], LEFT_LIDS).expand(2), atol=0.01)


def test_one_face_is_taken_where_it_shows_all_that_is_wanted() -> None:
    kinds = [face(), face(mouth=0.2), face(shut=0.9), face(shut=0.9, mouth=0.2)]
    both = shapes(*(kind for kind in kinds for _ in range(4)))
    pairing = PairSampler({"a": both, "b": both})
    drawn = {side: torch.arange(0, 16, 4) for side in "ab"}
    _, driven = pairing.sample(drawn, torch.Generator().manual_seed(0))
    assert not any(one.lower.joined.any() for one in driven.values())
