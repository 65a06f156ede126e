"""Preview of a swap model: inputs, reconstructions and swaps in a grid."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from faceswap.io.provenance import PREVIEWS, save_picture
from faceswap.swap.model.architectures import SwapModel


@torch.no_grad()
def preview_grid(model: SwapModel, faces: Mapping[str, Tensor]) -> Tensor:
    """Grid of faces (n, 3, R, R) by side and the model's outputs: uint8 (rows·R, n·R, 3).

    Below each side's faces follow their reconstructions and swaps; the rows for two sides are
    A, A→A, A→B, B, B→B, B→A.
    """
    rows = []
    for side, real in faces.items():
        others = [other for other in faces if other != side]
        rows += [real, *(model.reconstruct(real, to)[0] for to in (side, *others))]
    lines = [torch.cat(list(row.clamp(0, 1).cpu()), dim=2) for row in rows]
    return (torch.cat(lines, dim=1) * 255).round().byte().permute(1, 2, 0)


def write_preview_grid(model: SwapModel, faces: Mapping[str, Tensor], path: Path) -> None:
    """Write ``preview_grid`` as a PNG, atomically; raises OSError when it cannot be written."""
    save_picture(preview_grid(model, faces).numpy(), path, PREVIEWS, "PNG", compress_level=1)
