"""End-to-end: from two clips to a finished video with the real window and program."""

from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from stand_in import drop
from walker import Walker

from faceswap.options import SIDES, Side
from faceswap.video.provenance import is_marked_synthetic
from faceswap.video.reader import VideoReader
from gui.pages.convert import ConvertPage
from gui.pages.faces import FacesPage
from gui.pages.footage import FootagePage
from gui.pages.start import StartPage
from gui.pages.train import TrainPage
from gui.widgets.options_form import Slider

pytestmark = pytest.mark.slow


def test_from_two_clips_to_a_video(walker: Walker, sample: Path, tmp_path: Path) -> None:
    project = tmp_path / "first swap"
    _drop(walker, sample, tmp_path, project)
    _find_faces(walker)
    _look_at_faces(walker, project)
    _train(walker)
    _convert(walker, sample, project)


def _drop(walker: Walker, sample: Path, tmp_path: Path, project: Path) -> None:
    page = walker.window.page
    assert isinstance(page, StartPage)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((sample / "a.mp4").read_bytes()[:5000])
    zone = page.zones["a"]
    drop(zone, broken)
    walker.until(lambda: zone.message() != page.zones["b"].message())
    assert "broken.mp4" in zone.message()
    assert not page.make_button.isEnabled()
    drop(zone, sample / "a.mp4", sample / "b.mp4")
    walker.until(page.make_button.isEnabled)
    page.folder_edit.setText(str(project))
    walker.click(page.make_button)
    walker.until(lambda: walker.window.page.name == "footage")


def _ready(page: FootagePage, side: Side) -> bool:
    return page.side == side and page.find_button.isEnabled()


def _complete(walker: Walker, side: Side) -> bool:
    return bool(walker.side(side).complete)


def _find_faces(walker: Walker) -> None:
    page = walker.window.page
    assert isinstance(page, FootagePage)
    walker.until(lambda: not page.canvas.image.isNull())
    for side in SIDES:
        walker.click(page.segments[side])
        walker.until(partial(_ready, page, side))
        page.form.set_values({"size": 64})
        walker.run(page.find_button)
        walker.until(partial(_complete, walker, side))
        assert walker.side(side).crops == 50
    timeline = page.timeline
    walker.click(timeline, QPoint(timeline.width() // 2, timeline.height() // 2))
    walker.until(lambda: timeline.frame == 25 and len(page.canvas.faces) == 1)


def _look_at_faces(walker: Walker, project: Path) -> None:
    walker.go("faces")
    page = walker.window.page
    assert isinstance(page, FacesPage)
    walker.until(lambda: len(page.grid.order) == 50)
    walker.until(lambda: page.table.unmeasured_count() == 0)
    walker.type(page.grid, Qt.Key.Key_End)
    walker.click(page.out)
    walker.until(lambda: int(page.table.excluded.sum()) == 1)
    assert len(list((project / "faces" / "a").glob("*.png"))) == 49


def _train(walker: Walker) -> None:
    walker.go("train")
    page = walker.window.page
    assert isinstance(page, TrainPage)
    walker.until(page.go.isEnabled)
    page.form.set_values({"steps": 100, "batch": 4, "resolution": 64})
    walker.run(page.go)
    walker.until(lambda: not page.previews.grid.image.isNull())
    grid = page.previews.grid
    walker.click(grid, grid.picture_rect().center().toPoint())
    assert not page.previews.wipe.second.isNull()
    walker.until(lambda: len(page.curves.series["loss"].points[0]) > 1 and page.curves.isVisible())
    walker.until(lambda: "of training" in page.state.text())


def _convert(walker: Walker, sample: Path, project: Path) -> None:
    walker.go("convert")
    page = walker.window.page
    assert isinstance(page, ConvertPage)
    walker.until(lambda: not page.wipe.second.isNull() and not page.wipe.image.isNull())
    before = page.wipe.second
    slider = page.blend_form.editors["mask_dilate"]
    assert isinstance(slider, Slider)
    walker.type(slider.slider, Qt.Key.Key_Home)
    assert page.blend_form.values() == {"mask_dilate": -0.3}
    walker.until(lambda: page.wipe.second != before)
    walker.click(page.wipe, QPoint(page.wipe.width() // 4, page.wipe.height() // 2))
    assert page.wipe.divider < 0.5
    output = project / "out" / "swap.mp4"
    walker.run(page.start)
    assert is_marked_synthetic(output)
    with VideoReader(output) as made, VideoReader(sample / "a.mp4") as given:
        assert sum(1 for _ in made) == sum(1 for _ in given)
    walker.click(page.play_button)
    walker.until(lambda: not page.result.image.isNull() and page.timeline.frame > 10)
    walker.until(lambda: not page.player.playing)
    assert page.timeline.frame == 49
