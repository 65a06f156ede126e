"""Every run: how it stands or ended, what to do, and the details on demand."""

from datetime import datetime

from pydantic import ValidationError
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QLineEdit, QListWidget, QListWidgetItem, QPlainTextEdit

from faceswap.errors import OutputError
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.pages.page import Page
from gui.widgets import elements, theme
from gui.widgets.elements import button, card, label, row
from gui.widgets.job_status_bar import numbers_of
from gui.widgets.theme import GAP

_JOB = Qt.ItemDataRole.UserRole


class JobsPage(Page):
    """The list of runs and one of them."""

    name = "jobs"

    def __init__(self, desk: AppContext) -> None:
        super().__init__(desk)
        self._build()
        desk.jobs.added.connect(lambda job: self._fill())
        desk.jobs.changed.connect(self._update)
        self.list.currentItemChanged.connect(lambda *_: self._show())

    def on_show(self) -> None:
        self._fill()
        self.list.setFocus()

    @property
    def job(self) -> Job | None:
        """The job on show."""
        item = self.list.currentItem()
        job = item.data(_JOB) if item is not None else None
        return job if isinstance(job, Job) else None

    def retry(self) -> None:
        """Start the job on show again."""
        job = self.job
        if job is None:
            return
        try:
            self.desk.jobs.retry(job)
        except OutputError as error:
            self.desk.notice.emit(str(error), "bad")
        except (ValidationError, KeyError):
            said = self.tr("This version knows other options; start it anew from its page.")
            self.desk.notice.emit(said, "bad")

    def cancel(self) -> None:
        """Stop the job on show; what it did is kept."""
        if self.job is not None:
            self.job.stop()

    def forget(self) -> None:
        """Take the job on show off the list."""
        if self.job is not None:
            self.desk.jobs.forget(self.job)
            self._fill()

    def _build(self) -> None:
        self.list = QListWidget()
        self.list.setObjectName("jobs")
        self.list.setAccessibleName(self.tr("Jobs"))
        self.list.setFixedWidth(360)
        self.title = label("", "heading")
        self.state = label("", "muted")
        self.message = label("", "", wrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.command = QLineEdit()
        self.command.setReadOnly(True)
        self.command.setAccessibleName(self.tr("The same for a terminal"))
        self.copy = button(self.tr("Copy"), self._copy, "", "Ctrl+Shift+C")
        self.stop = button(self.tr("Cancel"), self.cancel, "danger", "Ctrl+.")
        self.again = button(self.tr("Run again"), self.retry, "primary", "Ctrl+R")
        self.drop = button(self.tr("Take off the list"), self.forget, "", "Del")
        self.more = button(self.tr("Details"), self._toggle, "link", "Ctrl+D")
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setAccessibleName(self.tr("Log"))
        self.log.hide()
        self.log.setMinimumHeight(50 * GAP)
        self.detail = card(
            row(self.title, self.state, None, gap=2 * GAP),
            self.message,
            label(self.tr("The same for a terminal"), "small"),
            row(self.command, self.copy),
            row(self.stop, self.again, self.drop, None, self.more),
            self.log,
            None,
            gap=2 * GAP,
        )
        self.nothing = label(
            self.tr("Whatever runs, ran or failed is listed here, with its log."), "muted"
        )
        self.body.addWidget(label(self.tr("Jobs"), "title"))
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.body.addWidget(self.nothing, 1)
        self.body.addLayout(row(self.list, self.detail, gap=3 * GAP), 1)

    def _fill(self) -> None:
        shown = self.job
        self.list.blockSignals(True)
        self.list.clear()
        for job in self.desk.jobs.jobs:
            item = QListWidgetItem()
            item.setData(_JOB, job)
            self.list.addItem(item)
            self._write(item, job)
            if job is shown:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.count():
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        some = bool(self.desk.jobs.jobs)
        self.list.setVisible(some)
        self.detail.setVisible(some)
        self.nothing.setVisible(not some)
        self._show()

    def _write(self, item: QListWidgetItem, job: Job) -> None:
        began = datetime.fromtimestamp(job.record.started)
        where = job.record.project.name if job.record.project else ""
        item.setText(f"{job.record.title}  {where}\n{self._state(job)}   {began:%d %b %H:%M}")
        colors = theme.current()
        color = {"running": colors.accent, "failed": colors.bad}.get(job.state, colors.text)
        item.setForeground(QColor(color))

    def _state(self, job: Job) -> str:
        if job.running and job.progress is not None:
            return numbers_of(job.progress)
        return {
            "running": self.tr("running"),
            "finished": self.tr("done"),
            "failed": self.tr("failed"),
            "stopped": self.tr("stopped"),
        }[job.state]

    def _update(self, job: Job) -> None:
        if not self.isVisible():
            return
        for number in range(self.list.count()):
            item = self.list.item(number)
            if item.data(_JOB) is job:
                self._write(item, job)
        if job is self.job:
            self._show()

    def _show(self) -> None:
        job = self.job
        if job is None:
            return
        self.title.setText(job.record.title)
        self.state.setText(self._state(job))
        elements.set_role(self.state, "bad" if job.state == "failed" else "muted")
        self.message.setText(elements.shorten(job.message))
        self.message.setVisible(bool(job.message))
        self.command.setText(job.command_line())
        self.command.setCursorPosition(0)
        self.stop.setVisible(job.running)
        self.again.setVisible(not job.running)
        self.drop.setVisible(not job.running)
        notices = [
            (f"{notice.frame}: " if notice.frame is not None else "") + notice.message
            for notice in job.notices
        ]
        text = "\n".join([*notices, job.details()]).strip()
        self.more.setVisible(bool(text))
        if text != self.log.toPlainText():
            self.log.setPlainText(text)
        if not text:
            self.log.hide()

    def _toggle(self) -> None:
        self.log.setVisible(self.log.isHidden())

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.command.text())
        self.desk.notice.emit(self.tr("The command is copied."), "good")
