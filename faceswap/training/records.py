"""What a run tells about itself: ``metrics.jsonl``, TensorBoard, and a sentence."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from faceswap.errors import OutputError

_PAST = 5400.0  # seconds that tell how a run does now
_WORSE = 1.03  # times the least error
_OVERFIT, _LEARNT = 1.01, 0.9  # times the least error, while the loss is so much of what it was;
# one measure of a mean over some hundred fixed faces was seen to be up to 0.3 % off by chance

OVERFITTING = "overfitting"
"""How the sentence begins of a run that learns its faces by heart."""


class Records:
    """Writes named numbers to ``metrics.jsonl`` and to TensorBoard event files in a folder.

    first: the step the run goes on from; what was recorded after it, by a run that was killed
    after its last save, is dropped. A disk that is full is told and never ends a run: what can't
    be written is left out. Raises OutputError when the folder can't be made or written at all.
    """

    def __init__(self, folder: Path, first: int = 0) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {folder}: {error.strerror or error}.") from error
        if not os.access(folder, os.W_OK):
            raise OutputError(f"Nothing can be written to {folder}; change who may.")
        self._path = folder / "metrics.jsonl"
        self._failing = False
        self._untold: str | None = None
        cut_records(self._path, first)
        try:
            self._board = _tensorboard(folder / "tensorboard", first)
        except OSError as error:
            self._board = None
            self._untold = f"TensorBoard gets nothing of this run: {error.strerror or error}."

    def add(self, step: int, seconds: float, values: Mapping[str, float]) -> str | None:
        """Record ``values`` of ``step``, ``seconds`` of training into the run.

        Returns what is wrong when that begins to fail.
        """
        untold, self._untold = self._untold, None
        return self._write(step, seconds, values) or self._show(step, values) or untold

    def _write(self, step: int, seconds: float, values: Mapping[str, float]) -> str | None:
        row = {"step": step, "seconds": round(seconds, 3), **values}
        try:
            # Opened each time, so that a failed row leaves nothing behind that fails again.
            with self._path.open("a") as file:
                file.write(("\n" if self._failing else "") + json.dumps(row) + "\n")
            self._failing = False
        except OSError as error:
            if self._failing:
                return None
            self._failing = True
            return f"Cannot write {self._path}: {error.strerror or error}. Training goes on."
        return None

    def _show(self, step: int, values: Mapping[str, float]) -> str | None:
        if self._board is None:
            return None
        try:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)
        except OSError as error:
            self._board = None
            return f"TensorBoard gets no more of this run: {error.strerror or error}."
        return None

    def close(self) -> None:
        """Put everything on disk."""
        if self._board is not None:
            with suppress(OSError):
                self._board.close()


def cut_records(path: Path, step: int) -> None:
    """Take what is later than ``step``, and lines cut short, out of a ``metrics.jsonl``."""
    if not path.is_file():
        return
    text = path.read_text()
    kept = "".join(json.dumps(row) + "\n" for row in read_metrics(path) if row["step"] <= step)
    if kept == text:
        return
    part = path.with_suffix(".part")
    try:
        part.write_text(kept)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()


class Unrecorded:
    """What processes that do not lead write: nothing."""

    def add(self, step: int, seconds: float, values: Mapping[str, float]) -> str | None:
        """Nothing."""
        return None

    def close(self) -> None:
        """Nothing."""


def _tensorboard(folder: Path, first: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first + 1)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a ``metrics.jsonl``; a line that a crash cut short is left out."""
    rows: list[dict[str, float]] = []
    if path.is_file():
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return rows


def state_sentence(rows: Sequence[Mapping[str, float]], name: str = "held-out SSIM") -> str:
    """How the run does, in plain language, from the rows that hold ``name`` (larger is better).

    Of the last hour and a half, the error 1 − value of the last third is set against that of the
    third before; under 0.2 % per 10 minutes it is called flat, and over less than half a minute
    nothing is told. Where it is larger than it was at best, and the loss, in the rows between,
    smaller, the run overfits.
    """
    points: list[_Point] = []
    loss = math.nan
    for row in rows:
        loss = row.get("loss", loss)
        if name in row:
            points.append(_Point(row["seconds"], 1 - row[name], int(row["step"]), loss))
    if not points:
        return "quality not measured"  # nothing held out, or nothing shown yet
    if len(points) < 6:
        return "too early to tell"
    since = points[-1].seconds - _PAST
    near = points[min(len(points) - 6, sum(p.seconds < since for p in points)) :]
    third = len(near) // 3
    before, last = near[-2 * third : -third], near[-third:]
    error0, error1 = (sum(p.error for p in part) / third for part in (before, last))
    minutes = (last[third // 2].seconds - before[third // 2].seconds) / 60
    if minutes < 0.5:
        return "too early to tell"
    change = (error0 - error1) / max(error0, 1e-9) * 100 / minutes
    if change > 0.02:
        # Of a short run nothing is foretold: its pace does not last.
        over = min(10, max(1, round(minutes)))
        return f"still improving {change * over:.1f} % per {over} min"
    best = min(points, key=lambda p: p.error)
    # However slowly: what a day took away counts as what a minute did.
    at_best = [p.loss for p in points if abs(p.step - best.step) <= best.step // 10]
    falls = sum(p.loss for p in last) / third < _LEARNT * sum(at_best) / len(at_best)
    if best not in last and error1 > (_OVERFIT if falls else _WORSE) * best.error:
        return f"{OVERFITTING if falls else 'getting worse'} since step {best.step:,}"
    return f"flat since step {best.step:,}"


class _Point(NamedTuple):
    seconds: float
    error: float
    step: int
    loss: float
