"""``python -m gui``, ``faceswap-gui`` and ``faceswap gui``."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window; ``arguments`` may name a project. Returns the exit code."""
    try:
        from gui.app import main as open_window
    except ImportError as error:
        sys.stderr.write(
            f"The window cannot be opened ({error}); install it with 'pip install faceswap[gui]'.\n"
        )
        return 1
    given = sys.argv[1:] if arguments is None else list(arguments)
    return open_window(["faceswap", *given])


if __name__ == "__main__":
    sys.exit(main())
