"""Footage page: both clips frame by frame, and face extraction."""

from functools import partial
from pathlib import Path

from pydantic import ValidationError
from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QImage, QPixmap, QShortcut
from PySide6.QtWidgets import QCheckBox, QFileDialog, QPushButton, QWidget

from faceswap.errors import OutputError
from faceswap.jobs.extract import ExtractOptions
from faceswap.options import Side
from faceswap.preview.protocol import (
    FrameAnswer,
    NewestCropAnswer,
    NewestCropRequest,
    RelocateFootageRequest,
    SideState,
    TimelineAnswer,
    TimelineRequest,
)
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.player import Player
from gui.pages.page import Page
from gui.widgets import elements, icons
from gui.widgets.canvas import FaceCanvas
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import OptionsForm, error_text
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline


class FootagePage(Page):
    """Player and timeline of one side's clip, with the extraction options."""

    name = "footage"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.side: Side = "a"
        self._target: int | None = None
        self._clip: tuple[Side, Path] | None = None
        self.canvas = FaceCanvas()
        self.timeline = Timeline()
        self.player = Player("footage", self)
        self.status_bar = JobStatusBar()
        self.form = OptionsForm(ExtractOptions, without=("inputs", "project", "side", "redo"))
        self._last_face_timer = QTimer(self)
        self._last_face_timer.setInterval(1000)
        self._last_face_timer.timeout.connect(self._request_newest)
        self._build()
        self.timeline.moved.connect(self._scrubbed)
        self.player.frame_ready.connect(self._show)
        self.player.failed.connect(self.canvas.show_text)
        self.player.playing_changed.connect(self._playback_changed)
        self.status_bar.finished.connect(self._extracted)

    def set_side(self, side: Side, frame: int = 0) -> None:
        """Show the clip of ``side`` at ``frame``."""
        self.side = side
        self._target = frame
        for name, segment in self.segments.items():
            segment.setChecked(name == side)
        self._open()

    def extract(self) -> None:
        """Start extraction of the current side; confirm before extracting again."""
        session = self.session
        if session is None or not self.writable:
            return
        info = session.side(self.side)
        question = self.tr(
            "Extract the faces of %1 again? The old crops stay until the new extraction is "
            "complete, and excluded faces stay excluded."
        )
        question = question.replace("%1", self.side.upper())
        if info.complete and not elements.confirm(self, question, self.tr("Extract again")):
            return
        if info.footage is None:
            return
        try:
            options = self.form.options(
                inputs=(info.footage.path,),
                project=session.folder,
                side=self.side,
                redo=info.complete,
            )
            title = self.tr("Extract faces of %1").replace("%1", self.side.upper())
            self.context.jobs.start("extract", options, title, session.folder)
        except (ValidationError, OutputError) as error:
            self.context.notice.emit(error_text(error), "bad")
            return
        self._follow_job()

    def on_project_changed(self) -> None:
        self.player.close()
        self.status_bar.follow(None)
        self.canvas.show_text("")
        self.timeline.set_spans(TimelineAnswer())
        self.last_face.hide()
        self.side, self._clip, self._target = "a", None, None

    def on_project_refreshed(self) -> None:
        if self.isVisible():
            self._open()
            self._follow_job()

    def on_show(self) -> None:
        if self.session is not None and self.session.info is not None:
            self._open()
            self._follow_job()

    def on_leave(self) -> None:
        self.player.pause()
        self._last_face_timer.stop()

    def _build(self) -> None:
        self.segments: dict[Side, QPushButton] = {}
        names: tuple[tuple[Side, str], ...] = (
            ("a", self.tr("A: footage to change")),
            ("b", self.tr("B: face to put on it")),
        )
        for side, text in names:
            segment = button(text, partial(self.set_side, side), "segment", f"Alt+{side}")
            segment.setCheckable(True)
            self.segments[side] = segment
        self.play = button("", self.player.toggle, "", "Ctrl+Space", self.tr("Play"))
        self.play.setIcon(icons.icon("play"))
        self.play.setAccessibleName(self.tr("Play or pause"))
        self.clock = label("", "muted")
        self.landmarks_box = QCheckBox(self.tr("Landmarks"))
        self.landmarks_box.setChecked(True)
        self.landmarks_box.toggled.connect(self._landmarks)
        QShortcut("Ctrl+L", self).activated.connect(self.landmarks_box.toggle)
        self.landmarks_box.setToolTip(self.tr("Draw face landmarks over the frame (Ctrl+L)"))
        left = column(
            row(label(self.tr("Footage"), "title"), None, *self.segments.values()),
            self.canvas,
            self.timeline,
            row(self.play, self.clock, None, self._legend(), self.landmarks_box, gap=2 * GAP),
            gap=GAP * 3 // 2,
        )
        left.setStretch(1, 1)
        self.body.addLayout(row(elements.widget_of(left), self._panel(), gap=3 * GAP), 1)
        self.body.addWidget(self.status_bar)

    def _legend(self) -> QWidget:
        legend = elements.widget_of(
            row(
                label(self.tr("● low confidence"), "warn"),
                label(self.tr("● no face"), "bad"),
            )
        )
        legend.setToolTip(
            self.tr("Timeline colors: faces with low landmark confidence; frames without a face")
        )
        return legend

    def _panel(self) -> QWidget:
        self.facts = label("", "muted", wrap=True)
        self.find_button = button("", self.extract, "primary", "Ctrl+Return")
        self.relink = button(self.tr("Locate the file…"), self._relink, "link")
        self.last_face = label()
        self.last_face.hide()
        self.last_face.setAccessibleName(self.tr("Latest face crop"))
        self.last_face.setAlignment(Qt.AlignmentFlag.AlignCenter)
        inside = card(
            label(self.tr("Faces"), "heading"),
            self.facts,
            self.last_face,
            self.form,
            row(self.find_button, None, self.relink),
            gap=2 * GAP,
        )
        return elements.side_panel(376, inside)

    def _open(self) -> None:
        session = self.session
        if session is None:
            return
        info = session.side(self.side)
        self._update_state(info)
        for name, segment in self.segments.items():
            segment.setChecked(name == self.side)
        footage = info.footage
        frames = max(footage.frames if footage else 0, info.processed_frames, 1)
        self.timeline.set_frames(frames)
        if footage is None:
            self.player.close()
            self.canvas.show_text(info.problem)
        elif self._clip != (self.side, footage.path) or self._target is not None:
            self._clip = (self.side, footage.path)
            self.player.size = self.canvas.pixels()
            self.player.open(session.rpc, self.side, frames, footage.rate)
            self.player.go(self._target or 0)
            self._target = None
        else:
            self.player.frames = frames
        self._request_timeline()

    def _request_timeline(self) -> None:
        if self.session is not None:
            request = TimelineRequest(source=self.side)
            self.session.rpc.send(request, self.timeline.set_spans, channel="timeline")

    def _update_state(self, info: SideState) -> None:
        """Update the face counts, the button's label and what is enabled."""
        if info.complete:
            message = self.tr("Faces: %1, tracks: %2, frames: %3. Included: %4.")
            numbers = (info.faces, info.tracks, info.processed_frames, info.crops)
            for index, number in enumerate(numbers, 1):
                message = message.replace(f"%{index}", f"{number:,}")
            self.find_button.setText(self.tr("Extract again"))
            elements.set_role(self.find_button, "")
        elif info.processed_frames:
            message = self.tr("%1 frames processed so far; extraction resumes from there.")
            message = message.replace("%1", f"{info.processed_frames:,}")
            self.find_button.setText(self.tr("Resume"))
            elements.set_role(self.find_button, "primary")
        else:
            message = self.tr("No faces yet. Extraction detects, tracks and crops them.")
            self.find_button.setText(self.tr("Extract faces"))
            elements.set_role(self.find_button, "primary")
        if info.excluded:
            message += " " + self.tr("Excluded: %1.").replace("%1", f"{info.excluded:,}")
        self.facts.setText(message)
        running = self._job() is not None
        self.find_button.setEnabled(self.writable and not running and not info.problem)
        self.form.setEnabled(self.writable and not running)
        self.relink.setVisible(bool(info.problem) and self.writable)

    def _job(self) -> Job | None:
        folder = self.session.folder if self.session else None
        running = self.context.jobs.running("extract", folder) if folder else []
        return running[0] if running else None

    def _follow_job(self) -> None:
        job = self._job()
        self.status_bar.follow(job)
        if job is not None:
            self._last_face_timer.start()
            self.find_button.setEnabled(False)
            self.form.setEnabled(False)

    def _extracted(self, job: Job) -> None:
        self._last_face_timer.stop()
        self.last_face.hide()

    def _request_newest(self) -> None:
        job, session = self.status_bar.job, self.session
        if job is None or session is None:
            return
        words = job.record.arguments
        side: Side = "a" if words[words.index("--side") + 1] == "a" else "b"
        session.rpc.send(NewestCropRequest(source=side), self._show_newest, channel="newest crop")
        if side == self.side:
            self._request_timeline()

    def _show_newest(self, answer: NewestCropAnswer) -> None:
        image = QImage() if answer.crop is None else QImage(str(answer.crop.path))
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

    def _show(self, answer: FrameAnswer) -> None:
        self.player.size = self.canvas.pixels()
        image = elements.read_picture(answer.picture)
        self.canvas.show_frame(image, QSize(answer.width, answer.height), answer.faces)
        self.timeline.set_frame(answer.frame)
        message = self.tr("frame %1 of %2, %3 s")
        message = message.replace("%1", f"{answer.frame:,}").replace(
            "%2", f"{self.player.frames:,}"
        )
        self.clock.setText(message.replace("%3", f"{answer.time:.2f}"))
        session = self.session
        if session is not None and self.side == "a":
            thumbnail = self.context.settings.thumbnail(session.folder)
            if not thumbnail.is_file():
                small = image.scaledToHeight(108, Qt.TransformationMode.SmoothTransformation)
                self.context.settings.save_thumbnail(session.folder, small)

    def on_theme_changed(self) -> None:
        self._playback_changed(self.player.playing)

    def _playback_changed(self, playing: bool) -> None:
        self.play.setIcon(icons.icon("pause" if playing else "play"))

    def _landmarks(self, shown: bool) -> None:
        self.canvas.landmarks = shown
        self.canvas.update()

    def _relink(self) -> None:
        """Choose the new path of a moved clip; the project rejects a different clip."""
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Locate the file"))
        session = self.session
        if name and session is not None:
            request = RelocateFootageRequest(source=self.side, path=Path(name))
            session.rpc.send(request, lambda _: session.refresh())
