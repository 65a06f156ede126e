"""Processes that outlive the window: is one alive, ask it to stop, end it.

The system gives a dead process's number to another one. So a process is known by its number and
its beginning together, and looked at again before it is sent anything.
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

_SAME = 0.05
"""Seconds by which the system's word on one beginning may differ: it counts in hundredths."""

_CLOCK = 3600.0
"""Seconds by which the clock may be set while a process runs; a restart that is this close and
has a process of the same number begin in the same hundredth of a second is not to be feared."""


class Process(BaseModel, frozen=True):
    """A process. created: when it began; booted: when the system did; seconds since 1970."""

    pid: int
    created: float
    booted: float


_started: dict[Process, "subprocess.Popen[bytes]"] = {}
_asking: list["subprocess.Popen[bytes]"] = []


def interpreter(executable: str) -> str:
    """The Python for processes of ours, given the window's own.

    That of a window may be pythonw.exe on Windows, whose processes have no console, and so could
    not be asked to stop.
    """
    path = Path(executable)
    beside = path.with_name("python.exe")
    return str(beside) if path.name.lower() == "pythonw.exe" and beside.is_file() else executable


def start(command: Sequence[str], output: Path) -> Process:
    """Start ``command``, what it prints into a file, so that it goes on without us.

    Raises OSError when it cannot be started.
    """
    _reap()
    flags = 0
    if sys.platform == "win32":
        # A group and a console (that is not shown) of its own: only so it can be asked to stop.
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
    # One that ended at once is nobody any more: nothing begins in 1970.
    process = look_up(child.pid) or Process(pid=child.pid, created=0.0, booted=0.0)
    _started[process] = child
    return process


def look_up(pid: int) -> Process | None:
    """The process that has the number ``pid`` now, if any runs that we may look at."""
    try:
        booted = psutil.boot_time()
        found = psutil.Process(pid)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(pid=pid, created=found.create_time(), booted=booted)
    except (psutil.Error, ValueError):
        return None


def same(one: Process, other: Process, platform: str = sys.platform) -> bool:
    """Whether both are one process.

    On Linux a beginning is told in seconds since the system's own, so that both move with the
    clock when that is set.
    """
    if one.pid != other.pid:
        return False
    if not platform.startswith("linux"):
        return abs(one.created - other.created) < _SAME
    apart = (one.created - one.booted) - (other.created - other.booted)
    return abs(apart) < _SAME and abs(one.booted - other.booted) < _CLOCK


def alive(process: Process | None) -> bool:
    """Whether ``process`` still runs; of one that is not known nobody can say, so it does not."""
    if process is None:
        return False
    if process in _started:
        _reap()
        return process in _started
    found = look_up(process.pid)
    return found is not None and same(found, process)


def ask_to_stop(process: Process | None) -> None:
    """Ask ``process`` to save what it has and stop."""
    _send(process, stop_method(sys.platform, ask=True))


def end(process: Process | None) -> None:
    """End ``process`` at once."""
    _send(process, stop_method(sys.platform, ask=False))


def stop_method(platform: str, *, ask: bool) -> StopMethod:
    """How a process is asked to stop, or ended, on ``platform``.

    Windows knows no signals: to terminate is to end at once there. What can ask is the console,
    by Ctrl-Break, which the command line heeds like Ctrl-C.
    """
    if not ask:
        return "kill"
    return "ctrl-break" if platform == "win32" else "terminate"


def _reap() -> None:
    """Let go of those of ours that have ended."""
    for process in [process for process, child in _started.items() if child.poll() is not None]:
        del _started[process]
    _asking[:] = [child for child in _asking if child.poll() is None]


def _send(process: Process | None, how: StopMethod) -> None:
    """Send it if ``process`` still runs; that it ends by itself in between is no trouble."""
    if process is None:
        return
    with suppress(ProcessLookupError, PermissionError, psutil.Error):
        # The number of a child of ours stays its own until we have taken note of its end. Of
        # others, held is who has the number now, and takes nothing once that is somebody else.
        held = _started.get(process) or psutil.Process(process.pid)
        if not alive(process):
            return
        match how:
            case "ctrl-break":
                _press_break(process)
            case "terminate":
                held.terminate()
            case "kill":
                held.kill()


def _press_break(process: Process) -> None:
    """From a process of its own, which can enter another's console without losing ours."""
    flags = getattr(subprocess, "DETACHED_PROCESS", 0)
    command = [sys.executable, "-m", "gui.ipc.ctrl_break", process.model_dump_json()]
    _asking.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, creationflags=flags))
