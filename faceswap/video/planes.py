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
from faceswap.video.light import mix
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
        self._from_rgb, self._black = self._code_map(_rgb_to_ycc(red, blue))
        self._to_rgb = np.linalg.inv(self._from_rgb).astype(np.float32)

    def _code_map(self, to_ycc: npt.NDArray[np.float32]) -> tuple[FloatImage, FloatImage]:
        """Matrix (3, 3) and offset (3, 1) from RGB in [0, 1] to the planes' code values."""
        top = np.float32((1 << self._format.bits) - 1)
        if self._format.rgb:  # its planes are green, blue and red
            return top * np.eye(3, dtype=np.float32)[[1, 2, 0]], np.zeros((3, 1), np.float32)
        step = np.float32(1 << (self._format.bits - 8))
        if self._info.colour.full_range:
            luma, chroma, black = top, top, np.float32(0)
        else:
            luma, chroma, black = 219 * step, 224 * step, 16 * step
        scale = np.array([[luma], [chroma], [chroma]], np.float32)
        return scale * to_ycc, np.array([[black], [128 * step], [128 * step]], np.float32)

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
        values = self._components(face)
        for field in range(fields):
            rows = slice(field, None, fields)
            place = patch.y // fields, patch.x
            self._blend_field(picture, rows, values[:, rows], patch.alpha[rows], place)
        if self._format.alpha:
            _fade_in(plane(picture, 3), patch, self._format.bits)

    def _blend_field(
        self,
        picture: VideoFrame,
        rows: slice,
        values: FloatImage,
        alpha: Weights,
        place: tuple[int, int],
    ) -> None:
        """Blend code values (3, h, w) of a face into every or every other row, at (row, column)."""
        regions, before = [], []
        for number in range(3):
            across, down = self._blocks(number)
            size = -(-alpha.shape[0] // down), -(-alpha.shape[1] // across)
            top, left = place[0] // down, place[1] // across
            region = plane(picture, number)[rows][top : top + size[0], left : left + size[1]]
            regions.append(region)
            before.append(_repeated(region.astype(np.float32), alpha.shape, across, down))
        mixed = self._mixed(np.stack(before), values, alpha)
        for number, region in enumerate(regions):
            across, down = self._blocks(number)
            shown, wanted = _block_means(alpha, across, down), mixed[number]
            wanted = _block_means(wanted, across, down)
            inside = shown[: region.shape[0], : region.shape[1]] > 0
            found = wanted[: region.shape[0], : region.shape[1]][inside] + np.float32(0.5)
            region[inside] = np.clip(found, 0, (1 << self._format.bits) - 1).astype(region.dtype)

    def _blocks(self, number: int) -> tuple[int, int]:
        """Columns and rows of pixels that share one sample of a plane."""
        return self._format.chroma if number and not self._format.rgb else (1, 1)

    def _mixed(self, before: FloatImage, values: FloatImage, alpha: Weights) -> FloatImage:
        """Code values (3, h, w) of ``before`` with ``values`` by ``alpha`` (h, w), in light."""
        mixed = np.where(alpha >= 1, values, before)
        rim = (alpha > 0) & (alpha < 1)
        own, weights = before[:, rim], alpha[rim]
        seen = self._rgb(own)
        result = mix(seen, self._rgb(values[:, rim]), weights, self._info.colour.transfer)
        # What RGB can't express of the footage comes back: a weight of almost 0 changes nothing.
        lost = own - self._codes(seen)
        mixed[:, rim] = self._codes(result) + (1 - weights) * lost
        return mixed

    def _components(self, face: FloatImage) -> FloatImage:
        """The three planes of RGB (h, w, 3) in [0, 1], as code values (3, h, w)."""
        return self._codes(face.reshape(-1, 3)).reshape(3, *face.shape[:2])

    def _codes(self, colours: FloatImage) -> FloatImage:
        """Code values (3, N) of RGB (N, 3) in [0, 1]."""
        return self._from_rgb @ colours.T + self._black

    def _rgb(self, codes: FloatImage) -> FloatImage:
        """RGB (N, 3), in [0, 1], of code values (3, N)."""
        return np.clip((self._to_rgb @ (codes - self._black)).T, 0, 1)


def _rgb_to_ycc(red: float, blue: float) -> npt.NDArray[np.float32]:
    """Matrix (3, 3) from RGB in [0, 1] to luma in [0, 1] and chroma in [-0.5, 0.5]."""
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, cb, cr]).astype(np.float32)


def _repeated(samples: Weights, size: tuple[int, ...], across: int, down: int) -> Weights:
    """Each sample for all pixels of its block; what the picture lacks is repeated: (h, w)."""
    if (across, down) == (1, 1):
        return samples
    every = samples.repeat(down, 0).repeat(across, 1)[: size[0], : size[1]]
    missing = [(0, wanted - there) for wanted, there in zip(size, every.shape, strict=True)]
    return np.pad(every, missing, "edge") if any(after for _, after in missing) else every


def _block_means(values: Weights, across: int, down: int) -> Weights:
    """Mean of each block of across × down pixels."""
    if (across, down) == (1, 1):
        return values
    size = (-(-values.shape[1] // across), -(-values.shape[0] // down))
    pad = ((0, size[1] * down - values.shape[0]), (0, size[0] * across - values.shape[1]))
    if any(after for _, after in pad):
        values = np.pad(values, pad, "edge")
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _fade_in(samples: Samples, patch: Patch, bits: int) -> None:
    """Make the picture as opaque as the patch is, in place."""
    height, width = patch.alpha.shape
    region = samples[patch.y : patch.y + height, patch.x : patch.x + width]
    alpha = patch.alpha[: region.shape[0], : region.shape[1]]
    before, top = region.astype(np.float32), (1 << bits) - 1
    region[:] = (before + alpha * (top - before) + np.float32(0.5)).astype(samples.dtype)
