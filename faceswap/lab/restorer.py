"""Apply a trained restoration model to pictures of any size, tile by tile."""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.losses import luma
from faceswap.autoencoder.unet import masked_input
from faceswap.background import ReportProgress, no_report
from faceswap.device_support import AREAS, with_cpu_fallback
from faceswap.devices import model_autocast
from faceswap.errors import OptionsError
from faceswap.lab.framework.models import RepairConfig
from faceswap.lab.task_registry import TASKS
from faceswap.types import UInt8Image


class Restorer:
    """Restore frames (H, W, 3) with a model of the kind "lab-repair".

    tile: side of the tiles in pixels; overlap: their overlap, blended linearly to hide seams.
    mask (H, W): 255 where something is missing; holes are filled at the training resolution,
    without tiles. Raises OptionsError when the model needs a mask and there is none, when there
    is one and it needs none, when it is for sound, or when the overlap is too large.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        tile: int = 256,
        overlap: int = 32,
        mask: UInt8Image | None = None,
    ) -> None:
        config = getattr(model, "config", None)
        assert isinstance(config, RepairConfig)
        if not TASKS[config.use].can_restore:
            raise OptionsError("This model cleans sound, not pictures; give a picture model.")
        if config.masked and mask is None:
            raise OptionsError("This model fills holes: give their mask with --mask.")
        if mask is not None and not config.masked:
            raise OptionsError(f"A model for '{config.use}' takes no mask; leave out --mask.")
        if not 0 <= overlap < tile // 2:
            raise OptionsError("Give an --overlap of less than half the --tile.")
        self.model, self.config, self.device = model, config, device
        self.tile, self.overlap = tile, overlap
        self._mask = mask

    @property
    def scale(self) -> int:
        """Output size over input size."""
        return round(self.config.strength) if self.config.use == "superres" else 1

    @torch.inference_mode()
    def restore(self, frame: UInt8Image, report: ReportProgress = no_report) -> UInt8Image:
        """uint8 RGB (H, W, 3) → uint8 RGB (H · scale, W · scale, 3). report: called per tile."""
        x = torch.from_numpy(frame.copy()).to(self.device).permute(2, 0, 1)[None].float() / 255
        seen, planes = self._input(x)
        made = self._tiled(seen, report) if self._mask is None else self._filled(seen, self._mask)
        if planes:  # a one-channel net is applied to each colour channel
            made = made.transpose(0, 1)
        values = (made[0].clamp(0, 1) * 255).round().byte().expand(3, -1, -1)
        return np.ascontiguousarray(values.permute(1, 2, 0).cpu().numpy())

    def _input(self, x: Tensor) -> tuple[Tensor, bool]:
        """The net's input, and whether the colour channels became the batch."""
        config = self.config
        if config.use == "colorize":
            return luma(x), False
        planes = config.channels == 1
        x = x.transpose(0, 1) if planes else x
        if config.use == "superres":
            x = functional.interpolate(
                x, scale_factor=float(self.scale), mode="bicubic", align_corners=False
            ).clamp(0, 1)
        return x, planes

    def _filled(self, x: Tensor, mask: UInt8Image) -> Tensor:
        """Inpaint pictures (N, C, H, W) where ``mask`` is set.

        The net runs at its training resolution. Its upsampled output is corrected by a residual
        interpolated smoothly from around the hole, for continuous brightness and colour.
        """
        height, width = x.shape[2:]
        if mask.shape != (height, width):
            raise OptionsError(
                f"The mask has {mask.shape[1]} × {mask.shape[0]} pixels and the picture "
                f"{width} × {height}; give a mask of the picture's size."
            )
        hole = (torch.from_numpy(mask.copy()).to(x.device) > 127).to(x)[None, None]
        hole = hole.expand(len(x), -1, -1, -1)
        ratio = self.config.size / min(height, width)
        size = (round(height * ratio), round(width * ratio))
        share, small = (
            with_cpu_fallback(AREAS, partial(functional.interpolate, size=size, mode="area"), t)
            for t in (1 - hole, x * (1 - hole))
        )
        small = small / share.clamp(min=1e-3)  # inside holes both are 0
        with model_autocast(self.model, x.device):
            made = self.model(masked_input(small, (share < 0.5).to(x)))
        large = functional.interpolate(made, (height, width), mode="bicubic", align_corners=False)
        rest = masked_input(x - large, hole)[:, :-1]
        return torch.where(hole > 0, large + rest, x)

    def _tiled(self, x: Tensor, report: ReportProgress) -> Tensor:
        """Apply the net to (N, I, H, W) tile by tile: (N, C, H, W)."""
        height, width = x.shape[2:]
        total = x.new_zeros(len(x), self.config.channels, height, width)
        weights = x.new_zeros(1, 1, height, width)
        tops, lefts = (tile_starts(side, self.tile, self.overlap) for side in (height, width))
        for row, top in enumerate(tops):
            for column, left in enumerate(lefts):
                report(row * len(lefts) + column, len(tops) * len(lefts))
                part = x[:, :, top : top + self.tile, left : left + self.tile]
                window = blend_weights(part.shape[2], part.shape[3], self.overlap).to(x)
                place = (..., slice(top, top + self.tile), slice(left, left + self.tile))
                with model_autocast(self.model, x.device):
                    made = self.model(part)
                total[place] += made * window
                weights[place] += window
        return total / weights


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Start positions of tiles that cover ``length``, with ``overlap`` or more between
    neighbours; the last tile ends at ``length``."""
    if length <= tile:
        return [0]
    step = tile - overlap
    return [*range(0, length - tile, step), length - tile]


def blend_weights(height: int, width: int, overlap: int) -> Tensor:
    """Blend weights (1, 1, height, width): a linear ramp from the edges over ``overlap``."""

    def ramp(length: int) -> Tensor:
        place = torch.arange(length) + 0.5
        edge = torch.minimum(place, length - place)
        return (edge / max(1, overlap)).clamp(max=1)

    return (ramp(height)[:, None] * ramp(width))[None, None]
