"""A mask of the user's own: a video or picture that is white where faces may be swapped."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from faceswap.errors import InputError
from faceswap.types import Weights
from faceswap.video.info import VideoInfo
from faceswap.video.patch import Patch
from faceswap.video.reader import Frame, VideoReader


class UserMask:
    """The masks of a footage's frames, read in order; a still picture is that of all frames.

    Raises InputError when the file is no picture or video, or of another shape than the footage.
    """

    def __init__(self, path: Path, footage: VideoInfo) -> None:
        self._video = VideoReader(path)
        info = self._video.info
        self._still = info.still
        self._size = footage.width, footage.height
        self._frames: Iterator[Frame] = iter(())
        self._at = 0
        self._mask: Weights | None = None
        if abs(info.width * footage.height - info.height * footage.width) > max(
            footage.width, footage.height
        ):
            self._video.close()
            raise InputError(
                f"The mask {path.name} is {info.width}x{info.height}, and the footage "
                f"{footage.width}x{footage.height}; give one of the same shape."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._video.close()

    def check(self) -> None:
        """Read the first mask and close; raises InputError, before any long work."""
        with self:
            self._of(0)

    def cut(self, number: int, patches: Sequence[Patch]) -> list[Patch]:
        """The patches of frame ``number``, with the weights of the mask.

        Raises InputError when the mask ends before that frame.
        """
        if not patches:
            return []
        mask = self._of(number)
        found = []
        for patch in patches:
            height, width = patch.alpha.shape
            part = mask[patch.y : patch.y + height, patch.x : patch.x + width]
            found.append(replace(patch, alpha=np.asarray(patch.alpha * part, np.float32)))
        return found

    def _of(self, number: int) -> Weights:
        """The mask (H, W) of a frame of the footage."""
        if self._mask is not None and (self._still or number == self._at):
            return self._mask
        if self._mask is None or number < self._at:
            self._frames = self._video.frames(0 if self._still else number)
        for frame in self._frames:
            if self._still or frame.index >= number:
                grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
                if grey.shape[::-1] != self._size:
                    grey = cv2.resize(grey, self._size, interpolation=cv2.INTER_AREA)
                self._mask, self._at = np.asarray(grey, np.float32) / np.float32(255), number
                return self._mask
        raise InputError(
            f"The mask {self._video.path.name} ends before frame {number}; give one with as many "
            "frames as the footage, or a picture."
        )
