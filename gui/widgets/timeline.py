"""Timeline of a clip: tracks, low confidence, gaps and cuts; click to seek."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from faceswap.preview.protocol import Span, TimelineAnswer
from gui.widgets import theme

_LANES = 4
_MARGIN_TOP = 12


class Timeline(QWidget):
    """A lane for each of the four longest tracks, gaps below them, and the playhead.

    moved: the user moved the playhead to another frame.
    """

    moved = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(64)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName(self.tr("Timeline"))
        self.setToolTip(
            self.tr(
                "Click or drag to seek; arrow keys step by one frame, with Ctrl to the next gap or "
                "face with low confidence"
            )
        )
        self.frames, self.frame = 1, 0
        self._spans = TimelineAnswer()

    def set_frames(self, frames: int) -> None:
        """Set the clip's length."""
        self.frames = max(1, frames)
        self.update()

    def set_spans(self, spans: TimelineAnswer) -> None:
        """Set tracks, gaps and cuts, as sent by the preview server."""
        self._spans = spans
        self.update()

    def set_frame(self, frame: int) -> None:
        """Move the playhead without emitting ``moved``."""
        if frame != self.frame:
            self.frame = frame
            self.update()

    def low_presence_frames(self) -> list[int]:
        """First frames of all gaps and of all spans with low presence."""
        low = [first for track in self._spans.tracks for first, _ in track.low_presence]
        return sorted({*low, *(first for first, _ in self._spans.gaps)})

    def go(self, frame: int) -> None:
        """Move the playhead to ``frame`` and emit ``moved``."""
        frame = min(self.frames - 1, max(0, frame))
        if frame != self.frame:
            self.frame = frame
            self.update()
            self.moved.emit(frame)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.raised))
        painter.drawRoundedRect(self.rect(), 6, 6)
        tracks = sorted(
            self._spans.tracks,
            key=lambda track: -sum(last - first for first, last in track.seen),
        )
        height = (self.height() - _MARGIN_TOP - 14) / min(_LANES, max(2, len(tracks)))
        for lane, track in enumerate(tracks[:_LANES]):
            top = _MARGIN_TOP + lane * height
            self._draw(painter, track.seen, theme.track_color(track.track), top, height - 2)
            self._draw(painter, track.low_presence, colors.warn, top, height - 2)
        self._draw(painter, self._spans.gaps, colors.bad, self.height() - 10, 5)
        painter.setPen(QPen(QColor(colors.muted), 1, Qt.PenStyle.DotLine))
        for cut in self._spans.cuts:
            x = round(self._x(cut))
            painter.drawLine(x, 4, x, self.height() - 4)
        x = round(self._x(self.frame + 0.5))
        painter.setPen(QPen(QColor(colors.text), 2))
        painter.drawLine(x, 2, x, self.height() - 2)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colors.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.go(self._frame_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        self.go(self._frame_at(event.position().x()))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        key = event.key()
        jump = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key == Qt.Key.Key_Left:
            before = [f for f in self.low_presence_frames() if f < self.frame] if jump else []
            self.go(before[-1] if before else self.frame - (0 if jump else 1))
        elif key == Qt.Key.Key_Right:
            after = [f for f in self.low_presence_frames() if f > self.frame] if jump else []
            self.go(after[0] if after else self.frame + (0 if jump else 1))
        elif key == Qt.Key.Key_Home:
            self.go(0)
        elif key == Qt.Key.Key_End:
            self.go(self.frames - 1)
        else:
            super().keyPressEvent(event)

    def _draw(
        self, painter: QPainter, spans: Sequence[Span], color: str, top: float, height: float
    ) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(color))
        for first, last in spans:
            x = self._x(first)
            painter.drawRect(QRectF(x, top, max(1.0, self._x(last + 1) - x), height))

    def _x(self, frame: float) -> float:
        return 6 + frame / self.frames * (self.width() - 12)

    def _frame_at(self, x: float) -> int:
        return int((x - 6) / max(1, self.width() - 12) * self.frames)
