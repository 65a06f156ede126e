"""List of recent projects with thumbnails."""

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QImageReader, QPainter, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QMenu

from gui.models.app_context import AppContext
from gui.widgets import icons, theme


class RecentProjectsList(QListWidget):
    """Recent projects; a click or Enter opens one."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self.setIconSize(QSize(96, 54))
        self.setWordWrap(True)
        self.setAccessibleName(self.tr("Recent projects"))
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setStyleSheet("QListView { border: none; } QListView::item { padding: 6px 0; }")
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.itemActivated.connect(self._open)
        self.itemClicked.connect(self._open)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._menu)

    def fill(self) -> None:
        """Reload the list."""
        self.clear()
        for project in self._context.settings.recent():
            changed = datetime.fromtimestamp((project / "project.toml").stat().st_mtime)
            item = QListWidgetItem(f"{project.name}\n{changed:%Y-%m-%d %H:%M}")
            item.setIcon(self._icon(project))
            item.setToolTip(str(project))
            item.setData(Qt.ItemDataRole.UserRole, project)
            self.addItem(item)
        if not self.count():
            item = QListWidgetItem(self.tr("Your projects appear here."))
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.addItem(item)

    def _icon(self, project: Path) -> QIcon:
        reader = QImageReader(str(self._context.settings.thumbnail(project)))
        image = reader.read()
        if image.isNull():
            ratio = self.devicePixelRatioF()
            blank = QPixmap(round(96 * ratio), round(54 * ratio))
            blank.setDevicePixelRatio(ratio)
            blank.fill(QColor(theme.current().raised))
            painter = QPainter(blank)
            icons.icon("footage").paint(painter, QRect(36, 15, 24, 24))
            painter.end()
            return QIcon(blank)
        return QIcon(QPixmap.fromImage(image))

    def _open(self, item: QListWidgetItem) -> None:
        project = item.data(Qt.ItemDataRole.UserRole)
        if project is not None:
            self._context.open(project)
            if self._context.session is not None:
                self._context.show_page.emit("footage")

    def _menu(self, place: object) -> None:
        item = self.currentItem()
        project = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        if not isinstance(project, Path):
            return
        menu = QMenu(self)
        forget = menu.addAction(self.tr("Remove from this list (the files stay)"))
        forget.triggered.connect(lambda: self._forget(project))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.cursor().pos())

    def _forget(self, project: Path) -> None:
        self._context.settings.drop_recent(project)
        self.fill()
