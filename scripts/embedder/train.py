"""Train the built-in face embedder: ``assets/embedder.safetensors``.

    python scripts/embedder/train.py --data ../shared/landmarks

The recipe is described in ``assets/embedder.md``. It takes about two minutes, most of them for
rendering people.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from embedder.data import Canvases, photographs, rendered
from embedder.views import draw_views
from faceswap.faces.embedding import EMBEDDING_DIM, gradient_features

ASSET = Path(__file__).parents[2] / "assets" / "embedder.safetensors"
Floats = NDArray[np.float64]
_PART = 200  # canvases whose views are drawn at once


def features_of(
    canvases: Canvases, rows: NDArray[np.intp], views: int, turned: bool, seed: int
) -> NDArray[np.float32]:
    """Gradient features (N, views, 336) of random views of the canvases ``rows``."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for part in np.array_split(rows, -(-len(rows) // _PART)):
        both = (torch.from_numpy(canvases.images[part]), torch.from_numpy(canvases.points[part]))
        depths = torch.from_numpy(canvases.depths[part]).float()
        flags = torch.full((len(part),), turned)
        drawn = [draw_views(both[0], depths, both[1], flags, generator) for _ in range(views)]
        parts.append(np.stack([gradient_features(view[:, 0].numpy()) for view in drawn], 1))
    return np.concatenate(parts)


def scatter(groups: Iterator[NDArray[np.floating]]) -> Floats:
    """Covariance (F, F) of features about the mean of their group (N, F)."""
    total: float | NDArray[np.float64] = 0.0
    count = 0
    for group in groups:
        apart = group - group.mean(0)
        total = total + apart.T.astype(np.float64) @ apart
        count += len(group) - 1
    return np.asarray(total / count, np.float64)


def discriminant(between: Floats, within: Floats, shrinkage: float) -> Floats:
    """Directions (F, 128) in which the scatter between people is largest against that within."""
    count = len(within)
    steady = within + shrinkage * np.trace(within) / count * np.eye(count)
    whiten = np.linalg.inv(np.linalg.cholesky(steady)).T
    values, vectors = np.linalg.eigh(whiten.T @ between @ whiten)
    return np.asarray(whiten @ vectors[:, np.argsort(values)[::-1][:EMBEDDING_DIM]], np.float64)


def train(options: argparse.Namespace) -> dict[str, NDArray[np.float16]]:
    """The mean of the features, and the matrix that embeds them."""
    real = photographs(options.data, options.work / "photographs.npz")
    rows = np.arange(min(options.pictures, len(real.images)))
    views = features_of(real, rows, options.views, True, options.seed)
    means = views.mean(1)
    within = scatter(iter(views))
    if options.people:
        path = options.work / f"rendered-{options.people}.npz"
        drawn = rendered(path, options.people, 12, options.seed, options.threads)
        features = features_of(drawn, np.arange(len(drawn.images)), 1, False, options.seed)[:, 0]
        people = (features[drawn.people == n] for n in range(options.people))
        within = (1 - options.share) * within + options.share * scatter(people)
    centre = means.mean(0)
    between = (means - centre).T.astype(np.float64) @ (means - centre) / len(means)
    matrix = discriminant(between - within / options.views, within, options.shrinkage)
    return {"mean": centre.astype(np.float16), "matrix": _scaled(matrix)}


def _scaled(matrix: Floats) -> NDArray[np.float16]:
    return np.asarray(matrix / np.abs(matrix).max(), np.float16)


def main() -> None:
    """Train and write the asset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/landmarks"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/embedder"))
    parser.add_argument("--asset", type=Path, default=ASSET)
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--views", type=int, default=4, help="of each photograph")
    parser.add_argument("--people", type=int, default=16, help="rendered people, 12 pictures each")
    parser.add_argument("--share", type=float, default=0.25, help="of the rendered in the scatter")
    parser.add_argument("--shrinkage", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    save_file(train(options), options.asset, {"format": "1"})
    options.asset.chmod(0o644)


if __name__ == "__main__":
    main()
