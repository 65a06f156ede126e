"""End-to-end: of two people in a clip the right one is changed, with three clips, in the window."""

import tomllib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from side_by_side import side_by_side
from stand_in import drop
from walker import Walker

from faceswap.options import Side
from faceswap.types import UInt8Image
from faceswap.video.reader import VideoReader
from gui.models.people import PeopleModel
from gui.pages.convert import ConvertPage
from gui.pages.footage import FootagePage
from gui.pages.people import PeoplePage
from gui.pages.start import StartPage
from gui.pages.train import TrainPage

FRAMES = 25


@pytest.fixture(scope="module")
def rendered(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A clip of two rendered people, and one of each: those on its left and on its right."""
    folder = tmp_path_factory.mktemp("three clips")
    both = side_by_side(sample / "a.mp4", sample / "b.mp4", folder / "both.mp4", FRAMES)
    return both, sample / "a.mp4", sample / "b.mp4"


def test_the_right_one_of_two_people_is_changed(
    walker: Walker, rendered: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    both, left, right = rendered
    project = tmp_path / "two people"
    _begin(walker, both, right, project)
    _add(walker, "a", left)
    for side in ("a", "b"):
        _extract(walker, side)
    _choose_people(walker)
    _train(walker)
    output = _convert(walker)
    with VideoReader(output) as made, VideoReader(both) as given:
        first, second = next(made.frames()).image, next(given.frames()).image
    assert _differs(first, second, slice(0, 256)) > 1.6 * _differs(first, second, slice(256, 512))
    settings = tomllib.loads((project / "project.toml").read_text())
    assert [pair["run"] for pair in settings["pairs"]] == ["main"]


@pytest.mark.real
@pytest.mark.slow
def test_the_right_one_of_two_real_people_is_changed(
    walker: Walker, clips: Path, tmp_path: Path
) -> None:
    both = clips / "two_people_960x480.mp4"
    _begin(walker, both, clips / "address_b.mp4", tmp_path / "real")
    _add(walker, "b", clips / "studio_b.mp4")
    for side in ("a", "b"):
        _extract(walker, side, every=10)
    _choose_people(walker, of_a=2)
    _train(walker)
    page = _open_convert(walker)
    assert page.cast.summary.text().startswith("Changed: ")
    walker.until(lambda: not page.wipe.second.isNull())


def _differs(one: UInt8Image, other: UInt8Image, columns: slice) -> float:
    """Mean absolute difference of two pictures within columns."""
    apart = one[:, columns].astype(np.float32) - other[:, columns]
    return float(np.abs(apart).mean())


def _model(walker: Walker) -> PeopleModel:
    assert walker.desk.session is not None
    return walker.desk.session.people


def _footage(walker: Walker) -> FootagePage:
    walker.go("footage")
    page = walker.window.page
    assert isinstance(page, FootagePage)
    return page


def _begin(walker: Walker, a: Path, b: Path, project: Path) -> None:
    page = walker.window.page
    assert isinstance(page, StartPage)
    drop(page.zones["a"], a, b)
    walker.until(page.make_button.isEnabled)
    page.folder_edit.setText(str(project))
    walker.click(page.make_button)
    walker.until(lambda: walker.window.page.name == "footage")


def _add(walker: Walker, side: Side, path: Path) -> None:
    page = _footage(walker)
    page.set_side(side)
    walker.until(page.sources.add.isEnabled)
    page.sources.list.dropped.emit([path])
    walker.until(lambda: page.sources.list.count() == 2)


def _extract(walker: Walker, side: Side, every: int = 1) -> None:
    page = _footage(walker)
    walker.click(page.segments[side])
    walker.until(lambda: page.side == side and page.find_button.isEnabled())
    page.form.set_values({"size": 64, "every": every})
    walker.run(page.find_button)
    walker.until(partial(_is_complete, walker, side))


def _is_complete(walker: Walker, side: Side) -> bool:
    return bool(walker.side(side).complete)


def _choose_people(walker: Walker, of_a: int = 1) -> None:
    """A is the ``of_a``-th person of A's footage who is not in B's, B the first one of B's."""
    walker.go("people")
    page = walker.window.page
    assert isinstance(page, PeoplePage)
    model = _model(walker)
    walker.until(lambda: len(model.people) >= 2 and page.grid.count() >= 2)
    walker.until(lambda: {"a", "b"} <= {side for one in model.people for side in one.sides})
    b = next(one for one in model.people if "b" in one.sides)
    in_a = [one for one in model.people if "a" in one.sides and one.id != b.id]
    page.grid.choose([in_a[of_a - 1].id])
    walker.click(page.pairs.faces["a"])
    walker.until(lambda: model.pair("main").a == in_a[of_a - 1].id)
    page.grid.choose([b.id])
    walker.click(page.pairs.faces["b"])
    walker.until(lambda: model.pair("main").b == b.id)


def _train(walker: Walker) -> None:
    walker.go("train")
    page = walker.window.page
    assert isinstance(page, TrainPage)
    walker.until(page.go.isEnabled)
    pair = _model(walker).pair("main")
    assert [page.people[side].person() for side in ("a", "b")] == [pair.a, pair.b]
    page.form.set_values({"steps": 2, "batch": 2, "resolution": 64})
    job = walker.run(page.go)
    words = job.record.arguments
    assert words[words.index("--person-a") + 1] == str(pair.a)
    assert words[words.index("--person-b") + 1] == str(pair.b)


def _open_convert(walker: Walker) -> ConvertPage:
    walker.go("convert")
    page = walker.window.page
    assert isinstance(page, ConvertPage)
    walker.until(lambda: len(page.cast.choices) == 2)
    pair = _model(walker).pair("main")
    changed = {who: choice.currentData() for who, choice in page.cast.choices.items()}
    assert changed == {who: "main" if who == pair.a else "" for who in changed}
    return page


def _convert(walker: Walker) -> Path:
    page = _open_convert(walker)
    changed = _model(walker).label(_model(walker).pair("main").a)
    assert page.cast.summary.text() == f"Changed: {changed}. Another one stays as filmed."
    walker.until(lambda: not page.wipe.second.isNull())
    walker.run(page.start)
    assert page._output is not None
    return page._output
