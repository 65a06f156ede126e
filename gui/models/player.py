"""Video playback: single frames of a clip, or playing at the clip's frame rate."""

import time
from pathlib import Path

from PySide6.QtCore import QObject, QSize, QTimer, Signal

from faceswap.preview.protocol import FileFrameRequest, FrameAnswer, FrameRequest, PictureSize
from gui.ipc.rpc_client import RpcClient


class Player(QObject):
    """Request frames and play them in real time; late frames are dropped, not queued.

    frame_ready: a FrameAnswer, whose picture exists until the slots return. failed: a frame could
    not be read, with a message. playing_changed: playback started or stopped.
    """

    frame_ready = Signal(object)
    failed = Signal(str)
    playing_changed = Signal(bool)

    def __init__(self, channel: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._channel = channel
        self._rpc: RpcClient | None = None
        self._clip: str | Path = "a"
        self.size = QSize(960, 540)
        self.frame, self.frames, self.rate = 0, 1, 25.0
        self.playing = False
        self._started = (0.0, 0)
        self._timer = QTimer(self)
        self._timer.setInterval(15)
        self._timer.timeout.connect(self._advance)
        self._pending = False

    def open(self, rpc: RpcClient, clip: str | Path, frames: int = 1, rate: float = 25.0) -> None:
        """Open another clip: a source, by its id, or any file."""
        self.pause()
        self._rpc, self._clip = rpc, clip
        self.frame, self.frames, self.rate = 0, max(1, frames), rate or 25.0
        self._pending = False

    def close(self) -> None:
        """Close the clip; there is nothing to play then."""
        self.pause()
        self._rpc = None
        self.frame, self.frames, self.rate = 0, 1, 25.0

    def go(self, frame: int) -> None:
        """Seek to ``frame``."""
        self.frame = min(self.frames - 1, max(0, frame))
        if self._rpc is None:
            return
        self._pending = True
        fit = PictureSize(width=max(1, self.size.width()), height=max(1, self.size.height()))
        request: FrameRequest | FileFrameRequest
        if isinstance(self._clip, Path):
            request = FileFrameRequest(path=self._clip, frame=self.frame, fit=fit)
        else:
            request = FrameRequest(source=self._clip, frame=self.frame, fit=fit)
        self._rpc.send(request, self._on_frame, on_error=self._on_error, channel=self._channel)

    def play(self) -> None:
        """Play from the current frame; from the start when at the end."""
        if self.frame >= self.frames - 1:
            self.frame = 0
        self._started = (time.monotonic(), self.frame)
        self.playing = True
        self._timer.start()
        self.playing_changed.emit(True)

    def pause(self) -> None:
        """Pause playback."""
        if self.playing:
            self.playing = False
            self._timer.stop()
            self.playing_changed.emit(False)

    def toggle(self) -> None:
        """Toggle between play and pause."""
        if self.playing:
            self.pause()
        else:
            self.play()

    def _advance(self) -> None:
        if self._pending:
            return  # the last frame too is shown before playback ends
        began, first = self._started
        due = first + int((time.monotonic() - began) * self.rate)
        if due > self.frames - 1 and self.frame >= self.frames - 1:
            self.pause()
        elif due > self.frame:
            self.go(due)

    def _on_frame(self, answer: FrameAnswer) -> None:
        self._pending = False
        self.frame_ready.emit(answer)

    def _on_error(self, sentence: str) -> None:
        self._pending = False
        self.pause()
        self.failed.emit(sentence)
