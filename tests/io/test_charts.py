"""Charts: curves inside their axes, thumbnails inside their plane, names that fit."""

import sys
import warnings

import numpy as np
import pytest

from faceswap.io.charts import (
    COLOURS,
    FAINT,
    INK,
    PAPER,
    SHADE,
    line_chart,
    monospace_font,
    scatter_chart,
)
from faceswap.types import UInt8Image

LINE = [(1.0, 0.0), (10.0, 5.0), (100.0, 10.0)]


def where(chart: UInt8Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns (N, 2) of the pixels of a colour, without the legend."""
    found = np.argwhere((chart == colour).all(2))
    return np.asarray(found[found[:, 1] < chart.shape[1] - 180])


@pytest.mark.parametrize("log_x", [False, True])
def test_curves_are_drawn_inside_their_axes(log_x: bool) -> None:
    chart = line_chart("title", {"one": LINE, "level": [(1.0, 5.0)]}, "x", "y", log_x=log_x)
    assert chart.shape == (300, 760, 3)
    blue = where(chart, COLOURS[0])
    assert 70 <= blue[:, 1].min() < 90
    assert 550 < blue[:, 1].max() < 572
    # By factors the three points lie on one straight line; else the second is far to the left.
    middle = blue[np.abs(blue[:, 0] - blue[:, 0].mean()) < 3, 1].mean()
    assert bool(middle > 280) is log_x
    level = where(chart, COLOURS[1])
    assert np.ptp(level[:, 0]) < 3
    assert np.ptp(level[:, 1]) > 480
    assert chart.flags["C_CONTIGUOUS"]


def test_bands_are_shaded() -> None:
    shaded = where(line_chart("title", {"one": LINE}, "x", "y", bands=[(1, 10)]), SHADE)
    assert shaded[:, 1].min() < 90
    assert shaded[:, 1].max() < 200


def test_lines_have_gaps_where_nothing_is_known() -> None:
    line = np.stack([np.arange(100.0), np.full(100, 2.0)], 1)
    line[40:60, 1] = np.nan
    columns = np.unique(where(line_chart("t", {"one": line}), COLOURS[0])[:, 1])
    assert np.diff(columns).max() == pytest.approx(21 / 99 * 490, abs=12)


def test_thumbnails_stay_inside_their_plane() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    white = np.full((4, 28, 28, 3), 255, np.uint8)
    chart = scatter_chart("t", points, None, (), white, side=200)
    assert chart.shape == (230, 210, 3)
    thumbs = np.argwhere((chart == 255).all(2))
    assert thumbs[:, 1].max() < 200
    assert thumbs[:, 0].min() >= 29
    assert thumbs[:, 0].max() < 230
    assert 4 * 20 * 20 < len(thumbs) <= 4 * 25 * 25
    assert (chart == FAINT).all(2).any()


def test_names_of_classes_are_told_apart() -> None:
    points, pictures = np.array([[0.0, 0.0], [1.0, 1.0]]), np.zeros((2, 8, 8, 3), np.uint8)

    def drawn(*names: str) -> UInt8Image:
        return scatter_chart("t", points, np.array([0, 1]), names, pictures)

    for one, other in (("bike", "goat"), ("long" * 20 + "_bike", "long" * 20 + "_goat")):
        assert not np.array_equal(drawn(one, "b"), drawn(other, "b"))
    assert (drawn("W" * 80, "b")[:, -5:] == PAPER).all()
    many = list("abcdefghijklmnopqrstuvwxyz0123")
    shown = scatter_chart(
        "t", np.zeros((30, 2)), np.arange(30), many, np.zeros((30, 8, 8, 3), np.uint8)
    )
    assert shown.shape == drawn("a", "b").shape
    assert (shown[-20:] == PAPER).all(2).mean() > 0.9
    first, eleventh = (scatter_chart("t", points, np.array([n, n]), (), pictures) for n in (0, 10))
    assert not np.array_equal(first, eleventh)


def test_names_of_any_characters_are_drawn_as_they_are() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chart = line_chart("$x$ 顔 _{", {"a$b 顔": LINE, "$\\frac$": LINE}, "%", "$")
    assert (chart == INK).all(2).any()


def test_charts_leave_no_figures_and_no_settings_behind() -> None:
    line_chart("title", {"one": LINE})
    assert "matplotlib.pyplot" not in sys.modules


def test_a_table_s_typeface_is_there() -> None:
    assert monospace_font().endswith(".ttf")
