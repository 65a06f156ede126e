"""Blend patches into the planes of a decoded picture, at its own depth and in its own space.

Where a patch's weights are 0, not a bit changes: pictures are never converted as a whole.
"""

import cv2
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from faceswap.types import FloatImage, Weights
from faceswap.video.hdr import from_standard
from faceswap.video.info import VideoInfo
from faceswap.video.patch import Patch
from faceswap.video.pixel_formats import PixelFormat, planar_format

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Share of red and blue in luma (ITU-T H.273, table 4), by libswscale's code of the matrix."""


def plane(picture: VideoFrame, number: int) -> Samples:
    """The samples of one plane of a planar picture, (H, W), writable where the picture is."""
    one = picture.planes[number]
    wide = max(component.bits for component in picture.format.components) > 8
    kind = np.dtype(np.uint16 if wide else np.uint8)
    rows = np.frombuffer(memoryview(one), kind).reshape(-1, one.line_size // kind.itemsize)
    return rows[: one.height, : one.width]


class PatchBlender:
    """Blends patches into the pictures of one video.

    The pictures must have the planar format of ``info`` (``planar_format``) and its stored size.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._format = PixelFormat.named(planar_format(info.pixel_format))
        matrix = int(info.colour.conversion(info.width, info.height))
        red, blue = _LUMA_WEIGHTS.get(matrix, _LUMA_WEIGHTS[5])
        self._to_ycc = _rgb_to_ycc(red, blue)

    def __call__(self, picture: VideoFrame, patches: list[Patch]) -> VideoFrame:
        """``picture`` with the patches; it is changed in place where nothing else holds it."""
        if not patches:
            return picture
        picture.make_writable()
        for patch in patches:
            stored = patch.in_stored_pixels(self._info)
            if stored.alpha.size:
                self._blend(picture, stored)
        return picture

    def _blend(self, picture: VideoFrame, patch: Patch) -> None:
        across, down = self._format.chroma
        fields = 2 if self._info.fields and down > 1 else 1
        height, width = picture.height, picture.width
        patch = patch.aligned(across, down * fields, (width, height))
        face = from_standard(patch.face, self._info.colour) if self._info.colour.hdr else patch.face
        components = self._components(face)
        for field in range(fields):
            rows = slice(field, None, fields)
            top = patch.y // fields
            for number, values in enumerate(components):
                samples = plane(picture, number)[rows]
                alpha, colour = patch.alpha[rows], values[rows]
                if number and not self._format.rgb and (across > 1 or down > 1):
                    alpha, colour = _subsampled(alpha, colour, across, down)
                    place = top // down, patch.x // across
                else:
                    place = top, patch.x
                _mix(samples, colour, alpha, place, self._format.bits)
        if self._format.alpha:
            opaque = np.full_like(patch.alpha, (1 << self._format.bits) - 1)
            _mix(plane(picture, 3), opaque, patch.alpha, (patch.y, patch.x), self._format.bits)

    def _components(self, face: FloatImage) -> list[Weights]:
        """The three planes of RGB (h, w, 3) in [0, 1], as float32 code values."""
        top = np.float32((1 << self._format.bits) - 1)
        if self._format.rgb:
            return [face[..., channel] * top for channel in (1, 2, 0)]
        ycc = cv2.transform(face, self._to_ycc)
        step = np.float32(1 << (self._format.bits - 8))
        if self._info.colour.full_range:
            luma, chroma, black = top, top, np.float32(0)
        else:
            luma, chroma, black = 219 * step, 224 * step, 16 * step
        grey = 128 * step
        return [
            ycc[..., 0] * luma + black,
            ycc[..., 1] * chroma + grey,
            ycc[..., 2] * chroma + grey,
        ]


def _rgb_to_ycc(red: float, blue: float) -> npt.NDArray[np.float32]:
    """Matrix (3, 3) from RGB in [0, 1] to luma in [0, 1] and chroma in [-0.5, 0.5]."""
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, cb, cr]).astype(np.float32)


def _subsampled(alpha: Weights, values: Weights, across: int, down: int) -> tuple[Weights, Weights]:
    """Mean weight and weighted mean value of each block of across × down pixels."""
    size = (-(-alpha.shape[1] // across), -(-alpha.shape[0] // down))
    pad = ((0, size[1] * down - alpha.shape[0]), (0, size[0] * across - alpha.shape[1]))
    if any(after for _, after in pad):
        alpha, values = np.pad(alpha, pad, "edge"), np.pad(values, pad, "edge")
    small = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    weighted = np.asarray(
        cv2.resize(alpha * values, size, interpolation=cv2.INTER_AREA), np.float32
    )
    return small, np.asarray(weighted / np.maximum(small, np.float32(1e-6)), np.float32)


def _mix(
    samples: Samples, values: Weights, alpha: Weights, place: tuple[int, int], bits: int
) -> None:
    """Blend ``values`` (h, w) into ``samples`` at ``place`` (row, column), in place."""
    top, left = place
    region = samples[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    before = region.astype(np.float32)
    alpha, values = alpha[: region.shape[0], : region.shape[1]], values[: region.shape[0]]
    mixed = before + alpha * (values[:, : region.shape[1]] - before)
    region[:] = np.clip(mixed + np.float32(0.5), 0, (1 << bits) - 1).astype(samples.dtype)
