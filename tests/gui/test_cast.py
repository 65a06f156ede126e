"""Convert and Train: who is changed by what, chosen by face and shown before anything starts."""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox
from stand_in import Wait

from faceswap.jobs.convert import ConvertOptions
from faceswap.preview.protocol import ChoosePair
from faceswap.swap.training.options import TrainOptions
from gui.pages.convert import ConvertPage
from gui.pages.train import TrainPage
from gui.window import Window


@pytest.fixture
def page(window: Window, project: Path, wait: Wait) -> ConvertPage:
    """The page with the plan of A's footage, which shows person 1."""
    window.context.open(project)
    session = window.context.session
    assert session is not None
    wait(lambda: bool(session.people.people))
    window.go("convert")
    made = window.page
    assert isinstance(made, ConvertPage)
    wait(lambda: list(made.cast.choices) == [1])
    return made


def choose(box: QComboBox, data: object) -> None:
    """Choose as a user does."""
    box.setCurrentIndex(box.findData(data))
    box.activated.emit(box.currentIndex())


def test_who_is_changed_is_shown_and_exported(
    page: ConvertPage, window: Window, wait: Wait
) -> None:
    assert page.cast.summary.text() == "Changed: person 1."
    assert page.cast.casting() == ("1=main",)
    wait(lambda: not page.wipe.second.isNull())
    page.export()
    (job,) = window.context.jobs.jobs
    assert ConvertOptions.model_validate(job.record.options).map == ("1=main",)
    wait(lambda: not job.running)


def test_without_anybody_nothing_starts(page: ConvertPage, wait: Wait) -> None:
    choose(page.cast.choices[1], "")
    assert "Nobody is changed" in page.cast.summary.text()
    assert not page.start.isEnabled()
    assert page.wipe.second.isNull()
    choose(page.cast.choices[1], "main")
    wait(page.start.isEnabled)
    assert page.cast.chosen() == ("1=main",)


def test_another_source_has_other_people(page: ConvertPage, window: Window, wait: Wait) -> None:
    choose(page.source_box, "b")
    wait(lambda: set(page.cast.choices) == {2, 3})
    choose(page.cast.choices[3], "main")
    wait(lambda: page.cast.casting() == ("3=main",))
    page.export()
    job = window.context.jobs.jobs[0]
    options = ConvertOptions.model_validate(job.record.options)
    assert options.input == [Path("/b.mp4")]
    assert options.map == ("3=main",)
    wait(lambda: not job.running)


def test_training_takes_the_people_of_its_pair(
    page: ConvertPage, window: Window, wait: Wait
) -> None:
    session = window.context.session
    assert session is not None
    window.go("train")
    train = window.page
    assert isinstance(train, TrainPage)
    assert train._chosen_people() == {}
    session.people.correct(ChoosePair(run="main", a=1, b=3), "choose")
    wait(lambda: train._chosen_people() == {"person_a": "1", "person_b": "3"})
    choose(train.people["b"], 2)
    wait(lambda: session.people.pair("main").b == 2)
    wait(train.go.isEnabled)
    train.start()
    (job,) = window.context.jobs.jobs
    options = TrainOptions.model_validate(job.record.options)
    assert (options.person_a, options.person_b) == ("1", "2")
    wait(lambda: not job.running)
