"""Metrics of a run: ``metrics.jsonl``, TensorBoard, and the trend in a sentence."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from faceswap.errors import OutputError
from faceswap.io.atomic import partial_file

_PAST = 5400.0  # seconds of training that the trend is taken over
_WORSE = 1.03  # times the lowest error
_OVERFIT, _LEARNT = 1.01, 0.9  # times the lowest error, with the loss at so much of what it was
# then; the measured random error of the mean over some hundred fixed faces is up to 0.3 %

OVERFITTING = "overfitting"
"""First word of the sentence about a run that overfits."""


class MetricsLog:
    """Writes metrics to ``metrics.jsonl`` and TensorBoard event files in a folder.

    first: the step that the run resumes from; later rows, of a run that was killed after its last
    checkpoint, are dropped. A full disk never ends a run: rows that can't be written are dropped,
    with a message. Raises OutputError when the folder can't be made or written at all.
    """

    def __init__(self, folder: Path, first: int = 0) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {folder}: {error.strerror or error}.") from error
        if not os.access(folder, os.W_OK):
            raise OutputError(f"Nothing can be written to {folder}; change its permissions.")
        self._path = folder / "metrics.jsonl"
        self._failing = False
        self._pending_message: str | None = None
        truncate_metrics(self._path, first)
        try:
            self._board = _tensorboard(folder / "tensorboard", first)
        except OSError as error:
            self._board = None
            self._pending_message = f"Nothing is written to TensorBoard: {error.strerror or error}."

    def add(self, step: int, seconds: float, values: Mapping[str, float]) -> str | None:
        """Log ``values`` of ``step``, at ``seconds`` of training.

        Returns a message when writing begins to fail.
        """
        message, self._pending_message = self._pending_message, None
        return self._write(step, seconds, values) or self._show(step, values) or message

    def _write(self, step: int, seconds: float, values: Mapping[str, float]) -> str | None:
        row = {"step": step, "seconds": round(seconds, 3), **values}
        try:
            # Opened each time, so that a failed row is not left in a buffer and fails again.
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
            return f"Nothing more is written to TensorBoard: {error.strerror or error}."
        return None

    def close(self) -> None:
        """Write everything to disk."""
        if self._board is not None:
            with suppress(OSError):
                self._board.close()


def truncate_metrics(path: Path, step: int) -> None:
    """Remove rows after ``step``, and incomplete lines, from a ``metrics.jsonl``."""
    if not path.is_file():
        return
    text = path.read_text()
    kept = "".join(json.dumps(row) + "\n" for row in read_metrics(path) if row["step"] <= step)
    if kept == text:
        return
    with suppress(OSError), partial_file(path) as part:
        part.write_text(kept)


class NoMetricsLog:
    """Metrics log of processes other than the main one: writes nothing."""

    def add(self, step: int, seconds: float, values: Mapping[str, float]) -> str | None:
        """Nothing."""
        return None

    def close(self) -> None:
        """Nothing."""


def _tensorboard(folder: Path, first: int) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=first + 1)


def read_metrics(path: Path) -> list[dict[str, float]]:
    """Rows of a ``metrics.jsonl``, without lines that a crash left incomplete."""
    rows: list[dict[str, float]] = []
    if path.is_file():
        for line in path.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue
    return rows


def describe_progress(rows: Sequence[Mapping[str, float]], name: str = "held-out SSIM") -> str:
    """Trend of the run in words, from the rows that have ``name`` (larger is better).

    Compares the mean error, 1 − value, of the last third of the last hour and a half with that of
    the third before. Flat is a change below 0.2 % per 10 minutes; less than half a minute is too
    early to tell. The run overfits if the error is above its lowest while the training loss is
    below that at the same time.
    """
    points: list[_Point] = []
    loss = math.nan
    for row in rows:
        loss = row.get("loss", loss)
        if name in row:
            points.append(_Point(row["seconds"], 1 - row[name], int(row["step"]), loss))
    if not points:
        return "quality not measured"  # no held-out faces, or no evaluation yet
    if len(points) < 6:
        return "too early to tell"
    since = points[-1].seconds - _PAST
    recent = points[min(len(points) - 6, sum(p.seconds < since for p in points)) :]
    third = len(recent) // 3
    before, last = recent[-2 * third : -third], recent[-third:]
    error0, error1 = (sum(p.error for p in part) / third for part in (before, last))
    minutes = (last[third // 2].seconds - before[third // 2].seconds) / 60
    if minutes < 0.5:
        return "too early to tell"
    change = (error0 - error1) / max(error0, 1e-9) * 100 / minutes
    if change > 0.02:
        # Never extrapolate a short run: its pace does not last.
        over = min(10, max(1, round(minutes)))
        return f"still improving {change * over:.1f} % per {over} min"
    best = min(points, key=lambda p: p.error)
    # Against the best of the whole run, so that slow decline counts too.
    at_best = [p.loss for p in points if abs(p.step - best.step) <= best.step // 10]
    loss_falls = sum(p.loss for p in last) / third < _LEARNT * sum(at_best) / len(at_best)
    if best not in last and error1 > (_OVERFIT if loss_falls else _WORSE) * best.error:
        return f"{OVERFITTING if loss_falls else 'getting worse'} since step {best.step:,}"
    return f"flat since step {best.step:,}"


class _Point(NamedTuple):
    seconds: float
    error: float
    step: int
    loss: float
