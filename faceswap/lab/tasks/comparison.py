"""Comparison of autoencoder architectures, most with the same code length."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from faceswap.autoencoder.convolutional import ConvConfig
from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig, linear
from faceswap.autoencoder.interface import Autoencoder, PictureConfig
from faceswap.autoencoder.losses import mse
from faceswap.autoencoder.lstm import LstmConfig
from faceswap.lab.framework.data import split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.models import body_for, patches_for
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import PictureTask, ReconstructionLoss
from faceswap.lab.tasks.bottleneck import decoded, encoded, fit_pca, jitter_for, reconstruct_by_pca

LINEAR = "one linear layer, tied weights"


def architectures(shape: tuple[int, int, int], numbers: int) -> dict[str, PictureConfig]:
    """Configurations for pictures of ``shape`` (C, H, W) with this code length; the code of the
    pooling network is its last feature map, and longer."""
    channels, height, width = shape
    size: dict[str, Any] = {"channels": channels, "height": height, "size": width}
    deep = (4 * numbers, 2 * numbers, numbers)
    return {
        LINEAR: linear(numbers, channels, width),
        "one layer": DenseConfig(**size, widths=(numbers,)),
        f"{deep[0]}-{deep[1]}-{deep[2]}, mirrored": DenseConfig(**size, widths=deep),
        "convolutions with pooling": ConvConfig(**size, widths=(16, 8, 8)),
        "strided convolutions": body_for(shape, numbers, 256),
        "LSTM over rows": LstmConfig(**size, hidden=160, latent_dim=numbers),
        "Transformer over patches": patches_for(shape, numbers),
    }


def compare_architectures(settings: TaskSettings) -> TaskFunction:
    """Compare dense, convolutional, LSTM and Transformer autoencoders, and PCA."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    numbers = settings.code or 32
    configs = architectures(pictures.shape, numbers)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    pca = fit_pca(training, numbers)
    plain = reconstruct_by_pca(pca, x)
    rows = [("pictures", x[:12]), (f"PCA: MSE {mse(plain, x):.4f}", plain[:12])]
    figures: dict[str, Any] = {"PCA": {"numbers": numbers, "test MSE": float(mse(plain, x))}}
    for name, config in configs.items():
        # No augmentation for the linear autoencoder: its subspace is compared with PCA's.
        jitter = None if name == LINEAR else jitter_for(pictures)
        task = PictureTask(
            parts.training, parts.validation, ReconstructionLoss(), settings.device, jitter=jitter
        )
        folder = "-".join(word.strip(",") for word in name.lower().split())
        steps = scaled_steps(2000, pictures.shape)
        model = yield from train(task, config, settings, TrainingPlan(folder, steps))
        assert isinstance(model, Autoencoder)
        made = decoded(model, encoded(model, x))
        figures[name] = {
            "numbers": model.code,
            "test MSE": float(mse(made, x)),
            "weights": _weights(model),
        }
        rows.append((f"{name}, {model.code} numbers: MSE {mse(made, x):.4f}", made[:12]))
        if isinstance(model, DenseAutoencoder) and name == LINEAR:
            figures[name]["subspace shared with PCA"] = _shared(model, pca.components_)
    ranked = sorted(
        (figures[name]["test MSE"], name) for name in configs if figures[name]["numbers"] == numbers
    )
    sentence = (
        f"Of {len(ranked)} autoencoders with a code of {numbers} numbers, {ranked[0][1]} has the "
        f"lowest error on test pictures, {ranked[0][0]:.4f}, and {ranked[-1][1]} the highest, "
        f"{ranked[-1][0]:.4f}; PCA has {figures['PCA']['test MSE']:.4f}. The linear autoencoder "
        f"shares {figures[LINEAR]['subspace shared with PCA']:.0%} of PCA's subspace."
    )
    return (yield from finish(settings, "architectures", [sheet(rows)], figures, sentence))


def _weights(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def _shared(model: DenseAutoencoder, components: NDArray[np.float64]) -> float:
    """Mean squared cosine of the principal angles between two subspaces: 1 if they are equal."""
    weight = model.encoders[0].weight
    assert isinstance(weight, Tensor)
    basis, _ = np.linalg.qr(weight.detach().cpu().numpy().T)
    return float(np.square(components @ basis).sum() / len(components))
