"""Small pieces that every page is put together from."""

from collections.abc import Callable

from PySide6.QtCore import QByteArray, QCoreApplication, Qt
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.widgets.theme import GAP

_BRIEF = 300


def label(text: str = "", role: str = "", wrap: bool = False) -> QLabel:
    """A text; ``role`` is one of the style sheet's, such as "title" or "muted"."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    if role == "title":
        made.setIndent(2)  # letters such as J reach out to the left
    if wrap:
        made.setWordWrap(True)
        made.setMinimumWidth(GAP * 10)
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Change the role of a text or a button."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def button(
    text: str,
    pressed: Callable[[], object],
    role: str = "",
    shortcut: str = "",
    tip: str = "",
) -> QPushButton:
    """A button; its shortcut is shown in its tool tip and works on its whole page."""
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    made.clicked.connect(lambda: pressed())
    made.setAccessibleName(text)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    if shortcut:
        keys = QKeySequence(shortcut)
        short = QShortcut(keys, made, context=Qt.ShortcutContext.WindowShortcut)
        short.activated.connect(made.click)
        shown = keys.toString(QKeySequence.SequenceFormat.NativeText)
        tip = f"{tip or text} ({shown})"
    if tip:
        made.setToolTip(tip)
    return made


def card(*items: QWidget | QLayout | None, gap: int = GAP) -> QFrame:
    """A raised surface with ``items`` below each other; None is a stretch."""
    frame = QFrame()
    frame.setObjectName("card")
    box = QVBoxLayout(frame)
    box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
    box.setSpacing(gap)
    _fill(box, items)
    return frame


def row(*items: QWidget | QLayout | None, gap: int = GAP) -> QHBoxLayout:
    """``items`` side by side; None is a stretch."""
    box = QHBoxLayout()
    box.setSpacing(gap)
    box.setContentsMargins(0, 0, 0, 0)
    _fill(box, items)
    return box


def column(*items: QWidget | QLayout | None, gap: int = GAP) -> QVBoxLayout:
    """``items`` below each other; None is a stretch."""
    box = QVBoxLayout()
    box.setSpacing(gap)
    box.setContentsMargins(0, 0, 0, 0)
    _fill(box, items)
    return box


def widget_of(layout: QLayout) -> QWidget:
    """A widget that holds ``layout``, so that it can be shown and hidden."""
    made = QWidget()
    made.setLayout(layout)
    return made


def side_panel(width: int, *items: QWidget | QLayout | None) -> QScrollArea:
    """``items`` below each other at the side of a page; they scroll where they do not fit."""
    made = QScrollArea()
    made.setWidgetResizable(True)
    made.setWidget(widget_of(column(*items, None, gap=2 * GAP)))
    made.setFixedWidth(width)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return made


class Choice(QPushButton):
    """One of several kinds of something: its name, and below it what it is."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self.setProperty("role", "choice")
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setAccessibleDescription(text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        both = label(name, "strong"), label(text, "small")
        for shown in both:
            shown.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        box = column(None, *both, None, gap=GAP // 2)
        box.setContentsMargins(2 * GAP, 0, 2 * GAP, 0)
        self.setLayout(box)


def confirm(parent: QWidget, question: str, yes: str) -> bool:
    """Whether the user wants what ``question`` asks; ``yes`` says what will be done."""
    box = QMessageBox(QMessageBox.Icon.Question, "faceswap", question, parent=parent)
    agree = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    agreed = box.clickedButton() is agree
    box.deleteLater()
    return agreed


def shorten(text: str) -> str:
    """The first line of ``text``, cut where it would crowd out everything else."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _BRIEF else first[: _BRIEF - 1] + "…"


def decode_picture(text: str) -> QImage:
    """The picture in base64 ``text``; a null one where it cannot be decoded."""
    return QImage.fromData(QByteArray.fromBase64(QByteArray(text.encode())))


def duration(seconds: float) -> str:
    """Seconds in words such as "2 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)

    def say(text: str, *numbers: int) -> str:
        said = QCoreApplication.translate("duration", text)
        for place, number in enumerate(numbers, 1):
            said = said.replace(f"%{place}", str(number))
        return said

    if hours:
        return say("%1 h %2 min", hours, minutes)
    return say("%1 min %2 s", minutes, rest) if minutes else say("%1 s", rest)


def _fill(box: QBoxLayout, items: tuple[QWidget | QLayout | None, ...]) -> None:
    for item in items:
        if item is None:
            box.addStretch(1)
        elif isinstance(item, QLayout):
            box.addLayout(item)
        else:
            box.addWidget(item)
