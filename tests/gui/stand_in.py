"""What the tests of the window share by name."""

import sys
from collections.abc import Callable
from pathlib import Path

FAKE = (sys.executable, str(Path(__file__).with_name("fake_faceswap.py")))
"""In place of ``python -m faceswap``."""

Wait = Callable[[Callable[[], object]], None]
"""Runs the event loop until a condition holds."""
