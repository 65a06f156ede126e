"""Stands in for the preview server: the same requests, answered without footage or a model.

The tests of the window use it; the contract of tests/preview/test_contract.py holds for it as for
the real one. A file of a certain name makes it misbehave, see ``FakeServer.file_frame``.
"""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fake_people import FakePeople

from faceswap.errors import (
    CheckpointError,
    InputError,
    NoFaceError,
    OptionsError,
    OutputError,
    ProjectError,
)
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.protocol import (
    AddSourcesRequest,
    CloseVideoRequest,
    CorrectPeopleRequest,
    CreateProjectRequest,
    DeleteFacesRequest,
    DoneAnswer,
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    FileFrameRequest,
    Footage,
    FrameAnswer,
    FrameFace,
    FrameRequest,
    KeepSnapshotRequest,
    LikenessAnswer,
    LikenessRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MetricCurve,
    MetricsAnswer,
    MetricsRequest,
    MovedFacesAnswer,
    NewestCrop,
    NewestCropAnswer,
    NewestCropRequest,
    PeopleAnswer,
    PeopleRequest,
    PictureFile,
    PictureSize,
    PlannedPerson,
    ProjectAnswer,
    ProjectRequest,
    RelocateFootageRequest,
    RemoveSourceRequest,
    RestoreFacesRequest,
    RunState,
    SideState,
    SnapshotAnswer,
    SourceState,
    StepCostAnswer,
    StepCostRequest,
    SwapAnswer,
    SwapPlanAnswer,
    SwapPlanRequest,
    SwapRequest,
    TimelineAnswer,
    TimelineRequest,
    TrackSpans,
    TrimSourceRequest,
    UndoByHandRequest,
)

FRAMES, RATE, WIDTH, HEIGHT = 200, 25.0, 64, 48

COLUMNS = (
    "frame", "track", "time", "yaw", "pitch", "presence", "mouth", "lids", "person", "blur",
    "brightness", "excluded",
)  # fmt: skip

RUN = RunState(name="main", step=100, saved=1.0, preset="quick", options={"warp": 0.05})


class FakeServer:
    """Handles every request about a project of which only the crops exist."""

    def __init__(self, folder: Path, exchange: ExchangeFolder) -> None:
        self._folder, self._exchange = folder, exchange
        self._notices: list[str] = []
        self._sources: dict[str, tuple[Path, str]] = {
            "a": (Path("/a.mp4"), "a"),
            "b": (Path("/b.mp4"), "b"),
        }
        self._points: dict[str, tuple[float | None, float | None]] = {}
        self._deleted: list[tuple[str, range]] = []
        self._people = FakePeople(folder)

    def take_notices(self) -> Sequence[str]:
        notices, self._notices = self._notices, []
        return notices

    def frame(self, request: FrameRequest) -> FrameAnswer:
        self._check_project()
        points = tuple((20.0 + i / 4, 20.0) for i in range(68))
        frame = self._frame(request.frame, request.fit)
        if any(request.source == name and frame.frame in gone for name, gone in self._deleted):
            return frame
        faces = (
            FrameFace(track=0, person=self._person(request.source), presence=0.9, points=points),
        )
        return frame.model_copy(update={"faces": faces})

    def file_frame(self, request: FileFrameRequest) -> FrameAnswer:
        """A frame; die.mp4, stubborn.mp4, slow.mp4 and remark.mp4 do what they say."""
        if request.path.suffix != ".mp4":
            raise InputError(f"{request.path.name} is not a video.")
        match request.path.stem:
            case "die":
                os._exit(3)
            case "stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case "slow":
                time.sleep(30)
            case "remark":
                self._notices.append("A save is damaged.")
        return self._frame(request.frame, request.fit)

    def swap(self, request: SwapRequest) -> SwapAnswer:
        self._check_project()
        self._check_run(request.run)
        frame = _number(request.frame)
        picture = self._picture((200, 0, 0), request.fit)
        return SwapAnswer(frame=frame, faces=1, seconds=0.1, picture=picture)

    def close_video(self, request: CloseVideoRequest) -> DoneAnswer:
        return DoneAnswer()

    def faces(self, request: FacesRequest) -> FacesAnswer:
        self._check_project()
        folder = self._crops(request.source)
        inside = {p.name: 0.0 for p in folder.glob("*.png")}
        inside |= {p.name: 1.0 for p in (folder / EXCLUDED).glob("*.png")}
        names = sorted(inside)
        values = np.full((len(names), len(COLUMNS)), np.nan, np.float32)
        for n, name in enumerate(names):
            values[n, :9] = n, 0, n / RATE, 90 - n, n % 7, 0.5 + n % 5 / 10, 0.1, 0.2, 1
            values[n, -1] = inside[name]
        return FacesAnswer(
            count=len(names),
            columns=COLUMNS,
            names=self._exchange.names(names),
            values=self._exchange.values(values),
            folder=folder,
            excluded_folder=folder / EXCLUDED,
        )

    def measure_faces(self, request: MeasureFacesRequest) -> MeasuredFacesAnswer:
        self._check_project()
        folder = self._crops(request.source)
        known = {p.name for p in (*folder.glob("*.png"), *(folder / EXCLUDED).glob("*.png"))}
        found = tuple(0.5 if name in known else None for name in request.names)
        return MeasuredFacesAnswer(blur=found, brightness=found)

    def exclude_faces(self, request: ExcludeFacesRequest) -> MovedFacesAnswer:
        self._check_writable()
        return MovedFacesAnswer(names=tuple(exclude(self._crops(request.source), request.names)))

    def restore_faces(self, request: RestoreFacesRequest) -> MovedFacesAnswer:
        self._check_writable()
        return MovedFacesAnswer(names=tuple(restore(self._crops(request.source), request.names)))

    def delete_faces(self, request: DeleteFacesRequest) -> DoneAnswer:
        self._check_writable()
        if request.track != 0:
            raise NoFaceError(f"There is no such face in frame {request.first}.")
        self._deleted.append((request.source, range(request.first, request.last + 1)))
        return DoneAnswer()

    def undo_by_hand(self, request: UndoByHandRequest) -> DoneAnswer:
        self._check_writable()
        if not self._deleted:
            raise OptionsError(f"Nothing was added to or deleted from {request.source}.")
        self._deleted.pop()
        return DoneAnswer()

    def timeline(self, request: TimelineRequest) -> TimelineAnswer:
        if not (self._folder / "project.toml").is_file():
            return TimelineAnswer()
        track = TrackSpans(
            track=0, person=self._person(request.source), seen=((0, 150),), low_presence=((40, 50),)
        )
        return TimelineAnswer(frames=FRAMES, tracks=(track,), gaps=((151, 199),), cuts=(100,))

    def newest_crop(self, request: NewestCropRequest) -> NewestCropAnswer:
        self._check_project()
        crops = sorted(self._crops(request.source).glob("*.png"))
        if not crops:
            return NewestCropAnswer(crop=None)
        return NewestCropAnswer(crop=NewestCrop(frame=len(crops) - 1, path=crops[-1]))

    def project(self, request: ProjectRequest) -> ProjectAnswer:
        self._check_project()
        return ProjectAnswer(
            folder=self._folder,
            a=self._state("a", self._sources["a"][0]),
            b=self._state("b", self._sources["b"][0]),
            sources=tuple(self._source(name) for name in self._sources),
            runs=(RUN,),
            outputs=(),
        )

    def create_project(self, request: CreateProjectRequest) -> ProjectAnswer:
        for path in (request.a, request.b):
            if path.suffix != ".mp4":
                raise InputError(f"{path.name} is not a video.")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "project.toml").write_text("format = 1\n")
        self._sources = {"a": (request.a, "a"), "b": (request.b, "b")}
        return self.project(ProjectRequest())

    def relocate_footage(self, request: RelocateFootageRequest) -> DoneAnswer:
        self._check_project()
        if request.path.suffix != ".mp4":
            raise InputError(f"{request.path.name} is not {request.source.upper()}'s footage.")
        self._sources[request.source] = request.path, self._known(request.source)[1]
        return DoneAnswer()

    def add_sources(self, request: AddSourcesRequest) -> DoneAnswer:
        self._check_writable()
        for path in request.paths:
            if path.suffix != ".mp4" or path.stem == "broken":
                raise InputError(f"{path.name} is not a video.")
        for path in request.paths:
            number = 2 + sum(name.startswith(request.side) for name in self._sources) - 1
            self._sources[f"{request.side}{number}"] = path, request.side
        return DoneAnswer()

    def remove_source(self, request: RemoveSourceRequest) -> DoneAnswer:
        self._check_writable()
        self._known(request.source)
        del self._sources[request.source]
        return DoneAnswer()

    def trim_source(self, request: TrimSourceRequest) -> DoneAnswer:
        self._check_writable()
        self._known(request.source)
        if request.out_point is not None and request.out_point <= (request.in_point or 0):
            raise ProjectError("The out point must come after the in point.")
        self._points[request.source] = request.in_point, request.out_point
        return DoneAnswer()

    def people(self, request: PeopleRequest) -> PeopleAnswer:
        self._check_project()
        return self._people.answer()

    def correct_people(self, request: CorrectPeopleRequest) -> PeopleAnswer:
        self._check_writable()
        self._people.correct(request.correction)
        return self._people.answer()

    def swap_plan(self, request: SwapPlanRequest) -> SwapPlanAnswer:
        self._check_project()
        words = [word.split("=") for word in request.casting] or [["1", request.run]]
        for _, run in words:
            self._check_run(run)
        known = {one.id: one for one in self._people.answer().people}
        runs = {int(person): run for person, run in words}
        shown = [one for one in known.values() if request.source in {t.source for t in one.tracks}]
        return SwapPlanAnswer(
            people=tuple(
                PlannedPerson(person=one.id, seconds=one.seconds, run=runs.get(one.id))
                for one in shown
            ),
            notices=(),
        )

    def likeness(self, request: LikenessRequest) -> LikenessAnswer:
        self._check_project()
        if not (self._crops(request.of) / request.name).is_file():
            raise InputError(f"The crop {request.name} cannot be read.")
        return LikenessAnswer(tracks={0: 0.8})

    def metrics(self, request: MetricsRequest) -> MetricsAnswer:
        if request.run != RUN.name:
            return MetricsAnswer(curves=(), state="", seconds=0, previews=())
        curve = MetricCurve(name="loss", steps=(1, 2, 3), values=(3.0, 2.0, None))
        return MetricsAnswer(curves=(curve,), state="still improving", seconds=60, previews=())

    def step_cost(self, request: StepCostRequest) -> StepCostAnswer:
        batch = request.batch or 8
        return StepCostAnswer(seconds=batch / 8, memory=64.0 * batch, parameters=1, resolution=160)

    def keep_snapshot(self, request: KeepSnapshotRequest) -> SnapshotAnswer:
        self._check_run(request.run)
        path = self._folder / "model" / request.run / "snapshots" / "step-000000100.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        return SnapshotAnswer(path=path)

    def _check_writable(self) -> None:
        """A full disk is a file of that name in the project."""
        self._check_project()
        if (self._folder / "full disk").exists():
            raise OutputError("Cannot write project.toml: No space left on device.")

    def _check_project(self) -> None:
        if not (self._folder / "project.toml").is_file():
            raise ProjectError(f"There is no project in {self._folder}.")

    def _person(self, source: str) -> int:
        return self._people.person_of(f"{source}:0") if source in ("a", "b") else 1

    def _check_run(self, run: str) -> None:
        if run != RUN.name:
            raise CheckpointError(f"The run {run} has no trained model; train it first.")

    def _known(self, source: str) -> tuple[Path, str]:
        if source not in self._sources:
            raise ProjectError(f"{self._folder} has no source {source!r}; it has a, b.")
        return self._sources[source]

    def _crops(self, source: str) -> Path:
        return self._folder / "faces" / source

    def _source(self, name: str) -> SourceState:
        path, sides = self._sources[name]
        inside, outside = self._points.get(name, (None, None))
        return SourceState(
            id=name,
            path=path,
            source_kind="video",
            sides=sides,
            in_point=inside,
            out_point=outside,
            by_hand=sum(of == name for of, _ in self._deleted),
            **self._state(name, path).model_dump(),
        )

    def _state(self, name: str, path: Path) -> SideState:
        folder = self._crops(name)
        return SideState(
            footage=Footage(
                path=path,
                width=WIDTH,
                height=HEIGHT,
                frames=FRAMES,
                rate=RATE,
                seconds=FRAMES / RATE,
            ),
            complete=True,
            processed_frames=FRAMES,
            faces=10,
            tracks=1,
            crops=len(list(folder.glob("*.png"))),
            excluded=len(list((folder / EXCLUDED).glob("*.png"))),
        )

    def _frame(self, number: int, fit: PictureSize | None) -> FrameAnswer:
        frame = _number(number)
        return FrameAnswer(
            frame=frame,
            time=frame / RATE,
            frames=FRAMES,
            rate=RATE,
            width=WIDTH,
            height=HEIGHT,
            picture=self._picture((frame % 256, 90, 90), fit),
            faces=(),
        )

    def _picture(self, color: tuple[int, int, int], fit: PictureSize | None) -> PictureFile:
        return self._exchange.picture(np.full((HEIGHT, WIDTH, 3), color, np.uint8), fit)


def _number(frame: int) -> int:
    return min(FRAMES - 1, max(0, frame))
