"""Map of the poses and expressions that B has of those of A, and what it lacks in words."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from gui.models.coverage import (
    PITCH_EDGES,
    YAW_EDGES,
    Histograms,
    Lack,
    is_lacking,
    lacks,
)
from gui.widgets import theme
from gui.widgets.elements import card, column, label, row
from gui.widgets.theme import GAP


@dataclass(frozen=True)
class _Cell:
    rect: QRectF
    needed: float
    has: float
    text: str


class CoverageCells(QWidget):
    """Cells of seconds: red where A has what B lacks, green where B has it, gray where A hasn't."""

    def __init__(self, rows: Sequence[str], columns: Sequence[str], name: str) -> None:
        super().__init__()
        self._rows, self._columns = list(rows), list(columns)
        shape = (len(rows), len(columns))
        self.needed: NDArray[np.float64] = np.zeros(shape)
        self.has: NDArray[np.float64] = np.zeros(shape)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(5 * GAP + 4 * GAP * len(rows))

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(7 * GAP * len(self._columns), 5 * GAP + 5 * GAP * len(self._rows))

    def show_seconds(self, needed: NDArray[np.float64], has: NDArray[np.float64]) -> None:
        """Show the seconds that A needs and that B has, (rows, columns)."""
        shape = self.needed.shape
        self.needed, self.has = needed.reshape(shape), has.reshape(shape)
        self.update()

    def cells(self) -> list[_Cell]:
        """All cells, the highest row first."""
        left = 8 * GAP if len(self._rows) > 1 else 0
        wide = (self.width() - left) / len(self._columns)
        high = (self.height() - 3 * GAP) / len(self._rows)
        found = []
        for number in range(len(self._rows)):
            line = len(self._rows) - 1 - number
            for column_, name in enumerate(self._columns):
                rect = QRectF(left + column_ * wide, number * high, wide - 3, high - 3)
                needed, has = float(self.needed[line, column_]), float(self.has[line, column_])
                text = f"{self._rows[line]} {name}".strip()
                found.append(_Cell(rect, needed, has, text))
        return found

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for cell in self.cells():
            painter.setPen(Qt.PenStyle.NoPen)
            color = QColor(colors.raised)
            if cell.needed > 0:
                color = QColor(colors.bad if is_lacking(cell.needed, cell.has) else colors.good)
                color.setAlphaF(0.25 + 0.6 * min(1.0, cell.needed / max(1e-6, self.needed.max())))
            painter.setBrush(color)
            painter.drawRoundedRect(cell.rect, 5, 5)
            if cell.needed > 0 or cell.has > 0:
                painter.setPen(QColor(colors.text))
                text = f"{cell.needed:.1f} | {cell.has:.1f}"
                if painter.fontMetrics().horizontalAdvance(text) < cell.rect.width():
                    painter.drawText(cell.rect, Qt.AlignmentFlag.AlignCenter, text)
        self._write_names(painter)
        painter.end()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            for cell in self.cells():
                if cell.rect.contains(event.pos()):
                    message = self.tr("%1: A %2 s, B %3 s").replace("%1", cell.text)
                    message = message.replace("%2", f"{cell.needed:.1f}")
                    QToolTip.showText(event.globalPos(), message.replace("%3", f"{cell.has:.1f}"))
                    return True
        return super().event(event)

    def _write_names(self, painter: QPainter) -> None:
        painter.setPen(QColor(theme.current().muted))
        cells = self.cells()
        for number, name in enumerate(self._columns):
            rect = cells[number].rect
            place = QRectF(rect.x(), self.height() - 3 * GAP, rect.width(), 3 * GAP)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, name)
        if len(self._rows) > 1:
            for number, name in enumerate(reversed(self._rows)):
                rect = cells[number * len(self._columns)].rect
                place = QRectF(0, rect.y(), 8 * GAP - 4, rect.height())
                aligned = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
                painter.drawText(place, aligned, name)


class CoverageView(QWidget):
    """Poses, mouth and lids of A over B, with what B lacks in words."""

    def __init__(self) -> None:
        super().__init__()
        yaws = [f"{(low + high) / 2:.0f}°" for low, high in _pairs(YAW_EDGES)]
        yaws[0], yaws[-1] = self.tr("far left"), self.tr("far right")
        pitches = [self.tr("far down"), self.tr("down"), self.tr("level"), self.tr("up")]
        pitches.append(self.tr("far up"))
        assert len(pitches) == len(PITCH_EDGES) - 1
        openings = [self.tr("shut"), self.tr("half open"), self.tr("open")]
        self.pose = CoverageCells(pitches, yaws, self.tr("Poses"))
        self.mouth = CoverageCells([""], openings, self.tr("Mouth"))
        self.lids = CoverageCells([""], openings, self.tr("Eyes"))
        for bar in (self.mouth, self.lids):
            bar.setFixedHeight(8 * GAP)
        self.who = label("", "muted", wrap=True)
        self.words = label("", "", wrap=True)
        pose = card(label(self.tr("Where the head turns (yaw × pitch)"), "heading"), self.pose)
        mouth = card(label(self.tr("Mouth"), "heading"), self.mouth)
        eyes = card(label(self.tr("Eyes"), "heading"), self.lids)
        words = card(label(self.tr("What B lacks"), "heading"), self.words)
        both = column(self.who, pose, row(mouth, eyes, gap=2 * GAP), words, gap=2 * GAP)
        both.setStretch(1, 1)
        self.setLayout(both)

    def show_histograms(self, a: Histograms, b: Histograms, who: str) -> None:
        """Show the seconds of A's and B's faces by their kinds; ``who`` says of whom."""
        self.pose.show_seconds(a.pose, b.pose)
        self.mouth.show_seconds(a.mouth, b.mouth)
        self.lids.show_seconds(a.lids, b.lids)
        self.who.setText(who)
        found = lacks(a, b)
        if not a.pose.sum() or not b.pose.sum():
            message = self.tr("There are no faces of one of them yet.")
        elif not found:
            message = self.tr("Nothing that A shows for longer.")
        else:
            message = "\n".join(sentence(lack) for lack in found)
        self.words.setText(message)


def sentence(lack: Lack) -> str:
    """What B lacks, such as "B never looks down: 12 s of A need it."."""
    kinds = {
        "down": ("B never looks down", "B hardly looks down"),
        "up": ("B never looks up", "B hardly looks up"),
        "left": ("B never turns left", "B hardly turns left"),
        "right": ("B never turns right", "B hardly turns right"),
        "far left": (
            "B is never seen in profile to the left",
            "B is hardly in profile to the left",
        ),
        "far right": (
            "B is never seen in profile to the right",
            "B is hardly in profile to the right",
        ),
        "ahead": ("B never looks straight ahead", "B hardly looks straight ahead"),
        "mouth shut": ("B's mouth is never shut", "B's mouth is hardly ever shut"),
        "mouth open": ("B never opens the mouth wide", "B hardly opens the mouth wide"),
        "eyes shut": ("B's eyes are never shut", "B's eyes are hardly ever shut"),
    }
    text = kinds[lack.kind][0 if lack.has == 0 else 1]
    ending = QCoreApplication.translate("coverage", "%1 s of A need it.")
    seconds = f"{lack.needed:.0f}" if lack.needed >= 10 else f"{lack.needed:.1f}"
    return f"{QCoreApplication.translate('coverage', text)}: {ending.replace('%1', seconds)}"


def _pairs(edges: Sequence[float]) -> list[tuple[float, float]]:
    return list(itertools.pairwise(edges))
