from pathlib import Path

import pytest
from PIL import Image

from faceswap.errors import InputError, OutputError
from faceswap.io.provenance import PREVIEWS
from faceswap.jobs.timelapse import TimelapseOptions, timelapse
from faceswap.project.project import Project
from faceswap.video.provenance import provenance_of
from faceswap.video.reader import VideoReader


def project_with_previews(folder: Path, count: int) -> Path:
    project = Project.open_or_create(folder)
    previews = project.runs_folder / "main" / "previews"
    previews.mkdir(parents=True)
    for number in range(count):
        level = 40 + 40 * number
        picture = Image.new("RGB", (97, 64), (level, level, level))
        picture.save(previews / f"step-{100 * number:09d}.png")
    return project.folder


def test_every_preview_is_a_frame_in_order(tmp_path: Path) -> None:
    folder = project_with_previews(tmp_path / "p", 5)
    out = tmp_path / "lapse.mp4"
    list(timelapse(TimelapseOptions(project=folder, output=out, fps=5)))
    with VideoReader(out) as reader:
        levels = [float(frame.image.mean()) for frame in reader.frames()]
        assert (reader.info.width, reader.info.height) == (96, 64)
        assert reader.info.duration == pytest.approx(1.0, abs=0.05)
    assert provenance_of(out) == PREVIEWS
    assert "face in this video was replaced" not in PREVIEWS.text
    assert levels == pytest.approx([40, 80, 120, 160, 200], abs=3)


def test_no_previews_and_an_output_that_exists(tmp_path: Path) -> None:
    folder = project_with_previews(tmp_path / "p", 1)
    out = tmp_path / "lapse.mp4"
    with pytest.raises(InputError, match="no previews"):
        list(timelapse(TimelapseOptions(project=folder, output=out, run="other")))
    out.write_bytes(b"mine")
    with pytest.raises(OutputError):
        list(timelapse(TimelapseOptions(project=folder, output=out)))
    assert out.read_bytes() == b"mine"
