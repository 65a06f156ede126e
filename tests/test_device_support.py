"""What devices lack, tried on a stand-in for the one that lacks much."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_faces import draw_project
from fake_device import LACKING, MPS, FarTensor, apple
from lab_configs import CONFIGS
from small_runs import finish, notices, options
from torch import Tensor, nn

from faceswap.autoencoder import corruption
from faceswap.autoencoder.losses import focal_frequency
from faceswap.autoencoder.transformer import PatchAutoencoder, PatchConfig
from faceswap.autoencoder.variational import VariationalAutoencoder
from faceswap.device_support import (
    ALL,
    AREAS,
    BICUBIC,
    COUNTS,
    EDGES,
    FUSED_STEPS,
    MEDIANS,
    RESTORATION,
    SPECTRA,
    TRAINING,
    fallback_notice,
    memory_format,
    supports,
    to_device,
)
from faceswap.errors import OptionsError
from faceswap.events import Event, Notice
from faceswap.faces.align import mean_face
from faceswap.faces.landmarks import BuiltinLandmarker
from faceswap.lab.framework.data import PictureSet
from faceswap.lab.framework.models import RepairConfig, build
from faceswap.lab.framework.training_task import (
    DIGITS,
    ClassificationLoss,
    ElboLoss,
    GeometricAugmentation,
    LossFunction,
    PictureTask,
    ReconstructionLoss,
)
from faceswap.lab.restorer import Restorer
from faceswap.lab.tasks.anomaly import scores
from faceswap.lab.tasks.audio import AudioTask, cleaned, synthetic_sounds
from faceswap.lab.tasks.translation import TranslationTask
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.swapper import AlignedFace, Swapper
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.loading import load_model
from faceswap.swap.model.presets import SwapConfig
from faceswap.training import augment
from faceswap.training.checkpoint import newest_checkpoint
from faceswap.training.distributed import Placement
from faceswap.training.loop import TrainingLoop
from faceswap.training.optimisers import make_optimiser, optimiser_step
from faceswap.training.run_identity import RunIdentity
from faceswap.training.state import LoopConfig

CPU = torch.device("cpu")


@pytest.fixture
def far() -> Iterator[None]:
    with apple():
        yield


def dice(device: torch.device = CPU) -> torch.Generator:
    return torch.Generator(device).manual_seed(3)


def pictures(count: int = 12, channels: int = 3, side: int = 16) -> PictureSet:
    images = torch.randint(0, 255, (count, channels, side, side), generator=dice())
    return PictureSet(images.to(torch.uint8), torch.arange(count) % 4, tuple("abcd"))


@pytest.mark.usefixtures("far")
def test_the_stand_in_refuses_what_mps_does() -> None:
    x = torch.rand(1, 1, 4, 4).to(MPS)
    assert isinstance(x, FarTensor)
    assert x.device == torch.zeros(1, device=MPS).device == (x + 1).device == MPS
    assert x.cpu().device == CPU
    double = torch.tensor(1.0, dtype=torch.float64)
    for made in (x.double, partial(double.to, MPS), partial(torch.mul, x, double)):
        with pytest.raises(TypeError, match="float64"):
            made()
    with pytest.raises(RuntimeError, match="same device"):
        x + torch.rand(1, 1, 4, 4)
    with pytest.raises(RuntimeError, match="generator on cpu"):
        torch.rand(1, device=MPS, generator=dice())
    with pytest.raises(RuntimeError, match="generator on mps"):
        torch.rand(1, generator=dice(MPS))
    with pytest.raises(TypeError, match="numpy"):
        x.numpy()
    lacking: dict[str, Callable[[], object]] = {
        "nanmedian": lambda: x.nanmedian(1),
        "poisson": lambda: torch.poisson(x),
        "col2im": lambda: nn.functional.fold(torch.rand(1, 4, 4).to(MPS), (4, 4), 2, stride=2),
    }
    assert set(lacking) == set(LACKING)
    for work in lacking.values():
        with pytest.raises(NotImplementedError, match="not implemented for the MPS"):
            work()


@pytest.mark.usefixtures("far")
def test_what_is_lacking_is_found_by_trying_and_told_once() -> None:
    everything = set(ALL)
    assert everything == {FUSED_STEPS, EDGES, BICUBIC, MEDIANS, COUNTS, AREAS, SPECTRA}
    assert {a for a in everything if supports(a, MPS)} == {SPECTRA}
    assert all(supports(a, CPU) and supports(a, torch.device("cuda")) for a in everything)
    assert list(fallback_notice(CPU, TRAINING)) == []
    (notice,) = fallback_notice(MPS, RESTORATION)
    assert notice == Notice(
        message="The device mps lacks some operators: adaptive average pooling runs on the CPU."
    )


@pytest.mark.usefixtures("far")
def test_what_is_done_otherwise_gives_the_same() -> None:
    x = torch.rand(4, 3, 9, 12, generator=dice())
    grid = torch.rand(4, 7, 5, 2, generator=dice()) * 4 - 2  # twice as far as the picture
    mask = (torch.rand(4, 1, 9, 12, generator=dice()) > 0.3).float()
    there = [t.to(MPS) for t in (x, grid, mask)]

    def same(found: Tensor, wanted: Tensor) -> None:
        assert found.device == MPS
        torch.testing.assert_close(found.cpu(), wanted, rtol=1e-5, atol=1e-5)

    same(augment.sample(*there[:2]), augment.sample(x, grid))
    same(augment.skin_tone(there[0], there[2]), augment.skin_tone(x, mask))
    same(focal_frequency(there[0], 1 - there[0]), focal_frequency(x, 1 - x))
    counted = corruption.poisson(there[0], 20, dice(MPS))
    assert float((counted.cpu() - x).mean()) == pytest.approx(0, abs=0.02)
    assert not torch.equal(corruption.poisson(there[0], 20, dice(MPS)), there[0])
    square = torch.rand(2, 1, 16, 16, generator=dice())
    sharp = GeometricAugmentation(rotation=20, shift=0.3, sharp=True)
    same(sharp(square.to(MPS), dice(MPS)), sharp(square, dice()))


def test_patches_are_put_where_torch_would_fold_them_to() -> None:
    model = PatchAutoencoder(PatchConfig(channels=3, height=14, size=28))
    code = torch.rand(2, 32)
    tokens = model.writer(model.grow(code)[:, None] + model.places_out)
    patches = model.unembed(tokens).transpose(1, 2)
    assert torch.equal(
        model.decode_logits(code), nn.functional.fold(patches, (14, 28), 7, stride=7)
    )


@pytest.mark.usefixtures("far")
def test_a_bad_step_is_left_out_where_the_optimiser_itself_would_take_it() -> None:
    weight = nn.Parameter(torch.ones(3).to(MPS))
    optimiser = make_optimiser("adamw", [weight], 0.1)
    for value, bad in ((1.0, 0.0), (float("nan"), 1.0)):
        weight.grad = torch.full_like(weight, value)
        optimiser_step(optimiser, torch.tensor(bad).to(MPS))
    assert weight.tolist() == pytest.approx([0.9] * 3, abs=1e-4)
    assert optimiser.state[weight]["step"].tolist() == 1


@pytest.mark.usefixtures("far")
def test_a_run_trains_is_gone_on_with_and_converts(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    losses = "mse=1,ms_ssim=1,laplacian=1,frequency=1"
    first = options(
        folder, device="mps", precision="auto", steps=1, losses=losses, occlusion=1.0, degrade=1.0
    )
    events, summary = finish(first.model_copy(update={"adversarial": 0.1}))
    assert [n for n in notices(events) if "device" in n] == [
        "The device mps lacks some operators: skipping non-finite steps in the optimizer needs a "
        "check at every step, border padding in grid sampling is replaced by clamping coordinates "
        "and nanmedian runs on the CPU."
    ]
    assert summary.ssim is not None
    assert summary.skipped == 0
    # What was begun on another machine goes on here, and the other way round.
    for device in ("cpu", "mps"):
        _, summary = finish(options(folder, device=device, steps=summary.step + 1))
    model = load_model(newest_checkpoint(folder / "model" / "main"), MPS)
    points = (mean_face().points[:, :2] * 20 + 32).astype(np.float32)
    face = AlignedFace(0, points[:68], points[68:], np.eye(2, 3))
    frame = np.full((100, 100, 3), 120, np.uint8)
    with Swapper(model, MPS, BlendOptions()) as swapper:
        (swapped,) = swapper.swap([frame], [[face]])
    assert (swapped != frame).any()
    with pytest.raises(OptionsError, match=r"can't be computed in bfloat16 on this machine's mps"):
        finish(options(folder, name="half", device="mps", precision="bf16"))
    assert not (folder / "model" / "half" / "metrics.jsonl").exists()


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("kind", [*CONFIGS, "sound"])
def test_each_model_of_the_lab_takes_a_step(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    some = pictures()
    task: AudioTask | TranslationTask | PictureTask
    if kind == "sound":
        sounds = synthetic_sounds(4, 1.0, dice())
        model, task = build(RepairConfig(use="sound", widths=(4, 8))), AudioTask(sounds, sounds, 5)
    elif kind == "lab-translator":
        model, task = build(CONFIGS[kind]), TranslationTask(some, some, some, DIGITS, MPS)
    else:
        aims: dict[str, LossFunction] = {
            "lab-classifier": ClassificationLoss(),
            "lab-variational": ElboLoss(),
        }
        model = build(CONFIGS[kind])
        aim = aims.get(kind, ReconstructionLoss())
        task = PictureTask(some, some, aim, MPS, jitter=replace(DIGITS, sharp=True), dice=6)
    loop = TrainingLoop(
        task,
        model,
        LoopConfig(steps=1, batch_size=4),
        RunIdentity(tmp_path, kind, {}),
        Placement(MPS),
    )
    events: list[Event] = list(loop.run())
    assert not [e for e in events if isinstance(e, Notice)]
    assert loop.state.step == 1
    assert loop.state.skipped == 0
    assert loop.state.precision == "fp32"
    if kind == "sound":
        assert cleaned(loop.state.ema_model, sounds).shape == sounds.shape
    if kind == "lab-variational":
        assert isinstance(loop.state.ema_model, VariationalAutoencoder)
        found = scores(loop.state.ema_model, some.floats().to(MPS))
        assert {values.dtype for values in found.values()} == {np.dtype(np.float64)}


@pytest.mark.usefixtures("far")
def test_landmarks_and_repairs_are_those_of_a_processor() -> None:
    points = (mean_face().points[:68, :2] * 50 + 100).astype(np.float32)
    frame = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    config = RepairConfig(use="inpaint", inputs=4, channels=3, masked=True, size=16)
    torch.manual_seed(0)
    net, mask = build(config).eval(), np.zeros((35, 50), np.uint8)
    mask[10:20, 10:30] = 255
    with torch.no_grad():
        (here,) = BuiltinLandmarker("cpu").locate(frame, [points])
        (there,) = BuiltinLandmarker("mps").locate(frame, [points])
        repaired = Restorer(net, CPU, mask=mask).restore(frame[:35, :50])
        again = Restorer(to_device(net, MPS), MPS, mask=mask).restore(frame[:35, :50])
    np.testing.assert_allclose(there.points, here.points, atol=0.01)
    assert np.abs(again.astype(int) - repaired).max() <= 3  # of 255: bfloat16 there, not here


def test_kernels_lie_as_the_device_wants_them() -> None:
    model = SwapModel(SwapConfig(preset="quick", resolution=64))
    kernels = [p for p in model.parameters() if p.dim() == 4 and min(p.shape[1:3]) > 1]
    assert kernels
    assert memory_format(CPU) == torch.channels_last
    assert all(k.is_contiguous(memory_format=torch.channels_last) for k in kernels)
    with apple():
        assert memory_format(MPS) == torch.contiguous_format
        there = [p for p in to_device(model, MPS).parameters() if p.dim() == 4]
        assert all(p.device == MPS and p.is_contiguous() for p in there)
