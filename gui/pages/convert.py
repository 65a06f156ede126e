"""The swap on any frame, how it is blended, and the export."""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QComboBox, QLineEdit, QStackedWidget, QWidget

from faceswap.errors import OutputError
from faceswap.jobs.convert import ConvertOptions
from faceswap.swap.compositing.options import BlendOptions
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.player import Player
from gui.pages.page import Page
from gui.widgets import elements, icons
from gui.widgets.canvas import Canvas, WipeCompare
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, sentence_of
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline


class ConvertPage(Page):
    """Before and after on any frame; the picture follows the sliders."""

    name = "convert"

    def __init__(self, desk: AppContext) -> None:
        super().__init__(desk)
        self.wipe = WipeCompare(self.tr("A"), self.tr("swap"))
        self.result = Canvas()
        self.timeline = Timeline()
        self.player = Player("result", self)
        self.strip = JobStatusBar()
        self.look = OptionsForm(BlendOptions)
        rest = (*BlendOptions.model_fields, "project", "output", "run", "overwrite")
        self.export_form = OptionsForm(ConvertOptions, without=rest)
        self._clip = self._model = ""
        self._output: Path | None = None
        self._build()
        self.timeline.moved.connect(lambda _: self._ask_both())
        self.look.changed.connect(self._ask_swap)
        self.player.shown.connect(self._played)
        self.player.trouble.connect(self.result.say)
        self.player.playing_changed.connect(self._playing)
        self.strip.finished.connect(self._exported)

    def export(self) -> None:
        """Convert the whole clip."""
        session = self.session
        if session is None or not self.writable:
            return
        output = Path(self.place.text()).expanduser()
        question = self.tr("%1 exists already.").replace("%1", output.name)
        if output.exists() and not elements.confirm(self, question, self.tr("Replace it")):
            return
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            # Windows can't replace a file that is open.
            session.link.request("release", lambda _: None, path=str(output))
            options = self.export_form.options(
                project=session.folder,
                output=output,
                run=self.run.currentText() or "main",
                overwrite=output.exists(),
                **self.look.values(),
            )
            self.desk.jobs.start("convert", options, self.tr("Export"), session.folder)
        except (ValidationError, OutputError) as error:
            self.desk.notice.emit(sentence_of(error), "bad")
        except OSError as error:
            said = self.tr("Cannot make the folder %1: %2.").replace("%1", str(output.parent))
            self.desk.notice.emit(said.replace("%2", error.strerror or ""), "bad")
        else:
            self._follow()

    def play(self) -> None:
        """Play the exported video here, or stop."""
        session = self.session
        if session is None or self._output is None:
            return
        if not self.player.playing:
            side = session.side("a")
            self.stack.setCurrentWidget(self.result)
            self.player.size = self.result.pixels()
            self.player.open(
                session.link, side.get("frames", 1), side.get("rate", 25), path=str(self._output)
            )
        self.player.toggle()

    def on_project_changed(self) -> None:
        self.player.open(None)
        self.strip.follow(None)
        self._clip, self._model, self._output = "", "", None
        self.wipe.show_second(QImage())
        self.wipe.say("")
        self.stack.setCurrentWidget(self.wipe)
        self.place.clear()
        self.look.set_values({})

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._fill()

    def on_show(self) -> None:
        self._model = ""
        self._fill()

    def _fill(self) -> None:
        """Show what there is; a newer model's pictures, unless a video is being looked at."""
        session = self.session
        if session is None or not session.info:
            return
        names = [run["name"] for run in session.runs()]
        if [self.run.itemText(i) for i in range(self.run.count())] != names:
            self.run.clear()
            self.run.addItems(names)
        side = session.side("a")
        self.timeline.set_frames(max(side.get("frames") or 1, side["looked_at"]))
        outputs = session.info["outputs"]
        self._output = Path(outputs[-1]) if outputs else None
        if not self.place.text():
            self.place.setText(str(session.folder / "out" / "swap.mp4"))
        self._tell()
        if side["problem"]:
            self.wipe.say(side["problem"])
            return
        if self._clip != side["video"]:
            self._clip = side["video"]
            self.timeline.set_frame(self.timeline.frames // 3)
            session.link.request("spans", self.timeline.set_spans, channel="spans", side="a")
        model = f"{side['video']} {[(run['name'], run['step']) for run in session.runs()]}"
        if model != self._model and self.stack.currentWidget() is self.wipe:
            self._model = model
            self._ask_both()
        self._follow()

    def on_leave(self) -> None:
        self.player.pause()

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
        self.body.addWidget(self.strip)

    def _panel(self) -> QWidget:
        self.run = QComboBox()
        self.run.setAccessibleName(self.tr("Training run"))
        self.run.currentTextChanged.connect(lambda _: self._ask_swap())
        reset = button(self.tr("As at first"), self._reset, "link", "Ctrl+R")
        look = card(
            row(label(self.tr("Blending"), "heading"), None, reset),
            self.look.beside(self.tr("Run"), self.run),
            self.look,
        )
        self.place = QLineEdit()
        self.place.setAccessibleName(self.tr("Video to write"))
        self.start = button(self.tr("Export"), self.export, "primary", "Ctrl+Return")
        self.play_button = button(self.tr("Play"), self.play, "", "Ctrl+Space")
        self.play_button.setIcon(icons.icon("play"))
        self.file = button(self.tr("Open"), self._open_file, "", "", self.tr("Open in a player"))
        self.folder = button(
            self.tr("Folder"), self._open_folder, "", "", self.tr("Show its folder")
        )
        self.made = elements.widget_of(row(self.play_button, self.file, self.folder, None))
        self.made.hide()
        export = card(
            label(self.tr("Export"), "heading"),
            self.place,
            self.export_form,
            row(self.start, None),
            self.made,
            label(self.tr("The video says in its metadata that it is synthetic."), "small", True),
            gap=GAP,
        )
        return elements.side_panel(376, look, export)

    def _tell(self) -> None:
        session = self.session
        assert session is not None
        trained = bool(session.runs())
        running = bool(self.desk.jobs.running("convert", session.folder))
        self.start.setEnabled(trained and self.writable and not running)
        self.run.setEnabled(trained)
        self.made.setVisible(self._output is not None)
        if self._output is not None:
            self.made.setToolTip(str(self._output))
        self.hint.setText("" if trained else self.tr("Train first; then the swap appears here."))

    def _ask_both(self) -> None:
        session = self.session
        if session is None or not self._clip:
            return
        self.player.pause()
        self.stack.setCurrentWidget(self.wipe)
        size = self.wipe.pixels()
        session.link.request(
            "frame",
            self._show_before,
            on_error=self.wipe.say,
            channel="before",
            side="a",
            frame=self.timeline.frame,
            width=size.width(),
            height=size.height(),
        )
        self._ask_swap()

    def _ask_swap(self) -> None:
        session = self.session
        if session is None or not session.runs() or not self._clip:
            self.wipe.show_second(QImage())
            return
        self.stack.setCurrentWidget(self.wipe)
        size: QSize = self.wipe.pixels()
        session.link.request(
            "swap",
            self._show_after,
            on_error=self._no_swap,
            channel="swap",
            frame=self.timeline.frame,
            run=self.run.currentText() or "main",
            look=self.look.values(),
            width=size.width(),
            height=size.height(),
        )

    def _show_before(self, values: dict[str, Any]) -> None:
        self.wipe.show_image(elements.decode_picture(values["image"]))
        said = self.tr("frame %1, %2 s").replace("%1", f"{values['frame']:,}")
        self.clock.setText(said.replace("%2", f"{values['time']:.2f}"))

    def _show_after(self, values: dict[str, Any]) -> None:
        self.wipe.show_second(elements.decode_picture(values["image"]))
        self.hint.setText("" if values["faces"] else self.tr("No face to swap in this frame."))

    def _no_swap(self, sentence: str) -> None:
        self.wipe.show_second(QImage())
        self.hint.setText(elements.shorten(sentence))
        self.hint.setToolTip(sentence)

    def _reset(self) -> None:
        self.look.set_values({})
        self._ask_swap()

    def _follow(self) -> None:
        session = self.session
        if session is not None:
            running = self.desk.jobs.running("convert", session.folder)
            self.strip.follow(running[0] if running else None)
            self._tell()

    def _exported(self, job: Job) -> None:
        if job.state == "finished" and job.outcome is not None:
            self._output = Path(str(getattr(job.outcome, "summary", {}).get("output", "")))
        if self.session is not None:
            self._tell()

    def _played(self, values: dict[str, Any]) -> None:
        self.result.show_image(elements.decode_picture(values["image"]))
        self.timeline.set_frame(values["frame"])
        self.clock.setText(f"{values['time']:.2f} s")

    def on_theme_changed(self) -> None:
        self._playing(self.player.playing)

    def _playing(self, playing: bool) -> None:
        self.play_button.setIcon(icons.icon("pause" if playing else "play"))
        self.play_button.setText(self.tr("Pause") if playing else self.tr("Play"))

    def _open_file(self) -> None:
        if self._output is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(os.fspath(self._output)))

    def _open_folder(self) -> None:
        if self._output is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(os.fspath(self._output.parent)))
