"""Both clips, frame by frame, and the faces found in them."""

from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QImage, QPixmap, QShortcut
from PySide6.QtWidgets import QCheckBox, QFileDialog, QPushButton, QWidget

from faceswap.errors import OutputError
from faceswap.jobs.extract import ExtractOptions
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.player import Player
from gui.pages.page import Page
from gui.widgets import elements, icons
from gui.widgets.canvas import FaceCanvas
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, sentence_of
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline


class FootagePage(Page):
    """A's or B's clip with its time line, and extraction."""

    name = "footage"

    def __init__(self, desk: AppContext) -> None:
        super().__init__(desk)
        self.side = "a"
        self._goal: int | None = None
        self._clip = ("", "")
        self.canvas = FaceCanvas()
        self.timeline = Timeline()
        self.player = Player("footage", self)
        self.strip = JobStatusBar()
        self.form = OptionsForm(ExtractOptions, without=("video", "project", "side", "redo"))
        self._last = QTimer(self)
        self._last.setInterval(1000)
        self._last.timeout.connect(self._ask_last)
        self._build()
        self.timeline.moved.connect(self._scrubbed)
        self.player.shown.connect(self._show)
        self.player.trouble.connect(self.canvas.say)
        self.player.playing_changed.connect(self._played)
        self.strip.finished.connect(self._extracted)

    def set_side(self, side: str, frame: int = 0) -> None:
        """Show the clip of ``side`` at ``frame``."""
        self.side = side
        self._goal = frame
        for name, segment in self.segments.items():
            segment.setChecked(name == side)
        self._open()

    def extract(self) -> None:
        """Find the faces of the clip on show."""
        session = self.session
        if session is None or not self.writable:
            return
        info = session.side(self.side)
        question = self.tr(
            "The faces of %1 are found anew. The old ones stay until all new ones are there, and "
            "what was excluded stays excluded."
        )
        question = question.replace("%1", self.side.upper())
        if info["complete"] and not elements.confirm(self, question, self.tr("Find them again")):
            return
        try:
            options = self.form.options(
                video=Path(info["video"]),
                project=session.folder,
                side=self.side,
                redo=bool(info["complete"]),
            )
            title = self.tr("Find faces of %1").replace("%1", self.side.upper())
            self.desk.jobs.start("extract", options, title, session.folder)
        except (ValidationError, OutputError) as error:
            self.desk.notice.emit(sentence_of(error), "bad")
            return
        self._follow()

    def on_project_changed(self) -> None:
        self.player.open(None)
        self.strip.follow(None)
        self.canvas.say("")
        self.timeline.set_spans({})
        self.last_face.hide()
        self.side, self._clip, self._goal = "a", ("", ""), None

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._open()
            self._follow()

    def on_show(self) -> None:
        if self.session is not None and self.session.info:
            self._open()
            self._follow()

    def on_leave(self) -> None:
        self.player.pause()
        self._last.stop()

    def _build(self) -> None:
        self.segments: dict[str, QPushButton] = {}
        for side, text in (("a", self.tr("A: changed")), ("b", self.tr("B: its face is put on"))):
            segment = button(text, partial(self.set_side, side), "segment", f"Alt+{side}")
            segment.setCheckable(True)
            self.segments[side] = segment
        self.play = button("", self.player.toggle, "", "Ctrl+Space", self.tr("Play"))
        self.play.setIcon(icons.icon("play"))
        self.play.setAccessibleName(self.tr("Play or pause"))
        self.clock = label("", "muted")
        self.points = QCheckBox(self.tr("Landmarks"))
        self.points.setChecked(True)
        self.points.toggled.connect(self._landmarks)
        QShortcut("Ctrl+L", self).activated.connect(self.points.toggle)
        self.points.setToolTip(self.tr("Draw faces and landmarks over the frame (Ctrl+L)"))
        left = column(
            row(label(self.tr("Footage"), "title"), None, *self.segments.values()),
            self.canvas,
            self.timeline,
            row(self.play, self.clock, None, self._legend(), self.points, gap=2 * GAP),
            gap=GAP * 3 // 2,
        )
        left.setStretch(1, 1)
        self.body.addLayout(row(elements.widget_of(left), self._panel(), gap=3 * GAP), 1)
        self.body.addWidget(self.strip)

    def _legend(self) -> QWidget:
        legend = elements.widget_of(
            row(
                label(self.tr("● doubtful"), "warn"),
                label(self.tr("● no face"), "bad"),
            )
        )
        legend.setToolTip(self.tr("What the colours on the time line mean"))
        return legend

    def _panel(self) -> QWidget:
        self.facts = label("", "muted", wrap=True)
        self.find_button = button("", self.extract, "primary", "Ctrl+Return")
        self.replace = button(self.tr("It is elsewhere now…"), self._replace, "link")
        self.last_face = label()
        self.last_face.hide()
        self.last_face.setAccessibleName(self.tr("Last face seen"))
        self.last_face.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside = card(
            label(self.tr("Faces"), "heading"),
            self.facts,
            self.last_face,
            self.form,
            row(self.find_button, None, self.replace),
            gap=2 * GAP,
        )
        return elements.side_panel(376, inside)

    def _open(self) -> None:
        session = self.session
        if session is None:
            return
        info = session.side(self.side)
        self._tell(info)
        for name, segment in self.segments.items():
            segment.setChecked(name == self.side)
        frames = max(info.get("frames") or 0, info.get("looked_at") or 0, 1)
        self.timeline.set_frames(frames)
        if info["problem"]:
            self.player.open(None)
            self.canvas.say(info["problem"])
        elif self._clip != (self.side, info["video"]) or self._goal is not None:
            self._clip = (self.side, info["video"])
            self.player.size = self.canvas.pixels()
            self.player.open(session.link, frames, info["rate"], side=self.side)
            self.player.go(self._goal or 0)
            self._goal = None
        else:
            self.player.frames = frames
        session.link.request("spans", self.timeline.set_spans, channel="spans", side=self.side)

    def _tell(self, info: dict[str, Any]) -> None:
        """Say what is known of the faces, and what the button will do."""
        if info["complete"]:
            said = self.tr("Faces: %1, tracks: %2, frames: %3. In training: %4.")
            numbers = (info["faces"], info["tracks"], info["looked_at"], info["crops"])
            for place, number in enumerate(numbers, 1):
                said = said.replace(f"%{place}", f"{number:,}")
            self.find_button.setText(self.tr("Find them again"))
            elements.set_role(self.find_button, "")
        elif info["looked_at"]:
            said = self.tr("Looked at %1 frames so far; it goes on from there.")
            said = said.replace("%1", f"{info['looked_at']:,}")
            self.find_button.setText(self.tr("Go on"))
            elements.set_role(self.find_button, "primary")
        else:
            said = self.tr("Not looked for yet. Every face is found, followed and cut out.")
            self.find_button.setText(self.tr("Find the faces"))
            elements.set_role(self.find_button, "primary")
        if info["excluded"]:
            said += " " + self.tr("Excluded: %1.").replace("%1", f"{info['excluded']:,}")
        self.facts.setText(said)
        running = self._job() is not None
        self.find_button.setEnabled(self.writable and not running and not info["problem"])
        self.form.setEnabled(self.writable and not running)
        self.replace.setVisible(bool(info["problem"]) and self.writable)

    def _job(self) -> Job | None:
        folder = self.session.folder if self.session else None
        running = self.desk.jobs.running("extract", folder) if folder else []
        return running[0] if running else None

    def _follow(self) -> None:
        job = self._job()
        self.strip.follow(job)
        if job is not None:
            self._last.start()
            self.find_button.setEnabled(False)
            self.form.setEnabled(False)

    def _extracted(self, job: Job) -> None:
        self._last.stop()
        self.last_face.hide()

    def _ask_last(self) -> None:
        job, session = self.strip.job, self.session
        if job is None or session is None:
            return
        place = job.record.arguments.index("--side") + 1
        side = job.record.arguments[place]
        session.link.request("last", self._show_last, channel="last", side=side)
        if side == self.side:
            session.link.request("spans", self.timeline.set_spans, channel="spans", side=side)

    def _show_last(self, values: dict[str, Any]) -> None:
        image = QImage(values.get("path", ""))
        if not image.isNull():
            ratio = self.devicePixelRatioF()
            size = round(14 * GAP * ratio)
            image = image.scaled(QSize(size, size), mode=Qt.TransformationMode.SmoothTransformation)
            image.setDevicePixelRatio(ratio)
            self.last_face.setPixmap(QPixmap.fromImage(image))
            self.last_face.show()

    def _scrubbed(self, frame: int) -> None:
        self.player.pause()
        self.player.size = self.canvas.pixels()
        self.player.go(frame)

    def _show(self, values: dict[str, Any]) -> None:
        self.player.size = self.canvas.pixels()
        image = elements.decode_picture(values["image"])
        self.canvas.show_frame(image, QSize(*values["size"]), values["faces"])
        self.timeline.set_frame(values["frame"])
        said = self.tr("frame %1 of %2, %3 s")
        said = said.replace("%1", f"{values['frame']:,}").replace("%2", f"{self.player.frames:,}")
        self.clock.setText(said.replace("%3", f"{values['time']:.2f}"))
        session = self.session
        if session is not None and self.side == "a":
            place = self.desk.settings.thumbnail(session.folder)
            if not place.is_file():
                small = image.scaledToHeight(108, Qt.TransformationMode.SmoothTransformation)
                self.desk.settings.keep_thumbnail(session.folder, small)

    def on_theme_changed(self) -> None:
        self._played(self.player.playing)

    def _played(self, playing: bool) -> None:
        self.play.setIcon(icons.icon("pause" if playing else "play"))

    def _landmarks(self, shown: bool) -> None:
        self.canvas.landmarks = shown
        self.canvas.update()

    def _replace(self) -> None:
        """Name the clip again where it moved; the project refuses one that is another."""
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Where is the clip now?"))
        session = self.session
        if name and session is not None:
            session.link.request("relink", lambda _: session.refresh(), side=self.side, path=name)
