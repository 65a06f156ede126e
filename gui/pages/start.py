"""Start page: create a project from two videos, try the sample, open a recent project."""

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QGridLayout, QLineEdit, QWidget

from faceswap.commands import JOBS, options_of
from faceswap.errors import OutputError
from faceswap.preview.protocol import FileFrameRequest, FrameAnswer, PictureSize
from gui.models.app_context import AppContext, ProjectSession
from gui.models.settings import work_folder
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.drop_zone import DropZone
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.recent_projects import RecentProjectsList
from gui.widgets.theme import GAP


class StartPage(Page):
    """Create or open a project."""

    name = "start"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._folder_is_custom = False
        self._making: ProjectSession | None = None
        self.zones = {
            "a": DropZone("a", self.tr("A: footage to change"), self._drop_text()),
            "b": DropZone("b", self.tr("B: face to put on it"), self._drop_text()),
        }
        for side, zone in self.zones.items():
            zone.chosen.connect(lambda path, side=side: self.set_video(side, path))
            zone.several.connect(self._set_both)
        self.folder_edit = QLineEdit()
        self.folder_edit.setAccessibleName(self.tr("Project folder"))
        self.folder_edit.setPlaceholderText(self.tr("Named after the two videos"))
        self.folder_edit.textEdited.connect(self._folder_edited)
        self.make_button = button(self.tr("Create project"), self.make, "primary", "Ctrl+Return")
        self.make_button.setEnabled(False)
        self.recent = RecentProjectsList(context)
        self.body.addWidget(label(self.tr("Two videos in, one out"), "title"))
        left = column(self._new_project(), self._steps_card(), gap=3 * GAP)
        left.setStretch(0, 1)
        both = row(elements.widget_of(left), self._recent_card(), gap=3 * GAP)
        both.setStretch(0, 1)
        self.body.addLayout(both, 1)

    def set_video(self, side: str, path: Path) -> None:
        """Use ``path`` as the video of ``side``, or show why it cannot be used."""
        zone = self.zones[side]

        def seen(answer: FrameAnswer) -> None:
            zone.show_video(path, answer)
            self._check()

        def refused(sentence: str) -> None:
            zone.show_error(sentence)
            self._check()

        request = FileFrameRequest(path=path, fit=PictureSize(width=520, height=280))
        self.context.rpc.send(request, seen, on_error=refused)

    def make(self) -> None:
        """Create the project and open it."""
        a, b = self.zones["a"].path, self.zones["b"].path
        if a is None or b is None or self._making is not None:
            return
        session = ProjectSession(Path(self.folder_edit.text()).expanduser(), self.context.program)
        self._making = session
        self.make_button.setEnabled(False)

        def done() -> None:
            self._making = None
            self._check()
            self.context.set_session(session)
            self.context.show_page.emit("footage")

        def failed(sentence: str) -> None:
            self._making = None
            session.close()
            self._check()
            self.context.notice.emit(sentence, "bad")

        session.make(a, b, done, failed)

    def make_sample(self) -> None:
        """Render the sample clips and select them for a new project."""
        job = JOBS["sample"]
        model = options_of(job)
        folder = self.context.settings.folder / "sample"
        clips = {side: folder / f"{side}.mp4" for side in "ab"}
        if all(clip.is_file() for clip in clips.values()):
            self._sample_made(clips)
            return
        field = next(name for name, f in model.model_fields.items() if f.is_required())
        values: dict[str, Any] = {field: folder}
        if "overwrite" in model.model_fields:
            values["overwrite"] = True
        try:
            running = self.context.jobs.start("sample", model(**values), self.tr("Sample"), None)
        except OutputError as error:
            self.context.notice.emit(str(error), "bad")
            return
        self.sample.setEnabled(False)
        self.sample.setText(self.tr("Rendering the sample clips…"))

        def ended() -> None:
            self.sample.setEnabled(True)
            self.sample.setText(self.tr("Try it with sample clips"))
            if running.state == "finished":
                self._sample_made(clips)
            else:
                self.context.notice.emit(running.message, "bad")

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
            self.context.open(Path(name))

    def _sample_made(self, clips: dict[str, Path]) -> None:
        for side, clip in clips.items():
            self.set_video(side, clip)
        self.folder_edit.setText(str(_free(work_folder() / "sample")))
        self._folder_is_custom = True

    def _set_both(self, paths: list[Path]) -> None:
        for side, path in zip("ab", paths, strict=False):
            self.set_video(side, path)
        if len(paths) > 2:
            message = self.tr(
                "The first two are A and B; add the other %1 on the Footage page, all at once."
            )
            self.context.notice.emit(message.replace("%1", str(len(paths) - 2)), "warn")

    def _folder_edited(self) -> None:
        self._folder_is_custom = True
        self._check()

    def _check(self) -> None:
        a, b = self.zones["a"].path, self.zones["b"].path
        if not self._folder_is_custom and a is not None and b is not None:
            self.folder_edit.setText(str(_free(work_folder() / f"{b.stem} on {a.stem}")))
        ready = a is not None and b is not None and bool(self.folder_edit.text().strip())
        self.make_button.setEnabled(ready and self._making is None)

    def _drop_text(self) -> str:
        return self.tr("Drop a video here, or click to choose one")

    def _new_project(self) -> QWidget:
        grid = QGridLayout()
        grid.setSpacing(2 * GAP)
        grid.addWidget(self.zones["a"], 0, 0)
        grid.addWidget(self.zones["b"], 0, 1)
        grid.setRowStretch(0, 1)
        self.sample = button(self.tr("Try it with sample clips"), self.make_sample, "link")
        self.sample.setVisible("sample" in JOBS)
        return card(
            label(self.tr("New project"), "heading"),
            grid,
            column(label(self.tr("Project folder"), "small"), self.folder_edit, gap=GAP // 2),
            row(self.sample, None, self.make_button),
            gap=2 * GAP,
        )

    def _steps_card(self) -> QWidget:
        steps = row(gap=2 * GAP)
        for number, (name, text) in enumerate(
            (
                (self.tr("Footage"), self.tr("Find the faces in both videos.")),
                (self.tr("People"), self.tr("Choose who is A, who is B.")),
                (self.tr("Faces"), self.tr("Exclude blurred and wrong ones.")),
                (self.tr("Train"), self.tr("Train the model; watch it improve.")),
                (self.tr("Convert"), self.tr("Adjust the blending, export.")),
            ),
            1,
        ):
            steps.addLayout(
                column(label(f"{number}  {name}", "heading"), label(text, "muted", True))
            )
        return card(steps)

    def _recent_card(self) -> QWidget:
        browse = button(self.tr("Open project…"), self.open_folder, "", "Ctrl+O")
        made = card(
            row(label(self.tr("Recent projects"), "heading"), None, browse),
            self.recent,
            gap=2 * GAP,
        )
        made.setMaximumWidth(420)
        made.setMinimumWidth(320)
        return made


def _free(path: Path) -> Path:
    """``path``, with a number appended where it exists already."""
    number = 2
    free = path
    while free.exists():
        free, number = path.with_name(f"{path.name} {number}"), number + 1
    return free
