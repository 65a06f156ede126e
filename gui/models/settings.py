"""Settings that the window stores between sessions."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths
from PySide6.QtGui import QImage

_MAX_RECENT = 12


def work_folder() -> Path:
    """The default folder for projects and lab results."""
    return Path.home() / "faceswap"


class Settings:
    """Window state, recent projects and the user's consent, in the system's settings location.

    ``store`` and ``folder`` replace that location in tests.
    """

    def __init__(self, store: QSettings | None = None, folder: Path | None = None) -> None:
        self._store = store or QSettings("faceswap", "faceswap")
        location = QStandardPaths.StandardLocation.AppLocalDataLocation
        self.folder = folder or Path(QStandardPaths.writableLocation(location))

    @property
    def jobs(self) -> Path:
        """The folder of job records."""
        return self.folder / "jobs"

    def recent(self) -> list[Path]:
        """Existing recent projects, most recently opened first."""
        value = self._store.value("recent", [])
        names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return [Path(name) for name in names if (Path(name) / "project.toml").is_file()]

    def add_recent(self, project: Path) -> None:
        """Move ``project`` to the top of the recent projects."""
        others = [str(path) for path in self.recent() if path != project]
        self._store.setValue("recent", [str(project), *others][:_MAX_RECENT])

    def drop_recent(self, project: Path) -> None:
        """Remove ``project`` from the recent projects; its files stay."""
        self._store.setValue("recent", [str(p) for p in self.recent() if p != project])

    def thumbnail(self, project: Path) -> Path:
        """The path of a recent project's thumbnail."""
        name = "".join(c if c.isalnum() else "_" for c in str(project))[-120:]
        return self.folder / "thumbnails" / f"{name}.jpg"

    def save_thumbnail(self, project: Path, image: QImage) -> None:
        """Save ``image`` as the thumbnail of ``project``."""
        path = self.thumbnail(project)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # without a thumbnail an icon is shown
        image.save(str(path), "JPG", 88)  # type: ignore[call-overload, unused-ignore]

    def flag(self, name: str) -> bool:
        """Whether the flag ``name`` is set."""
        return str(self._store.value(name, "false")) == "true"

    def set_flag(self, name: str) -> None:
        """Set the flag ``name``."""
        self._store.setValue(name, "true")

    def state(self, name: str) -> QByteArray | None:
        """A widget's saved state."""
        value = self._store.value(name)
        return value if isinstance(value, QByteArray) else None

    def set_state(self, name: str, value: QByteArray) -> None:
        """Save a widget's state."""
        self._store.setValue(name, value)

    def sync(self) -> None:
        """Write all settings to disk."""
        self._store.sync()
