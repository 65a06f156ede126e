"""Frames of a clip by number, one at a time or played in the clip's own time."""

import time
from typing import Any

from PySide6.QtCore import QObject, QSize, QTimer, Signal

from gui.ipc.rpc_client import RpcClient, Values


class Player(QObject):
    """Asks for frames and plays them; when they come late some are left out, never queued.

    shown: an answer with a frame. playing_changed: playback began or ended.
    """

    shown = Signal(object)
    trouble = Signal(str)
    playing_changed = Signal(bool)

    def __init__(self, channel: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._channel = channel
        self._link: RpcClient | None = None
        self._what: dict[str, Any] = {}
        self.size = QSize(960, 540)
        self.frame, self.frames, self.rate = 0, 1, 25.0
        self.playing = False
        self._from = (0.0, 0)
        self._tick = QTimer(self)
        self._tick.setInterval(15)
        self._tick.timeout.connect(self._next)
        self._waiting = False

    def open(
        self, link: RpcClient | None, frames: int = 1, rate: float = 25.0, **what: Any
    ) -> None:
        """Show another clip: ``what`` is side="a", side="b" or path=…."""
        self.pause()
        self._link, self._what = link, what
        self.frame, self.frames, self.rate = 0, max(1, frames), rate or 25.0
        self._waiting = False

    def go(self, frame: int) -> None:
        """Show ``frame``."""
        self.frame = min(self.frames - 1, max(0, frame))
        if self._link is None:
            return
        self._waiting = True
        self._link.request(
            "frame",
            self._show,
            on_error=self._sorry,
            channel=self._channel,
            frame=self.frame,
            width=self.size.width(),
            height=self.size.height(),
            **self._what,
        )

    def play(self) -> None:
        """Play from here, or from the start at the end."""
        if self.frame >= self.frames - 1:
            self.frame = 0
        self._from = (time.monotonic(), self.frame)
        self.playing = True
        self._tick.start()
        self.playing_changed.emit(True)

    def pause(self) -> None:
        """Stop playing."""
        if self.playing:
            self.playing = False
            self._tick.stop()
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        """Play or stop."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def _next(self) -> None:
        began, first = self._from
        due = first + int((time.monotonic() - began) * self.rate)
        if due > self.frames - 1 and self.frame >= self.frames - 1:
            self.pause()
        elif due > self.frame and not self._waiting:
            self.go(due)

    def _show(self, values: Values) -> None:
        self._waiting = False
        self.shown.emit(values)

    def _sorry(self, sentence: str) -> None:
        self._waiting = False
        self.pause()
        self.trouble.emit(sentence)
