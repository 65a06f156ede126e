"""Detached processes: start one, check whether it is alive, ask it to stop, kill it.

The system reuses process IDs. A process is therefore identified by its ID together with its
creation time, and checked again before a signal is sent to it.
"""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel

StopMethod = Literal["terminate", "kill", "ctrl-break"]

_CREATED_TOLERANCE = 0.05
"""Tolerance in seconds between two readings of a creation time; the clock ticks are 0.01 s."""

_CLOCK_TOLERANCE = 3600.0
"""Seconds by which the clock may be adjusted while a process runs. A reboot within this time, after
which another process has the same ID and the same start to 0.01 s, is too unlikely to matter."""


class Process(BaseModel, frozen=True):
    """A process. created: its start time, booted: the system's boot time, both in Unix seconds."""

    pid: int
    created: float
    booted: float


_started: dict[Process, "subprocess.Popen[bytes]"] = {}
_ctrl_break_senders: list["subprocess.Popen[bytes]"] = []


def interpreter(executable: str) -> str:
    """The Python interpreter for jobs, given the window's own.

    On Windows the window may run under pythonw.exe, whose child processes have no console and
    therefore cannot receive Ctrl-Break.
    """
    path = Path(executable)
    beside = path.with_name("python.exe")
    return str(beside) if path.name.lower() == "pythonw.exe" and beside.is_file() else executable


def start(command: Sequence[str], output: Path) -> Process:
    """Start ``command`` detached, with stdout and stderr appended to the file ``output``.

    Raises OSError when it cannot be started.
    """
    _reap()
    flags = 0
    if sys.platform == "win32":
        # Its own process group and a hidden console, both needed to receive Ctrl-Break.
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    with open(output, "ab") as out:
        child = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            creationflags=flags,
            start_new_session=True,
        )
    # If it has ended already, use a creation time of 0, which matches no process.
    process = look_up(child.pid) or Process(pid=child.pid, created=0.0, booted=0.0)
    _started[process] = child
    return process


def look_up(pid: int) -> Process | None:
    """The running process with the ID ``pid``; None where there is none or access is denied."""
    try:
        booted = psutil.boot_time()
        found = psutil.Process(pid)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(pid=pid, created=found.create_time(), booted=booted)
    except (psutil.Error, ValueError):
        return None


def is_same(one: Process, other: Process, platform: str = sys.platform) -> bool:
    """Whether ``one`` and ``other`` are the same process.

    Linux stores the creation time relative to boot, so on Linux ``created`` and ``booted`` both
    shift when the clock is adjusted.
    """
    if one.pid != other.pid:
        return False
    if not platform.startswith("linux"):
        return abs(one.created - other.created) < _CREATED_TOLERANCE
    apart = (one.created - one.booted) - (other.created - other.booted)
    return abs(apart) < _CREATED_TOLERANCE and abs(one.booted - other.booted) < _CLOCK_TOLERANCE


def alive(process: Process | None) -> bool:
    """Whether ``process`` is still running; False for None, an unknown process."""
    if process is None:
        return False
    if process in _started:
        _reap()
        return process in _started
    found = look_up(process.pid)
    return found is not None and is_same(found, process)


def request_stop(process: Process | None) -> None:
    """Ask ``process`` to save its work and exit."""
    _send(process, stop_method(sys.platform, ask=True))


def kill(process: Process | None) -> None:
    """Kill ``process`` at once."""
    _send(process, stop_method(sys.platform, ask=False))


def stop_method(platform: str, *, ask: bool) -> StopMethod:
    """How a process is asked to stop (``ask``) or killed on ``platform``.

    Windows has no SIGTERM: terminating there kills at once. The graceful way is Ctrl-Break through
    the console, which the command line handles like Ctrl-C.
    """
    if not ask:
        return "kill"
    return "ctrl-break" if platform == "win32" else "terminate"


def _reap() -> None:
    """Remove child processes that have ended."""
    for process in [process for process, child in _started.items() if child.poll() is not None]:
        del _started[process]
    _ctrl_break_senders[:] = [child for child in _ctrl_break_senders if child.poll() is None]


def _send(process: Process | None, how: StopMethod) -> None:
    """Send the signal if ``process`` still runs; ignored where it ends in between."""
    if process is None:
        return
    with suppress(ProcessLookupError, PermissionError, psutil.Error):
        # The ID of our own child is not reused until it is reaped. For other processes psutil
        # checks the creation time again before it sends a signal.
        held = _started.get(process) or psutil.Process(process.pid)
        if not alive(process):
            return
        match how:
            case "ctrl-break":
                _send_ctrl_break(process)
            case "terminate":
                held.terminate()
            case "kill":
                held.kill()


def _send_ctrl_break(process: Process) -> None:
    """Send Ctrl-Break from a helper process, which can attach to another console."""
    flags = getattr(subprocess, "DETACHED_PROCESS", 0)
    command = [sys.executable, "-m", "gui.ipc.ctrl_break", process.model_dump_json()]
    _ctrl_break_senders.append(
        subprocess.Popen(command, stdin=subprocess.DEVNULL, creationflags=flags)
    )
