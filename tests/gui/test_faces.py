"""Faces page: sort, filter, exclude, restore, undo; a grid of 50,000 faces."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from asked_servers import real_server
from fake_faceswap import png
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from stand_in import Wait

from faceswap.faces.index import FaceIndex, FaceRow, FrameRow
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.preview.protocol import AddSourcesRequest, FacesAnswer, FacesRequest
from gui.models.face_table import FacePart, FaceTableModel
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.widgets.thumbnail_grid import ThumbnailGrid
from gui.window import Window

MANY = 50_000


@pytest.fixture
def page(window: Window, project: Path, wait: Wait) -> FacesPage:
    """The page showing the ten faces of A."""
    window.context.open(project)
    session = window.context.session
    assert session is not None
    wait(lambda: session.info is not None)
    window.go("faces")
    made = window.page
    assert isinstance(made, FacesPage)
    wait(lambda: len(made.grid.order) == 10)
    return made


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with 50,000 crops of one side, links to 100 different images."""
    project = tmp_path_factory.mktemp("crowd")
    folder = project / "faces" / "a"
    folder.mkdir(parents=True)
    (project / "project.toml").write_text("format = 1\n")
    pictures = [project / f"{number}.bin" for number in range(100)]
    for number, path in enumerate(pictures):
        path.write_bytes(png(256, 256, (number * 2, 120, 250 - number * 2)))
    points, forehead = np.zeros((68, 2), np.float32), np.zeros((13, 2), np.float32)
    faces = []
    for number in range(MANY):
        name = f"{number:06}_0.png"
        os.link(pictures[number % 100], folder / name)
        pose = (number % 90 - 45.0, 0.0, 0.0)
        faces.append(FaceRow(number, 0, points, forehead, 0.9, pose, name))
    frames = [FrameRow(number, number, number / 25, False) for number in range(MANY)]
    with FaceIndex(project / "index.sqlite") as index:
        index.reset_source("a", {})
        index.add("a", frames, faces, {}, complete=True)
    return project


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.png"))


def test_faces_are_excluded_and_restored_with_undo_and_redo(
    page: FacesPage, project: Path, wait: Wait, qtbot: QtBot
) -> None:
    folder = project / "faces" / "a"
    everything = names(folder)
    page.grid.setFocus()
    page.grid._select_span(2)
    page.grid._anchor = 2
    page.grid._select_span(4)
    page.exclude()
    wait(lambda: len(names(folder)) == 7)
    assert names(folder / EXCLUDED) == everything[2:5]
    wait(lambda: int(page.table.excluded.sum()) == 3)
    page.undo.undo()
    wait(lambda: names(folder) == everything)
    page.undo.redo()
    wait(lambda: len(names(folder)) == 7)
    page.filter.setCurrentIndex(page.filter.findData("out"))
    wait(lambda: len(page.grid.order) == 3)
    page.grid.select_all()
    page.restore()
    wait(lambda: names(folder) == everything)
    wait(lambda: len(page.grid.order) == 0)


def test_sorting_and_filtering(page: FacesPage, wait: Wait) -> None:
    wait(lambda: page.table.unmeasured_count() == 0)
    page.sort.setCurrentIndex(page.sort.findData("yaw"))
    assert page.grid.order.tolist() == list(range(9, -1, -1))
    page.sort.setCurrentIndex(page.sort.findData("presence"))
    assert page.grid.order.tolist()[:2] == [0, 5]
    page.filter.setCurrentIndex(page.filter.findData("low presence"))
    assert page.grid.order.tolist() == [0, 5]


def test_an_empty_page_says_what_to_do(
    window: Window, project: Path, page: FacesPage, wait: Wait
) -> None:
    page.filter.setCurrentIndex(page.filter.findData("out"))
    assert not len(page.grid.order)
    assert page.grid.hint == "No face passes these filters."
    for path in (project / "faces" / "b").iterdir():
        path.unlink()
    page.set_side("b")
    wait(lambda: "extract them on the Footage page" in page.grid.hint)


def test_faces_are_sorted_by_likeness_to_the_chosen_one(
    page: FacesPage, window: Window, wait: Wait
) -> None:
    page.sort.setCurrentIndex(page.sort.findData("likeness"))
    assert "Choose a face first" in window.banner.text
    page.sort.setCurrentIndex(0)
    page.grid._anchor = 4
    page.grid._select_span(4)
    page.sort.setCurrentIndex(page.sort.findData("likeness"))
    wait(lambda: page.grid.order.tolist()[0] == 4)
    assert set(page.grid.order.tolist()[1:3]) == {3, 5}  # those in nearly the same pose


def test_faces_are_filtered_by_person_source_and_track(
    page: FacesPage, tmp_path: Path, wait: Wait
) -> None:
    session = page.session
    assert session is not None
    clip = tmp_path / "more.mp4"
    clip.write_text("")
    session.rpc.send(AddSourcesRequest(side="a", paths=(clip,)), lambda _: session.refresh())
    shutil.copytree(session.folder / "faces" / "a", session.folder / "faces" / "a2")
    wait(lambda: len(page.grid.order) == 20)
    page.filters.source.setCurrentIndex(page.filters.source.findData("a2"))
    assert page.grid.order.tolist() == list(range(10, 20))
    page.grid.select_all()
    page.exclude()
    wait(lambda: len(names(session.folder / "faces" / "a2" / EXCLUDED)) == 10)
    assert len(names(session.folder / "faces" / "a")) == 10
    page.undo.undo()
    wait(lambda: len(names(session.folder / "faces" / "a2")) == 10)
    page.filters.source.setCurrentIndex(0)
    page.grid._anchor = 3
    page.grid._select_span(3)
    page.filter.setCurrentIndex(page.filter.findData("track"))
    assert page.grid.order.tolist() == list(range(10))


def test_near_duplicates_are_folded_and_excluded_together(
    page: FacesPage, project: Path, wait: Wait
) -> None:
    page.filters.fold.setChecked(True)
    shown = page.grid.order.tolist()
    assert page.grid.counts is not None
    counts = [int(page.grid.counts[item]) for item in shown]
    assert len(shown) < 10
    assert sum(counts) == 10
    page.grid._anchor = 0
    page.grid._select_span(0)
    page.exclude()
    wait(lambda: len(names(project / "faces" / "a" / EXCLUDED)) == counts[0])
    page.undo.undo()
    wait(lambda: len(names(project / "faces" / "a")) == 10)
    page.filters.fold.setChecked(False)
    assert len(page.grid.order) == 10


def test_what_b_lacks_is_said_in_words(page: FacesPage, wait: Wait) -> None:
    page.show_coverage()
    wait(lambda: page.coverage.view.pose.needed.sum() > 0)
    assert page.lack.isChecked()
    assert page.coverage.view.words.text()
    cells = page.coverage.view.pose.cells()
    assert len(cells) == 35
    assert sum(cell.needed for cell in cells) == pytest.approx(0.4)
    page.set_side("a")
    assert page.segments["a"].isChecked()


def test_enter_on_a_face_opens_its_frame(
    page: FacesPage, window: Window, wait: Wait, qtbot: QtBot
) -> None:
    page.grid.setFocus()
    for _ in range(3):
        qtbot.keyClick(page.grid, Qt.Key.Key_Right)
    qtbot.keyClick(page.grid, Qt.Key.Key_Return)
    assert window.page.name == "footage"
    footage = window.page
    assert isinstance(footage, FootagePage)
    wait(lambda: footage.timeline.frame == 3)


def test_a_table_that_cannot_be_read_is_told(
    page: FacesPage, window: Window, tmp_path: Path
) -> None:
    names, values = tmp_path / "names.txt", tmp_path / "values.npy"
    answer = FacesAnswer(
        count=1,
        columns=("excluded",),
        names=names,
        values=values,
        folder=tmp_path,
        excluded_folder=tmp_path / EXCLUDED,
    )
    assert page._crops is not None
    page._take(page._crops, ["a"], "a", answer)
    assert "The table of faces cannot be read" in window.banner.text
    names.write_text("two\nlines.png")
    np.save(values, np.zeros((1, 1), np.float32))
    page._take(page._crops, ["a"], "a", answer)
    assert "more than one line" in window.banner.text
    assert len(page.table.names) == 10


def test_a_missing_file_leaves_an_empty_square(qapp: QApplication, wait: Wait) -> None:
    grid = ThumbnailGrid()
    grid.resize(400, 300)
    grid.set_items(["/nowhere/1.png"], np.zeros(1, np.bool_))
    grid.show()
    wait(lambda: 0 in grid._thumbnails)
    assert not grid.requested
    grid.stop_loading()
    grid.close()
    grid.deleteLater()


def test_of_50_000_faces_only_visible_ones_are_loaded(
    crowd: Path, qapp: QApplication, wait: Wait, tmp_path: Path
) -> None:
    with real_server(crowd, tmp_path / "exchange") as server:
        table = FaceTableModel([FacePart.read("a", server.faces(FacesRequest(source="a")))])
    grid = ThumbnailGrid()
    grid.resize(1100, 560)
    grid.set_items(table.paths(), table.excluded.copy())
    grid.set_order(table.order("yaw", "all"))
    grid.show()
    assert len(table.names) == MANY
    visible = grid.columns * (560 // (grid.cell + 4) + 2)
    wait(lambda: grid._thumbnails and not grid.requested)
    assert len(grid._thumbnails) <= visible
    bar = grid.verticalScrollBar()
    for place in range(0, bar.maximum(), bar.maximum() // 20):
        bar.setValue(place)
        qapp.processEvents()
        assert len(grid.requested) <= visible
    wait(lambda: not grid.requested)
    first, last = grid._visible_range()
    assert all(int(item) in grid._thumbnails for item in grid.order[first:last])
    assert len(grid._thumbnails) <= 22 * visible
    grid.stop_loading()
    grid.close()
    grid.deleteLater()
