"""What is known of a source's faces, the options of an extraction, and its newest face."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QWidget

from faceswap.jobs.extract import ExtractOptions
from faceswap.preview.protocol import NewestCropAnswer, NewestCropRequest, SourceState
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.widgets import elements
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.options_form import OptionsForm
from gui.widgets.theme import GAP


class ExtractionPanel(QWidget):
    """Counts of faces, extraction options and the button that starts it.

    extracted: a running extraction has come further.
    """

    extracted = Signal()

    def __init__(self, context: AppContext, start: Callable[[], None]) -> None:
        super().__init__()
        self._context = context
        self._job: Job | None = None
        self._source = "a"
        self.facts = label("", "muted", wrap=True)
        self.form = OptionsForm(ExtractOptions, without=("inputs", "project", "side", "redo"))
        self.find_button = button("", start, "primary", "Ctrl+Return")
        self.last_face = label()
        self.last_face.hide()
        self.last_face.setAccessibleName(self.tr("Latest face crop"))
        self.last_face.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._timer = QTimer(self)
        self._timer.setInterval(1000)
        self._timer.timeout.connect(self._request_newest)
        inside = card(
            label(self.tr("Faces"), "heading"),
            self.facts,
            self.last_face,
            self.form,
            row(self.find_button, None),
            gap=2 * GAP,
        )
        self.setLayout(column(inside))

    def missing(self, sources: Sequence[SourceState]) -> list[SourceState]:
        """The sources whose faces are not all extracted, or whose file has changed since."""
        return [
            one
            for one in sources
            if (not one.complete and not one.problem) or (one.problem and one.path.exists())
        ]

    def show_state(
        self, sources: Sequence[SourceState], source: SourceState | None, free: bool
    ) -> None:
        """Show what there is of ``source``, one of its side's ``sources``; free: may be started."""
        missing = self.missing(sources)
        self.facts.setText(self._facts(source))
        text = self.tr("Extract again")
        if len(missing) > 1:
            text = self.tr("Extract faces of %1 sources").replace("%1", str(len(missing)))
        elif missing:
            begun = missing[0].processed_frames and not missing[0].problem
            text = self.tr("Resume") if begun else self.tr("Extract faces")
        self.find_button.setText(text)
        elements.set_role(self.find_button, "primary" if missing else "")
        readable = bool(missing) or (source is not None and not source.problem)
        self.find_button.setEnabled(free and readable)
        self.form.setEnabled(free)

    def follow(self, job: Job | None, source: str) -> None:
        """Show the faces that ``job`` finds in ``source``."""
        self._job, self._source = job, source
        if job is None:
            self.pause()
        else:
            self._timer.start()
            self.find_button.setEnabled(False)
            self.form.setEnabled(False)

    def pause(self) -> None:
        """Ask for no further faces."""
        self._timer.stop()
        self.last_face.hide()

    def _facts(self, source: SourceState | None) -> str:
        if source is None:
            return self.tr("There is no footage yet; add some above.")
        if source.problem:
            return source.problem
        if source.complete:
            message = self.tr("Faces: %1, tracks: %2, frames: %3. Included: %4.")
            numbers = (source.faces, source.tracks, source.processed_frames, source.crops)
            for index, number in enumerate(numbers, 1):
                message = message.replace(f"%{index}", f"{number:,}")
        elif source.processed_frames:
            message = self.tr("%1 frames processed so far; extraction resumes from there.")
            message = message.replace("%1", f"{source.processed_frames:,}")
        else:
            message = self.tr("No faces yet. Extraction detects, tracks and crops them.")
        if source.excluded:
            message += " " + self.tr("Excluded: %1.").replace("%1", f"{source.excluded:,}")
        return message

    def _request_newest(self) -> None:
        session = self._context.session
        if self._job is None or session is None or not self._source:
            return
        request = NewestCropRequest(source=self._source)
        session.rpc.send(request, self._show_newest, channel="newest crop")
        self.extracted.emit()

    def _show_newest(self, answer: NewestCropAnswer) -> None:
        image = QImage() if answer.crop is None else QImage(str(answer.crop.path))
        if not image.isNull() and self._timer.isActive():
            ratio = self.devicePixelRatioF()
            size = round(14 * GAP * ratio)
            image = image.scaled(QSize(size, size), mode=Qt.TransformationMode.SmoothTransformation)
            image.setDevicePixelRatio(ratio)
            self.last_face.setPixmap(QPixmap.fromImage(image))
            self.last_face.show()
