"""What restraint does to a code: sparse by L1 or KL, contractive, denoising, or none."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from faceswap.autoencoder.corruption import gaussian
from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.family import Autoencoder
from faceswap.autoencoder.penalties import (
    SPARSE_WEIGHT,
    contractive_exact,
    contractive_sigmoid,
    sparse_kl,
    sparse_l1,
)
from faceswap.lab.data import split
from faceswap.lab.figure import sheet
from faceswap.lab.run import Run, Settings, finish, notices, train
from faceswap.lab.task import LabBatch, LabTask, Repeat, Spoil, as_it_is

Penalty = Callable[[Autoencoder, LabBatch, Tensor], Tensor]


def penalties(strength: float) -> dict[str, tuple[Penalty | None, Spoil]]:
    """Kinds of restraint; strength multiplies the usual weight of each."""

    def l1(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        return strength * SPARSE_WEIGHT * sparse_l1(code)

    def kl(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        return strength * 1e-4 * sparse_kl(code, 0.05)

    def contractive(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        assert isinstance(model, DenseAutoencoder)
        layer = model.encoders[0]
        assert isinstance(layer, torch.nn.Linear)
        return strength * 1e-3 * contractive_sigmoid(layer.weight, code)

    def noisy(x: Tensor, g: torch.Generator) -> Tensor:
        return gaussian(x, min(1.0, 0.3 * strength), g)

    return {
        "none": (None, as_it_is),
        "sparse, L1": (l1, as_it_is),
        "sparse, KL": (kl, as_it_is),
        "contractive": (contractive, as_it_is),
        "denoising": (None, noisy),
    }


def restraint(settings: Settings) -> Run:
    """One overcomplete sigmoid layer under each restraint; strength multiplies their weights."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split(pictures, settings.seed)
    channels, height, width = pictures.shape
    config = DenseConfig(
        channels=channels,
        size=width,
        height=height,
        widths=(settings.code or 256,),
        code_active="sigmoid",
    )
    x = parts.test.floats().to(settings.device)
    rows, figures = [("pictures", x[:12])], dict[str, Any]()
    strength = 1.0 if settings.strength is None else settings.strength
    for name, (penalty, spoil) in penalties(strength).items():
        task = LabTask(
            parts.training, parts.validation, Repeat(penalty=penalty), settings.device, spoil
        )
        folder = f"restraint-{name.replace(', ', '-').lower()}"
        model = yield from train(task, config, settings, folder, 2500, strength=strength)
        assert isinstance(model, DenseAutoencoder)
        figures[name] = _measured(model, x, settings.seed)
        with torch.no_grad():
            rows.append((f"{name}: MSE {figures[name]['test MSE']:.4f}", model(x[:12])))
        weight = model.encoders[0].weight
        assert isinstance(weight, Tensor)
        rows.append((f"{name}: what 12 units look for", _filters(weight, pictures.shape)))
    plain = figures["none"]
    slope = figures["contractive"]["squared slope"] / plain["squared slope"]
    sentence = (
        f"Without restraint {plain['active units']:.0%} of the units are at work in a picture; "
        f"with KL {figures['sparse, KL']['active units']:.0%}. The contractive code moves "
        f"{slope:.2f} times as much with its input, and "
        f"the denoising one brings noisy pictures back with an error of "
        f"{figures['denoising']['MSE from noise']:.4f} instead of {plain['MSE from noise']:.4f}."
    )
    return (yield from finish(settings, "restraint", [sheet(rows, 52)], figures, sentence))


def _measured(model: DenseAutoencoder, x: Tensor, seed: int) -> dict[str, float]:
    generator = torch.Generator(x.device).manual_seed(seed)
    with torch.no_grad():
        code = model.encode(x)
        return {
            "test MSE": float((model(x) - x).square().mean()),
            "active units": float((code > 0.1).float().mean()),
            "MSE from noise": float((model(gaussian(x, 0.3, generator)) - x).square().mean()),
            "squared slope": _slope(model, x[:16]),
        }


@torch.enable_grad()
def _slope(model: DenseAutoencoder, x: Tensor) -> float:
    return contractive_exact(model.encode, x).item()


def _filters(weight: Tensor, shape: tuple[int, int, int]) -> Tensor:
    rows = weight[:12].detach().view(-1, *shape)
    most = rows.flatten(1).abs().amax(1).view(-1, 1, 1, 1).clamp(min=1e-9)
    return 0.5 + 0.5 * rows / most
