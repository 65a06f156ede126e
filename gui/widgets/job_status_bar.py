"""Status bar of a running job, shown on the page that started it."""

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QFrame, QProgressBar

from faceswap.events import Progress
from gui.ipc.job_runner import Job
from gui.widgets import elements
from gui.widgets.theme import GAP


class JobStatusBar(QFrame):
    """Title, progress and a stop button of a running job; hidden when there is none."""

    finished = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("strip")
        self.job: Job | None = None
        self._title = elements.label("", "heading")
        self._numbers = elements.label("", "muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress"))
        self.stop = elements.button(
            self.tr("Stop"),
            self._stop,
            "danger",
            "Ctrl+.",
            self.tr("Save and stop; it can be resumed"),
        )
        box = elements.column(
            elements.row(self._title, self._numbers, None, self.stop, gap=2 * GAP), self._bar
        )
        box.setContentsMargins(2 * GAP, GAP, 2 * GAP, 2 * GAP)
        self.setLayout(box)
        self.hide()

    def follow(self, job: Job | None) -> None:
        """Show ``job`` until it ends; None hides the bar."""
        if job is self.job:
            return
        if self.job is not None:
            self.job.changed.disconnect(self._show)
            self.job.ended.disconnect(self._end)
        self.job = job
        self.setVisible(job is not None)
        if job is not None:
            job.changed.connect(self._show)
            job.ended.connect(self._end)
            self._show()

    def _stop(self) -> None:
        if self.job is not None:
            self.job.stop()

    def _show(self) -> None:
        job = self.job
        if job is None:
            return
        self._title.setText(job.record.title)
        self.stop.setText(self.tr("Stop now") if job.stopping else self.tr("Stop"))
        if job.stopping:
            self._numbers.setText(self.tr("saving and stopping…"))
            self._bar.setRange(0, 0)
        elif job.progress is None:
            self._numbers.setText(self.tr("starting…"))
            self._bar.setRange(0, 0)
        else:
            self._numbers.setText(progress_text(job.progress))
            total = job.progress.total
            self._bar.setRange(0, 1000 if total else 0)
            if total:
                self._bar.setValue(round(1000 * job.progress.done / total))

    def _end(self) -> None:
        job = self.job
        self.follow(None)
        self.finished.emit(job)


def progress_text(progress: Progress) -> str:
    """Format done, total, rate and time left, as far as they are known."""
    parts = [f"{progress.done:,.0f}"]
    if progress.total:
        parts[0] += f" / {progress.total:,.0f}"
    parts[0] += f" {QCoreApplication.translate('units', progress.unit)}"
    if progress.rate:
        unit = QCoreApplication.translate("units", progress.unit)
        parts.append(f"{progress.rate:.3g} {unit}/s")
    if progress.eta is not None and progress.total and progress.done < progress.total:
        left = QCoreApplication.translate("units", "%1 left")
        parts.append(left.replace("%1", elements.duration(progress.eta)))
    return "   ".join(parts)
