"""Uses projects that cannot be written in all ways that there are, and tells what came of it.

A program of its own: ``looking.py OUT PROJECT…`` writes one line of JSON.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asked_servers import real_server
from driving import finished

from faceswap.errors import FaceswapError
from faceswap.events import Notice
from faceswap.faces.manual_exclusion import exclude
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.preview import PreviewOptions, preview
from faceswap.preview.protocol import (
    FacesRequest,
    FrameRequest,
    MeasureFacesRequest,
    ProjectRequest,
)
from faceswap.project.project import Project


def tried(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, or the sentence with which it fails."""
    try:
        return work()
    except FaceswapError as error:
        return f"{type(error).__name__}: {error}"


def ran(job: Any) -> list[Any]:
    """The notices of a job and its summary."""
    events, summary = finished(job)
    return [[e.message for e in events if isinstance(e, Notice)], summary.model_dump(mode="json")]


def looked(folder: Path, exchange: Path) -> list[Any]:
    """What the window shows of A."""
    with real_server(folder, exchange) as server:
        side = server.project(ProjectRequest()).a
        names = server.faces(FacesRequest(source="a")).names.read_text().split()
        server.measure_faces(MeasureFacesRequest(source="a", names=tuple(names)))
        shown = server.frame(FrameRequest(source="a", frame=3)).model_dump(mode="json")["faces"]
        for face in shown:
            del face["person"]  # of an index rebuilt in memory nobody is grouped
        return [side.faces, side.complete, side.excluded, names, shown]


def used(folder: Path, out: Path) -> dict[str, Any]:
    """What looking at, previewing and converting a project gives; its pictures are in ``out``."""
    picture, video = out / f"{folder.name}.png", out / f"{folder.name}.mkv"
    look: dict[str, Any] = {"project": folder, "device": "cpu", "output": picture, "frame": 3}
    turn: dict[str, Any] = {
        "project": folder,
        "device": "cpu",
        "output": video,
        "quality": "lossless",
    }
    return {
        "look": tried(lambda: looked(folder, out / "exchange")),
        "preview": tried(lambda: ran(preview(PreviewOptions(**look)))),
        "convert": tried(lambda: ran(convert(ConvertOptions(**turn)))[0]),
    }


def refused(folder: Path) -> dict[str, Any]:
    """What cannot be done where nothing can be written."""
    project = Project.open(folder)
    video = project.video("a")
    a: dict[str, Any] = {"video": video, "project": folder, "side": "a", "size": 64}
    in_place = ConvertOptions(project=folder, device="cpu")
    return {
        "redo": tried(lambda: ran(extract(ExtractOptions(redo=True, **a)))),
        "in place": tried(lambda: ran(convert(in_place))),
        "exclude": tried(lambda: exclude(project.crops_folder("a"), ["000001_0.png"])),
        "set": tried(lambda: project.set_video("b", video)),
        "extract b": tried(lambda: ran(extract(ExtractOptions(**a | {"side": "b"})))),
    }


def extracted_again(folder: Path) -> Any:
    """What extracting A says, whose faces are all there."""
    video = Project.open(folder).video("a")
    options = ExtractOptions(inputs=(video,), project=folder, side="a", size=64)
    return tried(lambda: ran(extract(options)))


def _writable(folder: Path) -> bool:
    try:
        (folder / "new").touch()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    out, *folders = map(Path, sys.argv[1:])
    told = {
        folder.name: {"written": _writable(folder)}
        | used(folder, out)
        | {"extract": extracted_again(folder), "refused": refused(folder)}
        for folder in folders
    }
    sys.stdout.write(json.dumps(told))
