"""A patch: what compositing puts into a frame, and where."""

from dataclasses import dataclass

import cv2
import numpy as np

from faceswap.io.orientation import Orientation
from faceswap.types import FloatImage, Matrix, UInt8Image, Weights
from faceswap.video.info import VideoInfo
from faceswap.video.light import mix


@dataclass(frozen=True)
class Patch:
    """A face to blend into a frame, in light: see ``light.py``.

    x, y: top left in pixels of the frame. face: RGB (h, w, 3) in [0, 1], as the frame's RGB
    (tone-mapped where the footage is HDR). alpha: its weights (h, w); where 0, the frame stays.
    matrix: frame → the model's crop.
    """

    x: int
    y: int
    face: FloatImage
    alpha: Weights
    matrix: Matrix

    def apply(self, frame: UInt8Image) -> None:
        """Blend into ``frame``, uint8 RGB (H, W, 3), in place."""
        height, width = self.alpha.shape
        region = frame[self.y : self.y + height, self.x : self.x + width]
        weights = self.alpha.ravel()
        rim = np.flatnonzero((weights > 0) & (weights < 1))
        before = region[rim // width, rim % width].astype(np.float32) / np.float32(255)
        mixed = mix(before, self.face.reshape(-1, 3).take(rim, 0), weights.take(rim))
        np.copyto(region, _rounded(self.face), where=(self.alpha >= 1)[..., None])
        region[rim // width, rim % width] = _rounded(mixed)

    def in_stored_pixels(self, info: VideoInfo) -> "Patch":
        """The same patch in the footage's stored pictures, neither turned nor stretched."""
        patch = self._unturned(info.turn, info.width, info.height)
        size = (info.height, info.width) if info.turn[0] else (info.width, info.height)
        if size == info.stored:
            return patch
        return patch._scaled(info.stored[0] / size[0], info.stored[1] / size[1], info.stored)

    def _unturned(self, turn: Orientation, width: int, height: int) -> "Patch":
        transpose, flip_x, flip_y = turn
        if not any(turn):
            return self
        face, alpha, x, y = self.face, self.alpha, self.x, self.y
        rows, columns = alpha.shape
        if flip_x:
            face, alpha, x = face[:, ::-1], alpha[:, ::-1], width - x - columns
        if flip_y:
            face, alpha, y = face[::-1], alpha[::-1], height - y - rows
        if transpose:
            face, alpha, x, y = face.transpose(1, 0, 2), alpha.T, y, x
        return Patch(x, y, np.ascontiguousarray(face), np.ascontiguousarray(alpha), self.matrix)

    def _scaled(self, across: float, down: float, limits: tuple[int, int]) -> "Patch":
        """Resampled to pixels of another shape, in a picture of ``limits`` (width, height)."""
        rows, columns = self.alpha.shape
        left, top = int(self.x * across), int(self.y * down)
        right = min(limits[0], int(np.ceil((self.x + columns) * across)))
        bottom = min(limits[1], int(np.ceil((self.y + rows) * down)))
        # Pixel centres are at integers: stored (u + 0.5) / across = frame x + 0.5.
        to_patch = np.array(
            [
                [1 / across, 0, (left + 0.5) / across - 0.5 - self.x],
                [0, 1 / down, (top + 0.5) / down - 0.5 - self.y],
            ]
        )
        size = (right - left, bottom - top)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        face = cv2.warpAffine(
            self.face, to_patch, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        alpha = cv2.warpAffine(self.alpha, to_patch, size, flags=flags)
        return Patch(
            left, top, np.asarray(face, np.float32), np.asarray(alpha, np.float32), self.matrix
        )

    def aligned(self, across: int, down: int, limits: tuple[int, int]) -> "Patch":
        """Grown, with weights of 0, to multiples of ``across`` and ``down`` pixels.

        limits: width and height of the picture, which it does not leave.
        """
        rows, columns = self.alpha.shape
        left, top = self.x % across, self.y % down
        right = min(-(self.x + columns) % across, max(0, limits[0] - self.x - columns))
        bottom = min(-(self.y + rows) % down, max(0, limits[1] - self.y - rows))
        if not (left or top or right or bottom):
            return self
        pad = ((top, bottom), (left, right))
        return Patch(
            self.x - left,
            self.y - top,
            np.pad(self.face, (*pad, (0, 0)), "edge"),
            np.pad(self.alpha, pad),
            self.matrix,
        )


def changed_pixels(before: UInt8Image, after: UInt8Image) -> list[Patch]:
    """A patch that makes ``after`` of ``before``, both uint8 RGB (H, W, 3); none if they are equal.

    Where they are equal its weights are 0: there the footage stays as it is stored.
    """
    changed = (before != after).any(2)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows):
        return []
    area = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    face = after[area].astype(np.float32) / np.float32(255)
    alpha = changed[area].astype(np.float32)
    return [Patch(int(columns[0]), int(rows[0]), face, alpha, np.eye(2, 3))]


def _rounded(values: FloatImage) -> UInt8Image:
    levels = np.asarray(values * np.float32(255) + np.float32(0.5), np.float32)
    return np.asarray(np.clip(levels, 0, 255, out=levels), np.uint8)
