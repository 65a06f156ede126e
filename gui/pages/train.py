"""Training: what kind of model, how it does, and when to stop."""

from typing import Any

from pydantic import ValidationError
from PySide6.QtWidgets import QButtonGroup, QComboBox, QPushButton, QWidget

from faceswap.errors import OutputError
from faceswap.events import Metrics, Preview, Saved
from faceswap.swap.training.options import PRESET_DEFAULTS, TrainOptions
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, sentence_of
from gui.widgets.plots import Curves
from gui.widgets.theme import GAP
from gui.widgets.training_previews import TrainingPreviews


class TrainPage(Page):
    """One training run at a time; a run of another name begins anew beside the others."""

    name = "train"

    def __init__(self, desk: AppContext) -> None:
        super().__init__(desk)
        self._run = ""
        self._job: Job | None = None
        self._costs: dict[str, str] = {}
        self._has: dict[str, Any] = {}
        self.previews = TrainingPreviews()
        self.curves = Curves(
            {
                self.tr("Loss"): "loss",
                self.tr("Quality (held-out SSIM)"): "held-out SSIM",
                self.tr("Faces per second"): "faces/s",
            }
        )
        self.strip = JobStatusBar()
        self.form = OptionsForm(TrainOptions, without=("project", "preset", "run"))
        self._build()
        self.strip.finished.connect(self._ended)
        desk.jobs.added.connect(lambda job: self._follow())

    @property
    def preset(self) -> str:
        """The kind of model that is chosen."""
        chosen = self.presets.checkedButton()
        return str(chosen.property("preset")) if chosen is not None else "quick"

    def start(self) -> None:
        """Begin the run, or go on with it."""
        session = self.session
        if session is None or not self.writable:
            return
        name = self.run.currentText().strip() or "main"
        try:
            options = self.form.options(project=session.folder, preset=self.preset, run=name)
            title = self.tr("Train %1").replace("%1", name)
            self.desk.jobs.start("train", options, title, session.folder)
        except (ValidationError, OutputError) as error:
            self.desk.notice.emit(sentence_of(error), "bad")
        else:
            self._run = name
            self.previews.show_grid()

    def snapshot(self) -> None:
        """Keep a copy of the newest save."""
        session = self.session
        if session is None:
            return

        def kept(values: dict[str, Any]) -> None:
            said = self.tr("A snapshot is kept as %1.").replace("%1", values["path"])
            self.desk.notice.emit(said, "good")

        session.link.request("snapshot", kept, run=self._run)

    def on_project_changed(self) -> None:
        self._run = ""
        self.strip.follow(None)
        self._watch(None)
        self.previews.set_paths([])
        self.previews.show_grid()
        self.curves.set_all({})
        self.state.setText("")

    def on_theme_changed(self) -> None:
        self.curves.tint()

    @property
    def is_ready(self) -> bool:
        return self.curves.ready

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self.on_show()

    def on_show(self) -> None:
        session = self.session
        if session is None or not session.info:
            return
        self._fill_runs()
        self._follow()
        self._tell()
        if self._run:
            session.link.request("metrics", self._show_metrics, channel="metrics", run=self._run)

    def _build(self) -> None:
        self.state = label("", "muted")
        self.body.addLayout(row(label(self.tr("Train"), "title"), self.state, None, gap=2 * GAP))
        left = column(self.previews, self.curves, gap=2 * GAP)
        left.setStretch(0, 3)
        left.setStretch(1, 1)
        self.body.addLayout(row(elements.widget_of(left), self._panel(), gap=3 * GAP), 1)
        self.body.addWidget(self.strip)

    def _panel(self) -> QWidget:
        self.presets = QButtonGroup(self)
        choices = column(gap=GAP)
        for preset, name, text in (
            ("quick", self.tr("Quick"), self.tr("Learns in half an hour without a graphics card.")),
            ("classic", self.tr("Classic"), self.tr("Small and soft, as it was done in 2017.")),
            ("df", self.tr("Faithful"), self.tr("Keeps the shape of B's face; graphics card.")),
            ("liae", self.tr("Adaptive"), self.tr("Takes on A's light and shape; graphics card.")),
        ):
            choices.addWidget(self._choice(preset, name, text))
        self.cost = label("", "small", wrap=True)
        self.measure = button(
            self.tr("Measure time and memory here"), self._measure, "link", "Ctrl+M"
        )
        self.run = QComboBox()
        self.run.setEditable(True)
        self.run.setAccessibleName(self.tr("Name of the run"))
        self.run.setToolTip(self.tr("A new name begins a new run beside the others"))
        self.run.currentTextChanged.connect(lambda _: self._chosen())
        self.go = button(self.tr("Start"), self.start, "primary", "Ctrl+Return")
        self.keep = button(
            self.tr("Snapshot"),
            self.snapshot,
            "",
            "Ctrl+Shift+S",
            self.tr("Keep a copy of the newest save"),
        )
        self.setup = card(
            label(self.tr("What kind of model"), "heading"),
            choices,
            self.cost,
            self.measure,
            self.form.beside(self.tr("Run"), self.run),
            self.form,
            row(self.go, self.keep, None),
            gap=GAP,
        )
        self._show_cost()
        return elements.side_panel(376, self.setup)

    def _choice(self, preset: str, name: str, text: str) -> QPushButton:
        choice = elements.Choice(name, text)
        choice.setProperty("preset", preset)
        choice.setChecked(preset == "quick")
        choice.toggled.connect(lambda on: self._show_cost())
        self.presets.addButton(choice)
        return choice

    def _measure(self) -> None:
        """Find out what a step of the chosen kind costs on this machine."""
        preset = self.preset
        self._costs[preset] = self.tr("measuring, some seconds…")
        self._show_cost()

        def measured(values: dict[str, Any]) -> None:
            said = self.tr("1,000 steps in about %1 and %2 GB of memory (%3 px), measured now.")
            said = said.replace("%1", elements.duration(1000 * values["seconds"]))
            said = said.replace("%2", f"{values['memory'] / 1024:.1f}")
            self._costs[preset] = said.replace("%3", f"{values['resolution']:.0f}")
            self._show_cost()

        def failed(sentence: str) -> None:
            self._costs[preset] = sentence
            self._show_cost()

        batch = self.form.value("batch") or PRESET_DEFAULTS[preset][1]
        self.desk.viewer.request("estimate", measured, on_error=failed, preset=preset, batch=batch)

    def _show_cost(self) -> None:
        preset = self.preset
        self.cost.setText(self._costs.get(preset, ""))
        self.cost.setVisible(bool(self.cost.text()))

    def _fill_runs(self) -> None:
        assert self.session is not None
        names = [run["name"] for run in self.session.runs()] or ["main"]
        if not self._run:
            self._run = names[0]
        if [self.run.itemText(i) for i in range(self.run.count())] != names:
            self.run.blockSignals(True)
            self.run.clear()
            self.run.addItems(names)
            self.run.setCurrentText(self._run)
            self.run.blockSignals(False)
        self._chosen(ask=False)

    def _chosen(self, ask: bool = True) -> None:
        """Another run was named: show it; its kind of model cannot be changed."""
        session = self.session
        if session is None:
            return
        name = self.run.currentText().strip()
        known = next((run for run in session.runs() if run["name"] == name), None)
        for choice in self.presets.buttons():
            preset = choice.property("preset")
            if known is not None and known["preset"] == preset:
                choice.setChecked(True)
            choice.setEnabled(known is None or known["preset"] in ("", preset))
        self._rebase(dict(known.get("options", {})) if known is not None else {})
        self.go.setText(self.tr("Go on") if known is not None else self.tr("Start"))
        self.keep.setEnabled(known is not None and self.writable)
        if ask and known is not None and name != self._run:
            self._run = name
            session.link.request("metrics", self._show_metrics, channel="metrics", run=name)

    def _rebase(self, options: dict[str, Any]) -> None:
        """Show what the chosen run has; what is entered stays until that is something else."""
        if options != self._has:
            self._has = options
            self.form.set_defaults(options)

    def _tell(self) -> None:
        session = self.session
        assert session is not None
        missing = [side.upper() for side in "ab" if not session.side(side)["crops"]]
        running = self._job is not None
        self.go.setEnabled(self.writable and not missing and not running)
        self.form.setEnabled(not running)
        if missing and not running:
            said = self.tr("First find the faces of %1 on the page Footage.")
            self.state.setText(said.replace("%1", self.tr(" and ").join(missing)))

    def _follow(self) -> None:
        session = self.session
        if session is None:
            return
        running = self.desk.jobs.running("train", session.folder)
        job = running[0] if running else None
        if job is not None and "--run" in job.record.arguments:
            self._run = job.record.arguments[job.record.arguments.index("--run") + 1]
        elif job is not None:
            self._run = "main"
        self.strip.follow(job)
        self._watch(job)

    def _watch(self, job: Job | None) -> None:
        if job is self._job:
            return
        if self._job is not None:
            self._job.arrived.disconnect(self._arrived)
        self._job = job
        self.go.setEnabled(job is None and self.writable)
        self.form.setEnabled(job is None)
        if job is not None:
            job.arrived.connect(self._arrived)
            self.state.setText(self.tr("running"))

    def _arrived(self, line: object) -> None:
        match line:
            case Metrics():
                self.curves.add(line.step, line.values)
            case Preview():
                self.previews.add(str(line.path))
                if self.session is not None:
                    self.session.link.request(
                        "metrics", self._show_state, channel="metrics", run=self._run
                    )
            case Saved() if self.session is not None:
                self.session.refresh()

    def _show_metrics(self, values: dict[str, Any]) -> None:
        self.curves.set_all(values["series"])
        if values["previews"]:
            self.previews.set_paths(values["previews"])
        self._show_state(values)

    def _show_state(self, values: dict[str, Any]) -> None:
        if values["series"]:
            said = self.tr("%1 after %2 of training")
            said = said.replace("%1", values["state"])
            self.state.setText(said.replace("%2", elements.duration(values["seconds"])))

    def _ended(self, job: Job) -> None:
        self._watch(None)
        if self.session is not None:
            self.session.refresh()
