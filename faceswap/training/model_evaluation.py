"""Evaluation of the EMA model during training: held-out measures, alarms and previews."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import nn

from faceswap.events import Event, Notice, Preview
from faceswap.training.memory import ran_out_of_memory
from faceswap.training.metrics_log import OVERFITTING, describe_progress, read_metrics
from faceswap.training.state import TrainingState

MAX_PREVIEWS = 200
"""Largest number of previews of a run that are kept."""

_FAR_WORSE = 3.0  # times the error of the best model, like a spike in loss_statistics.py
_FALLEN = 0.1  # smallest drop of the measure, as three times a tiny error is still tiny
_IN_A_ROW = 2  # measures, so that a single outlier is no alarm


class EvaluationTask(Protocol):
    """A task whose model can be evaluated and previewed."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measures on held-out data."""

    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a preview picture of the outputs of ``model``."""


class ModelEvaluator:
    """Evaluates the EMA model of one run.

    measure: name of the task's quality measure, larger is better, if there is one.
    """

    def __init__(
        self, task: EvaluationTask, state: TrainingState, folder: Path, measure: str | None
    ) -> None:
        self._task, self._state, self._folder, self._measure = task, state, folder, measure
        self._loss: dict[str, float] = {}
        self._rows: list[dict[str, float]] = []
        for row in read_metrics(folder / "metrics.jsonl"):
            self.add_losses(row)
            if measure in row:
                self._rows.append({**self._loss, **row})
        self._overfits = False
        self._step = -1
        self._score: float | None = None
        self._bad_measures = 0

    @property
    def due(self) -> bool:
        """Whether the model of this step has not been measured yet."""
        return self._step != self._state.step

    @property
    def score(self) -> float | None:
        """Quality measure of the model of this step, where it was measured."""
        return None if self.due else self._score

    def reset(self) -> None:
        """Drop the measures of later steps, after a roll back."""
        self._step, self._bad_measures = -1, 0
        self._rows = [row for row in self._rows if row["step"] <= self._state.step]

    def measure(self) -> dict[str, float] | Notice:
        """The task's measures now; a Notice if memory runs out."""
        self._step, self._score = self._state.step, None
        try:
            return self._task.evaluate(self._state.ema_model)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            return Notice(
                message="Memory ran out while the model was evaluated. Training goes on.",
                trouble=True,
            )

    def add_losses(self, means: Mapping[str, float]) -> None:
        """Record the mean losses since the last call."""
        self._loss = {"loss": means["loss"]} if "loss" in means else self._loss

    def report(self, values: dict[str, float]) -> tuple[str, Notice | None]:
        """Trend of the run after ``values`` of this step, in words; an alarm if it is bad."""
        state, name = self._state, self._measure
        if name is None or name not in values:
            return "", None
        self._score = values[name]
        alarm = self._collapse_notice(values[name])
        self._rows.append({**self._loss, "step": state.step, "seconds": state.seconds, **values})
        sentence = describe_progress(self._rows, name)
        return sentence, alarm or self._overfitting_notice(sentence)

    def _overfitting_notice(self, sentence: str) -> Notice | None:
        """Notice when the run begins to overfit."""
        began = sentence.startswith(OVERFITTING) and not self._overfits
        self._overfits = sentence.startswith(OVERFITTING)
        if not began:
            return None
        return Notice(
            message=f"The run is {sentence}: it still improves on training faces, but not on "
            "held-out ones. The best checkpoint is kept; more footage, or more --warp, would help.",
            trouble=True,
        )

    def _collapse_notice(self, score: float) -> Notice | None:
        name = str(self._measure)
        best = max(self._rows, key=lambda row: row[name], default=None)
        if best is None:
            return None
        fallen = best[name] - score
        far = fallen > _FALLEN and 1 - score > _FAR_WORSE * (1 - best[name])
        self._bad_measures = self._bad_measures + 1 if far else 0
        if self._bad_measures != _IN_A_ROW:  # only once, not at every evaluation that follows
            return None
        return Notice(
            message=f"The model has collapsed: {name} is {score:.3f}, and was {best[name]:.3f} at "
            f"step {int(best['step']):,}. Roll back to that step and lower the learning rate.",
            trouble=True,
        )

    def write_preview(self) -> Event:
        """Write a preview; a Notice if that fails."""
        state = self._state
        path = self._folder / "previews" / f"step-{state.step:09d}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._task.preview(state.ema_model, path)
        except OSError as error:
            return Notice(message=f"Cannot write the preview {path}: {error}.", trouble=True)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            return Notice(
                message="Memory ran out while a preview was made. Training goes on.", trouble=True
            )
        _thin(path.parent)
        return Preview(path=path, caption=f"step {state.step:,}")


def _thin(folder: Path) -> None:
    """Delete every other preview when there are too many, as in runs of days."""
    files = sorted(folder.glob("step-*.png"))
    if len(files) > MAX_PREVIEWS:
        for path in files[1:-1:2]:
            path.unlink(missing_ok=True)
