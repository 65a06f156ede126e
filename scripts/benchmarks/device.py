"""Whether the models are right on a graphics card, how fast they are there, and where time goes.

    python scripts/benchmark.py device --minutes 4 --json device.json

Needs Python, PyTorch, numpy, safetensors and the folder that ``benchmark.py device_kit`` makes,
nothing else of what faceswap needs, and no network. All of it is done with ``--device cpu`` too,
on narrow nets: that shows that it runs, and its figures say nothing of a graphics card.

Each part runs in a process of its own: one that fails is told and the others go on. What is found
is in the file as soon as it is found.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Iterator
from pathlib import Path

KIT = Path(__file__).parents[2] / "device-kit"

Rows = list[dict[str, str | int | float | None]]


def run(arguments: list[str]) -> Iterator[dict[str, Rows]]:
    """Check and measure; the tables there are so far, again and again."""
    begun = time.monotonic()
    options = parsed(arguments)
    site = options.kit / "site"
    if importlib.util.find_spec("pydantic") is None and site.is_dir():
        sys.path.insert(0, str(site))
    if importlib.util.find_spec("pydantic") is None:
        raise SystemExit(
            f"Python {sys.version_info.major}.{sys.version_info.minor} finds no pydantic here nor "
            f"in {site}; make that folder with 'python scripts/benchmark.py device_kit'."
        )
    from benchmarks._device_run import tables  # needs pydantic

    yield from tables(options, begun)


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="benchmark.py device")
    parser.add_argument("--minutes", type=float, default=4.0, help="all of it takes no longer")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--kit", type=Path, default=KIT, help="the folder that device_kit made")
    parser.add_argument(
        "--preset",
        action="append",
        help="such as quick or df:256; by default quick, classic, df:128, df:256 and liae:256",
    )
    parser.add_argument("--batch", type=int, help="faces a side; each preset's own by default")
    return parser.parse_args(arguments)
