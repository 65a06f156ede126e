"""Factory functions for labels, buttons, cards and layouts; small text helpers."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QSize, Qt
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

from faceswap.preview.protocol import PictureFile
from gui.widgets.theme import GAP

_MAX_LENGTH = 300
"""Characters of a message that is shown; a longer one would enlarge the window."""


TEXT_BELOW = Qt.ToolButtonStyle.ToolButtonTextUnderIcon
"""Style of a button with its text below its icon."""


def square(side: int) -> QSize:
    """A square of ``side`` pixels."""
    return QSize(side, side)


def label(text: str = "", role: str = "", wrap: bool = False) -> QLabel:
    """Create a label; ``role`` is one of the style sheet's, such as "title" or "muted"."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    if role == "title":
        made.setIndent(2)  # glyphs such as J overhang to the left
    if wrap:
        made.setWordWrap(True)
        made.setMinimumWidth(GAP * 10)
    return made


def set_role(widget: QWidget, role: str) -> None:
    """Change the style-sheet role of a label or button."""
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
    """Create a button; its shortcut is shown in the tool tip and works on the whole page."""
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
    """A framed panel with ``items`` in a column; None is a stretch."""
    frame = QFrame()
    frame.setObjectName("card")
    box = QVBoxLayout(frame)
    box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
    box.setSpacing(gap)
    _fill(box, items)
    return frame


def row(*items: QWidget | QLayout | None, gap: int = GAP) -> QHBoxLayout:
    """``items`` in a row; None is a stretch."""
    box = QHBoxLayout()
    box.setSpacing(gap)
    box.setContentsMargins(0, 0, 0, 0)
    _fill(box, items)
    return box


def column(*items: QWidget | QLayout | None, gap: int = GAP) -> QVBoxLayout:
    """``items`` in a column; None is a stretch."""
    box = QVBoxLayout()
    box.setSpacing(gap)
    box.setContentsMargins(0, 0, 0, 0)
    _fill(box, items)
    return box


def widget_of(layout: QLayout) -> QWidget:
    """Wrap ``layout`` in a widget, to show and hide it as a whole."""
    made = QWidget()
    made.setLayout(layout)
    return made


def side_panel(width: int, *items: QWidget | QLayout | None) -> QScrollArea:
    """A scrollable column of ``items`` at the side of a page."""
    made = QScrollArea()
    made.setWidgetResizable(True)
    made.setWidget(widget_of(column(*items, None, gap=2 * GAP)))
    made.setFixedWidth(width)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return made


def panel_with_actions(width: int, actions: QWidget, *items: QWidget | QLayout | None) -> QWidget:
    """A ``side_panel`` with ``actions`` below it, which are always in view."""
    whole = column(side_panel(width, *items), actions, gap=2 * GAP)
    whole.setStretch(0, 1)
    made = widget_of(whole)
    made.setFixedWidth(width)
    return made


class Choice(QPushButton):
    """A large option button: a name with a description below."""

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
    """Ask the user; whether they agreed. ``yes``: the label of the confirming button."""
    box = QMessageBox(QMessageBox.Icon.Question, "faceswap", question, parent=parent)
    agree = box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    agreed = box.clickedButton() is agree
    box.deleteLater()
    return agreed


def shorten(text: str) -> str:
    """The first line of ``text``, truncated to 300 characters."""
    first = text.strip().partition("\n")[0]
    return first if len(first) <= _MAX_LENGTH else first[: _MAX_LENGTH - 1] + "…"


def read_picture(picture: PictureFile) -> QImage:
    """Read a picture of the preview server; a null image where that fails."""
    size = 3 * picture.width * picture.height
    try:
        pixels = picture.path.read_bytes()[-size:]
    except OSError:
        return QImage()
    if len(pixels) < size:
        return QImage()
    line = 3 * picture.width
    image = QImage(pixels, picture.width, picture.height, line, QImage.Format.Format_RGB888)
    return image.copy()  # it refers to the bytes, which end here


def duration(seconds: float) -> str:
    """Format seconds, such as "2 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)

    def filled(text: str, *numbers: int) -> str:
        message = QCoreApplication.translate("duration", text)
        for index, number in enumerate(numbers, 1):
            message = message.replace(f"%{index}", str(number))
        return message

    if hours:
        return filled("%1 h %2 min", hours, minutes)
    return filled("%1 min %2 s", minutes, rest) if minutes else filled("%1 s", rest)


def _fill(box: QBoxLayout, items: tuple[QWidget | QLayout | None, ...]) -> None:
    for item in items:
        if item is None:
            box.addStretch(1)
        elif isinstance(item, QLayout):
            box.addLayout(item)
        else:
            box.addWidget(item)
