"""Pictures of how a swap model does."""

import os
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from faceswap.swap.model import SwapModel

ROWS = ("A", "A→A", "A→B", "B", "B→B", "B→A")


@torch.no_grad()
def grid(model: SwapModel, a: Tensor, b: Tensor) -> Tensor:
    """uint8 (6·R, n·R, 3): one row for each of ``ROWS``, for faces a, b (n, 3, R, R)."""
    rows = [
        a,
        model.reconstruct(a, "a")[0],
        model.reconstruct(a, "b")[0],
        b,
        model.reconstruct(b, "b")[0],
        model.reconstruct(b, "a")[0],
    ]
    lines = [torch.cat(list(row.clamp(0, 1).cpu()), dim=2) for row in rows]
    return (torch.cat(lines, dim=1) * 255).round().byte().permute(1, 2, 0)


def write_grid(model: SwapModel, a: Tensor, b: Tensor, path: Path) -> None:
    """Write the grid as a PNG that appears whole; raises OSError when it cannot be written."""
    part = path.with_suffix(".part")
    try:
        Image.fromarray(grid(model, a, b).numpy()).save(part, format="PNG", compress_level=1)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
