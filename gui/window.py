"""The window: the rail of steps on the left, a header, and one page at a time."""

from typing import Literal

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QSystemTrayIcon,
    QToolButton,
    QWidget,
)

from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.pages.convert import ConvertPage
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.pages.jobs import JobsPage
from gui.pages.lab import LabPage
from gui.pages.page import Page
from gui.pages.start import StartPage
from gui.pages.train import TrainPage
from gui.widgets import elements, icons
from gui.widgets.notification_bar import NotificationBar
from gui.widgets.theme import GAP

Answer = Literal["keep", "stop", "cancel"]


class Window(QMainWindow):
    """One project's window."""

    def __init__(self, desk: AppContext) -> None:
        super().__init__()
        self.desk = desk
        self.pages: dict[str, Page] = {}
        project = StartPage, FootagePage, FacesPage, TrainPage, ConvertPage
        self._kinds: dict[str, type[Page]] = {
            kind.name: kind for kind in (*project, LabPage, JobsPage)
        }
        self._steps: dict[str, QToolButton] = {}
        self._shown = ""
        self.setWindowTitle("faceswap")
        self.setWindowIcon(icons.app_icon())
        self.setMinimumSize(1040, 700)
        self._stack = QStackedWidget()
        self._project = elements.label("", "heading")
        self._state = elements.label("", "muted")
        self._busy = elements.button("", lambda: self.go("jobs"), "link")
        self._busy.hide()
        self.banner = NotificationBar()
        self._tray = QSystemTrayIcon(icons.app_icon(), self)
        self._build()
        desk.opened.connect(self._opened)
        desk.notice.connect(self.banner.show_message)
        desk.go.connect(self.go)
        desk.show_frame.connect(self.show_frame)
        desk.jobs.changed.connect(lambda job: self._show_busy())
        desk.jobs.added.connect(lambda job: self._show_busy())
        desk.jobs.ended.connect(self._job_ended)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.styleHints().colorSchemeChanged.connect(self.tint)
        self._restore()
        self._opened()
        self.go("start")
        self._ahead = QTimer(self)
        self._ahead.setInterval(250)
        self._ahead.timeout.connect(self._make_ahead)
        self._ahead.start()
        self.page.setFocus()  # not on the rail: a ring there says no more than its colour

    def go(self, name: str) -> None:
        """Show the page ``name``; pages of a project need one to be open."""
        if not self._steps[name].isEnabled():
            name = "start"
        if name == self._shown:
            return
        if self._shown:
            self.pages[self._shown].on_leave()
        page = self.pages.get(name) or self._make(name)
        self._shown = name
        self._stack.setCurrentWidget(page)
        self._steps[name].setChecked(True)
        page.on_show()

    def show_frame(self, side: str, frame: int) -> None:
        """Show one frame on the page of the footage."""
        self.go("footage")
        page = self.page
        if isinstance(page, FootagePage):
            page.set_side(side, frame)

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.pages[self._shown]

    def ask_about_jobs(self, running: list[Job]) -> Answer:
        """What shall become of running jobs when the window closes."""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        names = ", ".join(job.record.title for job in running)
        box.setText(self.tr("Still running: %1").replace("%1", names))
        box.setInformativeText(
            self.tr(
                "It can go on without the window, and is found again when you open it. What is "
                "stopped keeps all it has done."
            )
        )
        keep = box.addButton(self.tr("Keep running"), QMessageBox.ButtonRole.AcceptRole)
        stop = box.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(keep)
        box.exec()
        clicked = box.clickedButton()
        answer: Answer = "keep" if clicked is keep else "stop" if clicked is stop else "cancel"
        box.deleteLater()
        return answer

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        running = self.desk.jobs.running()
        if running:
            answer = self.ask_about_jobs(running)
            if answer == "cancel":
                event.ignore()
                return
            if answer == "stop":
                for job in running:
                    job.stop()
        self.desk.settings.set_state("window/geometry", self.saveGeometry())
        self.pages[self._shown].on_leave()
        self._tray.hide()
        self._ahead.stop()
        self.hide()  # what ends now may take a moment
        self.desk.close()
        event.accept()

    def _make(self, name: str) -> Page:
        page = self.pages[name] = self._kinds[name](self.desk)
        self._stack.addWidget(page)
        for widget in page.findChildren(QWidget):
            widget.ensurePolished()
        page.on_project_changed()
        if self.desk.session is not None and self.desk.session.info:
            page.on_project_refreshed()
        return page

    def _make_ahead(self) -> None:
        """Make one page that was not opened yet, while nothing runs that must not wait."""
        missing = [name for name in self._kinds if name not in self.pages]
        if not missing:
            self._ahead.stop()
        elif not self.desk.jobs.running():
            self._make(missing[0])

    def _build(self) -> None:
        rail = QFrame()
        rail.setObjectName("rail")
        rail.setFixedWidth(13 * GAP)
        steps = {
            "start": self.tr("Start"),
            "footage": self.tr("Footage"),
            "faces": self.tr("Faces"),
            "train": self.tr("Train"),
            "convert": self.tr("Convert"),
            "lab": self.tr("Lab"),
            "jobs": self.tr("Jobs"),
        }
        for number, (name, text) in enumerate(steps.items(), 1):
            self._steps[name] = self._step(name, text, number)
        *main, lab, jobs = self._steps.values()
        box = elements.column(*main, None, lab, jobs)
        box.setContentsMargins(GAP, 2 * GAP, GAP, 2 * GAP)
        rail.setLayout(box)
        header = QFrame()
        header.setObjectName("header")
        header.setFixedHeight(7 * GAP)
        line = elements.row(self._project, self._state, None, self._busy, gap=2 * GAP)
        line.setContentsMargins(3 * GAP, 0, 3 * GAP, 0)
        header.setLayout(line)
        notice = elements.row(self.banner)
        notice.setContentsMargins(3 * GAP, GAP, 3 * GAP, 0)
        right = elements.column(header, notice, self._stack, gap=0)
        whole = elements.row(rail, right, gap=0)
        centre = QWidget()
        centre.setObjectName("page")
        centre.setLayout(whole)
        self.setCentralWidget(centre)

    def _step(self, name: str, text: str, number: int) -> QToolButton:
        step = QToolButton()
        step.setText(text)
        step.setIcon(icons.icon(name))
        step.setIconSize(QSize(24, 24))
        step.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        step.setCheckable(True)
        step.setAutoExclusive(True)
        step.setFixedSize(11 * GAP, 8 * GAP)
        step.setAccessibleName(text)
        keys = QKeySequence(f"Ctrl+{number}")
        step.setToolTip(f"{text} ({keys.toString(QKeySequence.SequenceFormat.NativeText)})")
        step.clicked.connect(lambda: self.go(name))
        QShortcut(keys, self).activated.connect(lambda: self.go(name))
        return step

    def _restore(self) -> None:
        geometry = self.desk.settings.state("window/geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1280, 800)

    def _opened(self) -> None:
        session = self.desk.session
        for name in ("footage", "faces", "train", "convert"):
            self._steps[name].setEnabled(session is not None)
        if session is not None:
            session.changed.connect(self._refreshed)
        elif self._shown:
            self.go("start")
        self._project.setText(session.folder.name if session else self.tr("No project"))
        self._project.setToolTip(str(session.folder) if session else "")
        self._state.setText("")
        self.banner.hide()
        for page in self.pages.values():
            page.on_project_changed()

    def _refreshed(self) -> None:
        session = self.desk.session
        if session is None:
            return
        self._state.setText(self._sentence())
        for page in self.pages.values():
            page.on_project_refreshed()

    def _sentence(self) -> str:
        """Where the project stands."""
        session = self.desk.session
        assert session is not None
        missing = [side.upper() for side in "ab" if not session.side(side).get("crops")]
        if missing:
            return self.tr("next: find the faces of %1").replace("%1", ", ".join(missing))
        runs = session.runs()
        if not runs:
            return self.tr("next: train")
        said = self.tr("%1 trained for %2 steps")
        return said.replace("%1", runs[0]["name"]).replace("%2", f"{runs[0]['step']:,}")

    def _show_busy(self) -> None:
        running = self.desk.jobs.running()
        self._busy.setVisible(bool(running))
        if not running:
            return
        job = running[0]
        text = job.record.title
        if job.progress is not None and job.progress.total:
            text += f"  {100 * job.progress.done / job.progress.total:.0f} %"
        if len(running) > 1:
            text += self.tr("  and %1 more").replace("%1", str(len(running) - 1))
        self._busy.setText(text)

    def _job_ended(self, job: Job) -> None:
        self._show_busy()
        if self.desk.session is not None:
            self.desk.session.refresh()
        if job.state == "failed":
            self.banner.show_message(f"{job.record.title}: {job.message}", "bad")
        elif job.state == "finished":
            self.banner.show_message(f"{job.record.title}: {job.message}", "good")
        if not self.isActiveWindow() and QSystemTrayIcon.isSystemTrayAvailable():
            self._tray.show()
            self._tray.showMessage(job.record.title, job.message, icons.app_icon())

    def tint(self) -> None:
        """Draw what is not in the style sheet in the colours of the scheme in force."""
        for name, step in self._steps.items():
            step.setIcon(icons.icon(name))
        for page in self.pages.values():
            page.on_theme_changed()
