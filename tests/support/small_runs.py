"""Short training runs on drawn faces."""

from pathlib import Path
from typing import Any

from driving import finished

from faceswap.events import Event, Notice
from faceswap.jobs.train import TrainSummary, train
from faceswap.swap.training.options import TrainOptions


def options(project: Path, **changes: Any) -> TrainOptions:
    small: dict[str, Any] = {
        "steps": 4,
        "batch": 2,
        "resolution": 64,
        "precision": "fp32",
        "device": "cpu",
    }
    return TrainOptions(project=project, **(small | changes))


def finish(given: TrainOptions) -> tuple[list[Event], TrainSummary]:
    return finished(train(given))


def notices(events: list[Event]) -> list[str]:
    return [e.message for e in events if isinstance(e, Notice)]


def contents(folder: Path) -> dict[str, bytes]:
    """What is in the files of ``folder``, but for the lock of the run."""
    return {p.name: p.read_bytes() for p in folder.glob("[!.]*") if p.is_file()}
