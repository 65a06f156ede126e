"""No event grows with the length of a clip."""

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest
import skimage
from asked_servers import asked_server
from driving import finished
from PIL import Image
from pydantic import BaseModel

from faceswap.commands import JOBS
from faceswap.events import Event, Finished, Summary
from faceswap.jobs.evaluate import EvaluateOptions, evaluate
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.lab import LabOptions, lab
from faceswap.jobs.landmarks import LandmarksOptions, landmarks
from faceswap.lab.task_registry import TaskName
from faceswap.preview.protocol import (
    FacesRequest,
    FrameRequest,
    MeasureFacesRequest,
    NewestCropRequest,
    PictureSize,
    ProjectRequest,
    request_line,
)
from faceswap.project.project import Project

SHORT, LONG = 6, 24

FIXED = {
    "DoctorSummary.findings": "one for each thing that is looked for",
    "MasksSummary.tracks": "one for each track, with 20 spans of frames at most",
    "ModelsSummary.models": "one for each model there is",
    "PeopleSummary.people": "one for each person, of whom a sheet shows the first 60",
    "QueueSummary.rows": "one for each job of the file",
    "RunsSummary.runs": "one for each run that was given a name",
    "SourcesSummary.sources": "one for each file that was added",
    "UnswappedSummary.spans": "one for each span that was given",
}
"""Lists that no clip makes longer."""


def write_clip(path: Path, frames: int) -> Path:
    """A portrait that moves a little, 192 × 192."""
    import av

    source = Image.open(Path(skimage.__file__).parent / "data" / "astronaut.png").convert("RGB")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 192, 192, "yuv420p"
        for number in range(frames):
            left = 90 + number % 6
            view = np.asarray(source.crop((left, 0, left + 256, 256)).resize((192, 192)))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def weight(event: BaseModel) -> int:
    """The length of an event as JSON, numbers counted as one digit."""
    said = event.model_dump(mode="json")
    return len(re.sub(r"-?\d[\d.e+-]*", "0", json.dumps(said)))


def heaviest(job: Generator[Event, None, Summary]) -> int:
    """The longest event of a job, its end included."""
    events, summary = finished(job)
    end = Finished(summary=summary.model_dump(mode="json"), text=summary.text())
    return max(map(weight, [*events, end]))


def make_project(folder: Path, clip: Path) -> tuple[Path, int]:
    """A project of which both sides are ``clip``, and its extraction's longest event."""
    project = Project.open_or_create(folder).folder
    longest = 0
    for side in ("a", "b"):
        given = ExtractOptions(inputs=(clip,), project=project, side=side)
        longest = max(longest, heaviest(extract(given)))
    run = project / "model" / "main"
    run.mkdir(parents=True)
    rows = [{"step": n, "seconds": n, "loss": 0.5} for n in range(len(clip.read_bytes()) // 50)]
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return project, longest


@pytest.fixture(scope="module")
def lengths(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, int]]:
    """The longest events by job, of a short clip and of a long one."""
    found: list[dict[str, int]] = []
    for name, frames in (("x", SHORT), ("y", LONG)):
        folder = tmp_path_factory.mktemp(name)
        clip = write_clip(folder / "clip.mp4", frames)
        given: dict[str, Any] = {"seed": 1, "device": "cpu"}
        pictures = folder / "pictures"
        pictures.mkdir()
        for number in range(4 * frames):
            level = 40 + 3 * number % 120
            Image.new("L", (16, 16), level).save(pictures / f"{number:03}.png")
        made: dict[str, int] = {}
        made["extract"] = make_project(folder / "p", clip)[1]
        made["landmarks"] = heaviest(
            landmarks(LandmarksOptions(footage=clip, output=folder / "out.npz"))
        )
        made["evaluate"] = heaviest(
            evaluate(
                EvaluateOptions(
                    a=clip,
                    b=clip,
                    swapped=clip,
                    json_file=folder / "f.json",
                    report=folder / "f.png",
                )
            )
        )
        uses: dict[TaskName, list[Path]] = {
            "anomaly": [pictures, clip],
            "retrieve": [pictures, pictures],
        }
        for use, data in uses.items():
            out = folder / use
            options = LabOptions(task=use, data=data, output=out, steps=1, size=16, **given)
            made[f"lab {use}"] = heaviest(lab(options))
        found.append(made | served(folder / "p", folder))
    return found


def served(project: Path, folder: Path) -> dict[str, int]:
    """The lengths of answers about a project without a model.

    Those with a list go into a file once they are long, which tests/preview/test_contract.py
    checks.
    """
    names = sorted(p.name for p in (project / "faces" / "a").glob("*.png"))
    asked: dict[str, int] = {}
    with asked_server("real", project, folder / "exchange") as server:
        for request in (
            ProjectRequest(),
            FrameRequest(source="a", frame=3, fit=PictureSize(width=16, height=16)),
            NewestCropRequest(source="a"),
            FacesRequest(source="a"),
            MeasureFacesRequest(source="a", names=tuple(names[:SHORT])),
        ):
            line = server.line(request_line(1, request))
            assert isinstance(line.answer, request.answer_type())
            asked[f"serve: {request.kind}"] = weight(line)
    return asked


def test_no_event_grows_with_the_number_of_frames(lengths: list[dict[str, int]]) -> None:
    short, long = lengths
    grown = {job: long[job] - short[job] for job in short}
    # 18 frames more would take 36 bytes or more, were there a digit and a comma for each.
    assert {job: more for job, more in grown.items() if abs(more) > 30} == {}
    assert max(long.values()) < 5000


@pytest.mark.parametrize("name", JOBS)
def test_no_result_has_room_for_a_list(name: str) -> None:
    """A list in a result is one that a clip may make long."""
    given = JOBS[name].__annotations__["return"]
    model = get_args(given)[-1]
    assert issubclass(model, Summary)
    lists = {
        f"{model.__name__}.{field}"
        for field, kind in model.model_fields.items()
        if get_origin(kind.annotation) in (list, tuple, set, frozenset)
    }
    assert lists <= FIXED.keys()
