"""How far a running job is, on the page that started it."""

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QFrame, QProgressBar

from faceswap.events import Progress
from gui.ipc.job_runner import Job
from gui.widgets import elements
from gui.widgets.theme import GAP


class JobStatusBar(QFrame):
    """A bar, the numbers and a button that stops; hidden while nothing runs."""

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
            self.tr("Stop"), self._stop, "danger", "Ctrl+.", self.tr("Save what is done and stop")
        )
        box = elements.column(
            elements.row(self._title, self._numbers, None, self.stop, gap=2 * GAP), self._bar
        )
        box.setContentsMargins(2 * GAP, GAP, 2 * GAP, 2 * GAP)
        self.setLayout(box)
        self.hide()

    def follow(self, job: Job | None) -> None:
        """Show ``job`` until it ends; None shows nothing."""
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
        self.stop.setText(self.tr("End now") if job.stopping else self.tr("Stop"))
        if job.stopping:
            self._numbers.setText(self.tr("saving and stopping…"))
            self._bar.setRange(0, 0)
        elif job.progress is None:
            self._numbers.setText(self.tr("starting…"))
            self._bar.setRange(0, 0)
        else:
            self._numbers.setText(numbers_of(job.progress))
            total = job.progress.total
            self._bar.setRange(0, 1000 if total else 0)
            if total:
                self._bar.setValue(round(1000 * job.progress.done / total))

    def _end(self) -> None:
        job = self.job
        self.follow(None)
        self.finished.emit(job)


def numbers_of(progress: Progress) -> str:
    """Done, total, rate and time left, as far as they are known."""
    said = [f"{progress.done:,.0f}"]
    if progress.total:
        said[0] += f" / {progress.total:,.0f}"
    said[0] += f" {QCoreApplication.translate('units', progress.unit)}"
    if progress.rate:
        unit = QCoreApplication.translate("units", progress.unit)
        said.append(f"{progress.rate:.3g} {unit}/s")
    if progress.eta is not None and progress.total and progress.done < progress.total:
        left = QCoreApplication.translate("units", "%1 left")
        said.append(left.replace("%1", elements.duration(progress.eta)))
    return "   ".join(said)
