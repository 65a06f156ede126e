"""YUV ↔ RGB conversion between decoder, frames and encoder, with matching colours."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorRange,
    Interpolation,
    VideoReformatter,
)

from faceswap.io.orientation import apply_orientation
from faceswap.types import UInt8Image
from faceswap.video.hdr import to_standard
from faceswap.video.info import Colour, VideoInfo
from faceswap.video.planes import plane

# Without the last two flags swscale uses a faster path that makes pixels up to one level darker:
# 46 dB instead of 59 dB after a round trip from RGB.
TO_RGB = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_FROM_RGB = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


def _threads(width: int, height: int) -> int:
    # For smaller frames the threading overhead exceeds the gain.
    return 1 if width * height < 500_000 else min(4, os.cpu_count() or 1)


class YuvToRgb16:
    """Converts decoded pictures of one video to upright RGB of 16 bits, with square pixels.

    Values are code values of the footage's own transfer function and primaries.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._turn = info.turn
        self._to_rgb = _StoredToRgb(info, "gbrp16le")

    def __call__(self, picture: VideoFrame) -> npt.NDArray[np.uint16]:
        """Convert to uint16 RGB (H, W, 3) over the full range, of the size in the info."""
        codes: npt.NDArray[np.uint16] = self._to_rgb(picture).astype(np.uint16, copy=False)
        return apply_orientation(codes, self._turn)


class YuvToRgb:
    """Converts decoded pictures of one video to upright RGB frames with square pixels."""

    def __init__(self, info: VideoInfo) -> None:
        self._turn, self._colour = info.turn, info.colour
        # Not rgb48 for HDR: swscale mixes up its channels with these flags.
        self._to_rgb = _StoredToRgb(info, "gbrp16le" if info.colour.hdr else "rgb24")

    def __call__(self, picture: VideoFrame) -> UInt8Image:
        """Convert to uint8 RGB (H, W, 3), of the size in the info; HDR is tone-mapped."""
        values = self._to_rgb(picture)
        if self._colour.hdr:
            values = to_standard(values.astype(np.uint16, copy=False), self._colour)
        return apply_orientation(np.ascontiguousarray(values, dtype=np.uint8), self._turn)


class _StoredToRgb:
    """RGB with square pixels, but as it is stored, not upright."""

    def __init__(self, info: VideoInfo, pixel_format: str) -> None:
        self._colour, self._format = info.colour, pixel_format
        self._size = (info.height, info.width) if info.turn[0] else (info.width, info.height)
        self._reformatter = VideoReformatter()

    def __call__(self, picture: VideoFrame) -> npt.NDArray[Any]:
        width, height = self._size
        if picture.format.name.startswith("gbr") and (picture.width, picture.height) == self._size:
            return _rgb_of_planes(picture, 65535 if self._format == "gbrp16le" else 255)
        is_yuv = picture.format.name.startswith("yuv")
        rgb = self._reformatter.reformat(
            picture,
            width=width,
            height=height,
            format=self._format,
            src_colorspace=self._colour.conversion(width, height) if is_yuv else None,
            src_color_range=self._colour.range if is_yuv else None,
            dst_color_range=ColorRange.JPEG,
            interpolation=TO_RGB,
            threads=_threads(width, height),
        )
        return rgb.to_ndarray()


def _rgb_of_planes(picture: VideoFrame, top: int) -> npt.NDArray[Any]:
    """RGB (H, W, 3) from 0 to ``top`` of a picture with a plane for each of green, blue and red.

    swscale is off by up to two levels there, and mixes up planes of 16 bits with alpha.
    """
    green, blue, red = (plane(picture, number) for number in range(3))
    codes = np.stack([red, green, blue], axis=2)
    most = (1 << max(component.bits for component in picture.format.components)) - 1
    if most == top:
        return codes
    levels = (np.arange(most + 1, dtype=np.uint64) * top + most // 2) // most
    table: npt.NDArray[Any] = levels.astype(np.uint16 if top > 255 else np.uint8)
    seen: npt.NDArray[Any] = table.take(np.minimum(codes, most))
    return seen


class RgbToYuv:
    """Converts RGB frames to pictures of one YUV pixel format and colour space."""

    def __init__(self, pixel_format: str, colour: Colour) -> None:
        self._format, self._colour = pixel_format, colour
        self._reformatter = VideoReformatter()

    def __call__(self, image: UInt8Image) -> VideoFrame:
        """Convert a frame, uint8 RGB (H, W, 3), to a picture with colour tags."""
        height, width = image.shape[:2]
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture = self._reformatter.reformat(
            rgb,
            format=self._format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=self._colour.conversion(width, height),
            dst_color_range=self._colour.range,
            interpolation=_FROM_RGB,
            threads=_threads(width, height),
        )
        picture.colorspace = self._colour.matrix
        picture.color_primaries = self._colour.primaries
        picture.color_trc = self._colour.transfer
        return picture
