"""A display of the tests' own: Xvfb where it and Qt's plugin for it work, else no display."""

import ctypes
import os
import shutil
import sys
from pathlib import Path

import PySide6


def choose() -> None:
    """Set the environment for Qt, unless it says already where windows shall be shown."""
    if "QT_QPA_PLATFORM" in os.environ:
        return
    display = _start() if _usable() else ""
    if display:
        os.environ["DISPLAY"] = display
    os.environ["QT_QPA_PLATFORM"] = "xcb" if display else "offscreen"


def _usable() -> bool:
    """Whether Xvfb is there, and all that Qt needs to talk to it: without, Qt would abort."""
    if not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        return False
    try:
        ctypes.CDLL(str(Path(PySide6.__file__).parent / "Qt/plugins/platforms/libqxcb.so"))
    except OSError:
        return False
    return True


def _start() -> str:
    """Start Xvfb on the first number that is free; the display's name, empty if it fails.

    It ends by itself (-terminate) when this process, its only lasting client, has gone: ended
    any earlier, it would take Qt with it. So nobody can wait for it, as subprocess expects.
    """
    read, write = os.pipe()
    os.set_inheritable(write, True)
    screen = ("-screen", "0", "1600x1200x24", "-nolisten", "tcp", "-terminate")
    silence = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    command = ("Xvfb", "-displayfd", str(write), *screen)
    os.posix_spawnp(command[0], command, os.environ, file_actions=silence)
    os.close(write)
    with os.fdopen(read) as said:
        number = said.readline().strip()
    return f":{number}" if number else ""
