"""Regularised autoencoders compared: sparse by L1 or KL, contractive, denoising, or none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from faceswap.autoencoder.corruption import gaussian
from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.losses import mse
from faceswap.autoencoder.regularisation import (
    SPARSE_WEIGHT,
    contractive_estimate,
    contractive_exact,
    contractive_sigmoid,
    sparse_kl,
    sparse_l1,
)
from faceswap.lab.framework.data import split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    train,
)
from faceswap.lab.framework.training_task import (
    Corrupt,
    LabBatch,
    PictureTask,
    ReconstructionLoss,
    no_corruption,
)

Penalty = Callable[[Autoencoder, LabBatch, Tensor], Tensor]


@dataclass(frozen=True)
class Regulariser:
    """A regulariser: penalty on the loss, and corruption of the inputs. deep: on the deep encoder;
    dice: random numbers it needs per picture."""

    penalty: Penalty | None = None
    spoil: Corrupt = no_corruption
    deep: bool = False
    dice: int = 0


def regularisers(strength: float, deep_code: int) -> dict[str, Regulariser]:
    """Regularisers by name; strength multiplies the default weight of each. deep_code: code
    length of the deep encoder."""

    def l1(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        return strength * SPARSE_WEIGHT * sparse_l1(code)

    def kl(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        return strength * 1e-4 * sparse_kl(code, 0.05)

    def contractive(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        assert isinstance(model, DenseAutoencoder)
        layer = model.encoders[0]
        assert isinstance(layer, nn.Linear)
        return strength * 1e-3 * contractive_sigmoid(layer.weight, code)

    def estimated(model: Autoencoder, batch: LabBatch, code: Tensor) -> Tensor:
        # The batch's noise, as a resumed run must repeat it exactly.
        return strength * 1e-4 * contractive_estimate(model.encode, batch.inputs, batch.noise[None])

    def noisy(x: Tensor, g: torch.Generator) -> Tensor:
        return gaussian(x, min(1.0, 0.3 * strength), g)

    return {
        "none": Regulariser(),
        "sparse, L1": Regulariser(l1),
        "sparse, KL": Regulariser(kl),
        "contractive": Regulariser(contractive),
        "denoising": Regulariser(spoil=noisy),
        "deep": Regulariser(deep=True),
        "deep, contractive": Regulariser(estimated, deep=True, dice=deep_code),
    }


def compare_regularisers(settings: TaskSettings) -> TaskFunction:
    """Compare regularisers on one overcomplete sigmoid layer, and Hutchinson's contractive
    estimate on a deep encoder; strength multiplies their weights."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    channels, height, width = pictures.shape
    size: dict[str, Any] = {"channels": channels, "size": width, "height": height}
    one = DenseConfig(**size, widths=(settings.code or 256,), code_active="sigmoid")
    # Tied weights: otherwise the decoder undoes a code that the penalty only scaled down.
    deep = DenseConfig(**size, widths=(256, 128, 64), hidden="silu", tied=True)
    x = parts.test.floats().to(settings.device)
    rows, figures = [("pictures", x[:12])], dict[str, Any]()
    strength = 1.0 if settings.strength is None else settings.strength
    for name, kind in regularisers(strength, deep.widths[-1]).items():
        task = PictureTask(
            parts.training,
            parts.validation,
            ReconstructionLoss(penalty=kind.penalty),
            settings.device,
            kind.spoil,
            dice=kind.dice,
        )
        folder = f"regularization-{name.replace(', ', '-').lower()}"
        config = deep if kind.deep else one
        model = yield from train(
            task, config, settings, TrainingPlan(folder, 2500, strength=strength)
        )
        assert isinstance(model, DenseAutoencoder)
        figures[name] = measure_regularity(model, x, settings.seed)
        with torch.no_grad():
            rows.append((f"{name}: MSE {figures[name]['test MSE']:.4f}", model(x[:12])))
        weight = model.encoders[0].weight
        assert isinstance(weight, Tensor)
        rows.append((f"{name}: weights of 12 units", _filters(weight, pictures.shape)))
    plain = figures["none"]
    slope, deep_slope = (
        figures[held]["slope"] / figures[free]["slope"]
        for held, free in (("contractive", "none"), ("deep, contractive", "deep"))
    )
    sentence = (
        f"Without regularization {plain['active units']:.0%} of the units are active in a picture; "
        f"with KL {figures['sparse, KL']['active units']:.0%}. The contractive code moves "
        f"{slope:.2f} times as much with its input as without the penalty, that of a deep encoder "
        f"{deep_slope:.2f} times, and the denoising autoencoder reconstructs noisy pictures with "
        f"an error of {figures['denoising']['MSE from noise']:.4f} instead of "
        f"{plain['MSE from noise']:.4f}."
    )
    return (yield from finish(settings, "regularization", [sheet(rows, 52)], figures, sentence))


def measure_regularity(model: DenseAutoencoder, x: Tensor, seed: int) -> dict[str, float]:
    """Errors, slope, spread and active units of a model on pictures ``x``.

    slope: Frobenius norm ‖J‖ of the encoder's Jacobian. spread: root of the total variance of the
    codes, to compare the slope with. active units: share above 0.1, for sigmoid codes.
    """
    generator = torch.Generator(x.device).manual_seed(seed)
    with torch.no_grad():
        code = model.encode(x)
        found = {
            "test MSE": float(mse(model(x), x)),
            "MSE from noise": float(mse(model(gaussian(x, 0.3, generator)), x)),
            "slope": contractive_exact(model.encode, x[:16]).item() ** 0.5,
            "spread": code.var(0, correction=0).sum().item() ** 0.5,
        }
    if model.config.code_active == "sigmoid":
        found["active units"] = float((code > 0.1).float().mean())
    return found


def _filters(weight: Tensor, shape: tuple[int, int, int]) -> Tensor:
    rows = weight[:12].detach().view(-1, *shape)
    most = rows.flatten(1).abs().amax(1).view(-1, 1, 1, 1).clamp(min=1e-9)
    return 0.5 + 0.5 * rows / most
