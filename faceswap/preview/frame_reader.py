"""Random access to the frames of a video, with a cache."""

from collections import OrderedDict, deque
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from faceswap.errors import InputError

if TYPE_CHECKING:
    from faceswap.video.reader import Frame, VideoReader

_MAX_SKIP = 48
"""Frames that are decoded and skipped rather than seeking."""

_CACHED_FRAMES = 6


class FrameReader:
    """Frames of one video by number, with a cache; consecutive frames need no seeking."""

    def __init__(self, path: Path) -> None:
        from faceswap.video.reader import open_footage

        self.reader: VideoReader = open_footage(path)
        self._pass: Generator[Frame, None, None] | None = None
        self._next = 0
        self._end: int | None = None  # number of the last frame, once it was decoded
        self._cache: OrderedDict[int, Frame] = OrderedDict()

    def frame(self, number: int) -> "Frame":
        """Frame ``number``, or the last frame if the video is shorter.

        Raises InputError when no frame can be decoded.
        """
        number = max(0, number if self._end is None else min(number, self._end))
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        if self._pass is None or not self._next <= number <= self._next + _MAX_SKIP:
            self._seek(number)
        assert self._pass is not None
        found: Frame | None = None
        for found in self._pass:
            self._next = found.index + 1
            if found.index >= number:
                break
        if found is None or found.index < number:
            found = found or self._last()
            self._end = found.index
        self._cache[found.index] = found
        while len(self._cache) > _CACHED_FRAMES:
            self._cache.popitem(last=False)
        return found

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def _seek(self, number: int) -> None:
        if self._pass is not None:
            self._pass.close()
        self._pass, self._next = self.reader.frames(number), number

    def _last(self) -> "Frame":
        """The last frame that can be decoded; the container may announce more."""
        packets, back = len(self.reader.timestamps()), _MAX_SKIP
        while True:
            start = max(0, packets - back)
            last = deque(self.reader.frames(start), maxlen=1)
            if last:
                return last[0]
            if start == 0:
                raise InputError(
                    f"No frame of {self.reader.path.name} can be decoded; choose another video."
                )
            back *= 2
