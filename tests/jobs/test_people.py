"""Two rendered people in one film, from their faces to who is swapped."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from driving import finished
from standing_faces import untaught

from faceswap import cli
from faceswap.errors import InputError, NoFaceError
from faceswap.events import Notice
from faceswap.io.pictures import read_picture
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.people import PeopleOptions, people
from faceswap.jobs.sources import SourcesOptions, sources
from faceswap.video.reader import VideoReader

FRAMES = 12


@pytest.fixture(scope="module")
def both(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two rendered people of the sample side by side: 512 x 256."""
    path = tmp_path_factory.mktemp("both") / "both.mkv"
    with (
        VideoReader(sample / "a.mp4") as left,
        VideoReader(sample / "b.mp4") as right,
        av.open(str(path), "w") as container,
    ):
        stream = container.add_stream("libx264rgb", 25, {"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = 512, 256, "rgb24"
        pairs = zip(left.frames(0, FRAMES), right.frames(0, FRAMES), strict=True)
        for number, (one, other) in enumerate(pairs):
            image = np.ascontiguousarray(np.hstack([one.image, other.image]))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def project(both: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "p"
    events, summary = finished(
        extract(ExtractOptions(inputs=(both,), project=folder, side="a", size=64))
    )
    assert (summary.tracks, summary.faces) == (2, 2 * FRAMES)
    assert any("2 faces at once" in e.message for e in events if isinstance(e, Notice))
    return folder


def test_two_people_are_told_apart_and_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, summary = finished(people(PeopleOptions(project=project)))
    assert [person.faces for person in summary.people] == [FRAMES, FRAMES]
    assert summary.sheet is not None
    sheet = read_picture(summary.sheet)
    assert sheet is not None
    assert sheet.std() > 20
    assert cli.run(["people", "--project", str(project), "--name", "1", "lead"]) == 0
    assert "lead" in capsys.readouterr().out
    assert cli.run(["people", "--project", str(project), "--merge", "1"]) == 2


def test_only_who_is_named_is_swapped(both: Path, project: Path, tmp_path: Path) -> None:
    untaught(project / "model" / "main")
    options = ConvertOptions(
        project=project,
        input=[both],
        person="2",
        output=tmp_path / "o.mkv",
        codec="ffv1",
        device="cpu",
    )
    _, summary = finished(convert(options))
    assert summary.swapped == FRAMES
    _, found = finished(people(PeopleOptions(project=project)))
    assert len(found.people) == 2
    changed = []
    with VideoReader(both) as before, VideoReader(summary.output) as after:
        for one, other in zip(before.frames(), after.frames(), strict=True):
            difference = np.abs(one.image.astype(int) - other.image)
            changed.append([difference[:, :250].max(), difference[:, 262:].max()])
    least, most = sorted(np.max(changed, 0))
    assert least == 0
    assert most > 40


def test_a_known_file_is_one_source_however_often_it_is_given(both: Path, project: Path) -> None:
    options = ExtractOptions(inputs=(both, both), project=project, side="a", size=64)
    events, summary = finished(extract(options))
    assert summary.sources == 1
    assert "already extracted" in " ".join(e.message for e in events if isinstance(e, Notice))
    _, listed = finished(sources(SourcesOptions(project=project)))
    assert [(s.id, s.kind, s.faces) for s in listed.sources] == [("a", "video", 2 * FRAMES)]


def test_b_with_too_few_faces_is_refused_before_anything_is_extracted(
    sample: Path, tmp_path: Path
) -> None:
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    with VideoReader(sample / "b.mp4") as video:
        for frame in video.frames(0, 3):
            Image.fromarray(frame.image).save(folder / f"photo {frame.index}.png")
    options = ExtractOptions(inputs=(folder,), project=tmp_path / "p", side="b")
    with pytest.raises(NoFaceError, match=r"B has 3 faces in photos, and at least 12 are needed"):
        finished(extract(options))
    assert not (tmp_path / "p").exists()
    _, summary = finished(
        extract(options.model_copy(update={"inputs": (folder, sample / "b.mp4"), "size": 64}))
    )
    assert summary.sources == 2
    _, found = finished(people(PeopleOptions(project=tmp_path / "p")))
    assert len(found.people) == 1
    with pytest.raises(InputError, match="holds photographs"):
        finished(convert(ConvertOptions(project=tmp_path / "p", input=[folder])))
