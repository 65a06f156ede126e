"""Handlers of requests for frames and swapped frames."""

import time
from pathlib import Path

from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    CloseVideoRequest,
    DoneAnswer,
    FileFrameRequest,
    FrameAnswer,
    FrameFace,
    FrameRequest,
    PictureSize,
    SwapAnswer,
    SwapRequest,
)
from faceswap.preview.session import Casting


class FrameRequests(ProjectAccess):
    """Frames of the footage, of any file, and swapped ones."""

    def frame(self, request: FrameRequest) -> FrameAnswer:
        """A frame of a source with its faces."""
        project, source = self.opened(request.source)
        found = self._frame(project.video(source), request.frame, request.fit)
        people = self.people_of_tracks(project, source)
        faces = tuple(
            FrameFace(
                track=face.track,
                person=people.get(face.track),
                presence=face.presence,
                points=tuple((x, y) for x, y in face.points.astype(float).round(1).tolist()),
            )
            for face in self.browser.faces_at(source, found.frame)
        )
        return found.model_copy(update={"faces": faces})

    def file_frame(self, request: FileFrameRequest) -> FrameAnswer:
        """A frame of the video or picture at any path."""
        return self._frame(request.path, request.frame, request.fit)

    def swap(self, request: SwapRequest) -> SwapAnswer:
        """A frame of A with B's face."""
        began = time.perf_counter()
        _, source = self.opened(request.source)
        wanted = Casting(source, request.run, request.casting)
        made = self.session.swapped(wanted, request.frame, request.blend, mask=request.mask)
        picture = self.exchange.picture(made.image, request.fit)
        seconds = time.perf_counter() - began
        return SwapAnswer(frame=made.frame, faces=made.faces, seconds=seconds, picture=picture)

    def close_video(self, request: CloseVideoRequest) -> DoneAnswer:
        """Close a video that is about to be replaced."""
        self.session.release(request.path)
        return DoneAnswer()

    def _frame(self, video: Path, number: int, fit: PictureSize | None) -> FrameAnswer:
        footage = self.session.footage(video)
        found = footage.frame(number)
        height, width = found.image.shape[:2]
        return FrameAnswer(
            frame=found.index,
            time=found.time,
            frames=footage.reader.info.frames,
            rate=float(footage.reader.info.rate),
            width=width,
            height=height,
            picture=self.exchange.picture(found.image, fit),
            faces=(),
        )
