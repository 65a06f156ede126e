"""Lab page: choose an autoencoder task, train it and see its results."""

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QByteArray, QCoreApplication, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QStackedWidget, QWidget

from faceswap.errors import OutputError
from faceswap.events import Metrics, Preview, Saved
from faceswap.jobs.lab import LabOptions
from faceswap.lab.task_registry import TASKS, TaskName, former_names, task_path
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.settings import work_folder
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.canvas import PictureView
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, error_text
from gui.widgets.path_picker import PathList, PathPicker
from gui.widgets.plots import Curves
from gui.widgets.repair_panel import BeforeAfter, RepairPanel
from gui.widgets.task_list import TaskList, sentence_case
from gui.widgets.theme import GAP

_STATE = "lab/entered"


class LabPage(Page):
    """Shows one task at a time; needs no project. Jobs of other tasks keep running."""

    name = "lab"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._entered: dict[str, dict[str, Any]] = {}
        self._job: Job | None = None
        self._task: TaskName = "denoise"
        self._shown_folder: Path | None = None
        self.tasks = TaskList()
        self.figure = PictureView(self.tr("Results"))
        self.compare = BeforeAfter(context)
        self.repair = RepairPanel(context)
        self.status_bar = JobStatusBar()
        self.curves = Curves(
            {self.tr("Loss"): "loss", self.tr("Pictures per second"): "pictures/s"}
        )
        self.form = self._make_form()
        self._build()
        self._restore_state()
        self.tasks.chosen.connect(self.choose)
        self.figure.pressed.connect(self.enlarge)
        self.status_bar.finished.connect(self._ended)
        context.jobs.added.connect(lambda job: self._follow_job())

    @property
    def task(self) -> TaskName:
        """The current task."""
        return self._task

    @property
    def folder(self) -> Path:
        """The output folder of the current task: models, metrics and figure."""
        given: Path = self.form.value("output") or self._suggested()
        return given.absolute()

    def choose(self, task: TaskName) -> None:
        """Switch to another task and restore what was entered for it."""
        if task == self._task:
            return
        self._entered[self._task] = self.form.values()
        self._task = task
        old, self.form = self.form, self._make_form()
        self._form_box.replaceWidget(old, self.form)
        old.hide()
        old.deleteLater()
        self.form.set_values(self._entered.get(task, {}))
        self._update_heading()
        self._show_folder()

    def start(self) -> None:
        """Start or resume the current task."""
        try:
            options = self.form.options(task=self._task, output=self.folder)
            title = self.tr("Lab: %1").replace("%1", self._task)
            self.context.jobs.start("lab", options, title, None)
        except (ValidationError, OutputError) as error:
            self.context.notice.emit(error_text(error), "bad")

    def enlarge(self) -> None:
        """Enlarge the picture to the whole page."""
        self._set_large(True)

    def on_project_changed(self) -> None:
        self._update_buttons()

    def on_show(self) -> None:
        if self.folder != self._shown_folder:
            self._show_folder()
            return
        self._follow_job()
        if self.stack.currentWidget() is self.figure:
            self._show_figure()

    def on_leave(self) -> None:
        self._entered[self._task] = self.form.values()
        text = json.dumps({"use": self._task, "entered": self._entered}, default=str)
        self.context.settings.set_state(_STATE, QByteArray(text.encode()))

    def on_theme_changed(self) -> None:
        self.curves.apply_theme()

    @property
    def is_ready(self) -> bool:
        return self.curves.ready

    def _build(self) -> None:
        self.state = label("", "muted")
        self.body.addLayout(row(label(self.tr("Lab"), "title"), self.state, None, gap=2 * GAP))
        self.tasks.setMinimumWidth(24 * GAP)
        self.tasks.setMaximumWidth(28 * GAP)
        self.sentence = label("", "", wrap=True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.figure)
        self.stack.addWidget(self.compare)
        self.file = button(
            self.tr("Open"), self._open_file, "", "", self.tr("Open in the default viewer")
        )
        self.open_folder = button(
            self.tr("Folder"), self._open_folder, "", "", self.tr("Open the folder of the file")
        )
        self.larger = button(self.tr("Enlarge"), self.enlarge, "link", "Ctrl+E")
        self.smaller = button(self.tr("Back"), lambda: self._set_large(False), "link", "Esc")
        self.back = button(self.tr("Show the figure"), self._show_figure, "link", "Ctrl+B")
        self.smaller.hide()
        below = row(self.file, self.open_folder, None, self.back, self.larger, self.smaller)
        self.progress = elements.widget_of(column(self.curves))
        middle = column(self.stack, self.sentence, below, self.progress, gap=GAP)
        middle.setStretch(0, 1)
        self.curves.setMaximumHeight(20 * GAP)
        self.panel = self._panel()
        self.body.addLayout(row(self.tasks, elements.widget_of(middle), self.panel, gap=2 * GAP), 1)
        self.body.addWidget(self.status_bar)

    def _panel(self) -> QWidget:
        self.heading = label("", "heading", wrap=True)
        self.go = button(self.tr("Run"), self.start, "primary", "Ctrl+Return")
        self._form_box = column(self.form)
        self.own_faces = button(
            self.tr("Use this project's faces"), self._use_project_faces, "link", "Ctrl+O"
        )
        made = card(self.heading, self._form_box, row(self.go, None, self.own_faces), gap=GAP)
        return elements.side_panel(38 * GAP, made, self.repair)

    def _make_form(self) -> OptionsForm:
        """Create the form with the options that apply to the current task."""
        task = TASKS[self._task]
        without = ["task", *task.ignored_options]
        pickers = [
            PathPicker(sentence_case(given.name), given.files, given.folder)
            for given in task.inputs
        ]
        nothing = QCoreApplication.translate("lab", task.default_data)
        pickers[0].set_hint(self.tr("Default: %1").replace("%1", nothing))
        self.output = PathPicker(self.tr("Output folder"), folder=True)
        paths: dict[str, PathPicker | PathList] = {"data": PathList(pickers), "output": self.output}
        form = OptionsForm(LabOptions, without, paths=paths, helps={"strength": task.strength})
        form.changed.connect(self._changed)
        return form

    def _suggested(self) -> Path:
        """A default folder named after task and data, so that different runs do not collide."""
        data = self.form.value("data")
        name = f"{self._task} {data[0].stem}" if data else self._task
        return task_path(work_folder() / "lab", name)

    def _changed(self) -> None:
        if self.folder != self._shown_folder:
            self._show_folder()

    def _use_project_faces(self) -> None:
        """Use the faces of the open project as training data."""
        if self.session is not None:
            self.form.set_values(self.form.values() | {"data": [self.session.folder]})

    def _update_heading(self) -> None:
        self.heading.setText(sentence_case(TASKS[self._task].text))
        self.heading.setToolTip(f"faceswap lab {self._task}")

    def _show_folder(self) -> None:
        """Show the results in the current output folder."""
        self._shown_folder = self.folder
        self.output.set_hint(self._suggested())
        self.curves.set_all(())
        self.state.setText("")
        self._connect_job(None)
        self._follow_job()
        self._show_figure()

    def _show_figure(self) -> None:
        """Show the figure and its conclusion; during training the newest preview."""
        folder = self.folder
        self.stack.setCurrentWidget(self.figure)
        self.back.hide()
        sentence = _read_sentence(task_path(folder, f"{self._task}.json"))
        figure = task_path(folder, f"{self._task}.png")
        newest = max(folder.glob("*/previews/*.png"), key=_modified, default=None)
        if newest is not None and (self._learning or not sentence):
            figure, sentence = newest, ""
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))
        if figure.is_file():
            self.figure.show_file(figure)
        else:
            self.figure.show_text(
                self.tr(
                    "Press Run: after half a minute this shows results on pictures that were kept "
                    "out of training, and at the end a figure."
                )
            )
        self._update_buttons()

    @property
    def _learning(self) -> bool:
        return self._job is not None and self._job.record.command == "lab"

    def _update_buttons(self) -> None:
        """Update labels, visibility and what is enabled."""
        trained = any(self.folder.glob("*/step-*.safetensors"))
        self.go.setText(self.tr("Resume") if trained else self.tr("Run"))
        self.go.setEnabled(self._job is None)
        self.form.setEnabled(not self._learning)
        self.repair.set_model(self._task, task_path(self.folder, self._task), self._job is None)
        self.own_faces.setVisible(self.session is not None and TASKS[self._task].inputs[0].folder)
        some = self._shown_file() is not None
        for widget in (self.file, self.open_folder):
            widget.setVisible(some)
        self.larger.setVisible(some and self.smaller.isHidden())

    def _follow_job(self) -> None:
        folder, model = str(self.folder), str(task_path(self.folder, self._task))
        for job in self.context.jobs.running():
            options = job.record.options
            if options.get("output") == folder or options.get("model") == model:
                self.status_bar.follow(job)
                self._connect_job(job)
                return
        self.status_bar.follow(None)
        self._connect_job(None)

    def _connect_job(self, job: Job | None) -> None:
        if job is self._job:
            return
        if self._job is not None:
            self._job.event_received.disconnect(self._on_event)
        self._job = job
        if job is not None:
            losses = [line for line in job.metrics() if "loss" in line.values]
            for line in losses:
                self.curves.add(line.step, line.values)
            if losses:
                self._on_event(losses[-1])
            job.event_received.connect(self._on_event)
        self._update_buttons()

    def _on_event(self, line: object) -> None:
        match line:
            case Metrics() if "loss" in line.values:
                self.curves.add(line.step, line.values)
                message = self.tr("step %1, loss %2").replace("%1", f"{line.step:,}")
                self.state.setText(message.replace("%2", f"{line.values['loss']:.4g}"))
            case Preview():
                self.figure.show_file(line.path)
                self.sentence.hide()
                self._update_buttons()
            case Saved():
                self._update_buttons()

    def _ended(self, job: Job) -> None:
        self._connect_job(None)
        self._follow_job()
        options = job.record.options
        if job.state == "finished" and job.record.command == "restore":
            self.compare.show_files(Path(str(options["input"])), Path(str(options["output"])))
            self.stack.setCurrentWidget(self.compare)
            self.back.show()
            self.sentence.setText(job.message)
            self.sentence.show()
            self._update_buttons()
        else:
            self._show_figure()

    def _shown_file(self) -> Path | None:
        if self.stack.currentWidget() is self.compare and self.compare.files is not None:
            return self.compare.files[1]
        return self.figure.path

    def _open_file(self) -> None:
        shown = self._shown_file()
        if shown is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(os.fspath(shown)))

    def _open_folder(self) -> None:
        shown = self._shown_file()
        if shown is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(os.fspath(shown.parent)))

    def _set_large(self, large: bool) -> None:
        for widget in (self.tasks, self.panel, self.progress):
            widget.setVisible(not large)
        self.smaller.setVisible(large)
        self._update_buttons()

    def _restore_state(self) -> None:
        """Restore the task and entries of the last session."""
        kept = self.context.settings.state(_STATE)
        try:
            known = json.loads(bytes(kept.data())) if kept is not None else {}
            entered: dict[str, Any] = dict(known.get("entered", {}))
            former = former_names()
            self._entered = {former.get(name, name): v for name, v in entered.items()}
            task = known.get("use", self._task)
            task = former.get(task, task)
        except (ValueError, TypeError, AttributeError):
            task = self._task
        self.form.set_values(self._entered.get(self._task, {}))
        self.tasks.select(self._task)
        self._update_heading()
        if task in TASKS:
            self.tasks.select(task)
            self.choose(task)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # jobs delete some of their previews


def _read_sentence(path: Path) -> str:
    """The conclusion that the lab wrote beside a figure; empty where there is none."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
