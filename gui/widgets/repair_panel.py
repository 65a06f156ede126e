"""A trained repair used on a picture or a video, and what came of it."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QSlider, QWidget

from faceswap.errors import OutputError
from faceswap.io.file_types import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from faceswap.jobs.restore import RestoreOptions
from faceswap.lab.registry import TASKS, TaskName
from gui.models.app_context import AppContext
from gui.widgets import elements
from gui.widgets.canvas import WipeCompare
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.options_form import OptionsForm, sentence_of
from gui.widgets.path_picker import PathList, PathPicker


class RepairPanel(QWidget):
    """Asks for a file and repairs it with the model of one use."""

    def __init__(self, desk: AppContext) -> None:
        super().__init__()
        self._desk = desk
        self._use: TaskName = "denoise"
        self._model = Path()
        self.input = PathPicker(self.tr("Picture or video"), (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES))
        self.holes = PathPicker(self.tr("White where something is missing"), PICTURE_SUFFIXES)
        self.output = PathPicker(self.tr("File to write"), save=True)
        paths: dict[str, PathPicker | PathList] = {
            "input": self.input,
            "mask": self.holes,
            "output": self.output,
        }
        self.form = OptionsForm(RestoreOptions, without=("model", "overwrite"), paths=paths)
        self.go = button(self.tr("Repair"), self.start, "primary", "Ctrl+Shift+Return")
        self.setLayout(
            column(
                card(
                    label(self.tr("Use it on a picture or video"), "heading"),
                    self.form,
                    row(self.go, None),
                )
            )
        )
        self.input.changed.connect(self._suggest)

    def set_model(self, use: TaskName, model: Path, ready: bool) -> None:
        """Repair with ``model`` from now on; ``ready``: no job is under way with it."""
        self._use, self._model = use, model
        self.setVisible(TASKS[use].repairs and any(model.glob("step-*.safetensors")))
        self.holes.setVisible(TASKS[use].masked)
        self.go.setEnabled(ready)
        self._suggest()

    def start(self) -> None:
        """Repair the file that is named."""
        given, output = self.input.value(), self.output.value() or self._suggested()
        if given is None or output is None:
            self._desk.notice.emit(self.tr("Choose a picture or a video first."), "warn")
            return
        if TASKS[self._use].masked and self.holes.value() is None:
            self._desk.notice.emit(self.tr("Show first where something is missing."), "warn")
            return
        question = self.tr("%1 exists already.").replace("%1", output.name)
        if output.exists() and not elements.confirm(self, question, self.tr("Replace it")):
            return
        fixed: dict[str, Any] = {"output": output, "overwrite": output.exists()}
        if not TASKS[self._use].masked:
            fixed["mask"] = None
        try:
            options = self.form.options(model=self._model, **fixed)
            title = self.tr("Repair %1").replace("%1", given.name)
            self._desk.jobs.start("restore", options, title, None)
        except (ValidationError, OutputError) as error:
            self._desk.notice.emit(sentence_of(error), "bad")

    def _suggested(self) -> Path | None:
        """Beside the input, named after what was done."""
        given = self.input.value()
        if given is None:
            return None
        ending = ".png" if given.suffix.lower() in PICTURE_SUFFIXES else ".mp4"
        return given.with_name(f"{given.stem} {self._use}{ending}")

    def _suggest(self) -> None:
        self.output.set_hint(self._suggested() or "")


class BeforeAfter(QWidget):
    """Two files with a wipe between them; a slider goes through the frames of videos."""

    def __init__(self, desk: AppContext) -> None:
        super().__init__()
        self._desk = desk
        self.files: tuple[Path, Path] | None = None
        self.wipe = WipeCompare(self.tr("before"), self.tr("after"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Frame"))
        self.slider.valueChanged.connect(self._ask)
        box = column(self.wipe, self.slider)
        box.setStretch(0, 1)
        self.setLayout(box)

    def show_files(self, before: Path, after: Path) -> None:
        """Show what was made of ``before``."""
        self.files = before, after
        self.wipe.show_second(QImage())
        self.wipe.say("")
        self.slider.blockSignals(True)
        self.slider.setRange(0, 0)
        self.slider.blockSignals(False)
        self.slider.hide()
        self._ask()

    def _ask(self) -> None:
        assert self.files is not None
        size = self.wipe.pixels()
        for path, shown in zip(self.files, (self._show_before, self._show_after), strict=True):
            self._desk.viewer.request(
                "frame",
                shown,
                on_error=self.wipe.say,
                channel=shown.__name__,
                path=str(path),
                frame=self.slider.value(),
                width=size.width(),
                height=size.height(),
            )

    def _show_before(self, values: dict[str, Any]) -> None:
        self.wipe.show_image(elements.decode_picture(values["image"]))
        self.slider.setMaximum(values["frames"] - 1)
        self.slider.setVisible(values["frames"] > 1)

    def _show_after(self, values: dict[str, Any]) -> None:
        self.wipe.show_second(elements.decode_picture(values["image"]))
