"""Jobs page: state, outcome, command and log of every job."""

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
from gui.widgets.job_status_bar import progress_text
from gui.widgets.theme import GAP

_JOB = Qt.ItemDataRole.UserRole


class JobsPage(Page):
    """A list of jobs and the details of the selected one."""

    name = "jobs"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._build()
        context.jobs.added.connect(lambda job: self._fill())
        context.jobs.changed.connect(self._update)
        self.list.currentItemChanged.connect(lambda *_: self._show())

    def on_show(self) -> None:
        self._fill()
        self.list.setFocus()

    @property
    def job(self) -> Job | None:
        """The selected job."""
        item = self.list.currentItem()
        job = item.data(_JOB) if item is not None else None
        return job if isinstance(job, Job) else None

    def retry(self) -> None:
        """Run the selected job again."""
        job = self.job
        if job is None:
            return
        try:
            self.context.jobs.retry(job)
        except OutputError as error:
            self.context.notice.emit(str(error), "bad")
        except (ValidationError, KeyError):
            message = self.tr(
                "This job's options do not fit this version; start it again from its own page."
            )
            self.context.notice.emit(message, "bad")

    def cancel(self) -> None:
        """Stop the selected job; its work so far is saved."""
        if self.job is not None:
            self.job.stop()

    def forget(self) -> None:
        """Remove the selected job from the list."""
        if self.job is not None:
            self.context.jobs.forget(self.job)
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
        self.command.setAccessibleName(self.tr("Command line"))
        self.copy = button(self.tr("Copy"), self._copy, "", "Ctrl+Shift+C")
        self.stop = button(
            self.tr("Stop"), self.cancel, "danger", "Ctrl+.", self.tr("Save and stop the job")
        )
        self.again = button(self.tr("Run again"), self.retry, "primary", "Ctrl+R")
        self.drop = button(self.tr("Remove from list"), self.forget, "", "Del")
        self.more = button(self.tr("Details"), self._toggle, "link", "Ctrl+D")
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setAccessibleName(self.tr("Log"))
        self.log.hide()
        self.log.setMinimumHeight(50 * GAP)
        self.detail = card(
            row(self.title, self.state, None, gap=2 * GAP),
            self.message,
            label(self.tr("Command line"), "small"),
            row(self.command, self.copy),
            row(self.stop, self.again, self.drop, None, self.more),
            self.log,
            None,
            gap=2 * GAP,
        )
        self.nothing = label(
            self.tr(
                "No jobs yet. Running, finished and failed jobs are listed here with their logs."
            ),
            "muted",
        )
        self.body.addWidget(label(self.tr("Jobs"), "title"))
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.body.addWidget(self.nothing, 1)
        self.body.addLayout(row(self.list, self.detail, gap=3 * GAP), 1)

    def _fill(self) -> None:
        shown = self.job
        self.list.blockSignals(True)
        self.list.clear()
        for job in self.context.jobs.jobs:
            item = QListWidgetItem()
            item.setData(_JOB, job)
            self.list.addItem(item)
            self._write(item, job)
            if job is shown:
                self.list.setCurrentItem(item)
        if self.list.currentItem() is None and self.list.count():
            self.list.setCurrentRow(0)
        self.list.blockSignals(False)
        some = bool(self.context.jobs.jobs)
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
            return progress_text(job.progress)
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
        self.context.notice.emit(self.tr("Command copied."), "good")
