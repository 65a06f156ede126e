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
        self._from_rgb = self._code_map(_rgb_to_ycc(red, blue))
        self._to_rgb = cv2.invert(np.vstack([self._from_rgb, [0, 0, 0, 1]]))[1][:3]

    def _code_map(self, to_ycc: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Affine map (3, 4) from RGB in [0, 1] to code values of the three planes."""
        top = (1 << self._format.bits) - 1
        if self._format.rgb:  # its planes are green, blue and red
            return np.hstack([top * np.eye(3)[[1, 2, 0]], np.zeros((3, 1))])
        step = 1 << (self._format.bits - 8)
        luma, chroma, black = (219 * step, 224 * step, 16 * step)
        if self._info.colour.full_range:
            luma, chroma, black = top, top, 0
        grey = 128 * step
        scaled = np.array([[luma], [chroma], [chroma]]) * to_ycc
        return np.hstack([scaled, [[black], [grey], [grey]]])

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
        values = [cv2.transform(face, row[None]) for row in self._from_rgb]
        for field in range(fields):
            rows = slice(field, None, fields)
            codes = [np.asarray(one[rows], np.float32) for one in values]
            place = patch.y // fields, patch.x
            self._blend_field(picture, rows, codes, patch.alpha[rows], place)
        if self._format.alpha:
            _fade_in(plane(picture, 3), patch, self._format.bits)

    def _blend_field(
        self,
        picture: VideoFrame,
        rows: slice,
        values: list[Weights],
        alpha: Weights,
        place: tuple[int, int],
    ) -> None:
        """Blend a face's code values, (h, w) of each plane, into every or every other row.

        place: row and column.
        """
        regions, before = [], []
        for number in range(3):
            across, down = self._blocks(number)
            size = -(-alpha.shape[0] // down), -(-alpha.shape[1] // across)
            top, left = place[0] // down, place[1] // across
            region = plane(picture, number)[rows][top : top + size[0], left : left + size[1]]
            regions.append(region)
            before.append(_repeated(region.astype(np.float32), alpha.shape, across, down))
        self._mix(before, values, alpha)
        most = (1 << self._format.bits) - 1
        for number, (region, wanted) in enumerate(zip(regions, before, strict=True)):
            # Means of blocks that no weight touches are the samples themselves.
            means = _block_means(wanted, *self._blocks(number))
            means = means[: region.shape[0], : region.shape[1]] + np.float32(0.5)
            region[:] = np.clip(means, 0, most, out=means)

    def _blocks(self, number: int) -> tuple[int, int]:
        """Columns and rows of pixels that share one sample of a plane."""
        return self._format.chroma if number and not self._format.rgb else (1, 1)

    def _mix(self, before: list[Weights], values: list[Weights], alpha: Weights) -> None:
        """Put ``values`` into ``before`` by ``alpha``, all (h, w), in light."""
        weights = np.ascontiguousarray(alpha).ravel()
        rim = np.flatnonzero((weights > 0) & (weights < 1))
        own, face = (np.stack([p.take(rim) for p in planes], 1) for planes in (before, values))
        weights = weights.take(rim)
        mixed = self._mixed(own, face, weights) if len(rim) else own
        for number, samples in enumerate(before):
            np.copyto(samples, values[number], where=alpha >= 1)
            samples.reshape(-1)[rim] = mixed[:, number]

    def _mixed(self, own: FloatImage, face: FloatImage, weights: Weights) -> FloatImage:
        """Code values (N, 3) of ``own`` and ``face`` mixed in light by ``weights`` (N,)."""
        seen = self._rgb(own)
        mixed = mix(seen, self._rgb(face), weights, self._info.colour.transfer)
        # What RGB can't express of the footage comes back: a weight of almost 0 changes nothing.
        lost = own - self._codes(seen)
        return self._codes(mixed) + (1 - weights[:, None]) * lost

    def _codes(self, colours: FloatImage) -> FloatImage:
        """Code values (N, 3) of the planes of RGB (N, 3) in [0, 1]."""
        return np.asarray(cv2.transform(colours[None], self._from_rgb)[0], np.float32)

    def _rgb(self, codes: FloatImage) -> FloatImage:
        """RGB (N, 3), in [0, 1], of code values (N, 3)."""
        return np.clip(np.asarray(cv2.transform(codes[None], self._to_rgb)[0], np.float32), 0, 1)


def _rgb_to_ycc(red: float, blue: float) -> npt.NDArray[np.float64]:
    """Matrix (3, 3) from RGB in [0, 1] to luma in [0, 1] and chroma in [-0.5, 0.5]."""
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, cb, cr])


def _repeated(samples: Weights, size: tuple[int, ...], across: int, down: int) -> Weights:
    """Each sample for all pixels of its block; what the picture lacks is repeated: (h, w)."""
    if (across, down) == (1, 1):
        return samples
    whole = samples.shape[1] * across, samples.shape[0] * down
    every = np.asarray(cv2.resize(samples, whole, interpolation=cv2.INTER_NEAREST), np.float32)
    every = np.ascontiguousarray(every[: size[0], : size[1]])
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
