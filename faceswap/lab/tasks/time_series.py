"""Anomaly detection in time series by an LSTM autoencoder over sliding windows."""

import csv
import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.lstm import LstmConfig
from faceswap.errors import InputError
from faceswap.events import Notice
from faceswap.io.charts import line_chart
from faceswap.lab.framework.data import PictureSet, split_data
from faceswap.lab.framework.run import TaskFunction, TaskSettings, TrainingPlan, finish, train
from faceswap.lab.framework.training_task import PictureTask, ReconstructionLoss
from faceswap.lab.tasks.anomaly import threshold
from faceswap.lab.tasks.bottleneck import decoded, encoded


def time_series(settings: TaskSettings) -> TaskFunction:
    """Detect anomalies in a time series by an LSTM autoencoder over sliding windows.

    The input is a CSV file of one row per time and one column per sensor, whose first half must
    be normal; the default is three simulated sensors with known faults. Monotonic columns, such
    as times, are left out.
    """
    faults = None
    if settings.data:
        given = read_series(settings.data[0])
        readings, names = given.values, given.names
        kept = [not is_monotonic(column) for column in readings.T]
        if not any(kept):
            raise InputError(
                f"{settings.data[0]} has only columns that rise or fall, like times only; give "
                "sensor readings."
            )
        if not all(kept):
            left = ", ".join(n for n, keep in zip(names, kept, strict=True) if not keep)
            yield Notice(message=f"Left out, as it only rises or falls, like times: {left}.")
        readings = readings[:, kept]
        names = tuple(n for n, keep in zip(names, kept, strict=True) if keep)
    else:
        readings, faults = made_series(settings.seed)
        names = _numbered(readings.shape[1])
    length = 32
    half = len(readings) // 2
    if half < 10 * length:
        raise InputError(f"Give a series of {20 * length} rows or more; this one has fewer.")
    mean, spread = readings[:half].mean(0), readings[:half].std(0) + 1e-9
    # The normal half's mean at 0.5; 3.3 standard deviations to either side fit into 0 to 1.
    level = np.clip((readings - mean) / spread * 0.15 + 0.5, 0, 1)
    windows = np.lib.stride_tricks.sliding_window_view(level, length, axis=0).transpose(0, 2, 1)
    quiet = PictureSet(_bytes(windows[: half - length]), film=True)
    parts = split_data(quiet, settings.seed)
    config = LstmConfig(
        height=length, size=readings.shape[1], hidden=64, latent_dim=settings.code or 8
    )
    task = PictureTask(parts.training, parts.validation, ReconstructionLoss(), settings.device)
    model = yield from train(task, config, settings, TrainingPlan("time-series", 2500))
    assert isinstance(model, Autoencoder)
    x = torch.from_numpy(np.ascontiguousarray(windows)).float()[:, None].to(settings.device)
    error = (x - decoded(model, encoded(model, x))).square().mean((1, 3)).cpu().numpy()
    odd = _over_time(error, len(readings))
    limit = threshold(odd[: half - length], 0.995)
    alarms = np.flatnonzero(odd[half:] > limit) + half
    shown = {name: _curve(level[half:, n], half) for n, name in enumerate(names)}
    bands = [] if faults is None else marked_spans(faults)
    scored = {"error": _curve(odd[half:], half), "threshold": [(float(half), limit)]}
    shaded = "; faults are shaded" if bands else ""
    title = f"The second half, scaled{shaded}"
    blocks = [
        line_chart(title, shown, "time", "reading", (1300, 300), bands=bands),
        line_chart(
            f"Anomaly score{shaded}", scored, "time", "squared error", (1300, 300), bands=bands
        ),
    ]
    figures: dict[str, Any] = {"limit": limit, "times above the limit": len(alarms)}
    sentence = f"{len(alarms)} of {len(readings) - half} times score above the threshold."
    if faults is not None:
        later = slice(half, None)
        figures["AUROC"] = float(roc_auc_score(faults[later], odd[later]))
        figures["found"] = float((odd[later] > limit)[faults[later]].mean())
        figures["false alarms"] = float((odd[later] > limit)[~faults[later]].mean())
        sentence = (
            f"The faults, of which no single reading is out of range, are detected with an AUROC "
            f"of {figures['AUROC']:.3f}: {figures['found']:.0%} of the faulty times are above the "
            f"threshold and {figures['false alarms']:.1%} of the others."
        )
    return (yield from finish(settings, "time-series", blocks, figures, sentence))


def _bytes(windows: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy((windows[:, None] * 255).round().astype(np.uint8))


def _curve(values: NDArray[np.float64], start: int) -> list[tuple[float, float]]:
    step = max(1, len(values) // 600)
    return [(float(start + i), float(values[i])) for i in range(0, len(values), step)]


def marked_spans(marked: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """First and last index of each run of True in ``marked`` (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [(float(a), float(b - 1)) for a, b in edges.reshape(-1, 2)]


def _over_time(error: NDArray[np.float32], count: int) -> NDArray[np.float64]:
    """Errors of windows (N, T) → errors of times (count,): mean over all windows with that time."""
    total, seen = np.zeros(count), np.zeros(count)
    for place in range(error.shape[1]):
        total[place : place + len(error)] += error[:, place]
        seen[place : place + len(error)] += 1
    return total / np.maximum(seen, 1)


@dataclass(frozen=True)
class Table:
    """A time series. values: (T, F), a row per time. names: of the F columns."""

    values: NDArray[np.float64]
    names: tuple[str, ...]


def read_series(path: Path) -> Table:
    """Read a CSV file, with or without a header; dates become seconds since 1970.

    Raises InputError when it is not a table, or has values that are not finite numbers.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    table = [
        (number, row, [_value(text) for text in row])
        for number, row in lines
        if any(text.strip() for text in row)
    ]
    names: tuple[str, ...] = ()
    if table and all(value is None for value in table[0][2]):
        names = tuple(text.strip() for text in table.pop(0)[1])
    for number, _, values in table:
        if None in values:
            raise InputError(f"Line {number} of {path} must be numbers with commas between them.")
    lengths = {len(row) for _, row, _ in table}
    if len(lengths) != 1 or len(names) not in {0, *lengths}:
        raise InputError(f"{path} must have rows of readings, all of the same length.")
    readings = np.array([values for _, _, values in table], np.float64)
    if not np.isfinite(readings).all():
        raise InputError(f"{path} has readings that are not finite; remove those rows.")
    names = tuple(
        name if name and names.count(name) == 1 else own
        for name, own in itertools.zip_longest(names, _numbered(readings.shape[1]))
    )
    return Table(readings, names)


def _value(text: str) -> float | None:
    """Parse a number, or an ISO 8601 date and time to seconds; None for anything else."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"sensor {n + 1}" for n in range(count))


def is_monotonic(column: NDArray[np.float64]) -> bool:
    """Whether readings (T,) only rise or only fall, in every quarter, as times and counters do.

    Later values of such a column exceed the range of all earlier ones without being a fault.
    """
    steps = np.diff(column)
    return min((steps < 0).sum(), (steps > 0).sum()) == 0 and all(
        part.any() for part in np.array_split(steps, 4)
    )


def made_series(seed: int, count: int = 6000) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Simulate three sensors (T, 3) of one machine, and a mask of faulty times (T,).

    Faults, in the second half only: a sensor that lags, one that is stuck, one that loses its
    higher frequency.
    """
    rng = np.random.default_rng(seed)
    phase = np.cumsum(2 * np.pi / 40 * (1 + 0.1 * np.sin(np.arange(count) / 200)))
    noise = 0.05 * rng.normal(size=(count, 3))
    fast = 0.4 * np.sin(3 * phase)
    clean = np.stack([np.sin(phase) + fast, np.cos(phase), np.sin(phase + 0.6) * 0.8], 1)
    faults = np.zeros(count, np.bool_)
    readings = clean + noise
    for number, start in enumerate(range(count // 2 + 150, count - 150, 240)):
        span = slice(start, start + 80)
        faults[span] = True
        match number % 3:
            case 0:
                readings[span, 1] = np.cos(phase[span] - 0.9) + noise[span, 1]
            case 1:
                readings[span, 2] = clean[start, 2] + noise[span, 2]
            case _:
                readings[span, 0] -= fast[span]
    return readings, faults
