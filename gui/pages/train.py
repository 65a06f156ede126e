"""Train page: model preset, options, live previews and curves."""

from pydantic import JsonValue, ValidationError
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QButtonGroup, QComboBox, QPushButton, QWidget

from faceswap.errors import OutputError
from faceswap.events import Metrics, Preview, Saved
from faceswap.options import SIDES, Side
from faceswap.preview.protocol import (
    ChoosePair,
    KeepSnapshotRequest,
    MetricsAnswer,
    MetricsRequest,
    SnapshotAnswer,
    StepCostAnswer,
    StepCostRequest,
)
from faceswap.swap.model.presets import DEFAULT_PRESET, PRESETS
from faceswap.swap.training.options import TrainOptions
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, error_text
from gui.widgets.person_picker import PersonPicker
from gui.widgets.plots import Curves
from gui.widgets.theme import GAP
from gui.widgets.training_previews import TrainingPreviews


class TrainPage(Page):
    """Trains one run at a time; a new run name starts a new model beside the others."""

    name = "train"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self._run = ""
        self._job: Job | None = None
        self._costs: dict[str, str] = {}
        self._run_options: dict[str, JsonValue] = {}
        self.previews = TrainingPreviews()
        self.curves = Curves(
            {
                self.tr("Loss"): "loss",
                self.tr("Held-out SSIM"): "held-out SSIM",
                self.tr("Faces per second"): "faces/s",
            }
        )
        self.status_bar = JobStatusBar()
        self.form = OptionsForm(
            TrainOptions, without=("project", "preset", "run", "person_a", "person_b")
        )
        self._build()
        self.status_bar.finished.connect(self._ended)
        context.jobs.added.connect(lambda job: self._follow_job())

    @property
    def preset(self) -> str:
        """The chosen preset."""
        checked = (p for p, choice in self._choices.items() if choice.isChecked())
        return next(checked, DEFAULT_PRESET)

    def start(self) -> None:
        """Start or resume the run."""
        session = self.session
        if session is None or not self.writable:
            return
        name = self.run.currentText().strip() or "main"
        try:
            options = self.form.options(
                project=session.folder, preset=self.preset, run=name, **self._chosen_people()
            )
            title = self.tr("Train %1").replace("%1", name)
            self.context.jobs.start("train", options, title, session.folder)
        except (ValidationError, OutputError) as error:
            self.context.notice.emit(error_text(error), "bad")
        else:
            self._run = name
            self.previews.show_grid()

    def snapshot(self) -> None:
        """Keep a copy of the newest checkpoint until you remove it."""
        session = self.session
        if session is None:
            return

        def kept(answer: SnapshotAnswer) -> None:
            message = self.tr("Snapshot saved as %1.").replace("%1", str(answer.path))
            self.context.notice.emit(message, "good")

        session.rpc.send(KeepSnapshotRequest(run=self._run), kept)

    def on_project_changed(self) -> None:
        self._run = ""
        self.status_bar.follow(None)
        self._connect_job(None)
        self.previews.set_paths([])
        self.previews.show_grid()
        if self.session is not None:
            self.session.people.changed.connect(self._fill_people)
            self.session.people.failed.connect(lambda _: self._fill_people())
        self.curves.set_all(())
        self.state.setText("")

    def on_theme_changed(self) -> None:
        self.curves.apply_theme()

    @property
    def is_ready(self) -> bool:
        return self.curves.ready

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self.on_show()

    def on_leave(self) -> None:
        for picker in self.people.values():
            picker.stop_loading()

    def on_show(self) -> None:
        session = self.session
        if session is None or session.info is None:
            return
        self._fill_runs()
        self._follow_job()
        self._update_state()
        if self._run:
            self._request_metrics()

    def _build(self) -> None:
        self.state = label("", "muted")
        self.body.addLayout(row(label(self.tr("Train"), "title"), self.state, None, gap=2 * GAP))
        left = column(self.previews, self.curves, gap=2 * GAP)
        left.setStretch(0, 3)
        left.setStretch(1, 1)
        self.body.addLayout(row(elements.widget_of(left), self._panel(), gap=3 * GAP), 1)
        self.body.addWidget(self.status_bar)

    def _panel(self) -> QWidget:
        self.presets = QButtonGroup(self)
        self._choices: dict[str, QPushButton] = {}
        choices = column(gap=GAP)
        for name, preset in PRESETS.items():
            text = QCoreApplication.translate("presets", preset.purpose)
            title = f"{name} ({preset.origin})" if preset.origin else name
            choice = self._choice(title, f"{text[:1].upper()}{text[1:]}.", name == DEFAULT_PRESET)
            self._choices[name] = choice
            choices.addWidget(choice)
        self.cost = label("", "small", wrap=True)
        self.measure = button(self.tr("Estimate time and memory"), self._measure, "link", "Ctrl+M")
        self.run = QComboBox()
        self.run.setEditable(True)
        self.run.setAccessibleName(self.tr("Run name"))
        self.run.setToolTip(self.tr("Type a new name to start a new run; the others stay"))
        self.run.currentTextChanged.connect(lambda _: self._run_chosen())
        titles: dict[Side, str] = {"a": self.tr("Who is changed"), "b": self.tr("Whose face")}
        self.people = {side: PersonPicker(title) for side, title in titles.items()}
        for picker in self.people.values():
            picker.chosen.connect(self._pair_chosen)
        self.go = button(self.tr("Start"), self.start, "primary", "Ctrl+Return")
        self.keep = button(
            self.tr("Snapshot"),
            self.snapshot,
            "",
            "Ctrl+Shift+S",
            self.tr("Keep a copy of the newest checkpoint until you remove it"),
        )
        self.setup = card(
            label(self.tr("Model preset"), "heading"),
            choices,
            self.cost,
            self.measure,
            self.form.aligned_row(self.tr("Training run"), self.run),
            *(self.form.aligned_row(side.upper(), who) for side, who in self.people.items()),
            self.form,
            gap=GAP,
        )
        self._show_cost()
        actions = elements.widget_of(row(self.go, self.keep, None))
        return elements.panel_with_actions(376, actions, self.setup)

    def _choice(self, name: str, text: str, checked: bool) -> QPushButton:
        choice = elements.Choice(name, text)
        choice.setChecked(checked)
        choice.toggled.connect(lambda on: self._show_cost())
        self.presets.addButton(choice)
        return choice

    def _chosen_people(self) -> dict[str, str]:
        """Who was chosen for A and for B, as options of the training."""
        chosen = {f"person_{side}": picker.person() for side, picker in self.people.items()}
        return {name: str(number) for name, number in chosen.items() if number is not None}

    def _fill_people(self) -> None:
        """Show the people of both sides, and who is chosen for the run or was trained on."""
        session = self.session
        if session is None:
            return
        name = self.run.currentText().strip() or "main"
        pair, run = session.people.pair(name), session.run(name)
        for side, picker in self.people.items():
            chosen = pair.a if side == "a" else pair.b
            trained = run.options.get(f"person_{side}") if run is not None else None
            if chosen is None and trained is not None:
                chosen = int(str(trained))
            picker.show_people(session.people, session.people.of_side(side), chosen)
            picker.setEnabled(self.writable and self._job is None)

    def _pair_chosen(self) -> None:
        """Keep the choice with the run, as the People page does."""
        if self.session is not None and self.writable:
            name = self.run.currentText().strip() or "main"
            a, b = (self.people[side].person() for side in SIDES)
            text = self.tr("choose the people of %1").replace("%1", name)
            self.session.people.correct(ChoosePair(run=name, a=a, b=b), text)

    def _measure(self) -> None:
        """Request the time and memory of a training step of the chosen preset on this machine."""
        preset = self.preset
        self._costs[preset] = self.tr("Measuring, this takes some seconds…")
        self._show_cost()

        def measured(cost: StepCostAnswer) -> None:
            message = self.tr("1,000 steps take about %1 and %2 GB of memory at %3 px.")
            message = message.replace("%1", elements.duration(1000 * cost.seconds))
            message = message.replace("%2", f"{cost.memory / 1024:.1f}")
            self._costs[preset] = message.replace("%3", str(cost.resolution))
            self._show_cost()

        def failed(sentence: str) -> None:
            self._costs[preset] = sentence
            self._show_cost()

        batch = self.form.value("batch")
        if not isinstance(batch, int):  # the preset's own, or found when training starts
            batch = PRESETS[preset].batch
        request = StepCostRequest(preset=preset, batch=batch)
        self.context.rpc.send(request, measured, on_error=failed)

    def _show_cost(self) -> None:
        preset = self.preset
        self.cost.setText(self._costs.get(preset, ""))
        self.cost.setVisible(bool(self.cost.text()))

    def _fill_runs(self) -> None:
        assert self.session is not None
        pairs = [pair.run for pair in self.session.people.pairs]
        names = list(dict.fromkeys([*(r.name for r in self.session.runs()), *pairs])) or ["main"]
        if not self._run:
            self._run = names[0]
        if [self.run.itemText(i) for i in range(self.run.count())] != names:
            self.run.blockSignals(True)
            self.run.clear()
            self.run.addItems(names)
            self.run.setCurrentText(self._run)
            self.run.blockSignals(False)
        self._run_chosen(ask=False)

    def _run_chosen(self, ask: bool = True) -> None:
        """Show the chosen run; the preset of an existing run cannot be changed."""
        session = self.session
        if session is None:
            return
        name = self.run.currentText().strip()
        known = session.run(name)
        for preset, choice in self._choices.items():
            if known is not None and known.preset == preset:
                choice.setChecked(True)
            choice.setEnabled(known is None or known.preset in ("", preset))
        self._fill_people()
        self._set_run_options(known.options if known is not None else {})
        self.go.setText(self.tr("Resume") if known is not None else self.tr("Start"))
        self.keep.setEnabled(known is not None and self.writable)
        if ask and known is not None and name != self._run:
            self._run = name
            self._request_metrics()

    def _set_run_options(self, options: dict[str, JsonValue]) -> None:
        """Set the run's options as the form's defaults; if unchanged, entries are kept."""
        if options != self._run_options:
            self._run_options = options
            self.form.set_defaults(options)

    def _update_state(self) -> None:
        session = self.session
        assert session is not None
        missing = [side.upper() for side in SIDES if not session.side(side).crops]
        running = self._job is not None
        self.go.setEnabled(self.writable and not missing and not running)
        self.form.setEnabled(not running)
        if missing and not running:
            message = self.tr("First extract the faces of %1 on the Footage page.")
            self.state.setText(message.replace("%1", self.tr(" and ").join(missing)))

    def _follow_job(self) -> None:
        session = self.session
        if session is None:
            return
        running = self.context.jobs.running("train", session.folder)
        job = running[0] if running else None
        if job is not None and "--run" in job.record.arguments:
            self._run = job.record.arguments[job.record.arguments.index("--run") + 1]
        elif job is not None:
            self._run = "main"
        self.status_bar.follow(job)
        self._connect_job(job)

    def _connect_job(self, job: Job | None) -> None:
        if job is self._job:
            return
        if self._job is not None:
            self._job.event_received.disconnect(self._on_event)
        self._job = job
        self.go.setEnabled(job is None and self.writable)
        self.form.setEnabled(job is None)
        if job is not None:
            job.event_received.connect(self._on_event)
            self.state.setText(self.tr("running"))

    def _on_event(self, line: object) -> None:
        match line:
            case Metrics():
                self.curves.add(line.step, line.values)
            case Preview():
                self.previews.add(str(line.path))
                if self.session is not None:
                    request = MetricsRequest(run=self._run)
                    self.session.rpc.send(request, self._show_state, channel="metrics")
            case Saved() if self.session is not None:
                self.session.refresh()

    def _request_metrics(self) -> None:
        if self.session is not None:
            request = MetricsRequest(run=self._run)
            self.session.rpc.send(request, self._show_metrics, channel="metrics")

    def _show_metrics(self, answer: MetricsAnswer) -> None:
        self.curves.set_all(answer.curves)
        if answer.previews:
            self.previews.set_paths([str(path) for path in answer.previews])
        self._show_state(answer)

    def _show_state(self, answer: MetricsAnswer) -> None:
        if answer.curves:
            message = self.tr("%1 after %2 of training").replace("%1", answer.state)
            self.state.setText(message.replace("%2", elements.duration(answer.seconds)))

    def _ended(self, job: Job) -> None:
        self._connect_job(None)
        if self.session is not None:
            self.session.refresh()
