"""Handlers of requests about the project as a whole."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from faceswap.errors import FaceswapError, OutputError
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.io.file_types import VIDEO_SUFFIXES
from faceswap.options import Side
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    CreateProjectRequest,
    Footage,
    ProjectAnswer,
    ProjectRequest,
    RunState,
    SideState,
    SourceState,
)
from faceswap.project.by_hand import mends_of
from faceswap.project.project import Project
from faceswap.project.source import Source


class ProjectRequests(ProjectAccess):
    """What a project contains; creating it."""

    def __init__(self, folder: Path, exchange: ExchangeFolder, device: str = "auto") -> None:
        super().__init__(folder, exchange, device)
        self._shown_repairs: tuple[str, ...] = ()
        self._files: dict[Path, tuple[int, Footage]] = {}

    def project(self, request: ProjectRequest) -> ProjectAnswer:
        """State of the project: footage, faces, runs and converted videos."""
        project = Project.open(self.folder)
        self._repair_index(project)
        sources = tuple(self._source(project, source) for source in project.sources())
        return ProjectAnswer(
            folder=self.folder,
            a=_side(sources, "a", _missing(project, "a")),
            b=_side(sources, "b", _missing(project, "b")),
            sources=sources,
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

    def _source(self, project: Project, source: Source) -> SourceState:
        footage, problem = None, ""
        try:
            footage = self._footage(project.video(source.id))
        except FaceswapError as error:
            problem = str(error)
        complete, frames, faces, tracks = self.browser.summary(source.id)
        folder = project.crops_folder(source.id)
        return SourceState(
            id=source.id,
            path=source.path,
            source_kind=source.kind,
            sides=source.sides,
            in_point=source.in_point,
            out_point=source.out_point,
            by_hand=len(mends_of(project.settings(), source.id)),
            footage=footage,
            problem=problem,
            complete=complete,
            processed_frames=frames,
            faces=faces,
            tracks=tracks,
            crops=_count_crops(folder),
            excluded=_count_crops(folder / EXCLUDED),
        )

    def _footage(self, path: Path) -> Footage:
        """What a file is; of an unchanged one it is known."""
        known = self._files.get(path)
        changed = path.stat().st_mtime_ns
        if known is None or known[0] != changed:
            info = self.session.footage(path).reader.info
            footage = Footage(
                path=path,
                width=info.width,
                height=info.height,
                frames=info.frames,
                rate=float(info.rate),
                seconds=info.duration,
            )
            known = self._files[path] = changed, footage
        return known[1]


def _side(sources: Sequence[SourceState], side: Side, missing: str) -> SideState:
    """All sources of a side together; the footage is that of the first."""
    own = [source for source in sources if side in source.sides]
    if not own:
        return SideState(problem=missing)
    return SideState(
        footage=own[0].footage,
        problem=own[0].problem,
        complete=all(source.complete for source in own),
        processed_frames=sum(source.processed_frames for source in own),
        faces=sum(source.faces for source in own),
        tracks=sum(source.tracks for source in own),
        crops=sum(source.crops for source in own),
        excluded=sum(source.excluded for source in own),
    )


def _missing(project: Project, side: Side) -> str:
    """Why a side without sources has no footage."""
    try:
        project.video(side)
    except FaceswapError as error:
        return str(error)
    return ""


def _count_crops(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.name.endswith(".png") for entry in entries)
    except OSError:
        return 0


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
