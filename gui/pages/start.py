"""The first page: a new project of two videos, the sample, recent projects."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPixmap,
)
from PySide6.QtWidgets import QFileDialog, QFrame, QGridLayout, QLineEdit, QVBoxLayout, QWidget

from faceswap.errors import OutputError
from faceswap.jobs.registry import JOBS, options_of
from gui import parts
from gui.pages.page import Page
from gui.parts import button, card, column, label, row
from gui.recent import RecentList
from gui.session import Desk, Session
from gui.theme import GAP

_VIDEOS = "*.mp4 *.m4v *.mov *.mkv *.avi *.webm"


class DropZone(QFrame):
    """A place for one video: drop it there, or press it to choose.

    chosen: a file was dropped or chosen. several: two files were dropped at once.
    """

    chosen = Signal(object)
    several = Signal(object)

    def __init__(self, side: str, title: str, text: str) -> None:
        super().__init__()
        self.setObjectName("drop")
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMinimumSize(240, 220)
        self.setAccessibleName(title)
        self.path: Path | None = None
        self._picture = label()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._picture.hide()
        self._text = label(text, "muted", wrap=True)
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = label(title, side)
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        box = QVBoxLayout(self)
        box.setContentsMargins(2 * GAP, 2 * GAP, 2 * GAP, 2 * GAP)
        box.addStretch(1)
        for item in (self._picture, self._title, self._text):
            box.addWidget(item)
        box.addStretch(1)

    def show_video(self, path: Path, values: dict[str, Any]) -> None:
        """Show the first picture of ``path``."""
        self.path = path
        ratio = self.devicePixelRatioF()
        image = parts.picture(values["image"]).scaled(
            QSize(round(260 * ratio), round(140 * ratio)),
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        image.setDevicePixelRatio(ratio)
        self._picture.setPixmap(QPixmap.fromImage(image))
        self._picture.show()
        parts.set_role(self._text, "muted")
        size, rate = values["size"], values["rate"] or 1
        seconds = parts.duration(values["frames"] / rate)
        self._text.setText(f"{path.name}\n{size[0]} × {size[1]}, {seconds}")

    def refuse(self, sentence: str) -> None:
        """Say why a file is not taken."""
        self.path = None
        self._picture.hide()
        parts.set_role(self._text, "bad")
        self._text.setText(sentence)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._mark(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # noqa: N802
        self._mark(False)

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self._mark(False)
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if len(paths) == 1:
            self.chosen.emit(paths[0])
        elif paths:
            self.several.emit(paths)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        if self.rect().contains(event.position().toPoint()):
            self.choose()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.choose()
        else:
            super().keyPressEvent(event)

    def choose(self) -> None:
        """Let the user choose a file."""
        name, _ = QFileDialog.getOpenFileName(
            self,
            self._title.text(),
            "",
            self.tr("Videos (%1);;All files (*)").replace("%1", _VIDEOS),
        )
        if name:
            self.chosen.emit(Path(name))

    def _mark(self, over: bool) -> None:
        self.setProperty("over", "true" if over else "false")
        self.style().unpolish(self)
        self.style().polish(self)


class StartPage(Page):
    """A new project, the sample, or a recent one."""

    name = "start"

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._name_touched = False
        self._making: Session | None = None
        self.zones = {
            "a": DropZone("a", self.tr("A: the footage that is changed"), self._drop_text()),
            "b": DropZone("b", self.tr("B: the face that is put on it"), self._drop_text()),
        }
        for side, zone in self.zones.items():
            zone.chosen.connect(lambda path, side=side: self.take(side, path))
            zone.several.connect(self._take_two)
        self.place = QLineEdit()
        self.place.setAccessibleName(self.tr("Project folder"))
        self.place.textEdited.connect(self._touched)
        self.make_button = button(self.tr("Create project"), self.make, "primary", "Ctrl+Return")
        self.make_button.setEnabled(False)
        self.recent = RecentList(desk)
        self.body.addWidget(label(self.tr("Two videos in, one out"), "title"))
        self.body.addLayout(row(self._new_project(), self._others(), gap=3 * GAP), 1)

    def take(self, side: str, path: Path) -> None:
        """Take ``path`` as the video of ``side`` if it is one."""
        zone = self.zones[side]
        if path.is_dir():
            zone.refuse(self.tr("%1 is a folder; drop a video.").replace("%1", path.name))
            self._check()
            return

        def seen(values: dict[str, Any]) -> None:
            zone.show_video(path, values)
            self._check()

        def refused(sentence: str) -> None:
            zone.refuse(sentence)
            self._check()

        self.desk.viewer.ask("frame", seen, sorry=refused, path=str(path), width=520, height=280)

    def make(self) -> None:
        """Make the project and open it."""
        a, b = self.zones["a"].path, self.zones["b"].path
        if a is None or b is None or self._making is not None:
            return
        session = Session(Path(self.place.text()).expanduser(), self.desk.program)
        self._making = session
        self.make_button.setEnabled(False)

        def done() -> None:
            self._making = None
            self._check()
            self.desk.adopt(session)
            self.desk.go.emit("footage")

        def sorry(sentence: str) -> None:
            self._making = None
            session.close()
            self._check()
            self.desk.notice.emit(sentence, "bad")

        session.make(a, b, done, sorry)

    def make_sample(self) -> None:
        """Render the sample clips, then make a project of them."""
        job = JOBS["sample"]
        model = options_of(job)
        folder = self.desk.settings.folder / "sample"
        clips = {side: folder / f"{side}.mp4" for side in "ab"}
        if all(clip.is_file() for clip in clips.values()):
            self._sample_made(clips)
            return
        field = next(name for name, f in model.model_fields.items() if f.is_required())
        values: dict[str, Any] = {field: folder}
        if "overwrite" in model.model_fields:
            values["overwrite"] = True
        try:
            running = self.desk.jobs.start("sample", model(**values), self.tr("Sample"), None)
        except OutputError as error:
            self.desk.notice.emit(str(error), "bad")
            return
        self.sample.setEnabled(False)
        self.sample.setText(self.tr("Rendering the sample…"))

        def ended() -> None:
            self.sample.setEnabled(True)
            self.sample.setText(self.tr("Try it with rendered heads"))
            if running.state == "finished":
                self._sample_made(clips)
            else:
                self.desk.notice.emit(running.message, "bad")

        running.ended.connect(ended)

    def shown(self) -> None:
        self.recent.fill()

    def opened(self) -> None:
        self.recent.fill()

    def open_folder(self) -> None:
        """Let the user choose a project folder."""
        name = QFileDialog.getExistingDirectory(self, self.tr("Open a project"))
        if name:
            self.desk.open(Path(name))

    def _sample_made(self, clips: dict[str, Path]) -> None:
        for side, clip in clips.items():
            self.take(side, clip)
        self.place.setText(str(_free(_home() / "sample")))
        self._name_touched = True

    def _take_two(self, paths: list[Path]) -> None:
        for side, path in zip("ab", paths, strict=False):
            self.take(side, path)

    def _touched(self) -> None:
        self._name_touched = True
        self._check()

    def _check(self) -> None:
        a, b = self.zones["a"].path, self.zones["b"].path
        if not self._name_touched and a is not None and b is not None:
            self.place.setText(str(_free(_home() / f"{b.stem} on {a.stem}")))
        ready = a is not None and b is not None and bool(self.place.text().strip())
        self.make_button.setEnabled(ready and self._making is None)

    def _drop_text(self) -> str:
        return self.tr("Drop a video here, or press to choose one")

    def _new_project(self) -> QWidget:
        grid = QGridLayout()
        grid.setSpacing(2 * GAP)
        grid.addWidget(self.zones["a"], 0, 0)
        grid.addWidget(self.zones["b"], 0, 1)
        grid.setRowStretch(0, 1)
        self.sample = button(self.tr("Try it with rendered heads"), self.make_sample, "link")
        self.sample.setVisible("sample" in JOBS)
        return card(
            label(self.tr("New project"), "heading"),
            grid,
            label(self.tr("Kept in the folder"), "small"),
            self.place,
            row(self.sample, None, self.make_button),
            gap=2 * GAP,
        )

    def _others(self) -> QWidget:
        browse = button(self.tr("Open a folder…"), self.open_folder, "", "Ctrl+O")
        made = card(
            row(label(self.tr("Recent projects"), "heading"), None, browse),
            self.recent,
            gap=2 * GAP,
        )
        made.setMaximumWidth(420)
        made.setMinimumWidth(320)
        return parts.widget_of(column(made))


def _home() -> Path:
    return Path.home() / "faceswap"


def _free(path: Path) -> Path:
    """``path``, or with a number where it is taken."""
    number = 2
    free = path
    while free.exists():
        free, number = path.with_name(f"{path.name} {number}"), number + 1
    return free
