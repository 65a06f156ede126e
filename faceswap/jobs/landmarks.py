"""Find the facial landmarks, presence and pose in a video or picture."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from faceswap.background import BackgroundWorker, import_in_background, in_background
from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.io.file_types import PICTURE_SUFFIXES
from faceswap.jobs.extract import DetectorName, LandmarkerName
from faceswap.options import Device, Options, Overwrite, Presentation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceswap.faces.face import Face
    from faceswap.video.reader import Footage, VideoReader


class LandmarksOptions(Options):
    """Find the landmarks, presence and pose of every face in a video or picture."""

    renamed: ClassVar[Mapping[str, str]] = {"out": "output", "landmarks": "landmarker"}

    footage: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="The video or picture to read."),
    ]
    output: Annotated[
        Path,
        Presentation(short="-o", common=True),
        Field(
            description="The .npz file to write, with the arrays time (frames,), points (frames, "
            "faces, 68, 2), forehead (frames, faces, 13, 2), presence (frames, faces) and pose "
            "(frames, faces, 3: yaw, pitch, roll in degrees); NaN in frames without the face."
        ),
    ]
    draw: Annotated[
        Path | None,
        Presentation(common=True),
        Field(
            description="Also write the footage with landmarks, box and pose drawn on it: a video, "
            "or a .png if the input is a picture."
        ),
    ] = None
    max_faces: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, le=16, description="Maximum number of faces per frame, largest first."),
    ] = 4
    min_face: Annotated[
        int, Field(ge=0, description="Leave out faces narrower than this many pixels.")
    ] = 0
    detector: DetectorName = "centerface"
    detect_every: Annotated[
        int, Field(ge=1, description="Run the detector every N frames, and when a face is lost.")
    ] = 25
    landmarker: LandmarkerName = "builtin"
    device: Device = "auto"
    overwrite: Overwrite = False


class LandmarksSummary(Summary):
    """Result of a landmark search."""

    frames: int
    faces: int
    tracks: int
    path: Path

    def text(self) -> str:
        """One sentence for a person."""
        return f"{self.faces} faces on {self.tracks} tracks in {self.frames} frames: {self.path}."


def landmarks(options: LandmarksOptions) -> Generator[Event, None, LandmarksSummary]:
    """Find the landmarks, presence and pose of every face in a video or picture.

    Writes NumPy arrays: 68 landmarks in iBUG order and 13 on the forehead, in frame pixels, with a
    column for each track. Needs no project. Faces of a picture are detected without tracking.

        faceswap landmarks A.mp4 -o A.npz --draw A_points.mp4
    """
    _check(options)
    yield Progress(stage="landmarks", done=0)
    yield from import_in_background("landmarks", "faceswap.video.writer", "faceswap.faces.tracking")
    from faceswap.faces.downloads import download_weights
    from faceswap.video.reader import VideoReader

    times: list[float] = []
    seen: list[tuple[Face, ...]] = []
    with VideoReader(options.footage, tolerate_damage=True) as video:
        yield from import_in_background("landmarks", "faceswap.devices")
        from faceswap.devices import pick_device

        pick_device(options.device)  # raises early if the device is not available
        yield from download_weights(options.detector, options.landmarker)
        yield from _frames(options, video, times, seen)
        if video.damage:
            yield Notice(message=video.damage)
    yield from in_background("landmarks", lambda _: _write(options.output, times, seen))
    yield Saved(what="landmarks", path=options.output)
    return LandmarksSummary(
        frames=len(times),
        faces=sum(len(faces) for faces in seen),
        tracks=len({face.track for faces in seen for face in faces}),
        path=options.output,
    )


def _check(options: LandmarksOptions) -> None:
    """Raise early for outputs that cannot be written."""
    from faceswap.errors import OutputError
    from faceswap.io.provenance import check_picture_name

    if options.output.suffix.lower() != ".npz":
        raise OutputError(f"{options.output.name} does not end in .npz; choose a name that does.")
    for path in (options.output, options.draw):
        if path is None:
            continue
        if not path.absolute().parent.is_dir():
            raise OutputError(f"There is no folder {path.absolute().parent}; create it first.")
        if path.exists() and not options.overwrite:
            raise OutputError(f"{path} exists already; use --overwrite or another name.")
    if options.draw is not None and options.draw.suffix.lower() in PICTURE_SUFFIXES:
        check_picture_name(options.draw)


def _frames(
    options: LandmarksOptions,
    video: "VideoReader",
    times: list[float],
    seen: list[tuple["Face", ...]],
) -> Generator[Event, None, None]:
    """Process the footage frame by frame; appends to times and seen."""
    from faceswap.io.provenance import DRAWN
    from faceswap.video.encoding import OutputLabel
    from faceswap.video.writer import VideoWriter

    still = video.info.still
    find = yield from in_background("landmarks", lambda _: _finder(options, still=still), "models")
    meter = Meter("landmarks", total=video.info.frames or None)
    with ExitStack() as stack:
        paced = stack.enter_context(BackgroundWorker(meter.progress))
        writer = None
        if options.draw is not None and not still:
            writer = stack.enter_context(
                VideoWriter.over(
                    options.draw, video, OutputLabel(DRAWN), overwrite=options.overwrite
                )
            )
            for told in writer.notices:
                yield Notice(message=told)
        for frame in video.footage():
            faces = yield from paced(partial(find, frame))
            times.append(float(frame.pts * video.info.time_base))
            seen.append(faces)
            if writer is not None:
                writer.write_over(frame, _drawn(frame, faces))
            elif options.draw is not None:
                _write_picture(options, _drawn(frame, faces))
            progress = meter.add()
            if progress:
                yield progress
        if writer is not None:
            drawn = writer
            yield from in_background(
                "landmarks", lambda _: drawn.finish(), heartbeat=meter.progress
            )
    yield meter.progress()
    if options.draw is not None:
        yield Saved(what="drawing", path=options.draw)


def _finder(options: LandmarksOptions, *, still: bool) -> "Callable[[Footage], tuple[Face, ...]]":
    """Function from a frame to its faces: a tracker, or plain detection for a picture."""
    from faceswap.faces.detect import make_detector
    from faceswap.faces.finder import find_faces
    from faceswap.faces.landmarks import make_landmarker
    from faceswap.faces.tracking import Tracker

    landmarker = make_landmarker(options.landmarker, options.device)
    detector = make_detector(options.detector, options.device)
    limits: dict[str, Any] = {"max_faces": options.max_faces, "min_face": options.min_face}
    if still:
        return lambda frame: tuple(find_faces(frame.image, landmarker, detector, **limits))
    tracker = Tracker(landmarker, detector, detect_every=options.detect_every, **limits)
    return lambda frame: tracker.update(frame.image).faces


def _drawn(frame: "Footage", faces: "Sequence[Face]") -> "NDArray[np.uint8]":
    from faceswap.faces.overlay import draw_face

    image = frame.image.copy()
    for face in faces:
        draw_face(image, face)
    return image


def _write_picture(options: LandmarksOptions, image: "NDArray[np.uint8]") -> None:
    from faceswap.errors import OutputError
    from faceswap.io.provenance import DRAWN, picture_provenance, save_picture

    assert options.draw is not None
    try:
        save_picture(image, options.draw, DRAWN.after(picture_provenance(options.footage)))
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot write {options.draw}: {error}.") from error


def _write(path: Path, times: list[float], seen: "list[tuple[Face, ...]]") -> None:
    """Atomic write of the .npz; each track is one column, ordered by track number."""
    import numpy as np

    from faceswap.io.atomic import atomic_file

    tracks = sorted({face.track for faces in seen for face in faces})
    column = {track: number for number, track in enumerate(tracks)}
    shape = (len(times), len(tracks))
    points = np.full((*shape, 68, 2), np.nan, np.float32)
    forehead = np.full((*shape, 13, 2), np.nan, np.float32)
    presence = np.full(shape, np.nan, np.float32)
    pose = np.full((*shape, 3), np.nan, np.float32)
    for row, faces in enumerate(seen):
        for face in faces:
            place = row, column[face.track]
            points[place], forehead[place] = face.points, face.forehead
            presence[place], pose[place] = face.presence, face.pose
    with atomic_file(path) as part, open(part, "wb") as file:
        np.savez_compressed(
            file,
            time=np.asarray(times, np.float64),
            points=points,
            forehead=forehead,
            presence=presence,
            pose=pose,
        )
