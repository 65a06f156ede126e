"""Timeline of a clip: people, low confidence, gaps and cuts; click to seek."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from faceswap.preview.protocol import Span, TimelineAnswer, TrackSpans
from gui.widgets import theme

_LANES = 4
_MARGIN_TOP = 12
_LEAST_TEXT = 12
"""Pixels of a lane that a name fits into."""


class Timeline(QWidget):
    """A lane for each of the people longest on screen, gaps below them, and the playhead.

    Further people share the last lane. moved: the user moved the playhead to another frame.
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
        self._names: Mapping[int, str] = {}
        self._inside: tuple[int | None, int | None] = (None, None)

    def set_frames(self, frames: int) -> None:
        """Set the clip's length."""
        self.frames = max(1, frames)
        self.update()

    def set_spans(self, spans: TimelineAnswer) -> None:
        """Set tracks, gaps and cuts, as sent by the preview server."""
        self._spans = spans
        self.update()

    def set_names(self, names: Mapping[int, str]) -> None:
        """Set the names of people, by number, which are written into their lanes."""
        self._names = names
        self.update()

    def set_points(self, first: int | None, last: int | None) -> None:
        """Set the frames of in and out point; what is outside is drawn pale."""
        self._inside = first, last
        self.update()

    def lanes(self) -> list[list[TrackSpans]]:
        """The tracks of each lane: one person in each, the longest on screen first."""
        people: dict[int, list[TrackSpans]] = {}
        for track in self._spans.tracks:
            own = -1 - track.track if track.person is None else track.person
            people.setdefault(own, []).append(track)
        longest = sorted(people.values(), key=lambda tracks: -sum(map(_length, tracks)))
        rest = [track for tracks in longest[_LANES - 1 :] for track in tracks]
        return longest if len(longest) <= _LANES else [*longest[: _LANES - 1], rest]

    def stretch_at(self, frame: int) -> Span | None:
        """The gap or doubtful stretch that a frame is in."""
        low = [span for track in self._spans.tracks for span in track.low_presence]
        found = (span for span in (*self._spans.gaps, *low) if span[0] <= frame <= span[1])
        return next(found, None)

    def jump(self, direction: int) -> None:
        """Go to the next gap or doubtful stretch (1), or to the one before (-1)."""
        if direction > 0:
            goals = [frame for frame in self.low_presence_frames() if frame > self.frame]
        else:
            goals = [frame for frame in self.low_presence_frames() if frame < self.frame][::-1]
        if goals:
            self.go(goals[0])

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
        lanes = self.lanes()
        height = (self.height() - _MARGIN_TOP - 14) / max(2, len(lanes))
        for lane, tracks in enumerate(lanes):
            top = _MARGIN_TOP + lane * height
            for track in tracks:
                color = theme.face_color(track.track, track.person)
                self._draw(painter, track.seen, color, top, height - 2)
                self._draw(painter, track.low_presence, colors.warn, top, height - 2)
            self._write(painter, tracks, top, height - 2)
        self._draw_outside(painter)
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
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(key))
        if step is not None and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.jump(step)
        elif step is not None:
            self.go(self.frame + step)
        elif key == Qt.Key.Key_Home:
            self.go(0)
        elif key == Qt.Key.Key_End:
            self.go(self.frames - 1)
        else:
            super().keyPressEvent(event)

    def _write(
        self, painter: QPainter, tracks: Sequence[TrackSpans], top: float, height: float
    ) -> None:
        """Write the person's name where its longest stretch has room for it."""
        people = {track.person for track in tracks}
        name = self._names.get(tracks[0].person or 0, "") if len(people) == 1 else ""
        spans = [span for track in tracks for span in track.seen]
        if not name or height < _LEAST_TEXT or not spans:
            return
        first, last = max(spans, key=lambda span: span[1] - span[0])
        left = self._x(first) + 4
        room = QRectF(left, top, self._x(last + 1) - left - 4, height)
        if painter.fontMetrics().horizontalAdvance(name) <= room.width():
            painter.setPen(QColor("#14141a"))
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
            painter.setPen(Qt.PenStyle.NoPen)

    def _draw_outside(self, painter: QPainter) -> None:
        """Cover what is before the in point and after the out point."""
        first, last = self._inside
        cover = QColor(theme.current().raised)
        cover.setAlpha(190)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(cover)
        left, right = self._x(first or 0), self._x(self.frames if last is None else last)
        painter.drawRect(QRectF(6, 2, left - 6, self.height() - 4))
        painter.drawRect(QRectF(right, 2, self.width() - 6 - right, self.height() - 4))

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


def _length(track: TrackSpans) -> int:
    return sum(last + 1 - first for first, last in track.seen)
