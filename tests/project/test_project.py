"""A project folder says what it is, keeps what is not its own, and knows its footage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.faces.index_recovery import KnownSource
from faceswap.io.atomic import file_lock
from faceswap.project import project as module
from faceswap.project import settings_file
from faceswap.project.project import Project, fingerprint


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip ä.mp4"
    path.write_bytes(os.urandom(3 << 20))
    return path


def test_a_project_is_made_once_and_found_again(tmp_path: Path, clip: Path) -> None:
    Project.open_or_create(tmp_path / "new" / "p").set_video("a", clip)
    project = Project.open_or_create(tmp_path / "new" / "p")
    assert project.video("a") == clip
    assert Project.open(tmp_path / "new" / "p") == project


def test_no_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="faceswap extract"):
        Project.open(tmp_path)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(ProjectError, match="other files"):
        Project.open_or_create(tmp_path)
    assert list(tmp_path.iterdir()) == [clip]


def test_a_project_that_another_process_makes_meanwhile_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "faces").mkdir()

    def meanwhile(_: Path) -> bool:
        monkeypatch.undo()
        shutil.rmtree(folder)
        Project.open_or_create(folder)
        return False

    monkeypatch.setattr(module, "is_project_file", meanwhile)
    assert Project.open_or_create(folder) == Project.open(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [("format = 99\n", "newer version"), ("forma", "damaged"), ("", "damaged")],
)
def test_settings_that_cannot_be_used_are_told(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "project.toml").write_text(content)
    with pytest.raises(ProjectError, match=words):
        Project.open(tmp_path)
    assert (tmp_path / "project.toml").read_text() == content


def test_a_file_where_the_folder_should_be_is_an_output_error(clip: Path) -> None:
    with pytest.raises(ProjectError, match="is a file; give a folder"):
        Project.open_or_create(clip)
    with pytest.raises(OutputError, match="Cannot create"):
        Project.open_or_create(clip / "below")


def test_footage_that_is_gone_changed_or_never_named_is_told(tmp_path: Path, clip: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    with pytest.raises(ProjectError, match="--side b"):
        project.video("b")
    project.set_video("b", clip)
    clip.write_bytes(b"something else")
    with pytest.raises(InputError, match="no longer the file"):
        project.video("b")
    clip.unlink()
    with pytest.raises(InputError, match="is missing"):
        project.video("b")


def test_moved_footage_is_still_the_same(tmp_path: Path, clip: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    project.set_video("a", clip)
    moved = clip.rename(tmp_path / "moved.mp4")
    assert project.is_same_video("a", moved)
    assert not project.is_same_video("b", moved)


def test_a_fingerprint_sees_size_start_and_end(tmp_path: Path, clip: Path) -> None:
    before = fingerprint(clip)
    data = bytearray(clip.read_bytes())
    for change in (0, len(data) - 1):
        data[change] ^= 1
        clip.write_bytes(data)
        assert fingerprint(clip) != before
        data[change] ^= 1
    clip.write_bytes(data[: 2 << 20])
    assert fingerprint(clip) != before
    with pytest.raises(InputError, match="Cannot read"):
        fingerprint(tmp_path / "none")


MAKER = """
import sys
from pathlib import Path
from faceswap.project.project import Project
folder, side, clip = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    Project.open_or_create(folder / str(number)).set_video(side, clip)
"""


def test_two_processes_make_one_project_and_neither_loses_its_side(
    tmp_path: Path, clip: Path
) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKER, str(tmp_path / "p"), side, str(clip)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for side in ("a", "b")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate(timeout=100)
        assert process.returncode == 0, said
    for number in range(40):
        project = Project.open(tmp_path / "p" / str(number))
        assert project.video("a") == project.video("b") == clip
        assert sorted(os.listdir(project.folder)) == [".project.lock", "project.toml"]


def test_a_killed_attempt_to_make_a_project_is_no_other_file(tmp_path: Path, clip: Path) -> None:
    for name in (".project.lock", "project.toml.1234abcd.part"):
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / name).write_text("form")
    project = Project.open_or_create(tmp_path / "p")
    assert project.leftovers("a")
    project.remove_leftovers()
    assert not project.leftovers("a")
    project.set_video("a", clip)
    assert project.video("a") == clip


def test_a_write_that_another_holds_up_is_told_after_a_while(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.open_or_create(tmp_path / "p")
    project.set_video("b", clip)
    monkeypatch.setattr(settings_file, "_LOCK_TIMEOUT", 0.05)
    before = (tmp_path / "p" / "project.toml").read_text()
    with file_lock(tmp_path / "p" / ".project.lock", 0, ""):
        with pytest.raises(ProjectError, match="is being written by another program"):
            project.set_video("a", clip)
        assert project.video("b") == clip
        project.set_video("b", clip)  # nothing changes, so nothing is written
    assert (tmp_path / "p" / "project.toml").read_text() == before


@pytest.mark.parametrize("entry", ["1", "{ video = 1, fingerprint = 'x' }", "{ video = 'x' }"])
def test_a_side_that_cannot_be_read_is_told(tmp_path: Path, entry: str) -> None:
    (tmp_path / "project.toml").write_text(f"format = 1\na = {entry}\n")
    with pytest.raises(ProjectError, match="its entry a is invalid"):
        Project.open(tmp_path).video("a")


def test_what_was_noted_of_a_side_goes_with_its_footage(tmp_path: Path, clip: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    known = KnownSource(tmp_path, settings={"size": 64}, frames=7, faces=9, generation=3)
    project.record_extraction("a", clip, known)
    assert project.extraction_record("a").settings == {"size": 64}
    assert (project.extraction_record("a").frames, project.extraction_record("a").faces) == (7, 9)
    moved = shutil.copyfile(clip, tmp_path / "moved.mp4")
    project.set_video("a", moved)
    assert (project.video("a"), project.extraction_record("a").frames) == (moved, 7)
    (tmp_path / "other.mp4").write_bytes(b"other")
    project.set_video("a", tmp_path / "other.mp4")
    assert (project.extraction_record("a").settings, project.extraction_record("a").frames) == (
        {},
        None,
    )
    assert project.generation("a") == 3


def test_a_side_is_extracted_by_one_at_a_time(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    with project.lock_source("a"):
        with project.lock_source("b"):
            pass
        with (
            pytest.raises(ProjectError, match=r"faces of A .* are already being extracted"),
            project.lock_source("a"),
        ):
            pass
    with project.lock_source("a"):
        pass
