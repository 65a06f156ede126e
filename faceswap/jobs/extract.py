"""Footage in, aligned faces out."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from faceswap.events import Event, Meter, Notice, Summary
from faceswap.options import Device, Options, ProjectFolder, Show, Side
from faceswap.waiting import Paced, loaded, waited

if TYPE_CHECKING:
    from faceswap.faces.face import Face
    from faceswap.faces.index import Clip, FaceIndex, FaceRow
    from faceswap.faces.track import Tracker
    from faceswap.project import Project
    from faceswap.video.reader import Frame, VideoReader

DetectorName = Annotated[
    Literal["centerface", "sfd", "blazeface", "yunet", "retinaface", "scrfd"],
    Field(
        description="What finds faces. centerface works offline; the others are downloaded "
        "at first use."
    ),
]

LandmarksName = Annotated[
    Literal["builtin", "fan"],
    Field(
        description="What finds the landmarks. builtin works offline and is fast; fan is "
        "downloaded at first use and is slow without a GPU."
    ),
]


class ExtractOptions(Options):
    """Find, track, align and cut out the faces of one clip."""

    video: Annotated[
        Path, Show(positional=True, common=True), Field(description="The footage to read.")
    ]
    project: ProjectFolder
    side: Annotated[
        Side,
        Show(common=True),
        Field(description="a: the footage to be changed; b: the face to be put on it."),
    ]
    every: Annotated[
        int, Show(common=True), Field(ge=1, description="Cut out the faces of every N-th frame.")
    ] = 1
    size: Annotated[
        int, Field(ge=64, le=1024, multiple_of=16, description="Side of a crop, in pixels.")
    ] = 256
    min_face: Annotated[
        int, Field(ge=0, description="Leave out faces less wide than this many pixels.")
    ] = 0
    max_faces: Annotated[
        int,
        Show(common=True),
        Field(ge=1, le=16, description="Follow at most so many faces at once, largest first."),
    ] = 1
    detector: DetectorName = "centerface"
    detect_every: Annotated[
        int, Field(ge=1, description="Look for new faces every N frames, besides lost ones.")
    ] = 25
    landmarks: LandmarksName = "builtin"
    device: Device = "auto"
    redo: Annotated[
        bool, Field(description="Forget what was extracted from this side and begin anew.")
    ] = False


class ExtractSummary(Summary):
    """What an extraction found."""

    side: Side
    frames: int
    faces: int
    tracks: int
    crops: int
    folder: Path

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"{self.side.upper()}: {self.faces} faces on {self.tracks} tracks in {self.frames} "
            f"frames; {self.crops} crops in {self.folder}."
        )


def extract(options: ExtractOptions) -> Generator[Event, None, ExtractSummary]:
    """Find, track, align and cut out the faces of one clip.

    Killed or stopped at any moment and started again, it goes on where it was.
    """
    yield from loaded("extract", "faceswap.video.reader", "faceswap.project")
    from faceswap.errors import NoFaceError
    from faceswap.project import Project
    from faceswap.video.reader import VideoReader

    with VideoReader(options.video, tolerate_damage=True) as video:
        project = Project.open_or_make(options.project)
        with project.index() as index:
            clip = _begin(project, index, options)
            if clip.complete:
                yield Notice(message=f"{options.video.name} was extracted before; nothing to do.")
            else:
                yield from _frames(project, index, options, video, clip)
            if video.damage:
                yield Notice(message=video.damage)
            frames, faces, tracks = index.count(options.side)
            if not faces:
                raise NoFaceError(
                    f"No face was found in {options.video.name}; choose footage in which the "
                    "face is larger or better lit, or try another --detector."
                )
            return ExtractSummary(
                side=options.side,
                frames=frames,
                faces=faces,
                tracks=tracks,
                crops=len(list(project.faces(options.side).glob("*.png"))),
                folder=project.faces(options.side),
            )


_SETTINGS = (
    "every",
    "size",
    "min_face",
    "max_faces",
    "detector",
    "detect_every",
    "landmarks",
)
_BATCH = 50


def _begin(project: "Project", index: "FaceIndex", options: ExtractOptions) -> "Clip":
    """The clip as far as it was extracted; a new one is begun where there is none."""
    from faceswap.errors import ProjectError
    from faceswap.faces.index import Clip

    settings = options.model_dump(include=set(_SETTINGS))
    clip = index.clip(options.side)
    if clip is not None and not options.redo:
        if not project.is_video(options.side, options.video):
            raise ProjectError(
                f"{options.side.upper()} in {project.folder} is other footage; replace it "
                f"by 'faceswap extract --side {options.side} --redo', or name another project."
            )
        changed = [key for key, value in settings.items() if clip.settings.get(key) != value]
        if changed:
            names = ", ".join(f"--{key.replace('_', '-')} {clip.settings[key]}" for key in changed)
            raise ProjectError(
                f"{options.side.upper()} was extracted with {names}; give the same, or "
                f"begin anew by 'faceswap extract --side {options.side} --redo'."
            )
        project.set_video(options.side, options.video)
        return clip
    project.set_video(options.side, options.video)
    index.start(options.side, settings)
    folder = project.faces(options.side)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.rglob("*.png"):  # what was excluded lies in a folder below
        old.unlink()
    return Clip(settings, {}, complete=False)


def _frames(
    project: "Project",
    index: "FaceIndex",
    options: ExtractOptions,
    video: "VideoReader",
    clip: "Clip",
) -> Generator[Event, None, None]:
    """Go through the frames from where the clip's state says, a batch at a time."""
    from faceswap.faces.index import FrameRow
    from faceswap.video.ahead import ahead

    start = int(clip.state.get("next", 0))
    meter = Meter("extract", total=video.info.frames or None, start=start)
    tracker = yield from waited("extract", lambda _: _tracker(options), sign=meter.progress)
    if start:
        tracker.restore(clip.state["tracker"])
    rows: list[FrameRow] = []
    faces: list[FaceRow] = []
    crowded = 0
    with (
        closing(ahead(video.frames(start), 8)) as frames,
        _CropWriter(project.faces(options.side), options) as crops,
        Paced(meter.progress) as paced,
    ):
        for frame in frames:
            seen = yield from paced(partial(tracker.update, frame.image))
            crowded += seen.dropped > 0
            rows.append(FrameRow(frame.index, frame.pts, frame.time, seen.cut))
            faces += [crops.write(frame, face) for face in seen.faces]
            if len(rows) == _BATCH:
                crops.wait()
                state = {"next": frame.index + 1, "tracker": tracker.state()}
                index.add(options.side, rows, faces, state)
                rows, faces = [], []
            progress = meter.add()
            if progress:
                yield progress
        crops.wait()
    index.add(options.side, rows, faces, {"next": int(meter.done)}, complete=True)
    yield meter.progress()
    if crowded:
        yield Notice(
            message=f"{crowded} frames show more faces than --max-faces {options.max_faces}; "
            "the others were left out."
        )


def _tracker(options: ExtractOptions) -> "Tracker":
    from faceswap.faces.detect import make_detector
    from faceswap.faces.landmarks import make_landmarker
    from faceswap.faces.track import Tracker

    return Tracker(
        make_landmarker(options.landmarks, options.device),
        make_detector(options.detector, options.device),
        detect_every=options.detect_every,
        max_faces=options.max_faces,
        min_face=options.min_face,
    )


class _CropWriter:
    """Cuts faces out and writes them, in threads of its own."""

    def __init__(self, folder: Path, options: ExtractOptions) -> None:
        self._folder, self._options = folder, options
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="crops")
        self._pending: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def write(self, frame: "Frame", face: "Face") -> "FaceRow":
        """Begin to write the face's crop, if its frame's turn has come; its row of the index."""
        from faceswap.faces.index import FaceRow

        name = None
        if frame.index % self._options.every == 0:
            name = f"{frame.index:06}_{face.track}.png"
            self._pending.append(self._pool.submit(self._cut, self._folder / name, frame, face))
        return FaceRow(
            frame.index, face.track, face.points, face.forehead, face.presence, face.pose, name
        )

    def wait(self) -> None:
        """Return when all that was begun is on disk; raises what went wrong there."""
        for pending in self._pending:
            pending.result()
        self._pending.clear()

    def _cut(self, path: Path, frame: "Frame", face: "Face") -> None:
        from faceswap.faces.crops import cropped_face, write_crop

        options = self._options
        image, record = cropped_face(
            frame.image,
            face,
            options.size,
            side=options.side,
            frame=frame.index,
            time=frame.time,
        )
        write_crop(path, image, record)
