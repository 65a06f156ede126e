"""A project folder says what it is, keeps what is not its own, and knows its footage."""

import os
from pathlib import Path

import pytest

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.project import Project, fingerprint


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip ä.mp4"
    path.write_bytes(os.urandom(3 << 20))
    return path


def test_a_project_is_made_once_and_found_again(tmp_path: Path, clip: Path) -> None:
    Project.open_or_make(tmp_path / "new" / "p").set_video("a", clip)
    project = Project.open_or_make(tmp_path / "new" / "p")
    assert project.video("a") == clip
    assert Project.open(tmp_path / "new" / "p") == project


def test_no_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="faceswap extract"):
        Project.open(tmp_path)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(ProjectError, match="other files"):
        Project.open_or_make(tmp_path)
    assert list(tmp_path.iterdir()) == [clip]


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
    with pytest.raises(ProjectError, match="is a file; name a folder"):
        Project.open_or_make(clip)
    with pytest.raises(OutputError, match="Cannot make"):
        Project.open_or_make(clip / "below")


def test_footage_that_is_gone_changed_or_never_named_is_told(tmp_path: Path, clip: Path) -> None:
    project = Project.open_or_make(tmp_path / "p")
    with pytest.raises(ProjectError, match="--side b"):
        project.video("b")
    project.set_video("b", clip)
    clip.write_bytes(b"something else")
    with pytest.raises(InputError, match="no longer the file"):
        project.video("b")
    clip.unlink()
    with pytest.raises(InputError, match="is gone"):
        project.video("b")


def test_moved_footage_is_still_the_same(tmp_path: Path, clip: Path) -> None:
    project = Project.open_or_make(tmp_path / "p")
    project.set_video("a", clip)
    moved = clip.rename(tmp_path / "moved.mp4")
    assert project.is_video("a", moved)
    assert not project.is_video("b", moved)


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
