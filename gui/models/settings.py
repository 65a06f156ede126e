"""What the window remembers between starts."""

from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, QStandardPaths
from PySide6.QtGui import QImage

_RECENT = 12


def work_folder() -> Path:
    """Where what the window makes is kept, unless the user says otherwise."""
    return Path.home() / "faceswap"


class Settings:
    """Window state, recent projects and what the user agreed to, in the system's place.

    ``store`` and ``folder`` may be given for tests.
    """

    def __init__(self, store: QSettings | None = None, folder: Path | None = None) -> None:
        self._store = store or QSettings("faceswap", "faceswap")
        place = QStandardPaths.StandardLocation.AppLocalDataLocation
        self.folder = folder or Path(QStandardPaths.writableLocation(place))

    @property
    def jobs(self) -> Path:
        """Where the records of jobs are kept."""
        return self.folder / "jobs"

    def recent(self) -> list[Path]:
        """Projects by when they were last open, newest first, those that are still there."""
        value = self._store.value("recent", [])
        names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return [Path(name) for name in names if (Path(name) / "project.toml").is_file()]

    def add_recent(self, project: Path) -> None:
        """Put ``project`` at the top of the recent ones."""
        others = [str(path) for path in self.recent() if path != project]
        self._store.setValue("recent", [str(project), *others][:_RECENT])

    def drop_recent(self, project: Path) -> None:
        """Take ``project`` off the recent ones; its files stay."""
        self._store.setValue("recent", [str(p) for p in self.recent() if p != project])

    def thumbnail(self, project: Path) -> Path:
        """Where the picture of a recent project is kept."""
        name = "".join(c if c.isalnum() else "_" for c in str(project))[-120:]
        return self.folder / "thumbnails" / f"{name}.jpg"

    def keep_thumbnail(self, project: Path, image: QImage) -> None:
        """Keep ``image`` as the picture of ``project``."""
        path = self.thumbnail(project)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return  # a project without a picture is shown with its name alone
        image.save(str(path), "JPG", 88)  # type: ignore[call-overload, unused-ignore]

    def flag(self, name: str) -> bool:
        """Whether ``name`` was set."""
        return str(self._store.value(name, "false")) == "true"

    def set_flag(self, name: str) -> None:
        """Remember ``name``."""
        self._store.setValue(name, "true")

    def state(self, name: str) -> QByteArray | None:
        """A widget's saved state."""
        value = self._store.value(name)
        return value if isinstance(value, QByteArray) else None

    def set_state(self, name: str, value: QByteArray) -> None:
        """Save a widget's state."""
        self._store.setValue(name, value)

    def sync(self) -> None:
        """Write everything to the disk."""
        self._store.sync()
