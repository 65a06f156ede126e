"""What a killed process left of a video goes when it is written again; what is held stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_clips import MakeClip

from faceswap.video.partial_output import create_locked, partial_path, remove_abandoned
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter

KILLED = """
import os, signal, sys
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter
with VideoReader(sys.argv[1]) as video, VideoWriter(sys.argv[2], video.info) as writer:
    for frame in video:
        writer.write(frame.image, frame.pts, frame.duration)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*.part.*"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_what_a_killed_process_left_goes_with_the_next_try(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clip, out = make_clip(), tmp_path / "out [1].mp4"
    done = subprocess.run([sys.executable, "-c", KILLED, str(clip), str(out)], check=False)
    assert done.returncode == -9
    (left,) = parts(tmp_path)
    video = VideoReader(clip)
    with VideoWriter(tmp_path / "another.mkv", video.info) as writer:
        assert left not in parts(tmp_path)
        frame = next(video.frames())
        writer.write(frame.image, frame.pts, frame.duration)
    assert os.listdir(tmp_path) == ["another.mkv"]


def test_what_another_writes_stays(make_clip: MakeClip, tmp_path: Path) -> None:
    with VideoReader(make_clip()) as video:
        frame = next(video.frames())
        out = tmp_path / "out.mkv"
        with VideoWriter(out, video.info) as one:
            one.write(frame.image, frame.pts, frame.duration)
            (mine,) = parts(tmp_path)
            remove_abandoned(tmp_path)
            assert mine.exists()
            with VideoWriter(out, video.info) as other:
                other.write(frame.image, frame.pts, frame.duration)
                assert len(parts(tmp_path)) == 2
            out.unlink()
    assert os.listdir(tmp_path) == ["out.mkv"]


def test_only_unfinished_videos_are_removed(tmp_path: Path) -> None:
    names = ("ab.mp4", "ab.0123abcd.part.mp4", ".a*.mine.part.mp4", ".ab.0123abcd.part")
    ours = (partial_path(tmp_path / "a*.mp4"), partial_path(tmp_path / "ab.mkv"))
    for part in (*(tmp_path / name for name in names), *ours):
        part.touch()
    remove_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(names)


@pytest.mark.parametrize("stem", ["a" * 240, "東" * 83, "a" + "東京" * 41])
def test_a_partial_name_is_no_longer_than_a_name_can_be(tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.mp4"
    assert 240 <= len(path.name.encode()) <= 255
    part, lock = create_locked(path)
    assert part.exists()
    assert part.name != partial_path(path).name
    if lock is not None:
        lock.close()
    remove_abandoned(tmp_path)
    assert list(tmp_path.iterdir()) == []
