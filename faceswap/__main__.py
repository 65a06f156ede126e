"""``python -m faceswap``, and the command ``faceswap``."""

import sys

from faceswap.cli import run


def main() -> None:
    """Run the command line, or with ``gui`` the window, and leave with its exit code."""
    if sys.argv[1:2] == ["gui"]:
        sys.exit(_window(sys.argv[2:]))
    sys.exit(run(sys.argv[1:]))


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
