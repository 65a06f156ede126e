"""What a run leaves beside its checkpoints: metrics, held-out measures and previews."""

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from faceswap.events import Event, Metrics, Notice
from faceswap.training.metrics_log import MetricsLog, NoMetricsLog
from faceswap.training.model_evaluation import EvaluationTask, ModelEvaluator
from faceswap.training.step import TrainStepper
from faceswap.training.threads import DeviceThread


class RunRecorder:
    """Writes the metrics log of a run, and evaluates and previews its model.

    Reads the earlier rows of the log, which can take seconds. now: seconds of a clock that never
    goes back; thread: where the model is evaluated.
    """

    def __init__(
        self,
        task: EvaluationTask,
        stepper: TrainStepper,
        folder: Path,
        thread: DeviceThread,
        now: Callable[[], float],
    ) -> None:
        self._state, self._group, self._config = stepper.state, stepper.group, stepper.config
        self._thread, self._now = thread, now
        self._log: MetricsLog | NoMetricsLog = NoMetricsLog()
        if self._group.is_main:
            self._log = MetricsLog(folder, self._state.step)
        self._evaluator = ModelEvaluator(task, self._state, folder, self._config.measure)
        self._shown_at = now()

    @property
    def score(self) -> float | None:
        """Quality measure of the model of this step, where it was measured."""
        return self._evaluator.score

    def reset(self) -> None:
        """Drop the measures of later steps, after a roll back."""
        self._evaluator.reset()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def record_losses(self, values: Mapping[str, float]) -> Generator[Event, None, None]:
        """Log ``values``, the mean losses since the last report and what else was counted."""
        self._evaluator.add_losses(values)
        yield from self._record(values)

    def measure(self) -> Generator[Event, None, None]:
        """Evaluate the model, unless that was done at this step, and report the trend."""
        if not self._evaluator.due:
            return
        values = yield from self._thread(self._evaluator.measure)
        if isinstance(values, Notice):
            yield values
            return
        trend, alarm = self._evaluator.report(values)
        if values:
            yield from self._record(values, trend)
        if alarm is not None:
            yield alarm

    def preview_if_due(self) -> Generator[Event, None, None]:
        """Measure the model and write a preview, where one is due."""
        if self._now() - self._shown_at > self._config.preview_seconds:
            yield from self.preview()

    def preview(self) -> Generator[Event, None, None]:
        """Measure the model and write a preview; only the main process does."""
        if not self._group.is_main:
            return
        yield from self.measure()
        yield (yield from self._thread(self._evaluator.write_preview))
        self._shown_at = self._now()

    def _record(self, values: Mapping[str, float], trend: str = "") -> Generator[Event, None, None]:
        state = self._state
        if problem := self._log.add(state.step, state.seconds, values):
            yield Notice(message=problem, trouble=True)
        yield Metrics(step=state.step, values=dict(values), state=trend)
