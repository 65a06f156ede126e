"""What a killed process left of a video goes when it is written again; what is held stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from made_clips import MakeClip

from faceswap.video.partial_output import partial_path, remove_abandoned
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


def aged(path: Path) -> None:
    os.utime(path, (1e9, 1e9))


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
    with VideoReader(clip) as video:
        with VideoWriter(out, video.info) as writer:
            assert left.exists()  # so young that its process might just have made it
            frame = next(video.frames())
            writer.write(frame.image, frame.pts, frame.duration)
        aged(left)
        with VideoWriter(out, video.info, overwrite=True) as writer:
            assert left not in parts(tmp_path)
            writer.write(frame.image, frame.pts, frame.duration)
    assert os.listdir(tmp_path) == [out.name]


def test_what_another_writes_stays(make_clip: MakeClip, tmp_path: Path) -> None:
    with VideoReader(make_clip()) as video:
        frame = next(video.frames())
        out = tmp_path / "out.mkv"
        with VideoWriter(out, video.info) as one:
            one.write(frame.image, frame.pts, frame.duration)
            (mine,) = parts(tmp_path)
            aged(mine)
            with VideoWriter(out, video.info) as other:
                other.write(frame.image, frame.pts, frame.duration)
                assert len(parts(tmp_path)) == 2
            out.unlink()
    assert os.listdir(tmp_path) == ["out.mkv"]


def test_only_unfinished_videos_of_that_name_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "a*.mp4"
    names = ("ab.mp4", ".ab.0123abcd.part.mp4", ".a*.0123abcd.part.mkv", ".a*.mine.part.mp4")
    for part in (*(tmp_path / name for name in names), partial_path(path)):
        part.touch()
        aged(part)
    remove_abandoned(path)
    assert sorted(os.listdir(tmp_path)) == sorted(names)
