"""Convert page: preview of the swap on any frame, blending options and export."""

import os
from pathlib import Path

from pydantic import ValidationError
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QStackedWidget, QWidget

from faceswap.errors import OutputError
from faceswap.jobs.convert import ConvertOptions
from faceswap.preview.protocol import (
    CloseVideoRequest,
    FrameAnswer,
    FrameRequest,
    SwapAnswer,
    SwapPlanAnswer,
    SwapPlanRequest,
    SwapRequest,
    TimelineRequest,
)
from faceswap.swap.compositing.options import BlendOptions
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.player import Player
from gui.pages.page import Page
from gui.widgets import elements, icons
from gui.widgets.canvas import Canvas, WipeCompare
from gui.widgets.cast_panel import CastPanel
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, error_text
from gui.widgets.source_box import SourceBox
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline


class ConvertPage(Page):
    """Before and after of any frame; the preview updates with the blending options."""

    name = "convert"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.wipe = WipeCompare(self.tr("A"), self.tr("swap"))
        self.result = Canvas()
        self.timeline = Timeline()
        self.player = Player("result", self)
        self.status_bar = JobStatusBar()
        self.blend_form = OptionsForm(BlendOptions)
        rest = (*BlendOptions.model_fields, "project", "output", "out_dir", "run", "overwrite")
        rest += ("input", "person", "map", "ray", "workers_per_node")
        self.export_form = OptionsForm(ConvertOptions, without=rest)
        self.source = "a"
        self._clip: Path | None = None
        self._model = ""
        self._output: Path | None = None
        self._build()
        self.timeline.moved.connect(lambda _: self._request_pictures())
        self.blend_form.changed.connect(self._request_swap)
        self.player.frame_ready.connect(self._show_played)
        self.player.failed.connect(self.result.show_text)
        self.player.playing_changed.connect(self._playback_changed)
        self.status_bar.finished.connect(self._exported)

    def export(self) -> None:
        """Convert the whole clip."""
        session = self.session
        if session is None or not self.writable:
            return
        output = Path(self.output_edit.text()).expanduser()
        question = self.tr("%1 already exists. Replace it?").replace("%1", output.name)
        if output.exists() and not elements.confirm(self, question, self.tr("Replace")):
            return
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            # Windows cannot replace a file that the preview server holds open.
            session.rpc.send(CloseVideoRequest(path=output), lambda _: None)
            options = self.export_form.options(
                project=session.folder,
                output=output,
                run=self.run.currentText() or "main",
                overwrite=output.exists(),
                input=None if self.source == "a" else self._clip,
                map=self.cast.casting(),
                **self.blend_form.values(),
            )
            self.context.jobs.start("convert", options, self.tr("Export"), session.folder)
        except (ValidationError, OutputError) as error:
            self.context.notice.emit(error_text(error), "bad")
        except OSError as error:
            message = self.tr("Cannot create the folder %1: %2.").replace("%1", str(output.parent))
            self.context.notice.emit(message.replace("%2", error.strerror or ""), "bad")
        else:
            self._follow_job()

    def play(self) -> None:
        """Play or pause the exported video on this page."""
        session = self.session
        if session is None or self._output is None:
            return
        if not self.player.playing:
            self.stack.setCurrentWidget(self.result)
            self.player.size = self.result.pixels()
            shown = session.source(self.source)
            footage = shown.footage if shown is not None else None
            length = (footage.frames, footage.rate) if footage is not None else (1, 25.0)
            self.player.open(session.rpc, self._output, *length)
        self.player.toggle()

    def on_project_changed(self) -> None:
        self.player.close()
        self.status_bar.follow(None)
        self._clip, self._model, self._output = None, "", None
        self.source = "a"
        self.cast.reset()
        if self.session is not None:
            self.session.people.changed.connect(self._people_changed)
        self.wipe.show_second(QImage())
        self.wipe.show_text("")
        self.stack.setCurrentWidget(self.wipe)
        self.output_edit.clear()
        self.blend_form.set_values({})

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._update()

    def on_show(self) -> None:
        self._model = ""
        self._update()

    def _update(self) -> None:
        """Update from the project; redraw after a new checkpoint unless the export is shown."""
        session = self.session
        if session is None or session.info is None:
            return
        names = [run.name for run in session.runs()]
        if [self.run.itemText(i) for i in range(self.run.count())] != names:
            self.run.clear()
            self.run.addItems(names)
        source = self.source_box.show_sources(session.info.sources, self.source)
        if source != self.source:
            self.source, self._clip = source, None
        shown = session.source(self.source)
        footage = shown.footage if shown is not None else None
        processed = shown.processed_frames if shown is not None else 1
        self.timeline.set_frames(max(footage.frames if footage else 1, processed))
        outputs = session.info.outputs
        self._output = outputs[-1] if outputs else None
        if not self.output_edit.text():
            self.output_edit.setText(str(session.folder / "out" / "swap.mp4"))
        self._update_buttons()
        if footage is None:
            self.wipe.show_text(shown.problem if shown else session.side("a").problem)
            return
        if self._clip != footage.path:
            self._clip = footage.path
            self.timeline.set_frame(self.timeline.frames // 3)
            request = TimelineRequest(source=self.source)
            session.rpc.send(request, self.timeline.set_spans, channel="timeline")
        people = session.people.people
        self.timeline.set_names({one.id: session.people.label(one.id) for one in people})
        model = f"{footage.path} {[(run.name, run.step) for run in session.runs()]}"
        if model != self._model and self.stack.currentWidget() is self.wipe:
            self._model = model
            self._request_plan()
            self._request_pictures()
        self._follow_job()

    def set_source(self, source: str) -> None:
        """Convert another source."""
        if source and source != self.source:
            self.source, self._clip, self._model = source, None, ""
            self.cast.reset()
            self._update()

    def _people_changed(self) -> None:
        if self.isVisible():
            self._request_plan()
            self._request_swap()

    def _run_chosen(self) -> None:
        self.cast.reset()
        self._request_plan()
        self._request_swap()

    def _request_plan(self) -> None:
        """Ask who would be changed by what, before anything starts."""
        session = self.session
        if session is None or not session.runs() or session.source(self.source) is None:
            self.cast.hide()
            return
        request = SwapPlanRequest(
            source=self.source,
            run=self.run.currentText() or "main",
            casting=self.cast.chosen(),
        )

        def planned(answer: SwapPlanAnswer) -> None:
            before = self.cast.casting()
            self.cast.show_plan(answer, session.people, session.runs())
            self.cast.setVisible(bool(answer.people))
            self._update_buttons()
            if self.cast.casting() != before:
                self._request_swap()

        session.rpc.send(request, planned, on_error=self._not_planned, channel="plan")

    def _not_planned(self, sentence: str) -> None:
        self.cast.show_problem(sentence)
        self.cast.show()
        self.start.setEnabled(False)

    def _cast_changed(self) -> None:
        self._update_buttons()
        self._request_swap()
        if not self.cast.nobody:
            self._request_plan()

    def on_leave(self) -> None:
        self.player.pause()
        self.cast.stop_loading()

    def _build(self) -> None:
        self.body.addWidget(label(self.tr("Convert"), "title"))
        self.stack = QStackedWidget()
        self.stack.addWidget(self.wipe)
        self.stack.addWidget(self.result)
        self.clock = label("", "muted")
        self.hint = label("", "warn", wrap=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignRight)
        below = row(self.clock, self.hint, gap=2 * GAP)
        below.setStretch(1, 1)
        left = column(self.stack, self.timeline, below, gap=GAP)
        left.setStretch(0, 1)
        self.body.addLayout(row(elements.widget_of(left), self._panel(), gap=3 * GAP), 1)
        self.body.addWidget(self.status_bar)

    def _panel(self) -> QWidget:
        self.run = QComboBox()
        self.run.setAccessibleName(self.tr("Training run"))
        self.run.currentTextChanged.connect(lambda _: self._run_chosen())
        self.source_box = SourceBox()
        self.source_box.activated.connect(lambda _: self.set_source(self.source_box.currentData()))
        self.cast = CastPanel()
        self.cast.changed.connect(self._cast_changed)
        reset = button(
            self.tr("Reset"), self._reset, "link", "Ctrl+R", self.tr("Reset the blending options")
        )
        who = card(
            label(self.tr("Who is changed"), "heading"),
            self.blend_form.aligned_row(self.tr("Footage"), self.source_box),
            self.blend_form.aligned_row(self.tr("Training run"), self.run),
            self.cast,
        )
        self.mask_shown = QCheckBox(self.tr("Show the mask"))
        self.mask_shown.setToolTip(self.tr("Tint A where faces would be swapped"))
        self.mask_shown.toggled.connect(lambda _: self._request_swap())
        title = row(label(self.tr("Blending"), "heading"), None, self.mask_shown, reset)
        look = card(title, self.blend_form)
        self.output_edit = QLineEdit()
        self.output_edit.setAccessibleName(self.tr("Output video"))
        self.start = button(self.tr("Export"), self.export, "primary", "Ctrl+Return")
        self.play_button = button(self.tr("Play"), self.play, "", "Ctrl+Space")
        self.play_button.setIcon(icons.icon("play"))
        self.file = button(
            self.tr("Open"), self._open_file, "", "", self.tr("Open in the default player")
        )
        self.folder = button(
            self.tr("Folder"), self._open_folder, "", "", self.tr("Open the folder of the video")
        )
        self.export_actions = elements.widget_of(row(self.play_button, self.file, self.folder))
        self.export_actions.hide()
        export = card(
            label(self.tr("Export"), "heading"),
            self.output_edit,
            self.export_form,
            label(self.tr("The video's metadata marks it as synthetic."), "small", True),
            gap=GAP,
        )
        actions = elements.widget_of(row(self.start, None, self.export_actions))
        return elements.panel_with_actions(376, actions, who, look, export)

    def _update_buttons(self) -> None:
        session = self.session
        assert session is not None
        trained = bool(session.runs())
        running = bool(self.context.jobs.running("convert", session.folder))
        idle = self.writable and not running
        self.start.setEnabled(trained and idle and not self.cast.nobody)
        self.run.setEnabled(trained)
        self.export_actions.setVisible(self._output is not None)
        if self._output is not None:
            self.export_actions.setToolTip(str(self._output))
        self.hint.setText(
            "" if trained else self.tr("Train a model first; then the swap appears here.")
        )

    def _request_pictures(self) -> None:
        session = self.session
        if session is None or self._clip is None:
            return
        self.player.pause()
        self.stack.setCurrentWidget(self.wipe)
        session.rpc.send(
            FrameRequest(source=self.source, frame=self.timeline.frame, fit=self.wipe.fit()),
            self._show_before,
            on_error=self.wipe.show_text,
            channel="before",
        )
        self._request_swap()

    def _request_swap(self) -> None:
        session = self.session
        if session is None or not session.runs() or self._clip is None or self.cast.nobody:
            self.wipe.show_second(QImage())
            return
        self.stack.setCurrentWidget(self.wipe)
        try:
            blend = BlendOptions(**self.blend_form.values())
        except ValidationError as error:
            self._no_swap(error_text(error))
            return
        request = SwapRequest(
            source=self.source,
            casting=self.cast.casting(),
            frame=self.timeline.frame,
            run=self.run.currentText() or "main",
            blend=blend,
            mask=self.mask_shown.isChecked(),
            fit=self.wipe.fit(),
        )
        session.rpc.send(request, self._show_after, on_error=self._no_swap, channel="swap")

    def _show_before(self, answer: FrameAnswer) -> None:
        self.wipe.show_image(elements.read_picture(answer.picture))
        message = self.tr("frame %1, %2 s").replace("%1", f"{answer.frame:,}")
        self.clock.setText(message.replace("%2", f"{answer.time:.2f}"))

    def _show_after(self, answer: SwapAnswer) -> None:
        self.wipe.show_second(elements.read_picture(answer.picture))
        self.hint.setText("" if answer.faces else self.tr("No face to swap in this frame."))

    def _no_swap(self, sentence: str) -> None:
        self.wipe.show_second(QImage())
        self.hint.setText(elements.shorten(sentence))
        self.hint.setToolTip(sentence)

    def _reset(self) -> None:
        self.blend_form.set_values({})
        self._request_swap()

    def _follow_job(self) -> None:
        session = self.session
        if session is not None:
            running = self.context.jobs.running("convert", session.folder)
            self.status_bar.follow(running[0] if running else None)
            self._update_buttons()

    def _exported(self, job: Job) -> None:
        if job.state == "finished" and job.outcome is not None:
            self._output = Path(str(getattr(job.outcome, "summary", {}).get("output", "")))
        if self.session is not None:
            self._update_buttons()

    def _show_played(self, answer: FrameAnswer) -> None:
        self.result.show_image(elements.read_picture(answer.picture))
        self.timeline.set_frame(answer.frame)
        self.clock.setText(f"{answer.time:.2f} s")

    def on_theme_changed(self) -> None:
        self._playback_changed(self.player.playing)

    def _playback_changed(self, playing: bool) -> None:
        self.play_button.setIcon(icons.icon("pause" if playing else "play"))
        self.play_button.setText(self.tr("Pause") if playing else self.tr("Play"))

    def _open_file(self) -> None:
        if self._output is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(os.fspath(self._output)))

    def _open_folder(self) -> None:
        if self._output is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(os.fspath(self._output.parent)))
