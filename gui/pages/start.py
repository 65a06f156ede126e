"""The first page: a new project of two videos, the sample, recent projects."""

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QGridLayout, QLineEdit, QWidget

from faceswap.commands import JOBS, options_of
from faceswap.errors import OutputError
from gui.models.app_context import AppContext, ProjectSession
from gui.models.settings import work_folder
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.drop_zone import DropZone
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.recent_projects import RecentProjectsList
from gui.widgets.theme import GAP


class StartPage(Page):
    """A new project, the sample, or a recent one."""

    name = "start"

    def __init__(self, desk: AppContext) -> None:
        super().__init__(desk)
        self._name_touched = False
        self._making: ProjectSession | None = None
        self.zones = {
            "a": DropZone("a", self.tr("A: the footage that is changed"), self._drop_text()),
            "b": DropZone("b", self.tr("B: the face that is put on it"), self._drop_text()),
        }
        for side, zone in self.zones.items():
            zone.chosen.connect(lambda path, side=side: self.take(side, path))
            zone.several.connect(self._take_two)
        self.place = QLineEdit()
        self.place.setAccessibleName(self.tr("Project folder"))
        self.place.setPlaceholderText(self.tr("named after the two videos"))
        self.place.textEdited.connect(self._touched)
        self.make_button = button(self.tr("Create project"), self.make, "primary", "Ctrl+Return")
        self.make_button.setEnabled(False)
        self.recent = RecentProjectsList(desk)
        self.body.addWidget(label(self.tr("Two videos in, one out"), "title"))
        left = column(self._new_project(), self._way(), gap=3 * GAP)
        left.setStretch(0, 1)
        both = row(elements.widget_of(left), self._others(), gap=3 * GAP)
        both.setStretch(0, 1)
        self.body.addLayout(both, 1)

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

        self.desk.viewer.request(
            "frame", seen, on_error=refused, path=str(path), width=520, height=280
        )

    def make(self) -> None:
        """Make the project and open it."""
        a, b = self.zones["a"].path, self.zones["b"].path
        if a is None or b is None or self._making is not None:
            return
        session = ProjectSession(Path(self.place.text()).expanduser(), self.desk.program)
        self._making = session
        self.make_button.setEnabled(False)

        def done() -> None:
            self._making = None
            self._check()
            self.desk.set_session(session)
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

    def on_show(self) -> None:
        self.recent.fill()

    def on_project_changed(self) -> None:
        self.recent.fill()

    def on_theme_changed(self) -> None:
        self.recent.fill()

    def open_folder(self) -> None:
        """Let the user choose a project folder."""
        name = QFileDialog.getExistingDirectory(self, self.tr("Open a project"))
        if name:
            self.desk.open(Path(name))

    def _sample_made(self, clips: dict[str, Path]) -> None:
        for side, clip in clips.items():
            self.take(side, clip)
        self.place.setText(str(_free(work_folder() / "sample")))
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
            self.place.setText(str(_free(work_folder() / f"{b.stem} on {a.stem}")))
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
            column(label(self.tr("Kept in the folder"), "small"), self.place, gap=GAP // 2),
            row(self.sample, None, self.make_button),
            gap=2 * GAP,
        )

    def _way(self) -> QWidget:
        steps = row(gap=3 * GAP)
        for number, (name, text) in enumerate(
            (
                (self.tr("Footage"), self.tr("Find and follow the faces in both videos.")),
                (self.tr("Faces"), self.tr("Look through them; take out what is wrong.")),
                (self.tr("Train"), self.tr("Let the model learn both; watch it improve.")),
                (self.tr("Convert"), self.tr("Fit the face into the frame, and export.")),
            ),
            1,
        ):
            steps.addLayout(
                column(label(f"{number}  {name}", "heading"), label(text, "muted", True))
            )
        return card(steps)

    def _others(self) -> QWidget:
        browse = button(self.tr("Open a folder…"), self.open_folder, "", "Ctrl+O")
        made = card(
            row(label(self.tr("Recent projects"), "heading"), None, browse),
            self.recent,
            gap=2 * GAP,
        )
        made.setMaximumWidth(420)
        made.setMinimumWidth(320)
        return made


def _free(path: Path) -> Path:
    """``path``, or with a number where it is taken."""
    number = 2
    free = path
    while free.exists():
        free, number = path.with_name(f"{path.name} {number}"), number + 1
    return free
