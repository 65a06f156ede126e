"""A user's hands on the real window, with the real program behind it."""

import time
from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from gui.runner import Job
from gui.window import Window

PATIENCE = 300.0
"""Seconds for one job, on a machine that has much else to do."""


class Walker:
    """The window with the real program behind it, and a user's hands."""

    def __init__(self, window: Window, wait: Callable[..., None], bot: QtBot) -> None:
        self.window, self.desk, self._wait, self._bot = window, window.desk, wait, bot
        self.worst = (0.0, "")
        self._last = time.thread_time()
        self._watch = QTimer(window)
        self._watch.timeout.connect(self._tick)
        self._watch.start(5)

    def until(self, condition: Callable[[], object]) -> None:
        """Run the event loop until ``condition`` holds."""
        self._wait(condition, PATIENCE)

    def click(self, widget: QWidget, place: QPoint | None = None) -> None:
        """Press ``widget`` in its middle, or at ``place``, once it can be pressed."""
        self.until(lambda: widget.isVisible() and widget.isEnabled())
        if place is None:
            self._bot.mouseClick(widget, Qt.MouseButton.LeftButton)
        else:
            self._bot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)

    def type(self, widget: QWidget, key: Qt.Key) -> None:
        """Press ``key`` in ``widget``."""
        self._bot.keyClick(widget, key)

    def go(self, name: str) -> None:
        """Show a page; the making of a page is not what must not hold up the event loop."""
        self.window.go(name)
        self._last = time.thread_time()

    def run(self, widget: QWidget, state: str = "finished") -> Job:
        """Start a job by pressing ``widget``, and see it to its end, a good one unless said."""
        before = len(self.desk.jobs.jobs)
        self._last = time.thread_time()  # what the test did by itself holds up no user
        self.click(widget)
        job = self.desk.jobs.jobs[0]
        assert len(self.desk.jobs.jobs) == before + 1, self.window.banner._text.text()
        self.until(lambda: not job.running)
        assert job.state == state, f"{job.message}\n{job.details()}"
        return job

    def side(self, side: str) -> dict[str, object]:
        """What the window knows of one side."""
        assert self.desk.session is not None
        return self.desk.session.side(side)

    def _tick(self) -> None:
        now = time.thread_time()
        running = ", ".join(job.record.command for job in self.desk.jobs.running())
        if running:
            held = (now - self._last, f"{self.window.page.name}, running: {running}")
            self.worst = max(self.worst, held)
        self._last = now
