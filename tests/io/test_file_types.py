"""What of a dropped file or folder is footage."""

from pathlib import Path

import pytest
from made_clips import MakeClip

from faceswap.io.file_types import FOOTAGE_SUFFIXES, VIDEO_SUFFIXES, footage_at, picture_files
from faceswap.video.reader import open_footage


def test_a_folder_is_its_pictures_or_its_videos(tmp_path: Path) -> None:
    folder = tmp_path / "D"
    folder.mkdir()
    assert footage_at(folder) == [folder]
    for name in ("b.MTS", "a.wmv", "notes.txt"):
        (folder / name).touch()
    assert footage_at(folder) == [folder / "a.wmv", folder / "b.MTS"]
    assert footage_at(folder / "notes.txt") == [folder / "notes.txt"]
    (folder / "c.JPG").touch()
    assert footage_at(folder) == [folder]
    assert picture_files(folder) == [folder / "c.JPG"]


def test_no_kind_is_listed_twice_or_in_upper_case() -> None:
    assert len(set(FOOTAGE_SUFFIXES)) == len(FOOTAGE_SUFFIXES)
    assert all(ending == ending.lower() for ending in FOOTAGE_SUFFIXES)


@pytest.mark.parametrize(
    ("ending", "made"),
    [
        (".MP4", {}),
        (".mts", {}),
        (".ts", {}),
        (".wmv", {"codec": "msmpeg4v3", "tracks": 0}),
        (".flv", {}),
        (".gif", {"codec": "gif", "pixel_format": "rgb8", "tracks": 0}),
        (".mpg", {"codec": "mpeg2video", "tracks": 0}),
    ],
)
def test_listed_kinds_are_read(ending: str, made: dict[str, object], make_clip: MakeClip) -> None:
    assert ending.lower() in VIDEO_SUFFIXES
    with open_footage(make_clip(suffix=ending, frames=5, width=64, height=48, **made)) as footage:
        assert sum(1 for _ in footage.frames()) > 0
