"""The sources of one side with thumbnails: choose, drop, add, locate and remove them."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QIcon, QPixmap
from PySide6.QtWidgets import QFileDialog, QFrame, QListWidget, QListWidgetItem

from faceswap.io.file_types import FOOTAGE_SUFFIXES, footage_at
from faceswap.preview.protocol import FileFrameRequest, FrameAnswer, PictureSize, SourceState
from gui.ipc.rpc_client import RpcClient
from gui.widgets import elements
from gui.widgets.elements import button, label, row
from gui.widgets.file_drops import dropped_footage, patterns
from gui.widgets.theme import GAP

_THUMBNAIL = QSize(72, 44)
_ROWS = 4
"""Sources that are seen without scrolling."""


class SourceList(QListWidget):
    """The sources, each with its thumbnail, name and what is known of it.

    chosen: a source was chosen, by its id. dropped: files and folders were dropped, as a list.
    """

    chosen = Signal(str)
    dropped = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("tasks")
        self.setIconSize(_THUMBNAIL)
        self.setAcceptDrops(True)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("Sources"))
        self.itemSelectionChanged.connect(self._choose)
        self._pictures: dict[Path, QIcon] = {}
        self._asked: set[Path] = set()

    def show_sources(
        self, sources: Sequence[SourceState], chosen: str, people: Mapping[str, str]
    ) -> None:
        """Show ``sources``; people: who is in each, by its id."""
        self.blockSignals(True)
        self.clear()
        for source in sources:
            item = QListWidgetItem(self._text(source, people.get(source.id, "")))
            item.setData(Qt.ItemDataRole.UserRole, source.id)
            item.setIcon(self._pictures.get(source.path, QIcon(self._blank())))
            item.setToolTip(f"{source.path}\n{source.problem}".strip())
            item.setSizeHint(QSize(0, _THUMBNAIL.height() + GAP))
            self.addItem(item)
            item.setSelected(source.id == chosen)
        self.blockSignals(False)
        rows = min(_ROWS, max(2, len(sources)))
        self.setFixedHeight(rows * (_THUMBNAIL.height() + GAP) + GAP)

    def request_pictures(self, rpc: RpcClient, sources: Sequence[SourceState]) -> None:
        """Request the thumbnails that are not there yet."""
        ratio = self.devicePixelRatioF()
        fit = PictureSize(
            width=round(_THUMBNAIL.width() * ratio), height=round(_THUMBNAIL.height() * ratio)
        )
        for source in sources:
            if source.footage is None or source.path in self._asked:
                continue
            self._asked.add(source.path)
            request = FileFrameRequest(path=source.path, frame=source.footage.frames // 3, fit=fit)
            rpc.send(request, partial(self._take, source.path, source.id), on_error=lambda _: None)

    def forget(self) -> None:
        """Forget all thumbnails, as of another project."""
        self.clear()
        self._pictures.clear()
        self._asked.clear()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        paths = dropped_footage(event.mimeData())
        if paths:
            self.dropped.emit(paths)

    def _take(self, path: Path, source: str, answer: FrameAnswer) -> None:
        image = elements.read_picture(answer.picture)
        if image.isNull():
            return
        pixmap = QPixmap.fromImage(image)
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        self._pictures[path] = QIcon(pixmap)
        for number in range(self.count()):
            item = self.item(number)
            if item.data(Qt.ItemDataRole.UserRole) == source:
                item.setIcon(self._pictures[path])

    def _text(self, source: SourceState, people: str) -> str:
        facts = []
        if source.problem:
            facts.append(self.tr("cannot be read"))
        elif source.footage is not None and source.footage.frames > 1:
            facts.append(elements.duration(source.footage.seconds))
        if source.complete:
            faces = self.tr("%1 faces").replace("%1", f"{source.faces:,}")
            facts.append(f"{faces}: {people}" if people else faces)
        elif not source.problem:
            facts.append(self.tr("not extracted"))
        return f"{source.path.name}\n{', '.join(facts)}"

    def _blank(self) -> QPixmap:
        pixmap = QPixmap(_THUMBNAIL)
        pixmap.fill(Qt.GlobalColor.transparent)
        return pixmap

    def _choose(self) -> None:
        items = self.selectedItems()
        if items:
            self.chosen.emit(str(items[0].data(Qt.ItemDataRole.UserRole)))


class SourcesPanel(QFrame):
    """The list of a side's sources with its buttons.

    added: files and folders to add, as a list. removed: the chosen source is to go. located: its
    file is elsewhere, as a path.
    """

    added = Signal(object)
    removed = Signal()
    located = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.title = label("", "heading")
        self.list = SourceList()
        self.list.dropped.connect(self.added)
        self.add = button(self.tr("Add…"), self._add_files, "", "Ctrl+Shift+O")
        self.add_folder = button(
            self.tr("Add folder…"),
            self._add_folder,
            "",
            "",
            self.tr("A folder of pictures, or all videos of a folder"),
        )
        self.remove = button(
            self.tr("Remove"),
            self.removed.emit,
            "",
            "",
            self.tr("Remove the source with its faces; its own file stays"),
        )
        self.locate = button(self.tr("Locate the file…"), self._locate, "link")
        self.hint = label(self.tr("Drop any number of videos and folders here."), "small", True)
        box = elements.column(
            self.title,
            self.list,
            self.hint,
            row(self.add, self.add_folder, self.remove, None),
            self.locate,
        )
        box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        self.setLayout(box)

    def _add_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self,
            self.tr("Add footage"),
            "",
            self.tr("Footage (%1);;All files (*)").replace("%1", patterns(FOOTAGE_SUFFIXES)),
        )
        if names:
            self.added.emit([Path(name) for name in names])

    def _add_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Add a folder"))
        if name:
            self.added.emit(footage_at(Path(name)))

    def _locate(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Locate the file"))
        if name:
            self.located.emit(Path(name))
