"""Notification bar below the header."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton

from gui.widgets import elements
from gui.widgets.theme import GAP


class NotificationBar(QFrame):
    """One message; "good" ones are hidden after 8 s, others stay until closed."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("strip")
        self._text = elements.label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        close = QToolButton()
        close.setText("✕")
        close.setAutoRaise(True)
        close.setAccessibleName(self.tr("Close the notification"))
        close.clicked.connect(self.hide)
        box = elements.row(self._text, close)
        box.setContentsMargins(2 * GAP, GAP, GAP, GAP)
        self.setLayout(box)
        self._hide_timer = QTimer(self)
        self._hide_timer.setSingleShot(True)
        self._hide_timer.setInterval(8000)
        self._hide_timer.timeout.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        """The message; empty when hidden."""
        return "" if self.isHidden() else self._text.text()

    def show_message(self, text: str, kind: str) -> None:
        """Show ``text``; ``kind`` is "good", "warn" or "bad"."""
        elements.set_role(self._text, kind)
        self._text.setText(elements.shorten(text))
        self._text.setToolTip(text)
        self.show()
        if kind == "good":
            self._hide_timer.start()
        else:
            self._hide_timer.stop()
