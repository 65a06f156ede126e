"""The second stage of the landmarker's training: made-up heads, crops seen twice, calm."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from faceswap.assets import asset_path
from faceswap.faces.landmarks import load_net
from faceswap.synthetic.characters import CHARACTERS

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def recipe() -> Iterator[ModuleType]:
    pytest.importorskip("scipy")
    sys.path.insert(0, str(SCRIPTS))
    try:
        import landmarker.refine as landmarker_refine

        yield landmarker_refine
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def heads(recipe: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> object:
    import landmarker.heads as landmarker_heads

    images, points, visible = landmarker_heads.pictures_of(3, 4, 1)
    path = tmp_path_factory.mktemp("heads") / "heads.npz"
    np.savez(path, images=images, points=points, visible=visible)
    return landmarker_heads.RenderedHeads.load(path, 1, 4, 1, 1)


@pytest.fixture(scope="module")
def batches(recipe: ModuleType, heads: Any) -> object:
    """Mixed batches whose real faces are rendered too, with 478 points, 81 of them true."""
    from landmarker.augment import Augmenter
    from landmarker.data import KEPT, FaceSet

    made = recipe.MixedBatches.__new__(recipe.MixedBatches)
    points = np.repeat(heads.points.mean(1, keepdims=True), 478, 1)
    points[:, KEPT] = heads.points
    points = np.dstack([points, np.zeros((len(points), 478, 1))]).astype(np.float32)
    faces = FaceSet(heads.images, points)
    made.augmenter = Augmenter(faces, [heads.images[0]], np.arange(478))
    made.heads, made.seed, made.steps, made.trust = heads, 1, 3, recipe.point_trust()
    made.single = 8
    return made


def test_made_up_people_are_none_of_the_cast(recipe: ModuleType) -> None:
    from landmarker.heads import person

    people = [person(np.random.default_rng(n), n) for n in range(40)]
    assert not {p.seed for p in people} & {p.seed for p in CHARACTERS.values()}
    assert all(p.shape != known.shape for p in people for known in CHARACTERS.values())
    assert len({p.shape for p in people}) == len(people)
    assert {p.hairs.beard for p in people} == {"none", "stubble", "moustache", "goatee", "full"}
    assert person(np.random.default_rng(7), 7) == people[7]


def test_made_up_faces_open_and_shut_mouth_and_eyes(recipe: ModuleType) -> None:
    from landmarker.heads import expression

    faces = [expression(np.random.default_rng(n)) for n in range(200)]
    assert 0.2 < np.mean([f.jaw == 0 for f in faces]) < 0.5
    assert max(f.jaw for f in faces) > 0.9
    assert np.mean([f.blink_left == 1 for f in faces]) > 0.15
    assert min(f.blink_left for f in faces) < -0.3


def test_heads_are_drawn_once(recipe: ModuleType, heads: Any, tmp_path: Path) -> None:
    from landmarker.heads import RenderedHeads

    assert heads.images.shape == (4, 224, 224)
    assert heads.points.shape == (4, 81, 2)
    assert ((heads.points > 0) & (heads.points < 223)).mean() > 0.95
    path = tmp_path / "kept.npz"
    np.savez(path, images=heads.images, points=heads.points, visible=heads.visible)
    written = path.stat().st_mtime_ns
    again = RenderedHeads.load(path, 5, 5, 1, 1)
    assert np.array_equal(again.images, heads.images)
    assert path.stat().st_mtime_ns == written


def test_a_mixed_batch_is_what_it_says(recipe: ModuleType, batches: Any) -> None:
    one, same = batches[1], batches[1]
    assert np.array_equal(one.crops, same.crops)
    assert not np.array_equal(one.crops, batches[2].crops)
    rendered, real, twice = len(one.exact), len(one.points), len(one.back)
    assert real == batches.single + 2 * twice
    assert len(one.crops) > rendered + real
    # The second crop's points, taken back, are the first's.
    first, again = one.points[-2 * twice : -twice, :, :2], one.points[-twice:, :, :2]
    back = again @ one.back[:, :, :2].transpose(0, 2, 1) + one.back[:, None, :, 2]
    assert np.abs(back - first).max() < 0.01
    assert 0.2 < np.abs(again - first).mean() < 5


def test_a_mirrored_head_keeps_its_left_on_the_left(recipe: ModuleType, batches: Any) -> None:
    for step in range(3):
        exact = batches[step].exact
        assert (exact[:, 36, 0] < exact[:, 45, 0]).mean() > 0.9
        assert (exact[:, 48, 0] < exact[:, 54, 0]).mean() > 0.9


def test_calm_costs_nothing_but_what_differs(recipe: ModuleType) -> None:
    torch.manual_seed(0)
    calm, points = recipe.Calm(), torch.rand(3, 81, 2) * 112
    still, as_one = calm(points, points)
    assert still < 0.02
    assert as_one < 0.02
    moved = calm(points, points + torch.tensor([3.0, 4.0]))
    assert moved[0].item() == pytest.approx(5, abs=0.01)
    assert moved[1].item() == pytest.approx(5, abs=0.01)
    # Points that jitter each for itself hardly move the fitted similarity.
    noisy = calm(points, points + torch.randn(3, 81, 2))
    assert noisy[1] < 0.6 * noisy[0]


def test_openings_are_the_lips_and_the_lids(recipe: ModuleType) -> None:
    points = torch.zeros(1, 81, 2)
    points[0, 66, 1], points[0, 41, 1] = 7.0, 2.0
    across = recipe.openings(points)
    assert across.shape == (1, 7, 2)
    assert sorted(across[0, :, 1].tolist()) == [0, 0, 0, 0, 0, 2, 7]


def test_a_step_learns_and_a_checkpoint_goes_on(
    recipe: ModuleType, batches: Any, tmp_path: Path
) -> None:
    from landmarker.run import Run

    cv2.setNumThreads(1)
    torch.manual_seed(0)
    net = load_net(asset_path("landmarker.safetensors")).train().requires_grad_(True)
    run = Run(net, tmp_path / "run.ckpt", steps=50, rate=3e-4, warm=1, decay=0.9)
    batch, calm, totals = batches[0], recipe.Calm(), []
    for _ in range(6):
        parts = recipe.loss_of(
            net.heads(torch.as_tensor(batch.crops)[:, None].float() / 255), batch, calm, 3.0
        )
        assert all(torch.isfinite(value) for value in parts.values())
        totals.append(float(sum(value.detach() for value in parts.values())))
        run.learn(parts)
    assert totals[-1] < 0.9 * totals[0]
    run.save()
    other = Run(
        load_net(asset_path("landmarker.safetensors")), run.path, 50, 3e-4, warm=1, decay=0.9
    )
    other.load()
    assert other.step == 6
    assert other.rate() == run.rate()
    for name, value in net.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
