import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw, draw_project
from PIL import Image
from torch.nn import functional

from faceswap.faces.crops import write_crop
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.losses import mask_loss, picture_losses
from faceswap.swap.training.objective import (
    AUGMENTATION_NAMES,
    LOSS_NAMES,
    ObjectiveConfig,
    parse_strengths,
)
from faceswap.swap.training.task import SwapBatch, SwapTask
from faceswap.training.dataset import ImageDataset

CPU = torch.device("cpu")
STILL = {
    "warp": 0.0,
    "rotation": 0.0,
    "scale": 0.0,
    "shift": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "tint": 0.0,
    "color_transfer": 0.0,
    "pair_matching": False,
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FaceSet]:
    project = draw_project(tmp_path_factory.mktemp("project"), 40)
    return {s: load_faces(project.crops_folder(s), s, FaceLoadConfig(64)) for s in ("a", "b")}


def make_task(sides: dict[str, FaceSet], **changes: Any) -> SwapTask:
    return SwapTask(sides, 32, ObjectiveConfig.model_validate(changes), CPU)


def model() -> SwapModel:
    torch.manual_seed(0)
    return SwapModel(SwapConfig(preset="quick", resolution=64))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_batch_is_distorted_in_and_undistorted_out(sides: dict[str, FaceSet]) -> None:
    task = make_task(sides)
    batch = task.batch(3, generator(), 0.0)
    assert batch.inputs["a"].shape == batch.inputs["b"].shape == (3, 3, 32, 32)
    assert batch.targets.shape == (6, 3, 64, 64)
    assert batch.maps.shape == (6, 3, 32, 32)
    plain = functional.avg_pool2d(batch.targets, 2)
    assert (torch.cat([*batch.inputs.values()]) - plain).abs().mean() > 0.01
    again = task.batch(3, generator(), 0.0)
    assert torch.equal(batch.inputs["a"], again.inputs["a"])
    assert torch.equal(batch.targets, again.targets)


def test_the_distortion_fades_out_late(sides: dict[str, FaceSet]) -> None:
    task = make_task(sides, warp_end=0.8)
    moved = []
    for progress in (0.0, 0.3, 0.7, 0.8, 1.0):
        batch = task.batch(4, generator(), progress)
        plain = functional.avg_pool2d(batch.targets, 2)
        moved.append(float((torch.cat([*batch.inputs.values()]) - plain).abs().mean()))
    assert moved[0] == moved[1] > moved[2] > moved[3] == moved[4] == 0


def test_without_changes_the_targets_are_the_faces(sides: dict[str, FaceSet]) -> None:
    batch = make_task(sides, **STILL).batch(4, generator(), 0.0)
    known = sides["a"].training.pictures.float() / 255
    for target in batch.targets[:4]:
        assert (known - target).abs().amax((1, 2, 3)).min() < 1e-3


def test_who_imitates_has_the_others_open_mouth(tmp_path: Path) -> None:
    project = draw_project(tmp_path, 40)
    for number in range(40):
        yaw = float(np.sin(number / 5))
        write_crop(project.crops_folder("b") / f"{number:06d}.png", *draw("b", yaw, 0.0, number))
    speaking = {s: load_faces(project.crops_folder(s), s, FaceLoadConfig(64)) for s in ("a", "b")}

    def darkest(batch: SwapBatch) -> torch.Tensor:
        """How dark the middle of the mouth is in each face of B."""
        return 1 - batch.targets.chunk(2)[1][:, :, 44:50, 29:35].amax(1).mean((1, 2))

    alone = darkest(make_task(speaking, **STILL).batch(16, generator(), 0.0))
    batch = make_task(speaking, **(STILL | {"pair_matching": True})).batch(16, generator(), 0.0)
    following = darkest(batch)[::2]
    assert following.max() > alone.max() + 0.1
    assert darkest(batch)[1::2].max() < alone.max() + 0.05
    assert batch.is_real.tolist() == [1.0, 0.0] * 8 + [0.0, 1.0] * 8
    assert batch.latent_swapped is not None
    assert 1 < batch.latent_swapped.sum() < 15
    part = batch.micro_batch(1, 2)
    assert part.latent_swapped is not None
    assert torch.equal(part.latent_swapped, batch.latent_swapped[8:])
    assert part.is_real.tolist() == [1.0, 0.0] * 4 + [0.0, 1.0] * 4
    plain = make_task(speaking, **STILL).batch(4, generator(), 0.0)
    assert plain.latent_swapped is None
    assert plain.is_real.tolist() == [1.0] * 8


@pytest.mark.parametrize("count", [1, 3])
def test_batches_of_any_size_have_pairs(count: int, sides: dict[str, FaceSet]) -> None:
    batch = make_task(sides, flip=0.5).batch(count, generator(), 0.0)
    assert batch.targets.shape == (2 * count, 3, 64, 64)
    assert batch.targets.isfinite().all()
    assert batch.latent_swapped is not None
    losses = make_task(sides).losses(model(), batch)
    assert losses["loss"].isfinite()


@pytest.mark.parametrize("preset", ["df", "liae"])
def test_pairs_exchange_codes_in_every_model(preset: str, sides: dict[str, FaceSet]) -> None:
    torch.manual_seed(0)
    config = SwapConfig.model_validate(
        {"preset": preset, "resolution": 64, "code": 32, "encoder": 8, "decoder": 8, "mask": 8}
    )
    net = SwapModel(config)
    faces = {side: s.training.gather(torch.arange(2))[0] for side, s in sides.items()}
    with torch.inference_mode():
        out = net(faces, torch.tensor([True, False]))
        swap, _ = net.network.translate(faces["a"][:1], "b")
        assert torch.allclose(out["b"][0][:1], swap, atol=1e-4)


def test_b_takes_on_the_colours_of_a(sides: dict[str, FaceSet]) -> None:
    def tone(batch_maps: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        inside = functional.interpolate(batch_maps[:, :1], pictures.shape[-2:])
        return (pictures * inside).sum((0, 2, 3)) / inside.sum()

    def distance(**changes: float) -> float:
        batch = make_task(sides, **(STILL | changes)).batch(32, generator(), 0.0)
        a, b = batch.targets.chunk(2)
        maps_a, maps_b = batch.maps.chunk(2)
        return float((tone(maps_a, a) - tone(maps_b, b)).norm())

    assert distance(color_transfer=1.0) < 0.65 * distance()


def test_perfect_pictures_cost_nothing_and_features_cost_more(sides: dict[str, FaceSet]) -> None:
    task = make_task(sides, **STILL)
    batch = task.batch(2, generator(), 0.0)
    batch.maps[:, 2] = 0  # nothing is hidden

    class Answer(torch.nn.Module):
        def __init__(self, pictures: torch.Tensor) -> None:
            super().__init__()
            self.pictures = pictures

        def forward(
            self, faces: dict[str, torch.Tensor], exchanged: torch.Tensor | None
        ) -> dict[str, object]:
            masks = functional.interpolate(batch.maps[:, :1], (64, 64), mode="bilinear")
            made = zip(self.pictures.chunk(2), masks.chunk(2), strict=True)
            return dict(zip(faces, made, strict=True))

    losses = task.losses(Answer(batch.targets), batch)
    assert losses["loss"].item() == pytest.approx(0, abs=1e-5)
    features = functional.interpolate(batch.maps[:, 1:2], (64, 64))
    face = functional.interpolate(batch.maps[:, :1], (64, 64))
    cheek = face * (1 - features)
    errors = []
    for where in (features, cheek, 1 - face):
        change = 0.3 * where / where.mean()
        errors.append(task.losses(Answer(batch.targets + change), batch)["l1"].item())
    assert errors[0] > 2.5 * errors[1]
    assert errors[1] > 2.5 * errors[2]


def test_it_overfits_one_batch_and_the_measures_see_it(sides: dict[str, FaceSet]) -> None:
    few = {
        side: FaceSet(few, few, s.landmarks.at(torch.arange(2)))
        for side, s in sides.items()
        for few in [s.training.subset(torch.arange(2))]
    }
    task = make_task(few, **STILL)
    net = model()
    before = task.evaluate(net)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(60):
        loss = task.losses(net, task.batch(4, generator(1), 0.0))["loss"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    after = task.evaluate(net)
    assert after["held-out PSNR"] > before["held-out PSNR"] + 5
    assert after["held-out SSIM"] > before["held-out SSIM"] + 0.1


def test_a_perfect_model_measures_one(sides: dict[str, FaceSet]) -> None:
    class Perfect(SwapModel):
        def reconstruct(self, faces: torch.Tensor, side: str) -> tuple[torch.Tensor, None]:
            return faces, None

    found = make_task(sides).evaluate(Perfect(SwapConfig(preset="quick", resolution=64)))
    assert found["held-out SSIM"] == pytest.approx(1, abs=1e-4)
    assert found["held-out PSNR"] > 90


def test_both_sides_count_the_same_however_many_are_held_out(sides: dict[str, FaceSet]) -> None:
    class Wrong(SwapModel):
        def reconstruct(self, faces: torch.Tensor, side: str) -> tuple[torch.Tensor, None]:
            return faces + (0.1 if side == "a" else 0.01), None

    def whole(faces: ImageDataset, count: int) -> ImageDataset:
        return ImageDataset(
            faces.pictures[:1].expand(count, -1, -1, -1),
            torch.full_like(faces.maps[:1], 255).expand(count, -1, -1, -1),
            torch.ones(count),
        )

    few = {
        side: FaceSet(s.training, whole(s.training, count), s.landmarks)
        for (side, s), count in zip(sides.items(), (64, 3), strict=True)
    }
    found = make_task(few).evaluate(Wrong(SwapConfig(preset="quick", resolution=64)))
    assert found["held-out PSNR"] == pytest.approx((20 + 40) / 2, abs=1e-3)


def test_without_held_out_faces_nothing_is_claimed(sides: dict[str, FaceSet]) -> None:
    bare = {side: FaceSet(s.training, None, s.landmarks) for side, s in sides.items()}
    assert make_task(bare).evaluate(model()) == {}


def test_the_preview_is_a_grid_of_fixed_faces(sides: dict[str, FaceSet], tmp_path: Path) -> None:
    task = make_task(sides)
    net = model().eval()
    task.preview(net, tmp_path / "grid.png")
    picture = np.asarray(Image.open(tmp_path / "grid.png"))
    assert picture.shape == (64 * 6, 64 * 8, 3)
    faces: ImageDataset = sides["a"].training
    assert np.array_equal(picture[:64, :64], faces.pictures[0].permute(1, 2, 0).numpy())
    assert np.array_equal(picture[:64, -64:], faces.pictures[-1].permute(1, 2, 0).numpy())
    task.preview(net, tmp_path / "again.png")
    assert (tmp_path / "grid.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert [p.suffix for p in tmp_path.iterdir()] == [".png", ".png"]


@pytest.mark.parametrize(
    "name", ["l1", "gradient", "ssim", "mse", "dssim", "ms_ssim", "laplacian", "frequency"]
)
def test_each_loss_alone_has_a_gradient_in_the_face_and_nowhere_it_should_not(
    name: str, sides: dict[str, FaceSet]
) -> None:
    weights = dict.fromkeys(["l1", "gradient", "ssim"], 0.0) | {name: 2.0}
    objective = ObjectiveConfig.model_validate(
        {"outside": 0.0, "eye_mouth_priority": 0.0} | weights
    )
    pictures, maps = sides["a"].training.gather(torch.arange(3))
    made = (pictures * 0.9).requires_grad_(True)
    total, parts = picture_losses(objective, made, pictures, maps)
    assert total.item() == pytest.approx(2 * parts[name].item(), rel=1e-4)
    (slope,) = torch.autograd.grad(total, made)
    assert slope[..., 32, 32].abs().sum() > 0
    assert slope[..., :6, :6].abs().sum() < 0.01 * slope.abs().sum()


def test_strengths_are_read_from_a_text_within_their_bounds() -> None:
    assert parse_strengths("", LOSS_NAMES) == {}
    assert parse_strengths(" dssim=1, l1 = 0.5 ", LOSS_NAMES) == {"dssim": 1.0, "l1": 0.5}
    given = "rotation=10,color_transfer=0"
    assert parse_strengths(given, AUGMENTATION_NAMES) == {"rotation": 10.0, "color_transfer": 0.0}
    wrongs = (
        ("l1", LOSS_NAMES, "write it as l1=0.5"),
        ("l1=much", LOSS_NAMES, "l1: Input should be a valid number"),
        ("l1=-1", LOSS_NAMES, "l1: Input should be greater than or equal to 0"),
        ("l1=nan", LOSS_NAMES, "l1: Input should be"),
        ("l1=inf", LOSS_NAMES, "l1: Input should be a finite number"),
        ("x=1", LOSS_NAMES, "there is no 'x'; there are l1, gradient"),
        ("rotation=10", LOSS_NAMES, "there is no 'rotation'"),
        ("l1=0,gradient=0,ssim=0,mask=1", LOSS_NAMES, "nothing would be learned"),
        ("tint=", AUGMENTATION_NAMES, "has no value"),
        ("scale=2", AUGMENTATION_NAMES, "scale: Input should be less"),
        ("warp=0.1", AUGMENTATION_NAMES, "there is no 'warp'"),
    )
    for text, names, reason in wrongs:
        with pytest.raises(ValueError, match=re.escape(reason)):
            parse_strengths(text, names)


def test_every_strength_is_reached_by_an_option() -> None:
    own = {"warp", "eye_mouth_priority", "pair_matching", "flip", "occlusion"}
    own |= {"cells", "warp_end", "outside", "latent_swap"}
    assert own | set(AUGMENTATION_NAMES) | set(LOSS_NAMES) == set(ObjectiveConfig.model_fields)


def test_a_distortion_at_two_scales_adds_a_finer_one(sides: dict[str, FaceSet]) -> None:
    still = STILL | {"warp": 0.1}
    coarse, fine = (
        make_task(sides, **(still | {"cells": cells})).batch(4, generator(), 0.0)
        for cells in ((4,), (4, 16))
    )
    assert torch.equal(coarse.targets, fine.targets)
    assert not torch.equal(coarse.inputs["a"], fine.inputs["a"])


def test_spoilt_inputs_keep_clean_targets(sides: dict[str, FaceSet]) -> None:
    clean = make_task(sides, **STILL).batch(16, generator(), 0.0)
    for change in ({"occlusion": 1.0}, {"blur": 1.0}, {"noise": 0.1}, {"compression": 0.1}):
        batch = make_task(sides, **(STILL | change)).batch(16, generator(), 0.0)
        assert torch.equal(batch.targets, clean.targets)
        touched = (batch.inputs["a"] - clean.inputs["a"]).abs().amax((1, 2, 3)) > 1e-4
        assert 2 <= int(touched.sum()) <= (16 if "occlusion" in change else 14)


def test_a_mask_that_is_right_costs_nothing_at_any_size(sides: dict[str, FaceSet]) -> None:
    _, maps = sides["a"].training.gather(torch.arange(2))
    for size in (16, 32, 64):
        right = functional.interpolate(maps[:, :1], (size, size), mode="bilinear")
        if size == 16:
            right = functional.avg_pool2d(maps[:, :1], 2)
        assert mask_loss(right, maps) == pytest.approx(0, abs=1e-9)
        assert mask_loss(1 - right, maps) > 0.5
