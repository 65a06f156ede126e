"""Extracting a side anew, or going on with it, beside others and after all sorts of ends."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_servers import real_server
from driving import finished
from killed import look
from made_clips import MakeClip
from standing_faces import StandIn

from faceswap.errors import NoFaceError, ProjectError
from faceswap.events import Event, Meter, Notice, Progress
from faceswap.faces.crops import crop_files
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.faces.tracking import TrackedFrame
from faceswap.jobs.extract import ExtractOptions, ExtractSummary, extract
from faceswap.preview.protocol import MeasureFacesRequest, NewestCropRequest, ProjectRequest
from faceswap.project import frame_pass as module
from faceswap.project.project import Project

FRAMES = 12


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_tracker", StandIn)
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(Meter, "add", _speaking)  # every frame is a place to stop at


def _speaking(meter: Meter, amount: float = 1) -> Progress:
    meter.done += amount
    return meter.progress()


@pytest.fixture
def clip(make_clip: MakeClip) -> Path:
    return make_clip(frames=FRAMES)


@pytest.fixture
def options(clip: Path, tmp_path: Path) -> ExtractOptions:
    return ExtractOptions(inputs=(clip,), project=tmp_path / "p", side="a", size=64)


@pytest.fixture
def made(options: ExtractOptions) -> Project:
    """A project with A's faces."""
    finished(extract(options))
    return Project.open(options.project)


def changed(options: ExtractOptions, **changes: Any) -> ExtractOptions:
    return options.model_copy(update=changes)


def frames_of(job: Generator[Event, None, ExtractSummary], count: int) -> list[Event]:
    """The job's events until it has told of ``count`` frames."""
    events = []
    for event in job:
        events.append(event)
        count -= isinstance(event, Progress)
        if count == 0:
            break
    return events


def said(events: list[Event]) -> str:
    return "\n".join(event.message for event in events if isinstance(event, Notice))


def names(folder: Path) -> list[str]:
    return [path.name for path in crop_files(folder)]


def test_the_old_faces_stay_until_a_stopped_redo_is_gone_on_with(
    made: Project, options: ExtractOptions
) -> None:
    old = look(made.folder)
    redo = changed(options, redo=True, every=3)
    with closing(extract(redo)) as job:
        events = frames_of(job, 6)
    assert "old faces stay in use until all new ones are there" in said(events)
    assert look(made.folder) == old
    events, summary = finished(extract(redo))
    first = next(event for event in events if isinstance(event, Progress))
    assert first.done == 5  # it had written four
    assert summary.crops == 4
    assert names(made.crops_folder("a")) == [f"{n:06}_{n // 10}.png" for n in range(0, FRAMES, 3)]
    assert sorted(p.name for p in (made.folder / "faces").iterdir()) == ["a"]
    assert made.generation("a") == 2


def test_who_presses_ctrl_c_is_told_that_the_old_faces_are_there(
    made: Project, options: ExtractOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = look(made.folder)

    def pressed(tracker: StandIn, image: object) -> TrackedFrame:
        raise KeyboardInterrupt

    monkeypatch.setattr(StandIn, "update", pressed)
    told: list[Event] = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  (what it yields before counts)
        for event in extract(changed(options, redo=True)):
            told.append(event)
    assert said(told[-1:]) == "A's old faces are unchanged and stay in use."
    assert look(made.folder) == old


def test_a_redo_with_other_settings_is_begun_anew(made: Project, options: ExtractOptions) -> None:
    with closing(extract(changed(options, redo=True, every=3))) as job:
        frames_of(job, 9)
    events, summary = finished(extract(changed(options, redo=True, size=80)))
    first = next(event for event in events if isinstance(event, Progress))
    assert first.done == 1
    assert summary.crops == FRAMES


def test_a_plain_extraction_leaves_a_begun_redo_while_the_old_faces_are_complete(
    made: Project, options: ExtractOptions
) -> None:
    with closing(extract(changed(options, redo=True, every=3))) as job:
        frames_of(job, 9)
    (made.folder / "faces" / "a" / "000000_0.part").touch()  # which it is to tidy up
    events, _ = finished(extract(options))
    assert "nothing to do" in said(events)
    assert "resume it with --redo" in said(events)
    assert not list(made.crops_folder("a").glob("*.part"))
    events, _ = finished(extract(changed(options, redo=True, every=3)))
    assert next(event for event in events if isinstance(event, Progress)).done == 9


def test_a_plain_extraction_that_goes_on_drops_a_begun_redo(options: ExtractOptions) -> None:
    with closing(extract(options)) as job:
        frames_of(job, 6)
    with closing(extract(changed(options, redo=True, every=3))) as job:
        frames_of(job, 6)
    _, summary = finished(extract(options))
    assert summary.crops == FRAMES
    assert sorted(p.name for p in (options.project / "faces").iterdir()) == ["a"]


def test_a_redo_without_a_face_changes_nothing(
    made: Project, options: ExtractOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = look(made.folder)
    monkeypatch.setattr(StandIn, "update", lambda tracker, image: TrackedFrame((), False, 0))
    with pytest.raises(NoFaceError, match=r"No face was found.*A's old faces stay in use\."):
        finished(extract(changed(options, redo=True)))
    assert look(made.folder) == old
    assert sorted(p.name for p in (made.folder / "faces").iterdir()) == ["a"]


def test_what_was_out_of_training_stays_out_and_what_was_put_there_stays(
    made: Project, options: ExtractOptions
) -> None:
    folder = made.crops_folder("a")
    assert exclude(folder, ["000003_0.png"])
    (folder / "000005_0.png").unlink()
    (folder / "sorted").mkdir()
    (folder / "000006_0.png").rename(folder / "sorted" / "000006_0.png")
    shutil.copyfile(folder / "000001_0.png", folder / "000099_7.png")
    shutil.copyfile(folder / "000001_0.png", folder / EXCLUDED / "mine.png")
    events, summary = finished(extract(changed(options, redo=True, size=80)))
    assert "3 faces are excluded" in said(events)
    assert names(folder / EXCLUDED) == [*(f"00000{n}_0.png" for n in (3, 5, 6)), "mine.png"]
    assert "000099_7.png" in names(folder)
    assert names(folder / "sorted") == ["000006_0.png"]
    assert summary.crops == FRAMES - 3 + 1
    # Once more: what is excluded now stays so, what was restored does not.
    restore(folder, ["000005_0.png"])
    finished(extract(changed(options, redo=True)))
    assert names(folder / EXCLUDED) == ["000003_0.png", "000006_0.png", "mine.png"]


def test_crops_that_are_all_lost_are_not_taken_for_ones_that_were_deleted(
    made: Project, options: ExtractOptions
) -> None:
    shutil.rmtree(made.crops_folder("a"))
    _, summary = finished(extract(changed(options, redo=True)))
    assert summary.crops == FRAMES


def test_other_footage_takes_nothing_over(
    made: Project, options: ExtractOptions, make_clip: MakeClip
) -> None:
    other = make_clip(frames=FRAMES + 2)
    exclude(made.crops_folder("a"), ["000003_0.png"])
    with closing(extract(changed(options, inputs=(other,), redo=True))) as job:
        frames_of(job, 5)
    assert made.video("a") == options.inputs[0]
    finished(extract(changed(options, inputs=(other,), redo=True)))
    assert made.video("a") == other
    assert names(made.crops_folder("a"))[3] == "000003_0.png"
    assert not (made.crops_folder("a") / EXCLUDED).exists()


def test_crops_of_other_footage_are_not_overwritten(clip: Path, options: ExtractOptions) -> None:
    """As in a folder that was copied from elsewhere before anything was extracted."""
    project = Project.open_or_create(options.project)
    folder = project.crops_folder("a")
    folder.mkdir(parents=True)
    (folder / "000002_0.png").write_bytes(b"mine")
    _, summary = finished(extract(options))
    assert summary.crops == FRAMES + 1
    assert (folder / "000002_0 2.png").read_bytes() == b"mine"


def test_a_crop_that_is_excluded_meanwhile_is_not_written_again(options: ExtractOptions) -> None:
    with closing(extract(options)) as job:
        frames_of(job, 7)
    folder = options.project / "faces" / "a"
    assert exclude(folder, ["000001_0.png"])
    # One that was written, but whose batch was not: the index does not know it.
    (folder / "000005_0.png").unlink(missing_ok=True)
    shutil.copyfile(folder / "000003_0.png", folder / EXCLUDED / "000005_0.png")
    finished(extract(options))
    assert names(folder / EXCLUDED) == ["000001_0.png", "000005_0.png"]
    assert len(names(folder)) == FRAMES - 2


def test_a_side_is_not_extracted_twice_at_once_and_all_else_goes_on(
    options: ExtractOptions, clip: Path, make_clip: MakeClip
) -> None:
    finished(extract(changed(options, side="b", inputs=(make_clip(frames=15),))))
    with closing(extract(options)) as job:
        frames_of(job, 6)
        with pytest.raises(ProjectError, match=r"faces of A in .* are already being extracted"):
            finished(extract(options))
        with pytest.raises(ProjectError, match="already being extracted"):
            finished(extract(changed(options, redo=True)))
        project = Project.open(options.project)
        finished(extract(changed(options, side="b", inputs=(make_clip(frames=15),), redo=True)))
        assert exclude(project.crops_folder("b"), ["000002_0.png"])
        project.set_video("b", make_clip(frames=9))
        with project.open_index_read_only() as index:
            assert index.count("a") == (4, 4, 1)
        frames_of(job, 100)
    assert len(names(options.project / "faces" / "a")) == FRAMES


PROGRAM = """
import sys
from pathlib import Path
from asked_servers import real_server
from driving import finished
from faceswap.jobs.extract import ExtractOptions, extract
from standing_faces import stand_in
stand_in()
print("ready", flush=True)
sys.stdin.readline()
clip, project = map(Path, sys.argv[1:3])
finished(extract(ExtractOptions(inputs=(clip,), project=project, side=sys.argv[3], size=64)))
"""


def test_two_processes_extract_two_sides_at_once(
    made: Project, options: ExtractOptions, tmp_path: Path
) -> None:
    both, other = tmp_path / "both", tmp_path / "other.mp4"
    other.write_bytes(options.inputs[0].read_bytes() + b"\0\0\0\x08free")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(video), str(both), side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for side, video in (("a", options.inputs[0]), ("b", other))
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        _, words = process.communicate("go\n", timeout=100)
        assert process.returncode == 0, words
    assert look(both) == look(made.folder)
    with Project.open(both).open_index_read_only() as index:
        assert index.count("b") == index.count("a")
    assert names(both / "faces" / "b") == names(both / "faces" / "a")


def test_the_window_sees_the_face_that_a_redo_wrote_last(
    made: Project, options: ExtractOptions, tmp_path: Path
) -> None:
    newest = NewestCropRequest(source="a")
    with real_server(made.folder, tmp_path / "exchange") as server:
        crop = server.newest_crop(newest).crop
        assert crop is not None
        assert crop.frame == FRAMES - 1
        crops = tuple(names(made.crops_folder("a")))
        request = MeasureFacesRequest(source="a", names=crops, seconds=60)
        assert len(server.measure_faces(request).blur) == FRAMES
        with closing(extract(changed(options, redo=True, every=2))) as job:
            frames_of(job, 9)
            crop = server.newest_crop(newest).crop
            assert crop is not None
            assert crop.frame == 6
            assert crop.path.is_file()
            assert server.project(ProjectRequest()).a.faces == FRAMES
            frames_of(job, 100)
        crop = server.newest_crop(newest).crop
        assert crop is not None
        assert crop.path == made.folder / "faces" / "a" / "000010_1.png"
        # What was measured of the crops before is not taken for what there is now.
        folder = made.crops_folder("a")
        assert np.isnan(server.measures.cached(made.index_key("a"), folder, names(folder))).all()
