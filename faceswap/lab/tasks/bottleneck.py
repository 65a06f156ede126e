"""Compression tasks: against PCA and JPEG, by code length, 2-D codes, LSTM and Transformer."""

import io
import itertools
import zlib
from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor

from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.losses import mse
from faceswap.autoencoder.lstm import LstmConfig
from faceswap.autoencoder.transformer import PatchConfig
from faceswap.errors import OptionsError
from faceswap.events import Event
from faceswap.io.charts import line_chart, scatter_chart
from faceswap.lab.framework.data import PictureSet, Split, split_data
from faceswap.lab.framework.figure import rgb, sheet, side_by_side
from faceswap.lab.framework.models import body_for, fitting, patches_for
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import (
    DIGITS,
    GeometricAugmentation,
    PictureTask,
    ReconstructionLoss,
)
from faceswap.lab.task_registry import TaskName
from faceswap.types import UInt8Image

LENGTHS = (2, 5, 16, 32)
"""Code lengths that ``compare_codes`` trains."""


def jitter_for(pictures: PictureSet) -> GeometricAugmentation:
    """Augmentation for the pictures; without mirror images for grey ones, taken for digits."""
    if pictures.shape[0] == 1:
        return DIGITS
    return GeometricAugmentation(rotation=5, scale=0.05, shift=0.03, flip=0.5)


def train_autoencoder(
    settings: TaskSettings, parts: Split, numbers: int, name: str, steps: int
) -> Generator[Event, None, Autoencoder]:
    """Train a convolutional autoencoder with this code length."""
    config = body_for(parts.training.shape, numbers, 256)
    jitter = jitter_for(parts.training)
    task = PictureTask(
        parts.training, parts.validation, ReconstructionLoss(), settings.device, jitter=jitter
    )
    steps = scaled_steps(steps, parts.training.shape)
    model = yield from train(task, config, settings, TrainingPlan(name, steps))
    assert isinstance(model, Autoencoder)
    return model


@torch.no_grad()
def encoded(model: Autoencoder, x: Tensor) -> Tensor:
    """Codes (N, K) of pictures (N, C, H, W)."""
    return torch.cat([model.encode(part) for part in torch.split(x, 256)])


@torch.no_grad()
def decoded(model: Autoencoder, codes: Tensor) -> Tensor:
    """Pictures (N, C, H, W) of codes (N, K)."""
    return torch.cat([model.decode(part) for part in torch.split(codes, 256)])


def fit_pca(training: Tensor, numbers: int) -> PCA:
    """Fit PCA with this number of components to pictures (N, C, H, W)."""
    flat = training.flatten(1).cpu().numpy()
    # With identical pictures the explained variance ratio is 0 / 0.
    with np.errstate(invalid="ignore", divide="ignore"):
        return PCA(min(numbers, *flat.shape), random_state=0).fit(flat)


def reconstruct_by_pca(pca: PCA, x: Tensor) -> Tensor:
    """Reconstruct pictures from their principal components."""
    flat = pca.inverse_transform(pca.transform(x.flatten(1).cpu().numpy()))
    return torch.from_numpy(flat).to(x).view_as(x)


def reconstruct(settings: TaskSettings) -> TaskFunction:
    """Compare a convolutional autoencoder with PCA at the same code length, 32 by default."""
    pictures = settings.pictures()
    yield from notices(pictures)
    numbers = settings.code or 32
    parts = split_data(pictures, settings.seed)
    model = yield from train_autoencoder(settings, parts, numbers, "reconstruct", 4500)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    made = decoded(model, encoded(model, x))
    linear = reconstruct_by_pca(fit_pca(training, numbers), x)
    ours, theirs = float(mse(made, x)), float(mse(linear, x))
    figures = {"numbers": numbers, "test MSE": ours, "test MSE of PCA": theirs}
    sentence = (
        f"With a code of {numbers} numbers for {x[0].numel():,} pixel values, the autoencoder's "
        f"mean squared error on test pictures is {ours:.4f}, that of PCA {theirs:.4f}."
    )
    rows = [("pictures", x[:12]), ("autoencoder", made[:12]), ("PCA", linear[:12])]
    return (yield from finish(settings, "reconstruct", [sheet(rows)], figures, sentence))


def compare_codes(settings: TaskSettings) -> TaskFunction:
    """Compare code lengths 2, 5, 16 and 32, and PCA's error at each."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    rows, ours, theirs = [("pictures", x[:12])], [], []
    for numbers in LENGTHS:
        model = yield from train_autoencoder(
            settings, parts, numbers, f"latent-sizes-{numbers}", 1500
        )
        made = decoded(model, encoded(model, x))
        linear = reconstruct_by_pca(fit_pca(training, numbers), x)
        ours.append((float(numbers), float(mse(made, x))))
        theirs.append((float(numbers), float(mse(linear, x))))
        rows.append((f"{numbers} numbers, MSE {ours[-1][1]:.4f}", made[:12]))
    figures = {
        "codes": [
            {"numbers": int(n), "test MSE": a, "test MSE of PCA": b}
            for (n, a), (_, b) in zip(ours, theirs, strict=True)
        ]
    }
    plot = line_chart(
        "Error against the length of the code",
        {"autoencoder": ours, "PCA": theirs},
        "numbers",
        "test MSE",
        log_x=True,
    )
    goes, meaning = (
        ("falls", "short codes keep only what is typical of the pictures")
        if all(b < a for (_, a), (_, b) in itertools.pairwise(ours))
        else ("goes", "longer codes do not help here, or need longer training")
    )
    sentence = (
        f"From 2 to 32 numbers the error {goes} from {ours[0][1]:.4f} to {ours[-1][1]:.4f} (PCA: "
        f"{theirs[0][1]:.4f} to {theirs[-1][1]:.4f}); {meaning}."
    )
    return (yield from finish(settings, "latent-sizes", [sheet(rows), plot], figures, sentence))


def rate(settings: TaskSettings) -> TaskFunction:
    """Rate-distortion: quantised, entropy-coded codes against JPEG of the same pictures."""
    pictures = settings.pictures()
    yield from notices(pictures)
    if pictures.shape[1] % 4:
        raise OptionsError("Give a --size that is a multiple of 4, for JPEG's blocks.")
    parts = split_data(pictures, settings.seed)
    numbers = settings.code or 32
    model = yield from train_autoencoder(settings, parts, numbers, "rate-distortion", 2500)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    known = encoded(model, training)
    # Quantisation steps are in standard deviations; a constant number of the code has none.
    codes, spread = encoded(model, x), known.std(0).clamp(min=1e-6)
    mine, theirs = [], []
    shown = {}
    for step in (0.125, 0.25, 0.5, 1.0, 2.0):
        whole = (codes / (spread * step)).round()
        size = entropy_coded(whole.cpu().numpy()) / len(x)
        made = decoded(model, whole * spread * step)
        mine.append((size, float(mse(made, x))))
        shown[size] = made
    sheets = rgb(x) if x.shape[1] == 3 else rgb(x)[..., :1]
    for quality in (1, 3, 5, 8, 12, 20, 30, 45, 60):
        size, again = jpeg(sheets, quality)
        made = torch.from_numpy(again).permute(0, 3, 1, 2).to(x) / 255
        theirs.append((size / len(x), float(mse(made, x))))
        shown[theirs[-1][0]] = made
    level = at_rate(theirs, mine[1][0])
    figures: dict[str, Any] = {
        "autoencoder": [{"bytes": a, "test MSE": b} for a, b in mine],
        "JPEG": [{"bytes": a, "test MSE": b} for a, b in theirs],
        "at as many bytes": {"bytes": mine[1][0], "autoencoder": mine[1][1], "JPEG": level},
    }
    verdict = (
        f"JPEG needs at least {theirs[0][0]:.0f} bytes" if level is None else f"JPEG {level:.4f}"
    )
    sentence = (
        f"At {mine[1][0]:.0f} bytes a picture the autoencoder's error is {mine[1][1]:.4f}, "
        f"{verdict}; but the autoencoder's error stays above {min(e for _, e in mine):.4f} at any "
        "size, where JPEG's goes on to 0, it works for one kind of picture only, and its weights "
        "are not counted."
    )
    nearest = min((a for a, _ in theirs), key=lambda a: abs(a - mine[1][0]))
    rows = [
        ("pictures", x[:12]),
        (f"autoencoder, {mine[1][0]:.0f} bytes", shown[mine[1][0]][:12]),
        (f"JPEG, {nearest:.0f} bytes", shown[nearest][:12]),
    ]
    lines = {"autoencoder": mine, "JPEG": theirs}
    plot = line_chart("Rate-distortion curve", lines, "bytes per picture", "test MSE", log_x=True)
    return (yield from finish(settings, "rate-distortion", [sheet(rows), plot], figures, sentence))


def entropy_coded(whole: NDArray[np.float32]) -> int:
    """Size in bytes of integers (N, K), compressed by zlib column by column."""
    small = np.clip(whole, -128, 127).astype(np.int8)
    return len(zlib.compress(np.ascontiguousarray(small.T).tobytes(), 9))


def jpeg(pictures: UInt8Image, quality: int) -> tuple[int, UInt8Image]:
    """Compress pictures (N, H, W, C) as one JPEG: its size in bytes, and the decoded pictures.

    One file, to count the header once; pictures are padded to 8 × 8 blocks of their own.
    """
    n, h, w, c = pictures.shape
    columns = int(np.ceil(np.sqrt(n)))
    lines = -(-n // columns)
    tall, wide = -(-h // 8) * 8, -(-w // 8) * 8
    page = np.zeros((lines * columns, tall, wide, c), np.uint8)
    page[:n] = np.pad(pictures, ((0, 0), (0, tall - h), (0, wide - w), (0, 0)), mode="edge")
    whole = page.reshape(lines, columns, tall, wide, c).transpose(0, 2, 1, 3, 4)
    flat = whole.reshape(lines * tall, columns * wide, c)
    stream = io.BytesIO()
    Image.fromarray(flat[..., 0] if c == 1 else flat).save(
        stream, "JPEG", quality=quality, optimize=True
    )
    again = np.array(Image.open(stream)).reshape(lines, tall, columns, wide, c)
    tiles = again.transpose(0, 2, 1, 3, 4).reshape(lines * columns, tall, wide, c)
    return len(stream.getvalue()), np.ascontiguousarray(tiles[:n, :h, :w])


def at_rate(line: list[tuple[float, float]], size: float) -> float | None:
    """Error at ``size`` bytes, interpolated on ``line``; None below its smallest size."""
    ordered = sorted(line)
    if size < ordered[0][0]:
        return None
    return float(np.interp(size, [a for a, _ in ordered], [b for _, b in ordered]))


def scatter(settings: TaskSettings) -> TaskFunction:
    """Scatter plots of pictures by a 2-D code and by the first two principal components."""
    from sklearn.neighbors import KNeighborsClassifier

    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    model = yield from train_autoencoder(settings, parts, 2, "latent-map", 4000)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    pca = fit_pca(training, 2)
    planes = {
        "autoencoder": (encoded(model, training).cpu().numpy(), encoded(model, x).cpu().numpy()),
        "PCA": tuple(pca.transform(t.flatten(1).cpu().numpy()) for t in (training, x)),
    }
    labels = None if parts.test.labels is None else parts.test.labels.numpy()
    figures: dict[str, Any] = {"test MSE": float(mse(decoded(model, encoded(model, x)), x))}
    figures["test MSE of PCA"] = float(mse(reconstruct_by_pca(pca, x), x))
    blocks, said = [], []
    for name, (known, points) in planes.items():
        title = name
        if labels is not None and parts.training.labels is not None:
            near = KNeighborsClassifier(min(10, len(known))).fit(
                known, parts.training.labels.numpy()
            )
            right = float(near.score(points, labels))
            figures[f"neighbors of {name} tell the class"] = right
            title = f"{name}: {right:.0%} classified by neighbors"
            said.append(f"{right:.0%} by {name}")
        blocks.append(
            scatter_chart(title, points.astype(np.float64), labels, parts.test.classes, rgb(x))
        )
    sentence = (
        f"With a code of two numbers the error is {figures['test MSE']:.4f}, that of PCA "
        f"{figures['test MSE of PCA']:.4f}"
        + (f"; the ten nearest neighbors classify {' and '.join(said)}." if said else ".")
    )
    return (yield from finish(settings, "latent-map", [side_by_side(*blocks)], figures, sentence))


def sequence(settings: TaskSettings) -> TaskFunction:
    """LSTM autoencoder over the rows of a picture, compared with PCA."""
    pictures = settings.pictures()
    channels, height, width = pictures.shape
    numbers = fitting(settings.code or 32, pictures.shape)
    config = LstmConfig(
        channels=channels, height=height, size=width, hidden=160, latent_dim=numbers
    )
    return (yield from _compared_with_pca(settings, pictures, config, "lstm", 3000))


def transformer(settings: TaskSettings) -> TaskFunction:
    """Transformer autoencoder over patches, compared with PCA."""
    pictures = settings.pictures()
    config = patches_for(pictures.shape, settings.code or 32)
    return (yield from _compared_with_pca(settings, pictures, config, "transformer", 4000))


def _compared_with_pca(
    settings: TaskSettings,
    pictures: PictureSet,
    config: LstmConfig | PatchConfig,
    use: TaskName,
    steps: int,
) -> TaskFunction:
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    jitter = jitter_for(pictures)
    task = PictureTask(
        parts.training, parts.validation, ReconstructionLoss(), settings.device, jitter=jitter
    )
    plan = TrainingPlan(use, scaled_steps(steps, pictures.shape))
    model = yield from train(task, config, settings, plan)
    assert isinstance(model, Autoencoder)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    made = decoded(model, encoded(model, x))
    linear = reconstruct_by_pca(fit_pca(training, model.code), x)
    figures = {
        "numbers": model.code,
        "test MSE": float(mse(made, x)),
        "test MSE of PCA": float(mse(linear, x)),
    }
    how = "row by row" if use == "lstm" else "as a sequence of patches"
    sentence = (
        f"Encoded {how} into {model.code} numbers, test pictures are reconstructed with an error "
        f"of {figures['test MSE']:.4f} (PCA: {figures['test MSE of PCA']:.4f})."
    )
    rows = [("pictures", x[:12]), (use, made[:12]), ("PCA", linear[:12])]
    return (yield from finish(settings, use, [sheet(rows)], figures, sentence))
