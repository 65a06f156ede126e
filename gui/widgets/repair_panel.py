"""Apply a trained restoration model to a picture or video, and compare the result."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QSlider, QWidget

from faceswap.errors import OutputError
from faceswap.io.file_types import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from faceswap.jobs.restore import RestoreOptions
from faceswap.lab.task_registry import TASKS, TaskName
from faceswap.preview.protocol import FileFrameRequest, FrameAnswer
from gui.models.app_context import AppContext
from gui.widgets import elements
from gui.widgets.canvas import WipeCompare
from gui.widgets.elements import button, card, column, label, row
from gui.widgets.options_form import OptionsForm, error_text
from gui.widgets.path_picker import PathList, PathPicker


class RepairPanel(QWidget):
    """Input, output and options for restoring a file with the model of a lab task."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self._task: TaskName = "denoise"
        self._model = Path()
        self.input = PathPicker(self.tr("Picture or video"), (*PICTURE_SUFFIXES, *VIDEO_SUFFIXES))
        self.mask_picker = PathPicker(
            self.tr("Mask, white where pixels are missing"), PICTURE_SUFFIXES
        )
        self.output = PathPicker(self.tr("Output file"), save=True)
        paths: dict[str, PathPicker | PathList] = {
            "input": self.input,
            "mask": self.mask_picker,
            "output": self.output,
        }
        self.form = OptionsForm(RestoreOptions, without=("model", "overwrite"), paths=paths)
        self.go = button(self.tr("Restore"), self.start, "primary", "Ctrl+Shift+Return")
        self.setLayout(
            column(
                card(
                    label(self.tr("Restore a picture or video"), "heading"),
                    self.form,
                    row(self.go, None),
                )
            )
        )
        self.input.changed.connect(self._suggest)

    def set_model(self, task: TaskName, model: Path, ready: bool) -> None:
        """Set the task and its model folder; ``ready``: no job is using the model."""
        self._task, self._model = task, model
        self.setVisible(TASKS[task].can_restore and any(model.glob("step-*.safetensors")))
        self.mask_picker.setVisible(TASKS[task].needs_mask)
        self.go.setEnabled(ready)
        self._suggest()

    def start(self) -> None:
        """Start restoring the chosen file."""
        given, output = self.input.value(), self.output.value() or self._suggested()
        if given is None or output is None:
            self._context.notice.emit(self.tr("Choose a picture or a video first."), "warn")
            return
        if TASKS[self._task].needs_mask and self.mask_picker.value() is None:
            self._context.notice.emit(self.tr("Choose a mask of the missing pixels first."), "warn")
            return
        question = self.tr("%1 already exists. Replace it?").replace("%1", output.name)
        if output.exists() and not elements.confirm(self, question, self.tr("Replace")):
            return
        fixed: dict[str, Any] = {"output": output, "overwrite": output.exists()}
        if not TASKS[self._task].needs_mask:
            fixed["mask"] = None
        try:
            options = self.form.options(model=self._model, **fixed)
            title = self.tr("Restore %1").replace("%1", given.name)
            self._context.jobs.start("restore", options, title, None)
        except (ValidationError, OutputError) as error:
            self._context.notice.emit(error_text(error), "bad")

    def _suggested(self) -> Path | None:
        """The default output: next to the input, with the task appended to its name."""
        given = self.input.value()
        if given is None:
            return None
        ending = ".png" if given.suffix.lower() in PICTURE_SUFFIXES else ".mp4"
        return given.with_name(f"{given.stem} {self._task}{ending}")

    def _suggest(self) -> None:
        self.output.set_hint(self._suggested() or "")


class BeforeAfter(QWidget):
    """Wipe comparison of two files, with a frame slider for videos."""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self._context = context
        self.files: tuple[Path, Path] | None = None
        self.wipe = WipeCompare(self.tr("before"), self.tr("after"))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Frame"))
        self.slider.valueChanged.connect(self._ask)
        box = column(self.wipe, self.slider)
        box.setStretch(0, 1)
        self.setLayout(box)

    def show_files(self, before: Path, after: Path) -> None:
        """Compare the file ``before`` with the file ``after``."""
        self.files = before, after
        self.wipe.show_second(QImage())
        self.wipe.show_text("")
        self.slider.blockSignals(True)
        self.slider.setRange(0, 0)
        self.slider.blockSignals(False)
        self.slider.hide()
        self._ask()

    def _ask(self) -> None:
        assert self.files is not None
        for path, shown in zip(self.files, (self._show_before, self._show_after), strict=True):
            self._context.rpc.send(
                FileFrameRequest(path=path, frame=self.slider.value(), fit=self.wipe.fit()),
                shown,
                on_error=self.wipe.show_text,
                channel=shown.__name__,
            )

    def _show_before(self, answer: FrameAnswer) -> None:
        self.wipe.show_image(elements.read_picture(answer.picture))
        self.slider.setMaximum(answer.frames - 1)
        self.slider.setVisible(answer.frames > 1)

    def _show_after(self, answer: FrameAnswer) -> None:
        self.wipe.show_second(elements.read_picture(answer.picture))
