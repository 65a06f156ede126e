"""Lab page: a form for every task, running tasks and showing their results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from stand_in import FAKE, Wait, drop
from walker import Walker

from faceswap.jobs.lab import LabOptions
from faceswap.lab.task_registry import GROUPS, TASKS
from gui.models.app_context import AppContext
from gui.models.settings import Settings
from gui.pages.jobs import JobsPage
from gui.pages.lab import LabPage
from gui.widgets.path_picker import PathList
from gui.window import Window


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace the default work folder of the page."""
    monkeypatch.setattr("gui.pages.lab.work_folder", lambda: tmp_path / "work")
    return tmp_path / "work"


def lab_page(window: Window) -> LabPage:
    window.go("lab")
    page = window.page
    assert isinstance(page, LabPage)
    return page


def pickers(page: LabPage) -> PathList:
    found = page.form.editors["data"]
    assert isinstance(found, PathList)
    return found


def pictures(folder: Path, level: int, count: int = 12) -> Path:
    """Grey pictures of 16 × 16 with a bright spot somewhere."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(level)
    for number in range(count):
        picture = np.full((16, 16), level, np.uint8)
        y, x = rng.integers(2, 14, 2)
        picture[y - 2 : y + 2, x - 2 : x + 2] = 255 - level
        Image.fromarray(picture).save(folder / f"{number:02}.png")
    return folder


def test_every_task_has_a_form_of_the_options_that_apply(window: Window) -> None:
    page = lab_page(window)  # no project is open
    assert {task.group for task in TASKS.values()} == set(GROUPS)
    for name, task in TASKS.items():
        page.tasks.select(name)
        assert page.task == name
        applicable = {
            "latent_dim": task.has_latent_dim,
            "size": task.has_size,
            "strength": bool(task.strength),
        }
        left_out = {"task", *(option for option, applies in applicable.items() if not applies)}
        left_out |= set() if task.text_help else {"text"}
        assert set(page.form.editors) == set(LabOptions.model_fields) - left_out
        lines = pickers(page).pickers
        assert [pick.line.accessibleName().lower() for pick in lines] == [
            given.name.lower() for given in task.inputs
        ]
        assert task.default_data in lines[0].line.placeholderText()
        assert page.folder == page._suggested()
        entered: dict[str, Any] = {option: 8 for option, applies in applicable.items() if applies}
        page.form.set_values(entered)
        made = page.form.options(task=name)
        assert made == LabOptions(task=name, **entered)
        if task.strength:
            assert task.strength in page.form.editors["strength"].toolTip()


def test_inputs_are_entered_in_order_and_dropped(window: Window, work: Path) -> None:
    page = lab_page(window)
    page.tasks.select("translate")
    a, b, truth = pickers(page).pickers
    assert (a.isEnabled(), b.isEnabled(), truth.isEnabled()) == (True, False, False)
    drop(a, work / "night")
    assert (b.isEnabled(), truth.isEnabled()) == (True, False)
    assert page.folder == work / "lab" / "translate night"
    drop(b, work / "day")
    drop(truth, work / "truth")
    assert page.form.value("data") == [work / "night", work / "day", work / "truth"]
    b.set_value(None)
    assert page.form.value("data") == [work / "night"]
    assert not truth.isEnabled()


def test_entries_are_kept_for_each_task_and_for_the_next_window(
    window: Window, settings: Settings, tmp_path: Path
) -> None:
    page = lab_page(window)
    page.form.set_values({"steps": 7, "strength": 0.25, "output": tmp_path / "here"})
    page.tasks.select("retrieve")
    page.form.set_values({"data": [tmp_path / "all", tmp_path / "one.png"]})
    page.tasks.select("denoise")
    assert page.form.values() == {"steps": 7, "strength": 0.25, "output": tmp_path / "here"}
    page.tasks.select("retrieve")
    window.go("jobs")
    context = AppContext(settings, FAKE)
    other = Window(context)
    again = lab_page(other)
    assert again.task == again.tasks.task == "retrieve"
    assert again.form.value("data") == [tmp_path / "all", tmp_path / "one.png"]
    again.tasks.select("denoise")
    assert again.folder == tmp_path / "here"
    other.close()
    other.deleteLater()
    context.deleteLater()


def test_a_task_runs_while_another_is_shown(
    window: Window, wait: Wait, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_JOB", "hang")
    page = lab_page(window)
    page.form.set_values({"steps": 5})
    page.go.click()
    (job,) = window.context.jobs.running()
    wait(lambda: "loss" in page.state.text())
    assert page.status_bar.isVisible()
    assert not page.go.isEnabled()
    assert not page.form.isEnabled()
    page.tasks.select("vae")
    assert not page.status_bar.isVisible()
    assert page.go.isEnabled()
    assert page.state.text() == ""
    page.tasks.select("denoise")
    assert page.status_bar.job is job
    assert page.form.value("steps") == 5
    window.go("jobs")
    jobs = window.page
    assert isinstance(jobs, JobsPage)
    line = f"faceswap lab --task denoise --output {work / 'lab' / 'denoise'} --steps 5"
    assert jobs.command.text() == line
    drawn = len(page.curves.series["loss"].points[0])
    wait(lambda: len(page.curves.series["loss"].points[0]) > drawn)
    lab_page(window)
    assert len(page.curves.series["loss"].points[0]) > 0
    page.status_bar.stop.click()
    wait(lambda: not job.running)
    assert page.go.isEnabled()


def test_a_reopened_window_shows_the_curve_so_far(
    window: Window, settings: Settings, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_JOB", "hang")
    page = lab_page(window)
    page.go.click()
    wait(lambda: len(page.curves.series["loss"].points[0]) > 20)
    page.tasks.select("vae")
    assert len(page.curves.series["loss"].points[0]) == 0
    page.tasks.select("denoise")
    assert page.curves.series["loss"].points[0][:20].tolist() == list(range(1, 21))
    window.go("jobs")
    context = AppContext(settings, FAKE)
    other = Window(context)
    again = lab_page(other)
    wait(lambda: len(again.curves.series["loss"].points[0]) > 40)
    assert again.curves.series["loss"].points[0][:40].tolist() == list(range(1, 41))
    assert "loss" in again.state.text()
    other.ask_about_jobs = lambda running: "stop"  # type: ignore[method-assign]
    other.close()
    other.deleteLater()
    context.deleteLater()
    wait(lambda: not window.context.jobs.running())


def test_the_faces_of_the_open_project_are_one_click_away(window: Window, project: Path) -> None:
    page = lab_page(window)
    assert not page.own_faces.isVisible()
    window.context.open(project)
    assert page.own_faces.isVisible()
    page.own_faces.click()
    assert page.form.value("data") == [project]
    page.tasks.select("audio-denoise")
    assert not page.own_faces.isVisible()


def test_invalid_options_are_reported_at_once(window: Window) -> None:
    page = lab_page(window)
    page.form.set_values({"steps": 5, "minutes": 2.0})
    page.start()
    assert "not both" in window.banner.text
    page.repair.start()
    assert "Choose a picture" in window.banner.text
    assert not window.context.jobs.jobs


def test_the_figure_is_enlarged_by_keyboard(window: Window, work: Path, qtbot: QtBot) -> None:
    folder = work / "lab" / "denoise"
    folder.mkdir(parents=True)
    Image.new("RGB", (90, 60), "white").save(folder / "denoise.png")
    (folder / "denoise.json").write_text('{"sentence": "It is better."}')
    page = lab_page(window)
    assert page.sentence.text() == "It is better."
    qtbot.keyClick(page.figure, Qt.Key.Key_Return)
    assert not page.tasks.isVisible()
    assert not page.panel.isVisible()
    assert page.figure.width() > 1000
    page.smaller.click()
    assert page.tasks.isVisible()
    (folder / "denoise.png").write_bytes(b"no picture")
    (folder / "denoise.json").write_text("[")
    window.go("jobs")
    lab_page(window)
    assert page.figure.path is None
    assert page.sentence.isHidden()


def test_the_repair_panel_asks_for_its_inputs_and_shows_the_result(
    window: Window, work: Path, wait: Wait, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = lab_page(window)
    for name, task in TASKS.items():
        (work / "lab" / name / name).mkdir(parents=True)
        (work / "lab" / name / name / "step-000000001.safetensors").touch()
        page.tasks.select(name)
        page._show_folder()
        assert page.repair.isVisible() == task.can_restore
        assert page.repair.mask_picker.isVisible() == (task.can_restore and task.needs_mask)
    page.tasks.select("inpaint")
    page.repair.input.set_value(tmp_path / "clip.mp4")
    page.repair.mask_picker.set_value(tmp_path / "holes.png")
    (tmp_path / "clip inpaint.mp4").touch()
    asked: list[str] = []

    def confirm(page: object, text: str, yes: str) -> bool:
        asked.append(text)
        return True

    monkeypatch.setattr("gui.widgets.elements.confirm", confirm)
    page.repair.go.click()
    assert asked == ["clip inpaint.mp4 already exists. Replace it?"]
    (job,) = window.context.jobs.jobs
    model = work / "lab" / "inpaint" / "inpaint"
    assert job.record.arguments == [
        *("restore", "--input", str(tmp_path / "clip.mp4"), "--model", str(model)),
        *("--output", str(tmp_path / "clip inpaint.mp4")),
        *("--mask", str(tmp_path / "holes.png"), "--overwrite"),
    ]
    assert page.status_bar.job is job
    wait(lambda: not page.compare.wipe.second.isNull())
    assert page.sentence.text() == "All done."
    before = page.compare.wipe.image
    page.compare.slider.setValue(50)
    wait(lambda: page.compare.wipe.image != before)
    monkeypatch.setattr("gui.widgets.elements.confirm", lambda page, text, yes: False)
    page.repair.start()
    assert len(window.context.jobs.jobs) == 1


@pytest.mark.slow
def test_from_digits_to_a_restored_picture(walker: Walker, work: Path, tmp_path: Path) -> None:
    picture = pictures(tmp_path / "some", 40) / "03.png"
    walker.until(lambda: len(walker.window.pages) == len(walker.window._kinds))
    walker.go("lab")
    page = walker.window.page
    assert isinstance(page, LabPage)
    page.form.set_values({"steps": 2, "device": "cpu"})
    assert not page.repair.isVisible()
    walker.run(page.go)
    folder = work / "lab" / "denoise"
    assert (folder / "denoise" / "step-000000002.safetensors").is_file()
    assert page.figure.path == folder / "denoise.png"
    assert not page.figure.image.isNull()
    assert "test pictures" in page.sentence.text()
    assert page.go.text() == "Resume"
    page.form.set_values({"steps": 3, "device": "cpu"})
    walker.run(page.go)
    assert (folder / "denoise" / "step-000000003.safetensors").is_file()
    drop(page.repair.input, picture)
    walker.run(page.repair.go)
    assert (tmp_path / "some" / "03 denoise.png").is_file()
    wipe = page.compare.wipe
    walker.until(lambda: not wipe.image.isNull() and not wipe.second.isNull())
    assert wipe.isVisible()
    assert wipe.image != wipe.second
    assert not page.compare.slider.isVisible()
    walker.click(page.back)
    assert page.figure.isVisible()


@pytest.mark.slow
def test_a_folder_without_pictures_then_two_with_some(
    walker: Walker, work: Path, tmp_path: Path
) -> None:
    walker.go("lab")
    page = walker.window.page
    assert isinstance(page, LabPage)
    page.tasks.select("translate")
    (tmp_path / "empty").mkdir()
    a, b, _ = pickers(page).pickers
    for pick in (a, b):
        drop(pick, tmp_path / "empty")
    page.form.set_values(page.form.values() | {"steps": 2, "device": "cpu", "size": 16})
    walker.run(page.go, "failed")
    assert "There are no pictures" in walker.window.banner.text
    drop(a, pictures(tmp_path / "night", 20))
    drop(b, pictures(tmp_path / "day", 200))
    job = walker.run(page.go)
    assert page.figure.path == work / "lab" / "translate night" / "translate.png"
    assert page.sentence.text() in job.message
    assert "translated to B" in page.sentence.text()
