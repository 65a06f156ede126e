"""Benchmark of a graphics card: correctness of the models, speed, and a profile of their time.

    python scripts/benchmark.py device --minutes 4 --json device.json

Needs only Python, PyTorch, numpy, safetensors and the folder that ``benchmark.py device_kit``
makes, and no network. ``--device cpu`` runs all of it on narrow nets as a test; those figures say
nothing about a graphics card.

Each part runs in its own process; if one fails, it is reported and the others go on. The JSON file
is updated with every result.
"""

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]
KIT = ROOT / "device-kit"

Rows = list[dict[str, str | int | float | None]]


def run(arguments: list[str]) -> Iterator[dict[str, Rows]]:
    """Check and measure; yields the tables so far after every result."""
    begun = time.monotonic()
    options = parsed(arguments)
    reason = refusal(options.device) or lacking(options.kit)
    if reason is not None:
        raise SystemExit(reason)
    from benchmarks._device_run import tables  # imports what lacking() has just made importable

    yield from tables(options, begun)


def refusal(device: str) -> str | None:
    """Why ``device`` cannot be used, in a sentence; None if it can."""
    if device == "cpu" or torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        what = f"this PyTorch ({torch.__version__}) was built without CUDA"
    else:
        what = f"PyTorch, built for CUDA {torch.version.cuda}, finds no card or no driver for it"
    return f"There is no graphics card to measure: {what}. Try --device cpu, which runs here."


def lacking(kit: Path) -> str | None:
    """Make faceswap and pydantic importable from checkout and kit; what is still missing, in a
    sentence, or None."""
    site = kit / "site"
    for name, place in (("faceswap", ROOT), ("pydantic", site)):
        if importlib.util.find_spec(name) is None and place.is_dir():
            sys.path.insert(0, str(place))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    maker = f"'python scripts/benchmark.py device_kit --python {python}'"
    try:
        importlib.import_module("pydantic")
    except ImportError:
        where = f"for this Python ({python}) in {site}" if site.is_dir() else f"here, and no {site}"
        return f"There is no pydantic {where}; make the kit with {maker}."
    return None


def parsed(arguments: list[str]) -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(prog="benchmark.py device")
    parser.add_argument("--minutes", type=float, default=4.0, help="time limit")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--kit", type=Path, default=KIT, help="the folder that device_kit made")
    parser.add_argument(
        "--preset",
        action="append",
        help="such as quick or df:256; by default quick, classic, df:128, df:256 and liae:256",
    )
    parser.add_argument("--batch", type=int, help="faces a side; each preset's own by default")
    return parser.parse_args(arguments)
