"""Forms generated from the option models of all jobs."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QDoubleSpinBox, QSlider, QWidget

from faceswap.commands import JOBS, options_of
from faceswap.jobs.convert import ConvertOptions
from faceswap.jobs.lab import LabOptions
from faceswap.options import presentation_of
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.training.options import TrainOptions
from gui.widgets.number_or_word import NumberOrWord
from gui.widgets.options_form import OptionsForm, Slider


@pytest.mark.parametrize("name", list(JOBS))
def test_every_job_has_a_form(name: str, qapp: QApplication) -> None:
    model = options_of(JOBS[name])
    form = OptionsForm(model)
    assert set(form.editors) == set(model.model_fields)
    required = {n for n, f in model.model_fields.items() if f.is_required()}
    assert set(form.values()) <= required
    for option, editor in form.editors.items():
        assert editor.accessibleName(), option
        assert (model.model_fields[option].description or "") in editor.toolTip()
        hidden = form.rest.isAncestorOf(editor)
        assert hidden != presentation_of(model, option).common
    form.deleteLater()


def test_entries_become_options(qapp: QApplication, tmp_path: Path) -> None:
    form = OptionsForm(TrainOptions, without=("project",))
    form.set_values({"minutes": 12.5, "optimizer": "lion", "random_flip": True, "batch": 8})
    options = form.options(project=tmp_path)
    assert options == TrainOptions(
        project=tmp_path, minutes=12.5, optimizer="lion", random_flip=True, batch=8
    )
    form.set_values({})
    assert form.values() == {}
    form.deleteLater()


def test_options_of_a_run_replace_the_defaults(qapp: QApplication) -> None:
    form = OptionsForm(TrainOptions, without=("project",))
    form.set_values({"warp": 0.05})
    has = {
        "warp": 0.15,
        "random_flip": True,
        "batch": 12,
        "learning_rate": 0.000123456,
        "init": "p.x",
    }
    form.set_defaults(has | {"unheard_of": 1})
    assert form.values() == {}
    assert (form.value("warp"), form.value("random_flip"), form.value("batch")) == (0.15, True, 12)
    form.set_values({"warp": 0.1, "random_flip": False})
    assert form.values() == {"warp": 0.1, "random_flip": False}
    form.set_defaults({})
    assert form.values() == {}
    assert form.value("warp") == 0.1
    form.deleteLater()


def test_small_numbers_are_not_rounded(qapp: QApplication) -> None:
    form = OptionsForm(LabOptions, without=("task",))
    spin = form.editors["strength"]
    assert isinstance(spin, QDoubleSpinBox)
    for value, shown in ((0.25, "0.25"), (1e-5, "0.00001"), (20.0, "20"), (100.5, "100.5")):
        form.set_values({"strength": value})
        assert form.values() == {"strength": value}
        assert spin.text() == spin.locale().toString(value, "f", len(shown.partition(".")[2]))
    form.deleteLater()


def test_paths_are_lists_or_single_ones(qapp: QApplication, tmp_path: Path) -> None:
    form = OptionsForm(LabOptions, without=("task",))
    form.set_values({"data": [str(tmp_path)], "output": str(tmp_path / "out")})
    assert form.values() == {"data": [tmp_path], "output": tmp_path / "out"}
    form.set_values({"output": "~/out"})
    assert form.values() == {"output": Path.home() / "out"}
    form.deleteLater()


def test_bounded_numbers_are_sliders_within_their_bounds(qapp: QApplication) -> None:
    form = OptionsForm(BlendOptions)
    for name, field in BlendOptions.model_fields.items():
        assert isinstance(form.editors[name], Slider) == (field.annotation is float), name
    grow = form.editors["mask_dilate"]
    assert isinstance(grow, Slider)
    told: list[None] = []
    form.changed.connect(lambda: told.append(None))
    for index in (0, 1000):
        grow.slider.setValue(index)
        assert abs(BlendOptions(**form.values()).mask_dilate) == 0.3
    assert len(told) == 2
    form.deleteLater()


def test_choices_are_shown_as_labels(qapp: QApplication) -> None:
    form = OptionsForm(BlendOptions)
    outline = form.editors["mask_type"]
    assert isinstance(outline, QComboBox)
    shown = [outline.itemText(i) for i in range(outline.count())]
    assert shown == ["all", "segmented", "learned", "landmarks"]
    outline.setCurrentText("landmarks")
    assert form.values() == {"mask_type": "landmarks"}
    form.set_values({})
    assert outline.currentText() == "all"
    form.deleteLater()


def test_a_batch_size_is_a_number_or_auto(qapp: QApplication, tmp_path: Path) -> None:
    form = OptionsForm(TrainOptions, without=("project",))
    editor = form.editors["batch"]
    assert isinstance(editor, NumberOrWord)
    assert [editor.itemText(i) for i in range(editor.count())] == ["not set", "auto"]
    assert form.values() == {}
    editor.setCurrentText("auto")
    assert form.options(project=tmp_path) == TrainOptions(project=tmp_path, batch="auto")
    editor.setCurrentText("12")
    assert form.options(project=tmp_path) == TrainOptions(project=tmp_path, batch=12)
    editor.setCurrentText("0")
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        form.options(project=tmp_path)
    form.set_values({})
    assert form.values() == {}
    form.deleteLater()


def test_the_wheel_changes_nothing_without_focus(qapp: QApplication) -> None:
    form = OptionsForm(BlendOptions)
    form.show()
    for editor in (form.editors["mask_dilate"].findChild(QSlider), form.editors["mask_type"]):
        assert isinstance(editor, QWidget)
        editor.clearFocus()
        centre = QPointF(editor.rect().center())
        turned = QWheelEvent(
            centre,
            editor.mapToGlobal(centre),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        qapp.sendEvent(editor, turned)
        assert not turned.isAccepted()
    assert form.values() == {}
    form.close()
    form.deleteLater()


def test_the_export_form_leaves_out_the_blending_options(qapp: QApplication) -> None:
    form = OptionsForm(ConvertOptions, without=tuple(BlendOptions.model_fields))
    assert not set(form.editors) & set(BlendOptions.model_fields)
    form.deleteLater()
