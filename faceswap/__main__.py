"""``python -m faceswap``, and the command ``faceswap``."""

import io
import os
import sys

from faceswap.background import any_left_running
from faceswap.cli import run


def main() -> None:
    """Run the command line, or with ``gui`` the window, and leave with its exit code."""
    if sys.argv[1:2] == ["gui"]:
        sys.exit(_window(sys.argv[2:]))
    _speak_utf8()
    code = run(sys.argv[1:])
    if any_left_running():
        # What could not be broken off, as a compiler, must not be torn down under its feet.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def _speak_utf8() -> None:
    """Let what comes and goes by pipes and files be UTF-8: on Windows it would not be."""
    for stream, errors in ((sys.stdin, None), (sys.stdout, None), (sys.stderr, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _window(arguments: list[str]) -> int:
    try:
        from gui.__main__ import main as window
    except ModuleNotFoundError as error:
        if error.name not in ("PySide6", "pyqtgraph", "psutil"):
            raise
        sys.stderr.write("The window is not installed; run: pip install 'faceswap[gui]'\n")
        return 1
    return window(arguments)


if __name__ == "__main__":
    main()
