"""Forms generated from option models, which declare type, bounds, choices and help.

Options marked as common come first; the others are behind a "More options" button.
"""

import types
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import ValidationError
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from faceswap.options import Options, presentation_of
from gui.widgets.elements import button, label, row, widget_of
from gui.widgets.number_or_word import NumberOrWord
from gui.widgets.option_titles import choice_title, title
from gui.widgets.path_picker import PathList, PathPicker
from gui.widgets.theme import GAP

_LARGE = 2**31 - 1


class _WheelFilter(QObject):
    """Pass wheel events of editors without focus on to the scroll area around them."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        if event.type() != QEvent.Type.Wheel or not isinstance(watched, QWidget):
            return False
        if watched.hasFocus():
            return False
        event.ignore()
        return True


class Slider(QWidget):
    """A bounded number: a slider with a spin box beside it."""

    changed = Signal()

    def __init__(self, low: float, high: float, value: float, name: str) -> None:
        super().__init__()
        self._low, self._high, self._default = low, high, value
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, 1000)
        self._slider.setPageStep(50)
        self._slider.setSingleStep(10)
        self._slider.setAccessibleName(name)
        self._shown = QDoubleSpinBox()
        self._shown.setRange(low, high)
        self._shown.setDecimals(2)
        self._shown.lineEdit().setTextMargins(0, 0, GAP // 2, 0)
        self._shown.setSingleStep((high - low) / 100)
        self._shown.setFixedWidth(9 * GAP)
        self._shown.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._shown.setAccessibleName(name)
        self.set_value(value)
        self._slider.valueChanged.connect(self._slider_moved)
        self._shown.valueChanged.connect(self._number_changed)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._slider, 1)
        box.addWidget(self._shown)

    @property
    def slider(self) -> QSlider:
        """The slider without its spin box."""
        return self._slider

    def value(self) -> float:
        """The current value."""
        return round(self._shown.value(), 4)

    def set_value(self, value: float) -> None:
        """Set the value without emitting ``changed``."""
        for widget in (self._slider, self._shown):
            widget.blockSignals(True)
        self._shown.setValue(value)
        self._slider.setValue(round((value - self._low) / (self._high - self._low) * 1000))
        for widget in (self._slider, self._shown):
            widget.blockSignals(False)

    def _slider_moved(self, position: int) -> None:
        value = self._low + position / 1000 * (self._high - self._low)
        self.set_value(value)
        self.changed.emit()

    def _number_changed(self, value: float) -> None:
        self.set_value(value)
        self.changed.emit()


class _Decimal(QDoubleSpinBox):
    """A spin box for floats that hides trailing zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.setDecimals(6)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)

    def textFromValue(self, value: float) -> str:  # noqa: N802
        text = self.locale().toString(value, "f", self.decimals())
        return text.rstrip("0").removesuffix(self.locale().decimalPoint())


class OptionsForm(QWidget):
    """A form for the options of ``model`` except ``without``, which the page sets itself.

    paths: editors for path options, where the page knows more than the type declares (file types,
    folder or file). helps: tool tips that replace the options' own help.
    """

    changed = Signal()

    def __init__(
        self,
        model: type[Options],
        without: Collection[str] = (),
        more: bool = True,
        paths: Mapping[str, PathPicker | PathList] | None = None,
        helps: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._model = model
        self._paths, self._helps = dict(paths or {}), dict(helps or {})
        self._wheel_filter = _WheelFilter(self)
        self.editors: dict[str, QWidget] = {}
        names = [name for name in model.model_fields if name not in without]
        common = [name for name in names if presentation_of(model, name).common]
        rest = [name for name in names if name not in common]
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(GAP)
        self._label_width = 0
        grids = self._make_grid(common), self._make_grid(rest)
        for grid in grids:
            grid.setColumnMinimumWidth(0, self._label_width)
        box.addLayout(grids[0])
        self.rest = widget_of(grids[1])
        self.toggle = button(self.tr("More options"), self._toggle, "link")
        self._defaults = {name: model.model_fields[name].default for name in self.editors}
        self.rest.setVisible(False)
        self.toggle.setVisible(more and bool(rest))
        box.addWidget(self.toggle)
        box.addWidget(self.rest)

    def values(self) -> dict[str, Any]:
        """The values that differ from the defaults, or from those of `set_defaults`."""
        shown = {name: _read(editor) for name, editor in self.editors.items()}
        return {name: value for name, value in shown.items() if value != self._defaults[name]}

    def value(self, name: str) -> Any:
        """The value entered for one option."""
        return _read(self.editors[name])

    def set_values(self, values: dict[str, Any]) -> None:
        """Show ``values``, from a model or from JSON; defaults where absent."""
        for name, editor in self.editors.items():
            _write(editor, values.get(name, self._defaults[name]))

    def set_defaults(self, values: dict[str, Any]) -> None:
        """Show ``values`` and use them as the defaults, such as the options of a resumed run.

        Absent options keep the defaults of the model.
        """
        self._defaults = {name: self._model.model_fields[name].default for name in self.editors}
        self.set_values(values)
        # As read back from the editors: they round, and rounding must not count as a change.
        known = self._defaults.keys() & values.keys()
        self._defaults |= {name: _read(self.editors[name]) for name in known}

    def aligned_row(self, text: str, editor: QWidget) -> QHBoxLayout:
        """A row for an option that the page sets itself, aligned with those of the form."""
        name = label(text)
        name.setBuddy(editor)
        name.setFixedWidth(self._label_width)
        editor.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return row(name, editor, gap=2 * GAP)

    def options(self, **given: Any) -> Options:
        """The entered options plus ``given``; raises ValidationError where they are invalid."""
        return self._model.model_validate(self.values() | given)

    def _toggle(self) -> None:
        shown = self.rest.isHidden()
        self.rest.setVisible(shown)
        self.toggle.setText(self.tr("Fewer options") if shown else self.tr("More options"))

    def _make_grid(self, names: list[str]) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GAP)
        grid.setVerticalSpacing(GAP)
        grid.setColumnStretch(1, 1)
        for index, name in enumerate(names):
            editor = self._editor(name)
            help_ = self._helps.get(name) or self._model.model_fields[name].description or ""
            help_ = QCoreApplication.translate("options", help_)
            editor.setToolTip(f"<p>{help_}</p>")
            editor.setAccessibleName(title(name))
            editor.setAccessibleDescription(help_)
            for widget in (editor, *editor.findChildren(QWidget)):
                if isinstance(widget, QSlider | QAbstractSpinBox | QComboBox):
                    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                    widget.installEventFilter(self._wheel_filter)
            self.editors[name] = editor
            if isinstance(editor, PathPicker | PathList):  # they have their own label
                grid.addWidget(editor, index, 0, 1, 2)
                continue
            text = label(title(name))
            text.setBuddy(editor)
            text.setToolTip(editor.toolTip())
            self._label_width = max(self._label_width, text.sizeHint().width())
            grid.addWidget(text, index, 0)
            grid.addWidget(editor, index, 1)
        return grid

    def _editor(self, name: str) -> QWidget:
        field = self._model.model_fields[name]
        kind, metadata = _unwrap(field.annotation, list(field.metadata))
        default = None if field.is_required() else field.default
        if kind is Path or get_origin(kind) is list:
            hint = self.tr("not set") if default is None else ""
            picked = self._paths.get(name) or _path_editor(kind, title(name), hint)
            _write(picked, default)
            picked.changed.connect(self.changed)
            return picked
        low, high = _bounds(metadata)
        if get_origin(kind) is Literal:
            choice = QComboBox()
            for value in get_args(kind):
                choice.addItem(choice_title(str(value)), value)
            choice.currentIndexChanged.connect(self.changed)
            made: QWidget = choice
        elif kind is bool:
            check = QCheckBox()
            check.toggled.connect(self.changed)
            made = check
        elif kind is float and default is not None and low is not None and high is not None:
            slider = Slider(low, high, default, title(name))
            slider.changed.connect(self.changed)
            return slider
        elif kind is int and (words := _words(field.annotation)):
            absent = [(self.tr("not set"), None)] if default is None else []
            either = NumberOrWord([*absent, *((choice_title(word), word) for word in words)])
            either.set_value(default)
            either.currentTextChanged.connect(self.changed)
            return either
        elif kind in (int, float):
            made = self._number(kind, low, high, default is None)
        else:
            line = QLineEdit()
            line.setPlaceholderText(self.tr("not set") if default is None else "")
            line.textChanged.connect(self.changed)
            made = line
        made.setProperty("absent", default is None)
        _write(made, default)
        return made

    def _number(
        self, kind: type, low: float | None, high: float | None, optional: bool
    ) -> QSpinBox | QDoubleSpinBox:
        spin: QSpinBox | QDoubleSpinBox
        if kind is int:
            spin = QSpinBox()
            bottom = int(low or 0) - (1 if optional else 0)
            spin.setRange(bottom, int(min(_LARGE, high if high is not None else _LARGE)))
        else:
            spin = _Decimal()
            spin.setRange(low or 0.0, high if high is not None else _LARGE)
        spin.lineEdit().setTextMargins(GAP, 0, GAP, 0)
        if optional:
            spin.setSpecialValueText(self.tr("not set"))
        spin.valueChanged.connect(self.changed)
        return spin


def _path_editor(kind: Any, name: str, hint: str) -> PathPicker | PathList:
    picker = PathPicker(name, hint=hint)
    return PathList([picker]) if get_origin(kind) is list else picker


def error_text(error: Exception) -> str:
    """The message of an error in options or in starting a job."""
    if not isinstance(error, ValidationError):
        return str(error)
    parts = []
    for item in error.errors():
        where = title(str(item["loc"][0])) + ": " if item["loc"] else ""
        parts.append(f"{where}{item['msg'].removeprefix('Value error, ')}.")
    return " ".join(parts)


def _unwrap(annotation: Any, metadata: list[Any]) -> tuple[Any, list[Any]]:
    """Unwrap Annotated and Optional: the bare type and all metadata."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = [*metadata, *more]
            continue
        if get_origin(annotation) in (Union, types.UnionType):
            annotation = next(a for a in get_args(annotation) if a is not type(None))
            continue
        return annotation, metadata


def _words(annotation: Any) -> tuple[str, ...]:
    """The words that an option takes instead of a number."""
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else ()
    return tuple(word for m in members if get_origin(m) is Literal for word in get_args(m))


def _bounds(metadata: list[Any]) -> tuple[float | None, float | None]:
    low = high = None
    for item in metadata:
        for part in getattr(item, "metadata", [item]):
            match part:
                case annotated_types.Ge(ge=value) | annotated_types.Gt(gt=value):
                    low = value
                case annotated_types.Le(le=value) | annotated_types.Lt(lt=value):
                    high = value
    return low, high  # type: ignore[return-value]


def _read(editor: QWidget) -> Any:
    match editor:
        case Slider() | PathPicker() | PathList() | NumberOrWord():
            return editor.value()
        case QComboBox():
            return editor.currentData()
        case QCheckBox():
            return editor.isChecked()
        case QSpinBox() | QDoubleSpinBox():
            absent = editor.property("absent") and editor.value() == editor.minimum()
            return None if absent else editor.value()
        case QLineEdit():
            return editor.text().strip() or (None if editor.property("absent") else "")
    raise TypeError(type(editor).__name__)


def _write(editor: QWidget, value: Any) -> None:
    match editor:
        case Slider():
            editor.set_value(float(value))
        case PathPicker() | PathList() | NumberOrWord():
            editor.set_value(value)
        case QComboBox():
            editor.setCurrentIndex(max(0, editor.findData(value)))
        case QCheckBox():
            editor.setChecked(bool(value))
        case QSpinBox():
            editor.setValue(editor.minimum() if value is None else int(value))
        case QDoubleSpinBox():
            editor.setValue(editor.minimum() if value is None else float(value))
        case QLineEdit():
            editor.setText("" if value is None else str(value))
