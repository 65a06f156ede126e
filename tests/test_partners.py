import pytest
import torch
from torch import Tensor

from faceswap.faces.align import mean_face
from faceswap.swap.pairing import Pairing
from faceswap.swap.partners import Shapes, imitation, partners, resting, retold

LEFT_LIDS, LEFT_EYE = ([37, 38], [41, 40]), 40
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
    return points


def shapes(*faces: Tensor, yaws: Tensor | None = None, gazes: Tensor | None = None) -> Shapes:
    count = len(faces)
    poses = torch.zeros(count, 2)
    if yaws is not None:
        poses[:, 0] = yaws
    return Shapes(torch.stack(faces), poses, torch.zeros(count, 2) if gazes is None else gazes)


def opening(points: Tensor, pairs: tuple[list[int], list[int]]) -> Tensor:
    return (points[:, pairs[1], 1] - points[:, pairs[0], 1]).mean(1)


def person(count: int, jaw: float, eyes: float, talks: float) -> Shapes:
    """Faces of a person who turns their head and opens their mouth up to ``talks``."""
    random = torch.Generator().manual_seed(round(100 * jaw))
    mouths = torch.rand(count, generator=random) * talks
    yaws = torch.rand(count, generator=random) * 40 - 20
    faces = [face(jaw, eyes, float(m)) for m in mouths]
    turned = [f + torch.tensor([0.004, 0.0]) * y for f, y in zip(faces, yaws, strict=True)]
    return shapes(*turned, yaws=yaws)


def test_people_are_told_apart_from_what_they_do() -> None:
    a, b = person(60, 1.0, 0.6, 0.3), person(60, 1.2, 1.0, 0.0)
    rests = resting({"a": a, "b": b})
    assert torch.allclose(rests["a"], face(1.0, 0.6), atol=0.01)
    assert torch.allclose(rests["b"], face(1.2, 1.0), atol=0.01)


def test_another_person_does_the_same_with_their_own_face() -> None:
    own, other = face(1.0, 0.6), face(1.2, 1.0)
    doing = shapes(face(1.0, 0.6, mouth=0.2), face(1.0, 0.6, shut=1.0), face(1.0, 0.6, shut=0.5))
    told = retold(doing, own, other)
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
    assert partners(doing, others, own, other)[:, 0].tolist() == [2, 1, 4]
    assert partners(doing, others, own, other, count=9).shape == (3, 5)


def test_an_imitation_reaches_what_it_can_and_says_what_it_cannot() -> None:
    rest = face()
    same = shapes(face(mouth=0.2), face(mouth=0.2), face(shut=1.0), face(), face())
    like = shapes(
        face(mouth=0.2),  # the same already
        face(mouth=0.25),  # a little more of it
        face(),  # an open eye where lids touch
        face(mouth=0.2),  # an open mouth where lips touch
        face(),
        gazes=torch.tensor([[0.0, 0], [0.0, 0], [0.0, 0], [0.0, 0], [0.4, 0]]),
    )
    found = imitation(same, like, rest, rest)
    assert torch.allclose(found.end[[0, 1, 3, 4]], like.points[[0, 1, 3, 4]], atol=1e-5)
    assert torch.allclose(found.end[2, 36:48], same.points[2, 36:48], atol=1e-5)
    assert found.opened.tolist() == pytest.approx([0, 0, 0, 1, 0])
    assert found.trust[[0, 1, 3]].tolist() == pytest.approx([1, 1, 1], abs=1e-3)
    assert found.trust[2] < 0.5
    assert found.trust[4] < 0.1


def test_a_head_that_is_turned_much_farther_is_not_made_up() -> None:
    ahead, turned = face(), face() + torch.tensor([0.3, 0.0])
    found = imitation(shapes(ahead, ahead), shapes(turned, ahead), ahead, ahead)
    moved = (found.end - found.start)[:, 27:36].norm(dim=2).mean(1)
    assert moved.tolist() == pytest.approx([0.06, 0.0], abs=1e-4)
    assert found.trust[0] < 0.01
    assert found.trust[1] == 1


def test_pairs_take_turns_in_leading() -> None:
    a, b = person(30, 1.0, 0.6, 0.3), person(50, 1.2, 1.0, 0.3)
    pairing = Pairing({"a": a, "b": b})
    drawn = {"a": torch.arange(5), "b": torch.arange(10, 15)}
    places = pairing.draw(drawn, torch.Generator().manual_seed(0))
    assert places["a"][::2].tolist() == drawn["a"][::2].tolist()
    assert places["b"][1::2].tolist() == drawn["b"][1::2].tolist()
    followers = pairing.followers("b", places)
    assert followers.leader == "a"
    assert torch.equal(followers.led, a.points[places["a"][followers.rows]])
    away = (followers.imitation.start - followers.imitation.end).norm(dim=2).mean(1)
    free = (b.points[drawn["b"][::2]] - followers.imitation.end).norm(dim=2).mean(1)
    assert (away < free).float().mean() > 0.6
    assert (followers.imitation.trust > 0.9).all()
    again = pairing.draw(drawn, torch.Generator().manual_seed(0))
    assert all(torch.equal(places[s], again[s]) for s in "ab")
