"""Processes that outlive the window: is one alive, ask it to stop, end it."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_started: dict[int, "subprocess.Popen[bytes]"] = {}


def start(command: Sequence[str], output: Path, errors: Path) -> int:
    """Start ``command``, its output into files, so that it goes on without us; its number.

    Raises OSError when it cannot be started.
    """
    _reap()
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    with open(output, "ab") as out, open(errors, "ab") as err:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            creationflags=flags,
            start_new_session=True,
        )
    _started[process.pid] = process
    return process.pid


def alive(pid: int) -> bool:
    """Whether process ``pid`` runs and is one of ours, as far as the system lets us see."""
    if pid <= 0:
        return False
    if pid in _started:
        _reap()
        return pid in _started
    if sys.platform == "win32":
        return _alive_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # a process of another user has taken the number
    return _is_ours(pid)


def _reap() -> None:
    """Let go of those of ours that have ended."""
    for pid in [pid for pid, process in _started.items() if process.poll() is not None]:
        del _started[pid]


def ask_to_stop(pid: int) -> None:
    """Ask process ``pid`` to save what it has and stop; on Windows it can only be ended."""
    _signal(pid, signal.SIGTERM)


def end(pid: int) -> None:
    """End process ``pid`` at once."""
    _signal(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    if alive(pid):
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            return  # it ended by itself in between


def _is_ours(pid: int) -> bool:
    """Where /proc tells: a process that got a dead one's number does not count, nor a zombie."""
    proc = Path(f"/proc/{pid}")
    try:
        state = proc.joinpath("stat").read_text(errors="replace").rpartition(")")[2].split()[0]
        command = proc.joinpath("cmdline").read_bytes()
    except (OSError, IndexError):
        return not Path("/proc/self").exists()
    return state != "Z" and b"faceswap" in command


def _alive_windows(pid: int) -> bool:
    import ctypes

    query, still_active = 0x1000, 259
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(query, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == still_active
