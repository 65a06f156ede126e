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

from faceswap.errors import CheckpointError, InputError, ProjectError
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.options import Side
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.protocol import (
    CloseVideoRequest,
    CreateProjectRequest,
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
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MetricCurve,
    MetricsAnswer,
    MetricsRequest,
    MovedFacesAnswer,
    NewestCrop,
    NewestCropAnswer,
    NewestCropRequest,
    PictureFile,
    PictureSize,
    ProjectAnswer,
    ProjectRequest,
    RelocateFootageRequest,
    RestoreFacesRequest,
    RunState,
    SideState,
    SnapshotAnswer,
    StepCostAnswer,
    StepCostRequest,
    SwapAnswer,
    SwapRequest,
    TimelineAnswer,
    TimelineRequest,
    TrackSpans,
)

FRAMES, RATE, WIDTH, HEIGHT = 200, 25.0, 64, 48

COLUMNS = ("frame", "track", "time", "yaw", "pitch", "presence", "blur", "brightness", "excluded")

RUN = RunState(name="main", step=100, saved=1.0, preset="quick", options={"warp": 0.05})


class FakeServer:
    """Handles every request about a project of which only the crops exist."""

    def __init__(self, folder: Path, exchange: ExchangeFolder) -> None:
        self._folder, self._exchange = folder, exchange
        self._notices: list[str] = []
        self._footage: dict[Side, Path] = {"a": Path("/a.mp4"), "b": Path("/b.mp4")}

    def take_notices(self) -> Sequence[str]:
        notices, self._notices = self._notices, []
        return notices

    def frame(self, request: FrameRequest) -> FrameAnswer:
        self._check_project()
        points = tuple((20.0 + i / 4, 20.0) for i in range(68))
        frame = self._frame(request.frame, request.fit)
        faces = (FrameFace(track=0, presence=0.9, points=points),)
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
        folder = self._crops(request.side)
        inside = {p.name: 0.0 for p in folder.glob("*.png")}
        inside |= {p.name: 1.0 for p in (folder / EXCLUDED).glob("*.png")}
        names = sorted(inside)
        values = np.full((len(names), len(COLUMNS)), np.nan, np.float32)
        for n, name in enumerate(names):
            values[n, :6] = n, 0, n / RATE, 90 - n, n % 7, 0.5 + n % 5 / 10
            values[n, 8] = inside[name]
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
        folder = self._crops(request.side)
        known = {p.name for p in (*folder.glob("*.png"), *(folder / EXCLUDED).glob("*.png"))}
        found = tuple(0.5 if name in known else None for name in request.names)
        return MeasuredFacesAnswer(blur=found, brightness=found)

    def exclude_faces(self, request: ExcludeFacesRequest) -> MovedFacesAnswer:
        self._check_project()
        return MovedFacesAnswer(names=tuple(exclude(self._crops(request.side), request.names)))

    def restore_faces(self, request: RestoreFacesRequest) -> MovedFacesAnswer:
        self._check_project()
        return MovedFacesAnswer(names=tuple(restore(self._crops(request.side), request.names)))

    def timeline(self, request: TimelineRequest) -> TimelineAnswer:
        if not (self._folder / "project.toml").is_file():
            return TimelineAnswer()
        track = TrackSpans(track=0, seen=((0, 150),), low_presence=((40, 50),))
        return TimelineAnswer(frames=FRAMES, tracks=(track,), gaps=((151, 199),), cuts=(100,))

    def newest_crop(self, request: NewestCropRequest) -> NewestCropAnswer:
        self._check_project()
        crops = sorted(self._crops(request.side).glob("*.png"))
        if not crops:
            return NewestCropAnswer(crop=None)
        return NewestCropAnswer(crop=NewestCrop(frame=len(crops) - 1, path=crops[-1]))

    def project(self, request: ProjectRequest) -> ProjectAnswer:
        self._check_project()
        return ProjectAnswer(
            folder=self._folder, a=self._side("a"), b=self._side("b"), runs=(RUN,), outputs=()
        )

    def create_project(self, request: CreateProjectRequest) -> ProjectAnswer:
        for path in (request.a, request.b):
            if path.suffix != ".mp4":
                raise InputError(f"{path.name} is not a video.")
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "project.toml").write_text("format = 1\n")
        self._footage = {"a": request.a, "b": request.b}
        return self.project(ProjectRequest())

    def relocate_footage(self, request: RelocateFootageRequest) -> DoneAnswer:
        self._check_project()
        if request.path.suffix != ".mp4":
            raise InputError(f"{request.path.name} is not {request.side.upper()}'s footage.")
        self._footage[request.side] = request.path
        return DoneAnswer()

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

    def _check_project(self) -> None:
        if not (self._folder / "project.toml").is_file():
            raise ProjectError(f"There is no project in {self._folder}.")

    def _check_run(self, run: str) -> None:
        if run != RUN.name:
            raise CheckpointError(f"The run {run} has no trained model; train it first.")

    def _crops(self, side: Side) -> Path:
        return self._folder / "faces" / side

    def _side(self, side: Side) -> SideState:
        folder, path = self._crops(side), self._footage[side]
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
