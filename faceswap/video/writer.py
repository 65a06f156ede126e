"""Encode frames to a video that keeps timing, colours, sound and metadata of its source.

::

    with VideoReader(a) as video, VideoWriter(out, video.info) as writer:
        for frame in video.frames():
            writer.write(process(frame.image), frame.pts, frame.duration)

A swap changes the stored pictures only where patches are (``VideoWriter.of_footage``)::

    with VideoWriter.of_footage(plan_output(out, video.info, Encoding())) as writer:
        for one in video.footage():
            writer.write_footage(one, patches(one.image))
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from faceswap.background import uninterruptible
from faceswap.errors import OutputError
from faceswap.types import UInt8Image
from faceswap.video.encoding import Encoding, OutputLabel
from faceswap.video.info import VideoInfo
from faceswap.video.output_file import check_output
from faceswap.video.output_plan import OutputPlan, plan_output
from faceswap.video.output_video import OutputVideo
from faceswap.video.patch import Patch, changed_pixels
from faceswap.video.picture_encoder import PictureEncoder
from faceswap.video.reader import Footage, VideoReader

_DEFAULT_ENCODING, _DEFAULT_LABEL = Encoding(), OutputLabel()


def expected_size(info: VideoInfo) -> int:
    """Estimated size of an output video in bytes, on the high side."""
    return round(info.width * info.height * max(info.frames, 1) * 0.03) + 2**20


class VideoWriter:
    """Writes a video with timestamps, rate, colours, other streams and metadata of ``template``.

    ``write`` takes upright RGB frames of the size of ``template``; their timestamps, in ticks of
    its time base, are kept (Matroska rounds them to milliseconds, and shifts video and audio
    together where audio starts before zero). The file gets its name only when ``finish`` has
    written and synced all of it; until then it has a hidden partial name beside it, which ``close``
    removes. As a context manager it finishes on success and closes on an exception.

    Raises OutputError when the file cannot be written or the container cannot hold the codec.
    """

    def __init__(
        self,
        path: Path | str,
        template: VideoInfo,
        encoding: Encoding = _DEFAULT_ENCODING,
        label: OutputLabel = _DEFAULT_LABEL,
        *,
        overwrite: bool = False,
    ) -> None:
        path = check_output(path, overwrite=overwrite, source=template.path)
        self._begin(plan_output(path, template.as_frames(), encoding), label, overwrite)

    @classmethod
    def of_footage(
        cls, plan: OutputPlan, label: OutputLabel = _DEFAULT_LABEL, *, overwrite: bool = False
    ) -> Self:
        """A writer of stored pictures, by ``write_footage``; see ``plan_output``."""
        check_output(plan.path, overwrite=overwrite, source=plan.info.path)
        writer = cls.__new__(cls)
        writer._begin(plan, label, overwrite)
        return writer

    @classmethod
    def over(
        cls,
        path: Path,
        video: VideoReader,
        label: OutputLabel = _DEFAULT_LABEL,
        *,
        overwrite: bool = False,
    ) -> Self:
        """A writer of the footage of ``video`` with other pixels in it, by ``write_over``."""
        plan = plan_output(check_output(path, overwrite=overwrite), video.info, _DEFAULT_ENCODING)
        video.deinterlace = plan.deinterlaced
        return cls.of_footage(plan, label, overwrite=overwrite)

    def _begin(self, plan: OutputPlan, label: OutputLabel, overwrite: bool) -> None:
        self.path = plan.path.absolute()
        self._plan = plan
        self._video = OutputVideo(plan, label, overwrite=overwrite)
        self._encoder = PictureEncoder(plan, self._video.stream)
        self._finished = False

    @property
    def notices(self) -> tuple[str, ...]:
        """What the output loses or changes besides the frames, in sentences."""
        return self._plan.notices

    @property
    def damage(self) -> str | None:
        """What of the sound was lost, in one sentence, once it is finished; else None."""
        return self._video.damage

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self.close()

    def write(self, image: UInt8Image, pts: int, duration: int = 0) -> None:
        """Add the frame uint8 RGB (H, W, 3), shown at ``pts`` for ``duration`` ticks (0: open).

        Raises ValueError when its size differs or ``pts`` does not increase, OutputError when
        the disk is full.
        """
        with self._video.errors():
            for packet in self._encoder.rgb(image, pts, duration):
                self._video.mux(packet)

    def write_footage(self, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        """Add a stored picture with ``patches`` blended in; the rest of it is not touched.

        The picture may be changed. Raises as ``write``.
        """
        with self._video.errors():
            for packet in self._encoder.footage(footage, patches):
                self._video.mux(packet)

    def write_over(self, footage: Footage, image: UInt8Image) -> None:
        """Add a stored picture with those pixels of ``image`` that differ from the footage's.

        image: uint8 RGB (H, W, 3), changed from ``footage.image``. Raises as ``write``.
        """
        self.write_footage(footage, changed_pixels(footage.image, image))

    def finish(self) -> Path:
        """Flush encoder and other streams, sync to disk and rename; returns the path.

        Not interruptible. Raises OutputError when there is no space, or nothing was
        written.
        """
        if self._encoder.last_pts is None:
            self.close()
            raise OutputError(f"{self.path.name} would have no frames, so it was not written.")
        with uninterruptible():
            if not self._finished:
                with self._video.errors():
                    for packet in self._encoder.rest():
                        self._video.mux(packet)
                self._finished = True
                self._video.finish(self._encoder.end)
        return self.path

    def close(self) -> None:
        """Close all files; removes an unfinished video. May be called twice."""
        self._video.close()
