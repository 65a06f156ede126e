"""Files are whole or as they were, and a lock goes with the process that holds it."""

import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from faceswap.errors import OutputError, ProjectError
from faceswap.io import atomic
from faceswap.io.atomic import file_lock, fsync_files, remove_partial_files, write_atomically

HOLDER = """
import sys, time
from pathlib import Path
from faceswap.io.atomic import file_lock
with file_lock(Path(sys.argv[1]), 0, ""):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_waited_for_a_while_and_goes_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        began = time.monotonic()
        with pytest.raises(ProjectError, match="in use"), file_lock(path, 0.2, "in use"):
            pass
        assert 0.2 <= time.monotonic() - began < 20
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with file_lock(path, 0, "in use"):
        pass
    with file_lock(path, 0, "in use"):
        pass


def test_a_place_for_a_lock_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write to"), file_lock(tmp_path / "file/l", 0, ""):
        pass


def test_a_disk_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lockless:
        def __init__(self, path: Path) -> None: ...

        def acquire(self, **_: object) -> None:
            raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(atomic, "FileLock", Lockless)
    with pytest.raises(OutputError, match="cannot lock files"), file_lock(tmp_path / "l", 0, ""):
        pass


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was_there(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings"
    write_atomically(path, b"old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, fail)
    with pytest.raises(OutputError, match=r"Cannot write .*No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["settings"]


def test_two_writers_never_share_an_unfinished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one has begun to write, another neither replaces nor takes for its own."""
    path = tmp_path / "settings"
    original = os.replace

    def interleaved(part: Path, goal: Path) -> None:
        monkeypatch.setattr(os, "replace", original)
        write_atomically(path, b"other")
        original(part, goal)

    monkeypatch.setattr(os, "replace", interleaved)
    write_atomically(path, b"first")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["settings"]


def test_a_file_that_is_being_read_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where a reader stands in the way."""
    refused = [PermissionError(13, "Access is denied")] * 3
    original = os.replace

    def stubborn(part: Path, goal: Path) -> None:
        if refused:
            raise refused.pop()
        original(part, goal)

    monkeypatch.setattr(os, "replace", stubborn)
    monkeypatch.setattr(atomic, "_TRIES", 4)
    write_atomically(tmp_path / "settings", b"new")
    assert (tmp_path / "settings").read_bytes() == b"new"
    refused[:] = [PermissionError(13, "Access is denied")] * 4
    with pytest.raises(OutputError, match="Access is denied"):
        write_atomically(tmp_path / "settings", b"newer")


def test_only_unfinished_files_are_removed(tmp_path: Path) -> None:
    for name in ("a.png", "a.part", "b.part", "part"):
        (tmp_path / name).touch()
    remove_partial_files(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a.png", "part"]
    remove_partial_files(tmp_path / "none")


@pytest.mark.parametrize("linux", [True, False])
def test_files_are_flushed_all_at_once_or_one_by_one(
    linux: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if linux and not atomic._LINUX:
        pytest.skip("only Linux can")
    (tmp_path / "below").mkdir()
    for name in ("a", "below/b"):
        (tmp_path / name).write_text(name)
    flushed: set[int] = set()
    original = os.fsync

    def noted(handle: int) -> None:
        flushed.add(os.fstat(handle).st_ino)
        original(handle)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(atomic, "_LINUX", linux)
    fsync_files(tmp_path)
    inside = {(tmp_path / name).stat().st_ino for name in ("a", "below/b")}
    assert flushed == (set() if linux else inside)
    with pytest.raises(OSError, match="No such file") if linux else nullcontext():
        fsync_files(tmp_path / "none")
