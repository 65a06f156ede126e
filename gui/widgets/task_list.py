"""What the lab can do, as a list in groups."""

from PySide6.QtCore import (
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from faceswap.lab.registry import GROUPS, TASKS, TaskName
from gui.widgets.theme import GAP

_USE = Qt.ItemDataRole.UserRole


class _Wrapped(QStyledItemDelegate):
    """Makes items as high as their text is when wrapped within the style sheet's padding.

    Qt's own takes the padding for room to write in, and lets a second line overlap the next item.
    """

    def sizeHint(  # noqa: N802
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        view = self.parent()
        assert isinstance(view, QListWidget)
        room = QRect(0, 0, view.viewport().width() - 3 * GAP, 1000)
        lines = view.fontMetrics().boundingRect(room, Qt.TextFlag.TextWordWrap, index.data())
        head = not index.flags() & Qt.ItemFlag.ItemIsEnabled
        return QSize(room.width(), lines.height() + (20 if head else 12))


class TaskList(QListWidget):
    """All uses by what they are for; chosen: the user went to another."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("uses")
        self.setAccessibleName(self.tr("What to do"))
        self.setWordWrap(True)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setItemDelegate(_Wrapped(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._items: dict[str, QListWidgetItem] = {}
        for group, name in GROUPS.items():
            head = QListWidgetItem(QCoreApplication.translate("lab", name), self)
            head.setFlags(Qt.ItemFlag.NoItemFlags)
            for use, known in TASKS.items():
                if known.group == group:
                    item = QListWidgetItem(sentence_case(known.text), self)
                    item.setData(_USE, use)
                    item.setToolTip(use)
                    self._items[use] = item
        self.currentItemChanged.connect(self._changed)

    @property
    def use(self) -> TaskName:
        """The chosen one."""
        item = self.currentItem()
        chosen: TaskName = item.data(_USE) if item is not None else "denoise"
        return chosen

    def select(self, use: str) -> None:
        """Choose ``use``, if there is one of that name."""
        if use in self._items:
            self.setCurrentItem(self._items[use])

    def _changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            for row in (max(0, self.row(item) - 1), self.row(item)):  # with what is above it
                self.scrollToItem(self.item(row))
            self.chosen.emit(item.data(_USE))


def sentence_case(text: str) -> str:
    """A text of the lab's for people, with a capital letter."""
    shown = QCoreApplication.translate("lab", text)
    return shown[:1].upper() + shown[1:]
