"""Handlers of requests about the project as a whole."""

import json
from pathlib import Path

from pydantic import JsonValue

from faceswap.errors import FaceswapError, InputError, OutputError
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.io.file_types import VIDEO_SUFFIXES
from faceswap.options import Side
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    CreateProjectRequest,
    DoneAnswer,
    Footage,
    ProjectAnswer,
    ProjectRequest,
    RelocateFootageRequest,
    RunState,
    SideState,
)
from faceswap.project.project import Project


class ProjectRequests(ProjectAccess):
    """What a project contains; creating it; where its footage is."""

    def __init__(self, folder: Path, exchange: ExchangeFolder, device: str = "auto") -> None:
        super().__init__(folder, exchange, device)
        self._shown_repairs: tuple[str, ...] = ()

    def project(self, request: ProjectRequest) -> ProjectAnswer:
        """State of the project: footage, faces, runs and converted videos."""
        project = Project.open(self.folder)
        self._repair_index(project)
        return ProjectAnswer(
            folder=self.folder,
            a=self._side(project, "a"),
            b=self._side(project, "b"),
            runs=tuple(
                _run(folder)
                for folder in _folders(project.runs_folder)
                if any(folder.glob("step-*"))
            ),
            outputs=_videos(project.output_folder),
        )

    def create_project(self, request: CreateProjectRequest) -> ProjectAnswer:
        """Create the project of two videos, or update their paths."""
        for path in (request.a, request.b):
            self.session.footage(path).frame(0)
        project = Project.open_or_create(self.folder)
        project.set_video("a", request.a)
        project.set_video("b", request.b)
        return self.project(ProjectRequest())

    def relocate_footage(self, request: RelocateFootageRequest) -> DoneAnswer:
        """Update the path of a side's footage, which must be the same file as before."""
        project = Project.open(self.folder)
        if not project.is_same_video(request.side, request.path):
            raise InputError(
                f"{request.path.name} is not {request.side.upper()}'s footage; make a new project "
                "for it."
            )
        project.set_video(request.side, request.path)
        return DoneAnswer()

    def _repair_index(self, project: Project) -> None:
        """Rebuild a lost index, in memory if the project is read-only."""
        self.browser.use_index(None)
        index = project.open_index_read_only()
        if not index.repairs:
            index.close()
            return
        try:
            with project.open_index() as rebuilt:
                self.session.notices += rebuilt.repairs
        except OutputError:
            if index.repairs != self._shown_repairs:
                self.session.notices += index.repairs
            self._shown_repairs = index.repairs
            self.browser.use_index(index)
        else:
            index.close()

    def _side(self, project: Project, side: Side) -> SideState:
        footage, problem = None, ""
        try:
            path = project.video(side)
            info = self.session.footage(path).reader.info
            footage = Footage(
                path=path,
                width=info.width,
                height=info.height,
                frames=info.frames,
                rate=float(info.rate),
                seconds=info.duration,
            )
        except FaceswapError as error:
            problem = str(error)
        complete, frames, faces, tracks = self.browser.summary(side)
        folder = project.crops_folder(side)
        return SideState(
            footage=footage,
            problem=problem,
            complete=complete,
            processed_frames=frames,
            faces=faces,
            tracks=tracks,
            crops=len(list(folder.glob("*.png"))),
            excluded=len(list((folder / EXCLUDED).glob("*.png"))),
        )


def _run(folder: Path) -> RunState:
    checkpoints = sorted(folder.glob("step-*.safetensors"))
    preset, options = _run_options(folder)
    return RunState(
        name=folder.name,
        step=int(checkpoints[-1].stem.removeprefix("step-")) if checkpoints else 0,
        saved=_modified(checkpoints[-1]) if checkpoints else 0.0,
        preset=preset,
        options=options,
    )


def _run_options(folder: Path) -> tuple[str, dict[str, JsonValue]]:
    """A run's preset and options, from the header of its newest readable checkpoint."""
    from faceswap.swap.training.options import TrainOptions

    for path in sorted(folder.glob("step-*.safetensors"), reverse=True):
        try:
            with open(path, "rb") as file:
                size = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(size, 1 << 24)))
            metadata = json.loads(header["__metadata__"]["faceswap"])
            notes = metadata["numbers"].get("notes", {})
            options = TrainOptions.current_names(notes.get("begun", {}) | notes.get("found", {}))
            # "auto" stays until the run has found a value.
            known = {name: value for name, value in options.items() if value != "auto"}
            return str(metadata["config"]["preset"]), known
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return "", {}


def _videos(folder: Path) -> tuple[Path, ...]:
    """The videos in ``folder``, newest last."""
    if not folder.is_dir():
        return ()
    files = sorted(folder.glob("*.*"), key=_modified)
    return tuple(path for path in files if path.suffix.lower() in VIDEO_SUFFIXES)


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []


def _modified(path: Path) -> float:
    return path.stat().st_mtime
