"""Pictures of how a swap model does."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from faceswap.io.provenance import PREVIEWS, save_picture
from faceswap.swap.model.architectures import SwapModel


@torch.no_grad()
def preview_grid(model: SwapModel, faces: Mapping[str, Tensor]) -> Tensor:
    """Faces (n, 3, R, R) by side, and what the model makes of them: uint8 (rows·R, n·R, 3).

    Under each side's faces come those faces as that side and as the other one: for both sides
    A, A→A, A→B, B, B→B, B→A.
    """
    rows = []
    for side, real in faces.items():
        others = [other for other in faces if other != side]
        rows += [real, *(model.reconstruct(real, to)[0] for to in (side, *others))]
    lines = [torch.cat(list(row.clamp(0, 1).cpu()), dim=2) for row in rows]
    return (torch.cat(lines, dim=1) * 255).round().byte().permute(1, 2, 0)


def write_preview_grid(model: SwapModel, faces: Mapping[str, Tensor], path: Path) -> None:
    """Write ``grid`` as a PNG that appears whole; raises OSError when it cannot be written."""
    save_picture(preview_grid(model, faces).numpy(), path, PREVIEWS, "PNG", compress_level=1)
