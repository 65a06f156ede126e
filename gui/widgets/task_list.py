"""List of the lab's tasks in groups."""

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

from faceswap.lab.task_registry import GROUPS, TASKS, TaskName
from gui.widgets.theme import GAP

_TASK = Qt.ItemDataRole.UserRole


class _Wrapped(QStyledItemDelegate):
    """Item delegate whose height fits the text wrapped within the style sheet's padding.

    Qt's own size hint ignores the padding, so a second line would overlap the next item.
    """

    def sizeHint(  # noqa: N802
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        view = self.parent()
        assert isinstance(view, QListWidget)
        available = QRect(0, 0, view.viewport().width() - 3 * GAP, 1000)
        lines = view.fontMetrics().boundingRect(available, Qt.TextFlag.TextWordWrap, index.data())
        head = not index.flags() & Qt.ItemFlag.ItemIsEnabled
        return QSize(available.width(), lines.height() + (20 if head else 12))


class TaskList(QListWidget):
    """All tasks by group; chosen: the current task changed."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("tasks")
        self.setAccessibleName(self.tr("Tasks"))
        self.setWordWrap(True)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.setItemDelegate(_Wrapped(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._items: dict[str, QListWidgetItem] = {}
        for group, name in GROUPS.items():
            head = QListWidgetItem(QCoreApplication.translate("lab", name), self)
            head.setFlags(Qt.ItemFlag.NoItemFlags)
            for task, known in TASKS.items():
                if known.group == group:
                    item = QListWidgetItem(sentence_case(known.text), self)
                    item.setData(_TASK, task)
                    item.setToolTip(task)
                    self._items[task] = item
        self.currentItemChanged.connect(self._changed)

    @property
    def task(self) -> TaskName:
        """The current task."""
        item = self.currentItem()
        chosen: TaskName = item.data(_TASK) if item is not None else "denoise"
        return chosen

    def select(self, task: str) -> None:
        """Select ``task``, if there is one of that name."""
        if task in self._items:
            self.setCurrentItem(self._items[task])

    def _changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            for row in (max(0, self.row(item) - 1), self.row(item)):  # with its group heading
                self.scrollToItem(self.item(row))
            self.chosen.emit(item.data(_TASK))


def sentence_case(text: str) -> str:
    """Translate a text of the lab and capitalise its first letter."""
    shown = QCoreApplication.translate("lab", text)
    return shown[:1].upper() + shown[1:]
