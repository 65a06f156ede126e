"""Handlers of requests about training runs."""

import math

from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    KeepSnapshotRequest,
    MetricCurve,
    MetricsAnswer,
    MetricsRequest,
    SnapshotAnswer,
    StepCostAnswer,
    StepCostRequest,
)


class RunRequests(ProjectAccess):
    """Curves and snapshots of runs, and what a new one would take."""

    def metrics(self, request: MetricsRequest) -> MetricsAnswer:
        """A run's curves, its state in words and its previews."""
        from faceswap.training.metrics_log import describe_progress, read_metrics

        folder = self.folder / "model" / request.run
        rows = read_metrics(folder / "metrics.jsonl")
        names = sorted({name for row in rows for name in row} - {"step", "seconds"})
        return MetricsAnswer(
            curves=tuple(
                _curve(name, [(row["step"], row[name]) for row in rows if name in row], request)
                for name in names
            ),
            state=describe_progress(rows),
            seconds=rows[-1]["seconds"] if rows else 0.0,
            previews=tuple(sorted(folder.glob("previews/*.png"))),
        )

    def step_cost(self, request: StepCostRequest) -> StepCostAnswer:
        """Time and memory of a training step of a preset on this machine."""
        from faceswap.preview.step_cost import estimate_step_cost
        from faceswap.swap.model.presets import PRESETS

        batch = request.batch or PRESETS[request.preset].batch
        return estimate_step_cost(request.preset, batch)

    def keep_snapshot(self, request: KeepSnapshotRequest) -> SnapshotAnswer:
        """Keep a snapshot of a run's newest checkpoint."""
        from faceswap.training.checkpoint import newest_checkpoint
        from faceswap.training.snapshots import keep_snapshot

        newest = newest_checkpoint(self.folder / "model" / request.run)
        return SnapshotAnswer(path=keep_snapshot(newest))


def _curve(name: str, points: list[tuple[float, float]], request: MetricsRequest) -> MetricCurve:
    """The metric ``name``, thinned to about the requested number of points."""
    thin = points[:: max(1, len(points) // request.points)]
    return MetricCurve(
        name=name,
        steps=tuple(int(step) for step, _ in thin),
        values=tuple(value if math.isfinite(value) else None for _, value in thin),
    )
