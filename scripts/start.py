"""Set up faceswap and run a command.

    python3 scripts/start.py demo          render two clips, swap them and measure the swap
    python3 scripts/start.py run ARGS      a faceswap command: run swap A.mp4 B.mp4 -o out.mp4
    python3 scripts/start.py window        the application's window
    python3 scripts/start.py test ARGS     all tests; ARGS go to pytest
    python3 scripts/start.py setup         only install, with the PyTorch for the graphics card;
                                           --cpu: with the PyTorch for the processor

The first run creates .venv in this folder and installs into it; later runs start at once.
Needs only Python's standard library, and looks for another Python if this one is not suitable.
"""
# Must run on any Python from 2.7 on, to find a suitable one: annotations in comments only, no
# f-strings. The rest is in the package `starting`.

from __future__ import print_function

import os
import platform
import struct
import subprocess
import sys
import sysconfig

MYPY = False  # mypy takes it for True
if MYPY:
    from collections.abc import Iterator  # noqa: F401

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(SCRIPTS)

OLDEST = (3, 11)  # as in pyproject.toml
NEWEST = (3, 14)  # the newest that PyTorch up to 2.13 and numba have files for
WANTED = ((3, 13), (3, 12), (3, 11), (3, 14))  # in order of preference

NO_VENV = "has no venv module"
TOO_NEW = "is newer than what PyTorch has files for"

PROBE = """
import platform, struct, sys, sysconfig
try:
    import ensurepip, venv
    able = 1
except ImportError:
    able = 0
free = bool(sysconfig.get_config_var('Py_GIL_DISABLED'))
print('|'.join(map(str, ('python', '.'.join(map(str, sys.version_info[:3])),
    platform.python_implementation(), 8 * struct.calcsize('P'), able, int(free),
    platform.machine(), sys.executable))))
"""


class Found(object):
    """A Python interpreter: its command, version such as (3, 11, 7), and other requirements."""

    def __init__(self, command, version, kind, bits, able, free, machine, path):
        # type: (list[str], tuple[int, ...], str, int, bool, bool, str, str) -> None
        self.command, self.version, self.kind, self.bits = command, version, kind, bits
        self.able, self.free, self.machine, self.path = able, free, machine, path

    def __str__(self):
        # type: () -> str
        return "Python %s (%s)" % (".".join(map(str, self.version)), self.path)


def about(command):
    # type: (list[str]) -> Found | None
    """Probe the Python that ``command`` (a list) starts; None if it does not run (a dead shim)."""
    try:
        process = subprocess.Popen(
            command + ["-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        output = process.communicate()[0].decode("utf-8", "replace")
    except OSError:
        return None
    lines = [line.split("|") for line in output.splitlines() if line.startswith("python|")]
    if process.returncode != 0 or not lines or len(lines[0]) != 8:
        return None
    _, version, kind, bits, able, free, machine, path = lines[0]
    numbers = tuple(int(part) for part in version.split("."))
    return Found(command, numbers, kind, int(bits), able == "1", free == "1", machine, path)


def about_this():
    # type: () -> Found
    """The Python that runs this script."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401

        able = True
    except ImportError:
        able = False
    free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    kind, bits = platform.python_implementation(), 8 * struct.calcsize("P")
    version = tuple(sys.version_info[:3])
    return Found(
        [sys.executable], version, kind, bits, able, free, platform.machine(), sys.executable
    )


def unfit(found):
    # type: (Found) -> str
    """Why a Python is not suitable; "" if it is."""
    if found.version[:2] < OLDEST:
        return "is too old"
    if found.kind != "CPython":
        return "is %s, for which PyTorch has no files" % found.kind
    if found.bits != 64:
        return "is a 32-bit one, for which PyTorch has no files"
    if found.free:
        return "is a free-threaded one, for which some packages have no files"
    if sys.platform == "darwin" and found.machine == "x86_64":
        return "is one for Intel processors, for which PyTorch has had no files since 2.3"
    if found.version[:2] > NEWEST:
        return TOO_NEW
    return "" if found.able else NO_VENV


def venv_python():
    # type: () -> str
    """Path of the interpreter in this checkout's .venv."""
    parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return os.path.join(ROOT, ".venv", *parts)


def commands():
    # type: () -> Iterator[list[str]]
    """Commands that may start a Python on this system, preferred versions first."""
    folders = [f for f in os.environ.get("PATH", "").split(os.pathsep) if f]
    folders += ["/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    kept = [os.path.join(pyenv, "versions"), os.path.join(pyenv, "pyenv-win", "versions")]
    end = ".exe" if os.name == "nt" else ""
    for major, minor in WANTED:
        name = "%d.%d" % (major, minor)
        if os.name == "nt":
            yield ["py", "-" + name]
        for folder in folders:
            yield [os.path.join(folder, "python" + name + end)]
        yield ["/Library/Frameworks/Python.framework/Versions/%s/bin/python3" % name]
        for versions in kept:
            there = sorted(os.listdir(versions)) if os.path.isdir(versions) else []
            for version in reversed(there):
                if (version + ".").startswith(name + "."):
                    inside = ["python.exe"] if os.name == "nt" else ["bin", "python"]
                    yield [os.path.join(versions, version, *inside)]
    for folder in folders:
        for name in ("python3", "python"):
            yield [os.path.join(folder, name + end)]


def search():
    # type: () -> Found | None
    """The first suitable Python; None if there is none."""
    for command in commands():
        if len(command) > 1 or os.path.exists(command[0]):
            found = about(command)
            if found is not None and not unfit(found):
                return found
    return None


def advice():
    # type: () -> str
    """How to install a suitable Python on this system."""
    if os.name == "nt":
        return "install the 64-bit one: winget install Python.Python.3.13"
    if sys.platform == "darwin":
        return (
            "install one: brew install python@3.13, or https://www.python.org/downloads. "
            "Macs with Intel processors are not supported: PyTorch has no files for them"
        )
    if os.path.exists("/etc/debian_version"):
        return (
            "install one: sudo apt install python3-venv, or where python3 is older than 3.11: "
            "sudo apt install python3.11-venv"
        )
    return (
        "install one from your system's packages, such as: sudo dnf install python3.13, or from "
        "https://www.python.org/downloads"
    )


def main(arguments):
    # type: (list[str]) -> int
    """Run the command in ``arguments`` on a suitable Python; returns the exit code."""
    here = about_this()
    why, other = unfit(here), None
    if why:
        made = about([venv_python()])
        if made is not None and unfit(made) in ("", NO_VENV):
            other = None if why == NO_VENV else made
            why = "" if why == NO_VENV else why
        else:
            other = search()
    if why and other is None:
        if why != TOO_NEW:
            message = "%s %s. Python %d.%d to %d.%d is needed: %s; then start this again with it."
            print(message % ((here, why) + OLDEST + NEWEST + (advice(),)), file=sys.stderr)
            return 1
        print("%s %s; it may not come to an end." % (here, why), file=sys.stderr)
    if other is not None:
        print("%s %s; going on with %s." % (here, why, other), file=sys.stderr)
        return handed_on(other.command + [os.path.abspath(__file__)] + arguments)
    sys.path.insert(0, ROOT)
    sys.path.insert(0, SCRIPTS)
    from starting.commands import main as start

    return start(arguments, __doc__)


def handed_on(command):
    # type: (list[str]) -> int
    """Replace this process by ``command``; returns the exit code on Windows."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    process = subprocess.Popen(command)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the command received Ctrl-C too and handles it


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
