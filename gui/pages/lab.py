"""The other uses of autoencoders: choose one, let it learn, see what came of it."""

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
from faceswap.lab.registry import TASKS, TaskName
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.settings import work_folder
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.canvas import PictureView
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, sentence_of
from gui.widgets.path_picker import PathList, PathPicker
from gui.widgets.plots import Curves
from gui.widgets.repair_panel import BeforeAfter, RepairPanel
from gui.widgets.task_list import TaskList, sentence_case
from gui.widgets.theme import GAP

_STATE = "lab/entered"


class LabPage(Page):
    """One use at a time; it needs no project. Jobs of other uses go on meanwhile."""

    name = "lab"

    def __init__(self, desk: AppContext) -> None:
        super().__init__(desk)
        self._entered: dict[str, dict[str, Any]] = {}
        self._job: Job | None = None
        self._use: TaskName = "denoise"
        self._looked_at: Path | None = None
        self.uses = TaskList()
        self.figure = PictureView(self.tr("What the lab makes"))
        self.compare = BeforeAfter(desk)
        self.repair = RepairPanel(desk)
        self.strip = JobStatusBar()
        self.curves = Curves(
            {self.tr("Loss"): "loss", self.tr("Pictures per second"): "pictures/s"}
        )
        self.form = self._make_form()
        self._build()
        self._recall()
        self.uses.chosen.connect(self.choose)
        self.figure.pressed.connect(self.enlarge)
        self.strip.finished.connect(self._ended)
        desk.jobs.added.connect(lambda job: self._follow())

    @property
    def use(self) -> TaskName:
        """The use on show."""
        return self._use

    @property
    def folder(self) -> Path:
        """Where the models and the figure of the use on show go."""
        given: Path = self.form.value("output") or self._suggested()
        return given.absolute()

    def choose(self, use: TaskName) -> None:
        """Show another use, as it was left."""
        if use == self._use:
            return
        self._entered[self._use] = self.form.values()
        self._use = use
        old, self.form = self.form, self._make_form()
        self._place.replaceWidget(old, self.form)
        old.hide()
        old.deleteLater()
        self.form.set_values(self._entered.get(use, {}))
        self._name_it()
        self._look()

    def start(self) -> None:
        """Begin what is chosen, or go on with it."""
        try:
            options = self.form.options(task=self._use, output=self.folder)
            title = self.tr("Lab: %1").replace("%1", self._use)
            self.desk.jobs.start("lab", options, title, None)
        except (ValidationError, OutputError) as error:
            self.desk.notice.emit(sentence_of(error), "bad")

    def enlarge(self) -> None:
        """Give the picture the whole page."""
        self._set_large(True)

    def on_project_changed(self) -> None:
        self._tell()

    def on_show(self) -> None:
        if self.folder != self._looked_at:
            self._look()
            return
        self._follow()
        if self.stack.currentWidget() is self.figure:
            self._show_figure()

    def on_leave(self) -> None:
        self._entered[self._use] = self.form.values()
        text = json.dumps({"use": self._use, "entered": self._entered}, default=str)
        self.desk.settings.set_state(_STATE, QByteArray(text.encode()))

    def on_theme_changed(self) -> None:
        self.curves.tint()

    @property
    def is_ready(self) -> bool:
        return self.curves.ready

    def _build(self) -> None:
        self.state = label("", "muted")
        self.body.addLayout(row(label(self.tr("Lab"), "title"), self.state, None, gap=2 * GAP))
        self.uses.setMinimumWidth(24 * GAP)
        self.uses.setMaximumWidth(28 * GAP)
        self.sentence = label("", "", wrap=True)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.figure)
        self.stack.addWidget(self.compare)
        self.file = button(self.tr("Open"), self._open_file, "", "", self.tr("Open in a viewer"))
        self.open_folder = button(
            self.tr("Folder"), self._open_folder, "", "", self.tr("Show its folder")
        )
        self.larger = button(self.tr("Larger"), self.enlarge, "link", "Ctrl+E")
        self.smaller = button(self.tr("Everything"), lambda: self._set_large(False), "link", "Esc")
        self.back = button(self.tr("The figure"), self._show_figure, "link", "Ctrl+B")
        self.smaller.hide()
        below = row(self.file, self.open_folder, None, self.back, self.larger, self.smaller)
        self.progress = elements.widget_of(column(self.curves))
        middle = column(self.stack, self.sentence, below, self.progress, gap=GAP)
        middle.setStretch(0, 1)
        self.curves.setMaximumHeight(20 * GAP)
        self.panel = self._panel()
        self.body.addLayout(row(self.uses, elements.widget_of(middle), self.panel, gap=2 * GAP), 1)
        self.body.addWidget(self.strip)

    def _panel(self) -> QWidget:
        self.heading = label("", "heading", wrap=True)
        self.go = button(self.tr("Run"), self.start, "primary", "Ctrl+Return")
        self._place = column(self.form)
        self.own = button(self.tr("Use this project's faces"), self._take_own, "link", "Ctrl+O")
        made = card(self.heading, self._place, row(self.go, None, self.own), gap=GAP)
        return elements.side_panel(38 * GAP, made, self.repair)

    def _make_form(self) -> OptionsForm:
        """Only what means something to the use."""
        use = TASKS[self._use]
        without = ["task", *use.ignored_options]
        picks = [
            PathPicker(sentence_case(given.name), given.files, given.folder) for given in use.inputs
        ]
        nothing = QCoreApplication.translate("lab", use.without)
        picks[0].set_hint(self.tr("empty: %1").replace("%1", nothing))
        self.output = PathPicker(self.tr("Kept in the folder"), folder=True)
        paths: dict[str, PathPicker | PathList] = {"data": PathList(picks), "output": self.output}
        form = OptionsForm(LabOptions, without, paths=paths, helps={"strength": use.strength})
        form.changed.connect(self._changed)
        return form

    def _suggested(self) -> Path:
        """Named after the use and what it learns from, so that different runs do not meet."""
        data = self.form.value("data")
        name = f"{self._use} {data[0].stem}" if data else self._use
        return work_folder() / "lab" / name

    def _changed(self) -> None:
        if self.folder != self._looked_at:
            self._look()

    def _take_own(self) -> None:
        """Learn from what the open project has."""
        if self.session is not None:
            self.form.set_values(self.form.values() | {"data": [self.session.folder]})

    def _name_it(self) -> None:
        self.heading.setText(sentence_case(TASKS[self._use].text))
        self.heading.setToolTip(f"faceswap lab {self._use}")

    def _look(self) -> None:
        """Show what there is in the folder of the use on show."""
        self._looked_at = self.folder
        self.output.set_hint(self._suggested())
        self.curves.set_all({})
        self.state.setText("")
        self._watch(None)
        self._follow()
        self._show_figure()

    def _show_figure(self) -> None:
        """The figure with what it means, or while it learns the newest preview."""
        folder = self.folder
        self.stack.setCurrentWidget(self.figure)
        self.back.hide()
        sentence = _sentence_in(folder / f"{self._use}.json")
        figure = folder / f"{self._use}.png"
        newest = max(folder.glob("*/previews/*.png"), key=_when_changed, default=None)
        if newest is not None and (self._learning or not sentence):
            figure, sentence = newest, ""
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))
        if figure.is_file():
            self.figure.show_file(figure)
        else:
            self.figure.say(
                self.tr(
                    "Run it: after half a minute you see here what it makes of pictures it has "
                    "not learnt from, and at the end a figure."
                )
            )
        self._tell()

    @property
    def _learning(self) -> bool:
        return self._job is not None and self._job.record.command == "lab"

    def _tell(self) -> None:
        """Set what can be pressed."""
        learnt = any(self.folder.glob("*/step-*.safetensors"))
        self.go.setText(self.tr("Go on") if learnt else self.tr("Run"))
        self.go.setEnabled(self._job is None)
        self.form.setEnabled(not self._learning)
        self.repair.set_model(self._use, self.folder / self._use, self._job is None)
        self.own.setVisible(self.session is not None and TASKS[self._use].inputs[0].folder)
        some = self._shown_file() is not None
        for widget in (self.file, self.open_folder):
            widget.setVisible(some)
        self.larger.setVisible(some and self.smaller.isHidden())

    def _follow(self) -> None:
        folder, model = str(self.folder), str(self.folder / self._use)
        for job in self.desk.jobs.running():
            options = job.record.options
            if options.get("output") == folder or options.get("model") == model:
                self.strip.follow(job)
                self._watch(job)
                return
        self.strip.follow(None)
        self._watch(None)

    def _watch(self, job: Job | None) -> None:
        if job is self._job:
            return
        if self._job is not None:
            self._job.arrived.disconnect(self._arrived)
        self._job = job
        if job is not None:
            told = [line for line in job.metrics() if "loss" in line.values]
            for line in told:
                self.curves.add(line.step, line.values)
            if told:
                self._arrived(told[-1])
            job.arrived.connect(self._arrived)
        self._tell()

    def _arrived(self, line: object) -> None:
        match line:
            case Metrics() if "loss" in line.values:
                self.curves.add(line.step, line.values)
                said = self.tr("step %1, loss %2").replace("%1", f"{line.step:,}")
                self.state.setText(said.replace("%2", f"{line.values['loss']:.4g}"))
            case Preview():
                self.figure.show_file(line.path)
                self.sentence.hide()
                self._tell()
            case Saved():
                self._tell()

    def _ended(self, job: Job) -> None:
        self._watch(None)
        self._follow()
        options = job.record.options
        if job.state == "finished" and job.record.command == "restore":
            self.compare.show_files(Path(str(options["input"])), Path(str(options["output"])))
            self.stack.setCurrentWidget(self.compare)
            self.back.show()
            self.sentence.setText(job.message)
            self.sentence.show()
            self._tell()
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
        for widget in (self.uses, self.panel, self.progress):
            widget.setVisible(not large)
        self.smaller.setVisible(large)
        self._tell()

    def _recall(self) -> None:
        """Show what was on show when the window was last closed."""
        kept = self.desk.settings.state(_STATE)
        try:
            known = json.loads(bytes(kept.data())) if kept is not None else {}
            self._entered = dict(known.get("entered", {}))
            use = known.get("use", self._use)
        except (ValueError, TypeError, AttributeError):
            use = self._use
        self.form.set_values(self._entered.get(self._use, {}))
        self.uses.select(self._use)
        self._name_it()
        if use in TASKS:
            self.uses.select(use)
            self.choose(use)


def _when_changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # a job thins its previews out


def _sentence_in(path: Path) -> str:
    """What a figure means, as the lab wrote it beside it; empty where there is none."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
