"""Entry point of ``python -m faceswap`` and of the command ``faceswap``."""

import io
import os
import sys

from faceswap.background import any_left_running
from faceswap.cli import run


def main() -> None:
    """Run the command line, or the window for ``gui``, and exit with its exit code."""
    if sys.argv[1:2] == ["gui"]:
        sys.exit(_window(sys.argv[2:]))
    _use_utf8()
    code = run(sys.argv[1:])
    if any_left_running():
        # A thread that can't be cancelled (a compiler) may crash in the interpreter's teardown.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)


def _use_utf8() -> None:
    """Set the standard streams to UTF-8, which is not the default for pipes on Windows."""
    for stream, errors in ((sys.stdin, None), (sys.stdout, None), (sys.stderr, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=errors)


def _window(arguments: list[str]) -> int:
    try:
        from gui.__main__ import main as window
    except ModuleNotFoundError as error:
        if error.name not in ("PySide6", "pyqtgraph"):
            raise
        sys.stderr.write("The window is not installed; run: pip install 'faceswap[gui]'\n")
        return 1
    return window(arguments)


if __name__ == "__main__":
    main()
