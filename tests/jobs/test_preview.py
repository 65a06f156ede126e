"""A single swapped frame, from the command line."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from driving import finished
from made_clips import MakeClip, write_cut_short
from PIL import Image
from preview_project import FRAMES, make_preview_project
from pydantic import ValidationError

from faceswap.cli import run
from faceswap.errors import InputError, OutputError
from faceswap.io.provenance import SWAPPED_PICTURE, picture_provenance
from faceswap.jobs.preview import PreviewOptions, preview
from faceswap.project.project import Project
from faceswap.video.reader import VideoReader


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, make_clip: MakeClip) -> Path:
    """The project; tests leave it as it was."""
    clip = make_clip(width=128, height=96, frames=FRAMES)
    return make_preview_project(tmp_path_factory.mktemp("preview") / "p ä", clip)


def options(project: Path, output: Path, frame: int) -> PreviewOptions:
    return PreviewOptions(project=project, frame=frame, output=output, device="cpu")


def test_a_picture_is_written_and_says_how_it_was_made(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    list(preview(options(made, out, 5)))
    assert np.asarray(Image.open(out)).shape == (96, 128, 3)
    assert picture_provenance(out) == SWAPPED_PICTURE
    with pytest.raises(OutputError, match="exists"):
        list(preview(options(made, out, 5)))


def test_a_frame_without_a_face_is_as_it_is_and_told(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.png"
    _, summary = finished(preview(options(made, out, 35)))
    assert summary.text() == (
        f"{out}: A unchanged, as frame 35 has no face; the nearest frame with one is 29."
    )
    with VideoReader(Project.open(made).video("a")) as video:
        (frame,) = video.frames(35, 36)
    assert np.array_equal(np.asarray(Image.open(out)), frame.image)


def test_a_frame_that_a_does_not_have_is_told(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.png"
    with pytest.raises(InputError, match=r"clip\d+.mp4 has no frame 40; its last one is 39\.$"):
        list(preview(options(made, out, FRAMES)))
    project = tmp_path / "p"
    shutil.copytree(made, project)
    Project.open(project).set_video("a", write_cut_short(tmp_path))
    with pytest.raises(InputError, match=r"no frame 1390; .* \d+, as the file breaks off there\.$"):
        list(preview(options(project, out, 1390)))
    arguments = ["preview", "--project", str(made), "-o", str(out), "--frame"]
    assert run([*arguments, "4000"]) == 1
    assert run([*arguments, "-1"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no frame 4000; its last one is 39." in said
    assert "--frame" in said
    assert "Traceback" not in said
    assert not out.exists()


def test_serving_is_a_command_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["preview", "--project", str(tmp_path), "--serve", "--events", "jsonl"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said.startswith("--serve is no option any more: use the command 'faceswap serve ")
    with pytest.raises(ValidationError, match="use the command 'faceswap serve"):
        PreviewOptions.model_validate({"project": tmp_path, "output": "x.png", "serve": True})
