"""What the lab can do, as a list in groups."""

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from faceswap.lab.uses import GROUPS, USES, UseName

_USE = Qt.ItemDataRole.UserRole


class UseList(QListWidget):
    """All uses by what they are for; chosen: the user went to another."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("uses")
        self.setAccessibleName(self.tr("What to do"))
        self.setWordWrap(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._items: dict[str, QListWidgetItem] = {}
        for group, name in GROUPS.items():
            head = QListWidgetItem(QCoreApplication.translate("lab", name), self)
            head.setFlags(Qt.ItemFlag.NoItemFlags)
            for use, known in USES.items():
                if known.group == group:
                    item = QListWidgetItem(sentence_case(known.text), self)
                    item.setData(_USE, use)
                    item.setToolTip(use)
                    self._items[use] = item
        self.currentItemChanged.connect(self._changed)

    @property
    def use(self) -> UseName:
        """The chosen one."""
        item = self.currentItem()
        chosen: UseName = item.data(_USE) if item is not None else "denoise"
        return chosen

    def select(self, use: str) -> None:
        """Choose ``use``, if there is one of that name."""
        if use in self._items:
            self.setCurrentItem(self._items[use])

    def _changed(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.scrollToItem(item)
            self.chosen.emit(item.data(_USE))


def sentence_case(text: str) -> str:
    """A text of the lab's for people, with a capital letter."""
    shown = QCoreApplication.translate("lab", text)
    return shown[:1].upper() + shown[1:]
