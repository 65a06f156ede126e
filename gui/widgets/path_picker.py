"""Files and folders as what goes in and out: typed, dropped or chosen."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit, QMenu, QWidget

from gui.widgets import elements
from gui.widgets.theme import GAP


class PathPicker(QWidget):
    """One path: of a folder, of a file that ends as one of ``files`` does, or of either.

    save: it is a file that is yet to be written. hint: what holds when nothing is entered.
    """

    changed = Signal()

    def __init__(
        self,
        name: str,
        files: Sequence[str] = (),
        folder: bool = False,
        save: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__()
        self._files, self._folder, self._save = tuple(files), folder, save
        self._name = name
        self.setAcceptDrops(True)
        self.line = QLineEdit()
        self.line.setAcceptDrops(False)  # it would take a file's address for text
        self.line.setAccessibleName(name)
        self.set_hint(hint)
        self.line.textChanged.connect(self._typed)
        self.button = elements.button(self.tr("Choose"), self._choose)
        self.button.setAccessibleName(self.tr("Choose: %1").replace("%1", name))
        named = elements.label(name, "small")
        named.setBuddy(self.line)
        line = elements.row(self.line, self.button)
        self.setLayout(elements.column(named, line, gap=GAP // 2))
        self.setFocusProxy(self.line)

    def value(self) -> Path | None:
        """What is entered."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def set_value(self, path: Path | str | None) -> None:
        """Enter ``path``."""
        self.line.setText("" if path is None else str(path))

    def set_hint(self, hint: str | Path) -> None:
        """Say what holds when nothing is entered; of a path the end is shown."""
        shown = f"…/{hint.parent.name}/{hint.name}" if isinstance(hint, Path) else hint
        self.line.setPlaceholderText(shown)
        self._hint = str(hint)
        self._explain()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        for url in event.mimeData().urls():
            if url.isLocalFile():
                self.set_value(url.toLocalFile())
                return

    def _typed(self) -> None:
        self._explain()
        self.changed.emit()

    def _explain(self) -> None:
        self.line.setToolTip(self.line.text() or self._hint)

    def _choose(self) -> None:
        if self._save:
            self._take(QFileDialog.getSaveFileName(self, self._name, self.line.text())[0])
        elif not self._folder:
            self._choose_file()
        elif not self._files:
            self._choose_folder()
        else:
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addAction(self.tr("Folder…")).triggered.connect(self._choose_folder)
            menu.addAction(self.tr("File…")).triggered.connect(self._choose_file)
            menu.popup(self.button.mapToGlobal(QPoint(0, self.button.height())))

    def _choose_file(self) -> None:
        kinds = " ".join(f"*{ending}" for ending in self._files)
        every = self.tr("All files (*)")
        shown = f"{self._name} ({kinds});;{every}" if kinds else every
        self._take(QFileDialog.getOpenFileName(self, self._name, self.line.text(), shown)[0])

    def _choose_folder(self) -> None:
        self._take(QFileDialog.getExistingDirectory(self, self._name, self.line.text()))

    def _take(self, name: str) -> None:
        if name:
            self.set_value(name)


class PathList(QWidget):
    """Several paths in a fixed order; one can be entered when those before it are."""

    changed = Signal()

    def __init__(self, picks: Sequence[PathPicker]) -> None:
        super().__init__()
        self.picks = tuple(picks)
        self.setLayout(elements.column(*self.picks))
        for pick in self.picks:
            pick.changed.connect(self._typed)
        self._typed()

    def value(self) -> list[Path] | None:
        """What is entered, up to the first that is missing."""
        found: list[Path] = []
        for pick in self.picks:
            path = pick.value()
            if path is None:
                break
            found.append(path)
        return found or None

    def set_value(self, paths: Sequence[Path | str] | None) -> None:
        """Enter ``paths``."""
        given = list(paths or ())
        for place, pick in enumerate(self.picks):
            pick.set_value(given[place] if place < len(given) else None)

    def _typed(self) -> None:
        before = True
        for pick in self.picks:
            pick.setEnabled(before)
            before = before and pick.value() is not None
        self.changed.emit()
