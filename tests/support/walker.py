"""A user's hands on the real window, with the real program behind it."""

import os
from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from faceswap.options import Side
from faceswap.preview.protocol import SideState
from gui.ipc.job_runner import Job
from gui.window import Window

PATIENCE = 300.0
"""Seconds for one job, on a machine that has much else to do."""


class Walker:
    """The window with the real program behind it, and a user's hands."""

    def __init__(self, window: Window, wait: Callable[..., None], bot: QtBot) -> None:
        self.window, self.desk, self._wait, self._bot = window, window.context, wait, bot
        self._turns = 0
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
        """Show a page."""
        self.window.go(name)

    def run(self, widget: QWidget, state: str = "finished") -> Job:
        """Start a job by pressing ``widget``, and see it to its end, a good one unless said.

        While it runs, in a process of its own, the event loop goes round; how long that takes,
        ``benchmark.py window`` measures.
        """
        before = len(self.desk.jobs.jobs)
        self.click(widget)
        job = self.desk.jobs.jobs[0]
        assert job.record.process is not None
        assert job.record.process.pid != os.getpid()
        self._turns = 0
        assert len(self.desk.jobs.jobs) == before + 1, self.window.banner._text.text()
        self.until(lambda: not job.running)
        assert job.state == state, f"{job.message}\n{job.details()}"
        assert self._turns > 2, "the event loop was held up while it ran"
        return job

    def side(self, side: Side) -> SideState:
        """What the window knows of one side."""
        assert self.desk.session is not None
        return self.desk.session.side(side)

    def _tick(self) -> None:
        self._turns += bool(self.desk.jobs.running())
