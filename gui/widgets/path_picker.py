"""Input fields for file and folder paths: typed, dropped or chosen in a dialogue."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit, QMenu, QWidget

from gui.widgets import elements
from gui.widgets.file_drops import patterns
from gui.widgets.theme import GAP


class PathPicker(QWidget):
    """A path field: for a folder, a file with one of the suffixes ``files``, or either.

    save: for an output file. hint: the placeholder, which tells what is used when empty.
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
        self.line.setAcceptDrops(False)  # it would insert a dropped file's URL as text
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
        """The entered path; None when empty."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def set_value(self, path: Path | str | None) -> None:
        """Set the path."""
        self.line.setText("" if path is None else str(path))

    def set_hint(self, hint: str | Path) -> None:
        """Set the placeholder; of a path only the last two parts are shown."""
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
        kinds = patterns(self._files)
        every = self.tr("All files (*)")
        shown = f"{self._name} ({kinds});;{every}" if kinds else every
        self._take(QFileDialog.getOpenFileName(self, self._name, self.line.text(), shown)[0])

    def _choose_folder(self) -> None:
        self._take(QFileDialog.getExistingDirectory(self, self._name, self.line.text()))

    def _take(self, name: str) -> None:
        if name:
            self.set_value(name)


class PathList(QWidget):
    """Several path fields in a fixed order; each is enabled once those before it are filled."""

    changed = Signal()

    def __init__(self, pickers: Sequence[PathPicker]) -> None:
        super().__init__()
        self.pickers = tuple(pickers)
        self.setLayout(elements.column(*self.pickers))
        for picker in self.pickers:
            picker.changed.connect(self._typed)
        self._typed()

    def value(self) -> list[Path] | None:
        """The entered paths up to the first empty one; None when there are none."""
        found: list[Path] = []
        for picker in self.pickers:
            path = picker.value()
            if path is None:
                break
            found.append(path)
        return found or None

    def set_value(self, paths: Sequence[Path | str] | None) -> None:
        """Set the paths."""
        given = list(paths or ())
        for index, picker in enumerate(self.pickers):
            picker.set_value(given[index] if index < len(given) else None)

    def _typed(self) -> None:
        before = True
        for picker in self.pickers:
            picker.setEnabled(before)
            before = before and picker.value() is not None
        self.changed.emit()
