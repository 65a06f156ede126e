"""Forms made from the options models of all jobs."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from faceswap.jobs.convert import ConvertOptions
from faceswap.jobs.registry import JOBS, options_of
from faceswap.jobs.train import TrainOptions
from faceswap.options import show_of
from faceswap.swap.look import Look
from gui.forms import Form, Slider


@pytest.mark.parametrize("name", list(JOBS))
def test_every_job_has_a_form(name: str, qapp: QApplication) -> None:
    model = options_of(JOBS[name])
    form = Form(model)
    assert set(form.editors) == set(model.model_fields)
    required = {n for n, f in model.model_fields.items() if f.is_required()}
    assert set(form.values()) <= required
    for option, editor in form.editors.items():
        assert editor.accessibleName(), option
        assert (model.model_fields[option].description or "") in editor.toolTip()
        hidden = form.rest.isAncestorOf(editor)
        assert hidden != show_of(model, option).common
    form.deleteLater()


def test_what_is_entered_becomes_options(qapp: QApplication, tmp_path: Path) -> None:
    form = Form(TrainOptions, without=("project",))
    form.set_values({"minutes": 12.5, "optimiser": "lion", "flip": True, "batch": 8})
    options = form.options(project=tmp_path)
    assert options == TrainOptions(
        project=tmp_path, minutes=12.5, optimiser="lion", flip=True, batch=8
    )
    form.set_values({})
    assert form.values() == {}
    form.deleteLater()


def test_bounded_numbers_are_sliders_within_their_bounds(qapp: QApplication) -> None:
    form = Form(Look)
    seen: list[QWidget] = list(form.editors.values())
    assert all(isinstance(editor, Slider) for editor in seen)
    grow = form.editors["grow"]
    assert isinstance(grow, Slider)
    told: list[None] = []
    form.changed.connect(lambda: told.append(None))
    grow.slider.setValue(1000)
    assert form.values() == {"grow": Look.model_fields["grow"].metadata[-1].le} or told
    Look(**form.values())
    form.deleteLater()


def test_options_of_conversion_leave_the_look_to_the_sliders(qapp: QApplication) -> None:
    form = Form(ConvertOptions, without=tuple(Look.model_fields))
    assert not set(form.editors) & set(Look.model_fields)
    form.deleteLater()
