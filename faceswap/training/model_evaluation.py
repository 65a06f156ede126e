"""How a run does: measured on what it does not learn from, and shown in pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import nn

from faceswap.events import Event, Notice, Preview
from faceswap.training.memory import ran_out_of_memory
from faceswap.training.metrics_log import OVERFITTING, describe_progress, read_metrics
from faceswap.training.state import TrainingState

MAX_PREVIEWS = 200
"""At most so many previews of a run are kept."""

_FAR_WORSE = 3.0  # times the error of the best model, as the losses in loss_monitor.py
_FALLEN = 0.1  # of the measure: three times hardly any error is still hardly any
_IN_A_ROW = 2  # measures, that one odd one is no alarm


class EvaluationTask(Protocol):
    """What can be measured and shown."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measures on data that is not trained on."""

    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a picture that shows how ``model`` does."""


class ModelEvaluator:
    """Measures and shows the averaged model of one run.

    measure: the task's measure that is larger the better the model is, if there is one.
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
        self._bad = 0

    @property
    def due(self) -> bool:
        """Whether the model of this step was not measured yet."""
        return self._step != self._state.step

    @property
    def score(self) -> float | None:
        """How good the model of this step was found to be, where it was measured."""
        return None if self.due else self._score

    def reset(self) -> None:
        """The run went back: what was measured at a step is not of the model that is at it now."""
        self._step, self._bad = -1, 0
        self._rows = [row for row in self._rows if row["step"] <= self._state.step]

    def measure(self) -> dict[str, float] | Notice:
        """What the task measures now, or why that can't be."""
        self._step, self._score = self._state.step, None
        try:
            return self._task.evaluate(self._state.averaged)
        except RuntimeError as error:
            if not ran_out_of_memory(error):
                raise
            return Notice(
                message="Memory ran out while the model was measured. Training goes on.",
                trouble=True,
            )

    def add_losses(self, means: Mapping[str, float]) -> None:
        """What the losses were over the steps since this was told last."""
        self._loss = {"loss": means["loss"]} if "loss" in means else self._loss

    def report(self, values: dict[str, float]) -> tuple[str, Notice | None]:
        """How the run does by ``values`` of this step, in a sentence; an alarm when that is ill."""
        state, name = self._state, self._measure
        if name is None or name not in values:
            return "", None
        self._score = values[name]
        alarm = self._alarm(values[name])
        self._rows.append({**self._loss, "step": state.step, "seconds": state.seconds, **values})
        sentence = describe_progress(self._rows, name)
        return sentence, alarm or self._by_heart(sentence)

    def _by_heart(self, sentence: str) -> Notice | None:
        """An alarm when the run begins to overfit."""
        began = sentence.startswith(OVERFITTING) and not self._overfits
        self._overfits = sentence.startswith(OVERFITTING)
        if not began:
            return None
        return Notice(
            message=f"The run is {sentence}: on faces that it learns from it still gains, on those "
            "held out it loses. Its best save is kept; more footage, or more --warp, would help.",
            trouble=True,
        )

    def _alarm(self, score: float) -> Notice | None:
        name = str(self._measure)
        best = max(self._rows, key=lambda row: row[name], default=None)
        if best is None:
            return None
        fallen = best[name] - score
        far = fallen > _FALLEN and 1 - score > _FAR_WORSE * (1 - best[name])
        self._bad = self._bad + 1 if far else 0
        if self._bad != _IN_A_ROW:  # told once, not at every look that follows
            return None
        return Notice(
            message=f"The model has collapsed: {name} is {score:.3f}, and was {best[name]:.3f} at "
            f"step {int(best['step']):,}. Go back to that, and on with a lower rate.",
            trouble=True,
        )

    def write_preview(self) -> Event:
        """Write a preview; it, or why there is none."""
        state = self._state
        path = self._folder / "previews" / f"step-{state.step:09d}.png"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._task.preview(state.averaged, path)
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
    """Remove every other preview when there are too many, so that a week of them fits."""
    files = sorted(folder.glob("step-*.png"))
    if len(files) > MAX_PREVIEWS:
        for path in files[1:-1:2]:
            path.unlink(missing_ok=True)
