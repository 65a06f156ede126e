"""Footage page: the sources of both sides frame by frame, and face extraction."""

from functools import partial
from pathlib import Path

from pydantic import ValidationError
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QPushButton

from faceswap.errors import OutputError
from faceswap.options import Side
from faceswap.preview.protocol import (
    AddSourcesRequest,
    DoneAnswer,
    FrameAnswer,
    RelocateFootageRequest,
    RemoveSourceRequest,
    SourceState,
    TimelineAnswer,
    TimelineRequest,
    TrimSourceRequest,
)
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.player import Player
from gui.pages.page import Page
from gui.widgets import elements
from gui.widgets.canvas import FaceCanvas
from gui.widgets.elements import button, label, row
from gui.widgets.extraction_panel import ExtractionPanel
from gui.widgets.face_menu import FaceMenu
from gui.widgets.file_drops import dropped_footage
from gui.widgets.hand_panel import HandPanel
from gui.widgets.job_status_bar import JobStatusBar
from gui.widgets.options_form import error_text
from gui.widgets.player_controls import PlayerControls
from gui.widgets.sources_panel import SourcesPanel
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline


class FootagePage(Page):
    """Player and timeline of one source, the sources of its side, and the extraction options."""

    name = "footage"

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.side: Side = "a"
        self.source = ""
        self._target: int | None = None
        self._clip: tuple[str, Path] | None = None
        self.canvas = FaceCanvas()
        self.timeline = Timeline()
        self.player = Player("footage", self)
        self.status_bar = JobStatusBar()
        self.sources = SourcesPanel()
        self.faces = ExtractionPanel(context, self.extract)
        self.form, self.find_button = self.faces.form, self.faces.find_button
        self.menu = FaceMenu(context, self)
        self.hand = HandPanel(context, self.canvas, self.timeline)
        self.controls = PlayerControls(self.player, self.timeline, self.canvas, self.trim)
        self.setAcceptDrops(True)
        self._build()
        self._connect()

    def set_side(self, side: Side) -> None:
        """Show the first source of ``side``."""
        self.side, self.source = side, ""
        self._target = 0
        self._open()

    def show_source(self, source: str, frame: int = 0) -> None:
        """Show a source at ``frame``."""
        known = self.session.source(source) if self.session is not None else None
        if known is not None and self.side not in known.sides:
            self.side = "b" if "b" in known.sides else "a"
        self.source, self._target = source, frame
        self._open()

    def add(self, paths: list[Path]) -> None:
        """Add files and folders to the current side."""
        session = self.session
        if session is None or not self.writable:
            return
        request = AddSourcesRequest(side=self.side, paths=tuple(paths))
        session.rpc.send(request, self._sources_changed, on_error=self._refused)

    def remove(self) -> None:
        """Remove the current source, after a question."""
        session, info = self.session, self._info()
        if session is None or info is None or not self.writable:
            return
        question = self.tr("Remove %1 and its %2 faces from the project? The file itself stays.")
        question = question.replace("%1", info.path.name).replace("%2", f"{info.faces:,}")
        if not elements.confirm(self, question, self.tr("Remove")):
            return
        self.player.close()
        self.source, self._clip = "", None
        request = RemoveSourceRequest(source=info.id)
        session.rpc.send(request, self._sources_changed, on_error=self._refused)

    def extract(self) -> None:
        """Extract what is missing of this side; without that, the current source again."""
        session, info = self.session, self._info()
        if session is None or info is None or not self.writable:
            return
        missing = self.faces.missing(session.sources(self.side))
        again = not missing
        question = self.tr(
            "Extract the faces of %1 again? The old crops stay until the new extraction is "
            "complete, and excluded faces stay excluded."
        )
        question = question.replace("%1", info.path.name)
        if again and not elements.confirm(self, question, self.tr("Extract again")):
            return
        try:
            options = self.form.options(
                inputs=tuple(one.path for one in missing) or (info.path,),
                project=session.folder,
                side=self.side,
                redo=again,
            )
            title = self.tr("Extract faces of %1").replace("%1", self.side.upper())
            self.context.jobs.start("extract", options, title, session.folder)
        except (ValidationError, OutputError) as error:
            self._refused(error_text(error))
            return
        self._follow_job()

    def trim(self, begins: bool) -> None:
        """Set the in or the out point to the current frame; remove it where it is there already."""
        session, info = self.session, self._info()
        if session is None or info is None or info.footage is None or not self.writable:
            return
        rate = info.footage.rate or 25.0
        point = round((self.timeline.frame + (0 if begins else 1)) / rate, 3)
        before = info.in_point if begins else info.out_point
        new = None if point == before or (begins and not point) else point
        points = (new, info.out_point) if begins else (info.in_point, new)
        request = TrimSourceRequest(source=info.id, in_point=points[0], out_point=points[1])
        session.rpc.send(request, self._sources_changed, on_error=self._refused)

    def on_project_changed(self) -> None:
        self.player.close()
        self.status_bar.follow(None)
        self.canvas.show_text("")
        self.timeline.set_spans(TimelineAnswer())
        self.sources.list.forget()
        self.faces.follow(None, self.side)
        self.side, self.source, self._clip, self._target = "a", "", None, None
        if self.session is not None:
            self.session.people.changed.connect(self._people_changed)

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
        self.faces.pause()

    def on_theme_changed(self) -> None:
        self.controls.draw_icons()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls() and self.writable:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        self.add(dropped_footage(event.mimeData()))

    def _connect(self) -> None:
        self.context.jobs.added.connect(lambda _: self._follow_job() if self.isVisible() else None)
        self.timeline.moved.connect(self._scrubbed)
        self.player.frame_ready.connect(self._show)
        self.player.failed.connect(self._unreadable)
        self.status_bar.finished.connect(lambda _: self.faces.pause())
        self.sources.list.chosen.connect(self.show_source)
        self.sources.added.connect(self.add)
        self.sources.removed.connect(self.remove)
        self.sources.located.connect(self._relink)
        self.faces.extracted.connect(self._request_timeline)
        self.canvas.face_pressed.connect(
            lambda face, place: self.menu.open(
                self.source, face, self.timeline.frame, self.timeline.frames - 1, place
            )
        )
        self.menu.deleted.connect(self.hand.delete)
        self.hand.changed.connect(self._faces_changed)

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
        left = elements.column(
            row(label(self.tr("Footage"), "title"), None, *self.segments.values()),
            self.canvas,
            self.timeline,
            self.controls,
            gap=GAP * 3 // 2,
        )
        left.setStretch(1, 1)
        panel = elements.side_panel(376, self.sources, self.faces, self.hand)
        self.body.addLayout(row(elements.widget_of(left), panel, gap=3 * GAP), 1)
        self.body.addWidget(self.status_bar)

    def _info(self) -> SourceState | None:
        """The current source."""
        return self.session.source(self.source) if self.session is not None else None

    def _open(self) -> None:
        session = self.session
        if session is None:
            return
        sources = session.sources(self.side)
        if self.source not in [source.id for source in sources]:
            self.source, self._clip = sources[0].id if sources else "", None
        for name, segment in self.segments.items():
            segment.setChecked(name == self.side)
        info = self._info()
        self._update_panels(sources, info)
        footage = info.footage if info is not None else None
        frames = max(footage.frames if footage else 0, info.processed_frames if info else 0, 1)
        self.timeline.set_frames(frames)
        if info is None or footage is None:
            self.player.close()
            self._clip = None
            self.canvas.show_text(info.problem if info else session.side(self.side).problem)
        elif self._clip != (info.id, info.path) or self._target is not None:
            self._clip = (info.id, info.path)
            self.player.size = self.canvas.pixels()
            self.player.open(session.rpc, info.id, frames, footage.rate)
            self.player.go(self._target or 0)
            self._target = None
        else:
            self.player.frames = frames
        self._request_timeline()

    def _update_panels(self, sources: list[SourceState], info: SourceState | None) -> None:
        session = self.session
        assert session is not None
        title = self.tr("Footage of %1").replace("%1", self.side.upper())
        self.sources.title.setText(f"{title} ({len(sources)})")
        people = {
            source.id: ", ".join(map(session.people.label_of, session.people.shown_in(source.id)))
            for source in sources
        }
        self.sources.list.show_sources(sources, self.source, people)
        self.sources.list.request_pictures(session.rpc, sources)
        free = self.writable and self._job() is None
        for control in (self.sources.add, self.sources.add_folder):
            control.setEnabled(self.writable)
        self.sources.remove.setEnabled(free and info is not None)
        self.sources.locate.setVisible(self.writable and info is not None and bool(info.problem))
        for point in self.controls.points:
            point.setEnabled(self.writable and info is not None and info.footage is not None)
        self.faces.show_state(sources, info, free)
        self.hand.show_state(info, free)
        rate = info.footage.rate if info is not None and info.footage is not None else 25.0
        points = (info.in_point, info.out_point) if info is not None else (None, None)
        self.timeline.set_points(*(None if p is None else round(p * rate) for p in points))
        names = {one.id: session.people.label(one.id) for one in session.people.people}
        self.timeline.set_names(names)
        self.canvas.names = names

    def _faces_changed(self) -> None:
        self.player.go(self.player.frame)
        if self.session is not None:
            self.session.refresh()

    def _people_changed(self) -> None:
        if self.isVisible() and self.session is not None and self.session.info is not None:
            self._update_panels(self.session.sources(self.side), self._info())
            self._request_timeline()
            self.player.go(self.player.frame)

    def _request_timeline(self) -> None:
        if self.session is not None and self.source:
            request = TimelineRequest(source=self.source)
            self.session.rpc.send(request, self._show_spans, channel="timeline")
        else:
            self.timeline.set_spans(TimelineAnswer())

    def _show_spans(self, answer: TimelineAnswer) -> None:
        self.timeline.set_spans(answer)
        self.hand.follow_playhead()

    def _job(self) -> Job | None:
        """The running extraction, or the mending by hand."""
        folder = self.session.folder if self.session else None
        jobs = self.context.jobs
        running = (
            [*jobs.running("extract", folder), *jobs.running("mend", folder)] if folder else []
        )
        return running[0] if running else None

    def _follow_job(self) -> None:
        job = self._job()
        self.status_bar.follow(job)
        self.faces.follow(job, self.source)
        if job is not None:
            self.hand.show_state(self._info(), False)

    def _scrubbed(self, frame: int) -> None:
        self.player.pause()
        self.player.size = self.canvas.pixels()
        self.player.go(frame)

    def _show(self, answer: FrameAnswer) -> None:
        self.player.size = self.canvas.pixels()
        image = elements.read_picture(answer.picture)
        self.canvas.show_frame(image, QSize(answer.width, answer.height), answer.faces)
        self.timeline.set_frame(answer.frame)
        self.hand.follow_playhead()
        self.controls.show_time(answer.frame, answer.time)
        session = self.session
        if session is not None and self.side == "a":
            thumbnail = self.context.settings.thumbnail(session.folder)
            if not thumbnail.is_file():
                small = image.scaledToHeight(108, Qt.TransformationMode.SmoothTransformation)
                self.context.settings.save_thumbnail(session.folder, small)

    def _unreadable(self, sentence: str) -> None:
        """The file may have been moved or changed: the list shows it then."""
        self.canvas.show_text(sentence)
        if self.session is not None:
            self.session.refresh()

    def _relink(self, path: Path) -> None:
        """Set the new path of a moved file; the project rejects a different one."""
        session = self.session
        if session is not None and self.source:
            request = RelocateFootageRequest(source=self.source, path=path)
            session.rpc.send(request, self._sources_changed, on_error=self._refused)

    def _sources_changed(self, _: DoneAnswer) -> None:
        if self.session is not None:
            self.session.refresh()

    def _refused(self, sentence: str) -> None:
        self.context.notice.emit(sentence, "bad")
