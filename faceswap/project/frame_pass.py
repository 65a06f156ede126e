"""Process the frames of a source: follow its faces, write their rows and crops in batches."""

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import Any

from faceswap.background import BackgroundWorker, in_background
from faceswap.events import Event, Meter, Notice
from faceswap.faces.crop_writer import CropSettings, CropWriter
from faceswap.faces.detect import make_detector
from faceswap.faces.embedding import Embedder
from faceswap.faces.extract_options import ExtractOptions
from faceswap.faces.index import FaceIndex, FaceRow, FrameRow
from faceswap.faces.landmarks import make_landmarker
from faceswap.faces.still_faces import StillFaces
from faceswap.faces.track_rows import TrackRows
from faceswap.faces.tracking import TrackedFrame, Tracker
from faceswap.project.early_checks import no_face_notice, several_faces_notice
from faceswap.project.extraction import ExtractionTarget
from faceswap.video.prefetch import prefetch
from faceswap.video.reader import Frame, VideoReader

BATCH = 50
"""Frames whose rows are written at once; the crops of so many may be there without rows."""
_FIRST_SECONDS = 3.0


def process_frames(
    index: FaceIndex,
    options: ExtractOptions,
    footage: VideoReader,
    work: ExtractionTarget,
    source: str,
) -> Generator[Event, None, None]:
    """Process the frames from where the state of ``work`` says, and complete its rows."""
    start = work.clip.next or 0
    meter = Meter("extract", total=footage.info.frames or None, start=start)
    tracker = yield from in_background(
        "extract", lambda _: make_tracker(options, footage.info.still), heartbeat=meter.progress
    )
    if start:
        tracker.restore(work.clip.state["tracker"])
    recovery = {name: v for name, v in work.clip.state.items() if name in ("written", "sure")}
    seconds = 0.0 if footage.info.still else float(1 / footage.info.rate)
    tracks = TrackRows(seconds, index.tracks(work.rows))
    rows: list[FrameRow] = []
    faces: list[FaceRow] = []
    crowded, end = 0, start
    early = _FirstSeconds(footage, known=start > 0)
    with (
        closing(prefetch(footage.frames(start), 8)) as frames,
        CropWriter(_crop_settings(options, work, source), index.last_cut(work.rows)) as crops,
        BackgroundWorker(meter.progress) as paced,
    ):

        def process(frame: Frame) -> tuple[FrameRow, list[FaceRow], TrackedFrame]:
            seen = tracker.update(frame.image)
            row = FrameRow(frame.index, frame.pts, frame.time, seen.cut)
            return row, [crops.write(frame.image, row, face) for face in seen.faces], seen

        for frame in frames:
            row, found, seen = yield from paced(partial(process, frame))
            crowded += seen.dropped > 0
            rows.append(row)
            faces += found
            tracks.add(row, seen)
            yield from early.notices(row, len(found))
            end = frame.index + 1
            if len(rows) == BATCH:
                yield from paced(crops.wait)
                state = {"next": end, "tracker": tracker.state()} | recovery
                index.add(work.rows, rows, faces, state, tracks=tracks.changed())
                rows, faces = [], []
            progress = meter.add()
            if progress:
                yield progress
        yield from paced(crops.wait)
    index.add(work.rows, rows, faces, {"next": end}, complete=True, tracks=tracks.changed())
    yield meter.finished()
    if crowded:
        yield Notice(
            message=f"{crowded} frames show more faces than --max-faces {options.max_faces}; "
            "the others were left out."
        )


class _FirstSeconds:
    """Tells what the first seconds of footage show that may not be meant. known: told before."""

    def __init__(self, footage: VideoReader, known: bool) -> None:
        self._footage, self._still = footage, footage.info.still
        self._waiting, self._alone = not known and not self._still, not known and not self._still

    def notices(self, row: FrameRow, faces: int) -> Iterator[Notice]:
        """What to tell after a frame that shows so many faces."""
        if faces:
            self._waiting = False
        elif self._waiting and row.time > _FIRST_SECONDS:
            self._waiting = False
            yield Notice(message=no_face_notice(self._footage.path), frame=row.frame)
        if faces > 1 and self._alone:
            self._alone = False
            yield Notice(message=several_faces_notice(self._footage.path, faces), frame=row.frame)


def make_tracker(options: ExtractOptions, still: bool) -> Tracker | StillFaces:
    """The tracker of a film, or the finder of faces in single pictures."""
    landmarker = make_landmarker(options.landmarker, options.device)
    detector = make_detector(options.detector, options.device)
    known: dict[str, Any] = {
        "embedder": Embedder(),
        "max_faces": options.max_faces,
        "min_face": options.min_face,
    }
    if still:
        return StillFaces(landmarker, detector, **known)
    return Tracker(landmarker, detector, detect_every=options.detect_every, **known)


def _crop_settings(options: ExtractOptions, work: ExtractionTarget, source: str) -> CropSettings:
    return CropSettings(
        work.folder,
        source,
        options.size,
        options.every,
        work.clip.settings.get("footage"),
        written=work.clip.written or 0,
        sure=work.clip.state.get("sure", True),
    )
