"""What the real preview server tells of a project beyond the contract: the right values."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from asked_servers import pixels, real_server
from made_clips import MakeClip, write_cut_short
from PIL import Image
from preview_project import FACES, FRAMES

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.faces.index_browser import COLUMNS, IndexBrowser, to_spans
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.preview.protocol import (
    ExcludeFacesRequest,
    FacesRequest,
    FileFrameRequest,
    FrameRequest,
    MeasureFacesRequest,
    MetricsRequest,
    ProjectRequest,
    RelocateFootageRequest,
    RestoreFacesRequest,
    SwapRequest,
    TimelineRequest,
    TrackSpans,
)
from faceswap.project.project import Project
from faceswap.video.reader import VideoReader


def test_the_project_is_told(made: Path, tmp_path: Path) -> None:
    with real_server(made, tmp_path / "x") as server:
        answer = server.project(ProjectRequest())
    assert answer.a.footage is not None
    assert (answer.a.footage.width, answer.a.footage.height) == (128, 96)
    assert (answer.a.processed_frames, answer.a.faces, answer.a.tracks) == (FRAMES, FACES, 1)
    (run,) = answer.runs
    assert (run.step, run.options) == (7, {"warp": 0.05, "batch": 3})


def test_a_vanished_video_is_told_and_all_else_still_works(made: Path, tmp_path: Path) -> None:
    project = tmp_path / "p"
    shutil.copytree(made, project)
    gone = tmp_path / "gone.mp4"
    shutil.copyfile(Project.open(project).video("a"), gone)
    Project.open(project).set_video("a", gone)
    gone.unlink()
    with real_server(project, tmp_path / "x") as server:
        side = server.project(ProjectRequest()).a
        assert side.footage is None
        assert "gone.mp4" in side.problem
        assert side.faces == FACES
        with pytest.raises(InputError, match=r"gone\.mp4"):
            server.frame(FrameRequest(source="a"))
        assert server.frame(FrameRequest(source="b")).frame == 0


def test_a_picture_has_the_pixels_of_the_frame(made: Path, tmp_path: Path) -> None:
    with VideoReader(Project.open(made).video("a")) as video:
        (frame,) = video.frames(3, 4)
    with real_server(made, tmp_path / "x") as server:
        answer = server.frame(FrameRequest(source="a", frame=3))
        assert np.array_equal(pixels(answer.picture), frame.image)
        with Image.open(answer.picture.path) as picture:  # a stranger's reader takes it too
            assert np.array_equal(np.asarray(picture), frame.image)
        assert server.frame(FrameRequest(source="a", frame=39)).faces == ()


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    with real_server(tmp_path, tmp_path / "x") as server:
        for level in (10, 200):
            part = tmp_path / "part.png"
            Image.new("L", (32, 32), level).save(part)
            os.utime(part, (level, level))
            os.replace(part, path)
            answer = server.file_frame(FileFrameRequest(path=path))
            assert answer.frames == 1
            assert abs(pixels(answer.picture).mean() - level) < 3


def test_of_a_file_that_breaks_off_frame_and_swap_are_its_last(made: Path, tmp_path: Path) -> None:
    project = tmp_path / "p"
    shutil.copytree(made, project)
    Project.open(project).set_video("a", write_cut_short(tmp_path))
    with real_server(project, tmp_path / "x") as server:
        last = server.frame(FrameRequest(source="a", frame=1390)).frame
        assert last < 300
        assert server.swap(SwapRequest(frame=1390)).frame == last


def test_a_timeline_is_told(made: Path, tmp_path: Path) -> None:
    with real_server(made, tmp_path / "x") as server:
        answer = server.timeline(TimelineRequest(source="a"))
    assert answer.tracks == (
        TrackSpans(track=0, person=1, seen=((0, 29),), low_presence=((10, 14),)),
    )
    assert (answer.frames, answer.gaps, answer.cuts) == (FRAMES, ((30, 39),), (20,))
    assert to_spans([]) == []


def test_faces_are_measured_once_and_marked_as_excluded(made: Path, tmp_path: Path) -> None:
    with real_server(made, tmp_path / "x") as server:
        request = FacesRequest(source="b")
        names = tuple(server.faces(request).names.read_text().split("\n"))
        assert len(names) == FRAMES
        server.measure_faces(MeasureFacesRequest(source="b", names=names, seconds=60))
        server.exclude_faces(ExcludeFacesRequest(source="b", names=names[:2]))
        values = np.load(server.faces(request).values)
        assert not np.isnan(values).any()
        assert values[:, COLUMNS.index("excluded")].tolist() == [1, 1] + [0] * (FRAMES - 2)
        assert 0.1 < values[:, COLUMNS.index("brightness")].mean() < 0.9
        server.restore_faces(RestoreFacesRequest(source="b", names=names))


def test_curves_are_thinned(made: Path, tmp_path: Path) -> None:
    with real_server(made, tmp_path / "x") as server:
        (curve,) = server.metrics(MetricsRequest(run="main", points=3)).curves
        (whole,) = server.metrics(MetricsRequest(run="main")).curves
    assert curve.steps == (1, 3, 5, 7)
    assert whole.values[3] is None


def test_other_footage_is_not_taken_for_the_moved_one(
    made: Path, make_clip: MakeClip, tmp_path: Path
) -> None:
    other = RelocateFootageRequest(source="a", path=make_clip(frames=10))
    with (
        real_server(made, tmp_path / "x") as server,
        pytest.raises(InputError, match=r"is not A's footage"),
    ):
        server.relocate_footage(other)


def test_a_damaged_index_is_told(tmp_path: Path) -> None:
    damaged = tmp_path / "index.sqlite"
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(ProjectError, match="damaged"):
        IndexBrowser(damaged).faces_at("a", 0)


def test_excluding_never_leaves_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / "x.png").write_text("")
    (tmp_path / "y.png").write_text("")
    assert exclude(folder, ["x.png", "../y.png", "gone.png"]) == ["x.png"]
    assert (tmp_path / "y.png").exists()
    assert restore(folder, ["x.png"]) == ["x.png"]
    assert not list((folder / EXCLUDED).iterdir())
    with pytest.raises(OutputError, match="Cannot move faces"):
        exclude(tmp_path / "none" / "none", ["x.png"])
