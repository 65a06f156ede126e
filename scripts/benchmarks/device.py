"""Whether the models are right on a graphics card, how fast they are there, and where time goes.

    python scripts/benchmark.py device --minutes 4 --json device.json

Needs Python, PyTorch, numpy, safetensors and the folder that ``benchmark.py device_kit`` makes,
nothing else of what faceswap needs, and no network. All of it is done with ``--device cpu`` too,
on narrow nets: that shows that it runs, and its figures say nothing of a graphics card.

Each part runs in a process of its own: one that fails is told and the others go on. What is found
is in the file as soon as it is found.
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
    """Check and measure; the tables there are so far, again and again."""
    begun = time.monotonic()
    options = parsed(arguments)
    reason = refusal(options.device) or lacking(options.kit)
    if reason is not None:
        raise SystemExit(reason)
    from benchmarks._device_run import tables  # needs what was found just now

    yield from tables(options, begun)


def refusal(device: str) -> str | None:
    """Why nothing can be done on ``device``, in a sentence; None where it can."""
    if device == "cpu" or torch.cuda.is_available():
        return None
    if torch.version.cuda is None:
        what = f"this PyTorch ({torch.__version__}) was built without CUDA"
    else:
        what = f"PyTorch, built for CUDA {torch.version.cuda}, finds no card or no driver for it"
    return f"There is no graphics card to measure: {what}. With --device cpu all of it runs here."


def lacking(kit: Path) -> str | None:
    """Make what is not installed importable from the checkout and the kit; what is lacking then,
    in a sentence."""
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
