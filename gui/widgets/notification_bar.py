"""One sentence across the window, until it is read."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton

from gui.widgets import elements
from gui.widgets.theme import GAP


class NotificationBar(QFrame):
    """A notice below the header; good news goes by itself, the rest stays until closed."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("strip")
        self._text = elements.label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        close = QToolButton()
        close.setText("✕")
        close.setAutoRaise(True)
        close.setAccessibleName(self.tr("Close the notice"))
        close.clicked.connect(self.hide)
        box = elements.row(self._text, close)
        box.setContentsMargins(2 * GAP, GAP, GAP, GAP)
        self.setLayout(box)
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.setInterval(8000)
        self._leave.timeout.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty when it is not shown."""
        return "" if self.isHidden() else self._text.text()

    def show_message(self, text: str, kind: str) -> None:
        """Show ``text``; ``kind`` is "good", "warn" or "bad"."""
        elements.set_role(self._text, kind)
        self._text.setText(elements.shorten(text))
        self._text.setToolTip(text)
        self.show()
        if kind == "good":
            self._leave.start()
        else:
            self._leave.stop()
