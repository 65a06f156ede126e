"""The main window: a navigation rail on the left, a header, and one page at a time."""

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
from gui.models.next_step import next_step
from gui.pages.convert import ConvertPage
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.pages.jobs import JobsPage
from gui.pages.lab import LabPage
from gui.pages.page import Page
from gui.pages.people import PeoplePage
from gui.pages.start import StartPage
from gui.pages.train import TrainPage
from gui.widgets import elements, icons
from gui.widgets.notification_bar import NotificationBar
from gui.widgets.theme import GAP

Answer = Literal["keep", "stop", "cancel"]


class Window(QMainWindow):
    """The main window; it shows at most one project."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context
        self.pages: dict[str, Page] = {}
        project = StartPage, FootagePage, PeoplePage, FacesPage, TrainPage, ConvertPage
        self._kinds: dict[str, type[Page]] = {
            kind.name: kind for kind in (*project, LabPage, JobsPage)
        }
        self._page_buttons: dict[str, QToolButton] = {}
        self._current = ""
        self.setWindowTitle("faceswap")
        self.setWindowIcon(icons.app_icon())
        self.setMinimumSize(1040, 700)
        self._stack = QStackedWidget()
        self._project = elements.label("", "heading")
        self._state = elements.label("", "muted")
        self._next = elements.button("", self._go_on, "link")
        self._next.hide()
        self._busy = elements.button("", lambda: self.go("jobs"), "link")
        self._busy.hide()
        self.banner = NotificationBar()
        self._tray = QSystemTrayIcon(icons.app_icon(), self)
        self._build()
        context.opened.connect(self._project_opened)
        context.notice.connect(self.banner.show_message)
        context.show_page.connect(self.go)
        context.show_frame.connect(self.show_frame)
        context.jobs.changed.connect(lambda job: self._show_busy())
        context.jobs.added.connect(lambda job: self._show_busy())
        context.jobs.ended.connect(self._job_ended)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.styleHints().colorSchemeChanged.connect(self.apply_theme)
        self._restore()
        self._project_opened()
        self.go("start")
        self._preload_timer = QTimer(self)
        self._preload_timer.setInterval(250)
        self._preload_timer.timeout.connect(self._preload_page)
        self._preload_timer.start()
        self.page.setFocus()  # not on the rail, whose current page is highlighted anyway

    def go(self, name: str) -> None:
        """Show the page ``name``; the start page where it needs a project and none is open."""
        if not self._page_buttons[name].isEnabled():
            name = "start"
        if name == self._current:
            return
        if self._current:
            self.pages[self._current].on_leave()
        page = self.pages.get(name) or self._create_page(name)
        self._current = name
        self._stack.setCurrentWidget(page)
        self._page_buttons[name].setChecked(True)
        page.on_show()

    def show_frame(self, source: str, frame: int) -> None:
        """Show one frame of a source on the footage page."""
        self.go("footage")
        page = self.page
        if isinstance(page, FootagePage):
            page.show_source(source, frame)

    @property
    def page(self) -> Page:
        """The current page."""
        return self.pages[self._current]

    def ask_about_jobs(self, running: list[Job]) -> Answer:
        """Ask whether running jobs are kept or stopped when the window closes."""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        names = ", ".join(job.record.title for job in running)
        box.setText(self.tr("Jobs still running: %1").replace("%1", names))
        box.setInformativeText(
            self.tr(
                "They can keep running without the window; you find them on the Jobs page when you "
                "open it again. A job that you stop saves its work and can be resumed."
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
        running = self.context.jobs.running()
        if running:
            answer = self.ask_about_jobs(running)
            if answer == "cancel":
                event.ignore()
                return
            if answer == "stop":
                for job in running:
                    job.stop()
        self.context.settings.set_state("window/geometry", self.saveGeometry())
        self.pages[self._current].on_leave()
        self._tray.hide()
        self._preload_timer.stop()
        self.hide()  # waiting for child processes may take a moment
        self.context.close()
        event.accept()

    def _create_page(self, name: str) -> Page:
        page = self.pages[name] = self._kinds[name](self.context)
        self._stack.addWidget(page)
        for widget in page.findChildren(QWidget):
            widget.ensurePolished()
        page.on_project_changed()
        if self.context.session is not None and self.context.session.info:
            page.on_project_refreshed()
        return page

    def _preload_page(self) -> None:
        """Create one page ahead of its first use, unless a job is running."""
        missing = [name for name in self._kinds if name not in self.pages]
        if not missing:
            self._preload_timer.stop()
        elif not self.context.jobs.running():
            self._create_page(missing[0])

    def _build(self) -> None:
        rail = QFrame()
        rail.setObjectName("rail")
        rail.setFixedWidth(13 * GAP)
        steps = {
            "start": self.tr("Start"),
            "footage": self.tr("Footage"),
            "people": self.tr("People"),
            "faces": self.tr("Faces"),
            "train": self.tr("Train"),
            "convert": self.tr("Convert"),
            "lab": self.tr("Lab"),
            "jobs": self.tr("Jobs"),
        }
        for number, (name, text) in enumerate(steps.items(), 1):
            self._page_buttons[name] = self._page_button(name, text, number)
        *main, lab, jobs = self._page_buttons.values()
        box = elements.column(*main, None, lab, jobs)
        box.setContentsMargins(GAP, 2 * GAP, GAP, 2 * GAP)
        rail.setLayout(box)
        header = QFrame()
        header.setObjectName("header")
        header.setFixedHeight(7 * GAP)
        line = elements.row(self._project, self._state, self._next, None, self._busy, gap=2 * GAP)
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

    def _page_button(self, name: str, text: str, number: int) -> QToolButton:
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
        geometry = self.context.settings.state("window/geometry")
        if geometry is None or not self.restoreGeometry(geometry):
            self.resize(1280, 800)

    def _project_opened(self) -> None:
        session = self.context.session
        for name in ("footage", "people", "faces", "train", "convert"):
            self._page_buttons[name].setEnabled(session is not None)
        if session is not None:
            session.changed.connect(self._project_refreshed)
            session.people.changed.connect(self._show_next_step)
        elif self._current:
            self.go("start")
        self._project.setText(session.folder.name if session else self.tr("No project"))
        self._project.setToolTip(str(session.folder) if session else "")
        self._state.setText("")
        self._next.hide()
        self.banner.hide()
        for page in self.pages.values():
            page.on_project_changed()

    def _project_refreshed(self) -> None:
        session = self.context.session
        if session is None:
            return
        self._show_next_step()
        for page in self.pages.values():
            page.on_project_refreshed()

    def _show_next_step(self) -> None:
        """Show in the header how far the project is, and what comes next."""
        session = self.context.session
        if session is None or session.info is None:
            return
        runs, step = session.runs(), next_step(session)
        message = self.tr("run %1: %2 steps")
        if runs:
            message = message.replace("%1", runs[0].name).replace("%2", f"{runs[0].step:,}")
        self._state.setText(message if runs else self.tr("next step:"))
        self._next.setText(step.text)
        self._next.setVisible(bool(step.text))

    def _go_on(self) -> None:
        """Go to the page of the next step."""
        session = self.context.session
        if session is not None:
            step = next_step(session)
            self.go(step.page)
            if step.side and isinstance(self.page, FootagePage):
                self.page.set_side(step.side)

    def _show_busy(self) -> None:
        running = self.context.jobs.running()
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
        if self.context.session is not None:
            self.context.session.refresh()
        if job.state == "failed":
            self.banner.show_message(f"{job.record.title}: {job.message}", "bad")
        elif job.state == "finished":
            self.banner.show_message(f"{job.record.title}: {job.message}", "good")
        if not self.isActiveWindow() and QSystemTrayIcon.isSystemTrayAvailable():
            self._tray.show()
            self._tray.showMessage(job.record.title, job.message, icons.app_icon())

    def apply_theme(self) -> None:
        """Redraw what the style sheet does not cover in the current theme."""
        for name, step in self._page_buttons.items():
            step.setIcon(icons.icon(name))
        for page in self.pages.values():
            page.on_theme_changed()
