"""Terminal display of a running job."""

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column

from faceswap.events import (
    Answer,
    Estimate,
    Failed,
    Finished,
    Line,
    Metrics,
    Notice,
    Preview,
    Progress,
    Saved,
    Stopped,
)
from faceswap.io.text_table import duration

_MOST_BARS = 8
"""Of a job with many stages, such as the films of a conversion; the rest would scroll away."""


class TerminalDisplay:
    """Progress bars and notices on stderr, the summary on stdout."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._names = Column(no_wrap=True, min_width=10)
        # In a narrow terminal the metrics, in the last column, are cut off, never the names.
        self._bars = Bars(
            TextColumn("{task.description}", table_column=self._names),
            BarColumn(bar_width=30 if self._console.width >= 120 else 12),
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[metrics]}", table_column=Column(no_wrap=True, ratio=1)),
            console=self._console,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}  # the last one that moved comes last
        self._metrics = self._state = ""

    def show(self, line: Line) -> None:
        """Show one event."""
        match line:
            case Progress():
                self._progress(line)
            case Metrics():
                self._metrics = "  ".join(f"{name} {v:.4g}" for name, v in line.values.items())
                if line.state:
                    self._state = f"step {line.step:,}: {line.state}"
                    self._above(self._state)
            case Preview():
                self._above(f"preview  {line.path}")
            case Saved():
                self._above(f"{line.what}  {line.path}")
            case Estimate():
                self._above(
                    f"{line.path.name}  about {line.size / 1e6:.3g} MB of pictures (CRF "
                    f"{line.crf:g}, {line.fidelity:.1f} dB where nothing is swapped)"
                )
            case Notice():
                where = "" if line.frame is None else f"frame {line.frame}: "
                self._above(f"[yellow]{escape(where + line.message)}[/yellow]", markup=True)
            case Answer():
                Console().print(
                    line.model_dump_json(), markup=False, highlight=False, soft_wrap=True
                )
            case Finished():
                self.close()
                Console().print(line.text, markup=False, highlight=False, soft_wrap=True)
            case Failed():
                self.close()
                if line.details:
                    self._above(line.details)
                self._above(f"[red]{escape(line.message)}[/red]", markup=True)
            case Stopped():
                self.close()
                state = f" ({self._state})" if self._state else ""
                self._above(
                    f"Stopped{state}. Extracted faces, training progress and what is converted are "
                    "kept: run the same command again to resume. A video that is half converted is "
                    "in OUTPUT.unfinished, to look at."
                )

    def close(self) -> None:
        """Stop the progress bars and restore the terminal."""
        self._bars.stop()

    def _above(self, text: str, markup: bool = False) -> None:
        self._console.print(text, markup=markup, highlight=False, soft_wrap=True)

    def _progress(self, line: Progress) -> None:
        if line.stage not in self._tasks:
            if not self._tasks:
                self._bars.start()
            self._tasks[line.stage] = self._bars.add_task(line.stage, numbers="", metrics="")
            self._names.min_width = max(self._names.min_width or 0, len(line.stage))
        self._tasks[line.stage] = self._tasks.pop(line.stage)
        if len(self._tasks) > _MOST_BARS:
            self._bars.remove_task(self._tasks.pop(next(iter(self._tasks))))
        self._bars.update(
            self._tasks[line.stage],
            completed=line.done,
            total=line.total,
            numbers=_numbers(line),
            metrics=self._metrics if line.unit == "steps" else "",
        )


def _numbers(line: Progress) -> str:
    parts = [f"{line.done:.0f}" + (f"/{line.total:.0f}" if line.total else "") + f" {line.unit}"]
    if line.rate:
        parts.append(f"{line.rate:.3g}/s")
    if line.eta is not None and line.total and line.done < line.total:
        parts.append(f"{duration(line.eta)} left")
    return "  ".join(parts)
