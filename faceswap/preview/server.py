"""Request handlers of the preview server (``preview --serve``)."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import JsonValue

from faceswap.errors import (
    FaceswapError,
    InputError,
    OptionsError,
    OutputError,
)
from faceswap.faces.crop_stats import CropStats
from faceswap.faces.index import staged_key
from faceswap.faces.index_browser import COLUMNS, IndexBrowser
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.options import Side
from faceswap.preview.session import PreviewSession, encode_jpeg
from faceswap.project.project import Project
from faceswap.swap.compositing.options import BlendOptions

Values = dict[str, JsonValue]

LOW_PRESENCE = 0.6
"""Faces with a lower presence are shown as doubtful."""


class PreviewServer:
    """Handle requests about the project in a folder, which need not exist at first.

    A request ``{"do": "frame", ...}`` is handled by ``on_frame`` with its other keys as arguments.
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self._folder = folder
        self.session = PreviewSession(folder, device)
        self._browser = IndexBrowser(folder / "index.sqlite", Project(folder).index_key)
        self._measures = CropStats(folder)
        self._shown_repairs: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.use_index(None)
        self._measures.close()
        self.session.__exit__()

    def answer(self, do: str, values: Mapping[str, Any]) -> Values:
        """Handle the request ``do``; raises FaceswapError, TypeError or ValueError."""
        handler = getattr(self, f"on_{do}", None)
        if handler is None:
            raise OptionsError(f"There is no request {do!r}.")
        result: Values = handler(**values)
        return result

    def on_make(self, a: str, b: str) -> Values:
        """Create the project of two videos, or update their paths."""
        for path in (a, b):
            self.session.footage(Path(path)).frame(0)
        project = Project.open_or_create(self._folder)
        project.set_video("a", Path(a))
        project.set_video("b", Path(b))
        return self.on_project()

    def on_relink(self, side: Side, path: str) -> Values:
        """Update the path of a side's footage, which must be the same file as before."""
        project = Project.open(self._folder)
        if not project.is_same_video(side, Path(path)):
            raise InputError(
                f"{Path(path).name} is not {side.upper()}'s footage; make a new project for it."
            )
        project.set_video(side, Path(path))
        return {}

    def on_project(self) -> Values:
        """State of the project: footage, faces, runs and converted videos."""
        project = Project.open(self._folder)
        self._repair_index(project)
        sides: Values = {"a": self._side(project, "a"), "b": self._side(project, "b")}
        runs: list[JsonValue] = [
            _run(folder) for folder in _folders(project.runs_folder) if any(folder.glob("step-*"))
        ]
        out = (
            sorted(project.output_folder.glob("*.*"), key=_modified)
            if project.output_folder.is_dir()
            else []
        )
        videos: list[JsonValue] = [
            str(p) for p in out if p.suffix.lower() in (".mp4", ".mov", ".mkv", ".m4v")
        ]
        return {"folder": str(self._folder), "sides": sides, "runs": runs, "outputs": videos}

    def _repair_index(self, project: Project) -> None:
        """Rebuild a lost index, in memory if the project is read-only."""
        self._browser.use_index(None)
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
            self._browser.use_index(index)
        else:
            index.close()

    def on_release(self, path: str) -> Values:
        """Close a video that is about to be overwritten."""
        self.session.release(Path(path))
        return {}

    def on_frame(
        self, side: Side = "a", frame: int = 0, width: int = 0, height: int = 0, path: str = ""
    ) -> Values:
        """A frame of a side with its faces, or of any video at ``path``; image: JPEG in base64."""
        video = Path(path) if path else Project.open(self._folder).video(side)
        footage = self.session.footage(video)
        found = footage.frame(frame)
        faces: list[JsonValue] = (
            []
            if path
            else [
                {
                    "track": face.track,
                    "presence": face.presence,
                    "points": face.points.round(1).astype(float).tolist(),
                }
                for face in self._browser.faces_at(side, found.index)
            ]
        )
        return {
            "frame": found.index,
            "time": found.time,
            "frames": footage.reader.info.frames,
            "rate": float(footage.reader.info.rate),
            "size": [found.image.shape[1], found.image.shape[0]],
            "image": _base64(encode_jpeg(found.image, width, height)),
            "faces": faces,
        }

    def on_swap(
        self, frame: int, look: dict[str, Any], run: str = "main", width: int = 0, height: int = 0
    ) -> Values:
        """A frame of A with B's face, as a conversion with these blend options makes it."""
        options = BlendOptions(**look)
        start = time.perf_counter()
        made = self.session.swapped(frame, run, options)
        picture = _base64(encode_jpeg(made.image, width, height))
        return {
            "frame": made.frame,
            "image": picture,
            "faces": made.faces,
            "seconds": time.perf_counter() - start,
        }

    def on_spans(self, side: Side) -> Values:
        """Frame spans with faces, with doubtful faces and without faces, and the cuts."""
        spans = self._browser.spans(side, LOW_PRESENCE)
        return {
            "frames": spans.frames,
            "tracks": {str(k): [list(s) for s in v] for k, v in spans.tracks.items()},
            "low": {str(k): [list(s) for s in v] for k, v in spans.low.items()},
            "gaps": [list(s) for s in spans.gaps],
            "cuts": list(spans.cuts),
        }

    def on_last(self, side: Side) -> Values:
        """The crop that a running extraction wrote last."""
        project = Project(self._folder)
        staged = project.generation(side) + 1
        folder = project.staging_folder(side, staged)
        last = self._browser.last_seen(staged_key(side, staged))
        if last is None:
            folder, last = project.crops_folder(side), self._browser.last_seen(side)
        return {} if last is None else {"frame": last[0], "path": str(folder / last[1])}

    def on_faces(self, side: Side) -> Values:
        """Table of all crops: names, one a line, and base64 of float32 (N, columns)."""
        project = Project.open(self._folder)
        folder = project.crops_folder(side)
        table = self._browser.table(side, folder)
        column = COLUMNS.index("blur")
        measured = self._measures.cached(project.index_key(side), folder, table.names)
        table.values[:, column : column + 2] = measured
        return {
            "folder": str(folder),
            "excluded": EXCLUDED,
            "columns": list(COLUMNS),
            "names": "\n".join(table.names),
            "values": _base64(table.values.tobytes()),
        }

    def on_measure(self, side: Side, names: list[str], seconds: float = 0.25) -> Values:
        """Measure blur and brightness of the first ``names``, as many as ``seconds`` allow."""
        project = Project.open(self._folder)
        values = self._measures.measure(
            project.index_key(side), project.crops_folder(side), names, seconds
        )
        return {"count": len(values), "values": _base64(np.array(values, np.float32).tobytes())}

    def on_exclude(self, side: Side, names: list[str]) -> Values:
        """Take crops out of training."""
        moved = exclude(Project.open(self._folder).crops_folder(side), names)
        return {"moved": list[JsonValue](moved)}

    def on_restore(self, side: Side, names: list[str]) -> Values:
        """Put excluded crops back into training."""
        moved = restore(Project.open(self._folder).crops_folder(side), names)
        return {"moved": list[JsonValue](moved)}

    def on_metrics(self, run: str, points: int = 2000) -> Values:
        """A run's curves, thinned to about ``points``, its state in words and its previews."""
        from faceswap.training.metrics_log import describe_progress, read_metrics

        folder = self._folder / "model" / run
        rows = read_metrics(folder / "metrics.jsonl")
        series: Values = {}
        for name in sorted({name for row in rows for name in row} - {"step", "seconds"}):
            values = [(row["step"], row[name]) for row in rows if name in row]
            thin = values[:: max(1, len(values) // points)]
            series[name] = {"step": [s for s, _ in thin], "value": [v for _, v in thin]}
        previews: list[JsonValue] = [str(p) for p in sorted(folder.glob("previews/*.png"))]
        seconds = rows[-1]["seconds"] if rows else 0.0
        return {
            "series": series,
            "state": describe_progress(rows),
            "previews": previews,
            "seconds": seconds,
        }

    def on_estimate(self, preset: str, batch: int | None = None) -> Values:
        """Time and memory of a training step of a preset on this machine; takes some seconds.

        batch: faces of each side; by default the preset's own.
        """
        from faceswap.preview.step_cost import estimate_step_cost
        from faceswap.swap.model.presets import PRESETS

        if preset not in PRESETS:
            raise OptionsError(f"There is no preset {preset!r}; choose {', '.join(PRESETS)}.")
        return dict(estimate_step_cost(preset, batch or PRESETS[preset].batch))

    def on_snapshot(self, run: str) -> Values:
        """Keep a snapshot of a run's newest checkpoint."""
        from faceswap.training.checkpoint import newest_checkpoint
        from faceswap.training.snapshots import keep_snapshot

        return {"path": str(keep_snapshot(newest_checkpoint(self._folder / "model" / run)))}

    def _side(self, project: Project, side: Side) -> JsonValue:
        known: dict[str, JsonValue] = {"video": "", "problem": ""}
        try:
            path = project.video(side)
            info = self.session.footage(path).reader.info
            known |= {
                "video": str(path),
                "size": [info.width, info.height],
                "frames": info.frames,
                "rate": float(info.rate),
                "seconds": info.duration,
            }
        except FaceswapError as error:
            known["problem"] = str(error)
        complete, frames, faces, tracks = self._browser.summary(side)
        folder = project.crops_folder(side)
        return known | {
            "complete": complete,
            "looked_at": frames,
            "faces": faces,
            "tracks": tracks,
            "crops": len(list(folder.glob("*.png"))),
            "excluded": len(list((folder / EXCLUDED).glob("*.png"))),
        }


def _run(folder: Path) -> JsonValue:
    checkpoints = sorted(folder.glob("step-*.safetensors"))
    step = int(checkpoints[-1].stem.removeprefix("step-")) if checkpoints else 0
    preset, options = _run_options(folder)
    return {
        "name": folder.name,
        "step": step,
        "saved": _modified(checkpoints[-1]) if checkpoints else 0.0,
        "preset": preset,
        "options": options,
    }


def _run_options(folder: Path) -> tuple[str, Values]:
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


def _folders(parent: Path) -> list[Path]:
    return sorted(p for p in parent.iterdir() if p.is_dir()) if parent.is_dir() else []


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
