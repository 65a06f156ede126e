"""The lab's figures: round numbers on axes, pictures at their size, words that fit."""

import numpy as np
import pytest
import torch

from faceswap.lab.framework.figure import (
    INK,
    PAPER,
    SHADE,
    curves,
    grid,
    page,
    plane,
    scaled,
    sheet,
    ticks,
)


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.808, 0.985, [0.8, 0.85, 0.9, 0.95, 1.0]),
        (0.0, 0.04, [0.0, 0.01, 0.02, 0.03, 0.04]),
        (-3.0, 41.0, [-10, 0, 10, 20, 30, 40, 50]),
        (7.0, 7.0, None),
        (0.0, 0.0, None),
    ],
)
def test_axes_have_round_numbers_that_enclose_the_values(
    low: float, high: float, wanted: list[float] | None
) -> None:
    found = ticks(low, high)
    assert found[0] <= low + 1e-12
    assert found[-1] >= high - 1e-12
    assert len(found) >= 2
    assert found == sorted(set(found))
    if wanted is not None:
        assert found == pytest.approx(wanted)


def test_small_pictures_keep_hard_pixels_of_equal_size() -> None:
    board = (np.indices((28, 28)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    large = scaled(board, 84)
    assert large.shape == (84, 84, 3)
    assert np.array_equal(large[::3, ::3], board)
    assert set(np.unique(large)) == {0, 255}
    assert scaled(board, 14).shape == (14, 14, 3)
    assert np.abs(scaled(board, 14).astype(int) - 127).max() <= 1


def test_a_sheet_s_pictures_lie_below_their_heads() -> None:
    plain = sheet([("row", torch.zeros(2, 1, 28, 28))])
    headed = sheet([("row", torch.zeros(2, 1, 28, 28))], heads=["0", "1"])
    assert headed.shape[0] > plain.shape[0]
    assert np.array_equal(headed[-plain.shape[0] :], plain)
    assert (headed[: -plain.shape[0]] != PAPER).any()
    assert sheet([("row", torch.zeros(2, 3, 64, 64))]).shape[0] > plain.shape[0]


@pytest.mark.parametrize("log_x", [False, True])
def test_curves_are_drawn_inside_their_axes(log_x: bool) -> None:
    line = [(1.0, 0.0), (10.0, 5.0), (100.0, 10.0)]
    block = curves("title", {"one": line, "level": [(1.0, 5.0)]}, "x", "y", log_x=log_x)
    blue = np.argwhere((block == (28, 98, 186)).all(2))
    blue = blue[blue[:, 1] < 760 - 180]  # without the legend
    assert 60 < blue[:, 1].min() < 80
    assert 560 < blue[:, 1].max() < 580
    # By factors the three points lie on one straight line; else the second is far to the left.
    middle = blue[np.abs(blue[:, 0] - blue[:, 0].mean()) < 3, 1].mean()
    assert bool(middle > 280) is log_x
    shaded = curves("title", {"one": line}, "x", "y", log_x=log_x, bands=[(1, 10)])
    first, last = np.argwhere((shaded == SHADE).all(2))[[0, -1], 1]
    assert 60 < first < 80
    assert last < blue[:, 1].max() - 100
    assert curves("one point", {"a": [(3.0, 3.0)]}, "x", "y").shape == block.shape


def test_thumbnails_stay_inside_their_plane() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
    white = torch.ones(4, 1, 28, 28)
    block = plane("t", points, None, (), white, side=200)
    thumbs = np.argwhere((block == 255).all(2))
    assert thumbs[:, 1].max() < 200
    assert thumbs[:, 0].max() < 230
    assert len(thumbs) == 4 * 24 * 24


def test_a_page_is_wide_enough_for_its_words() -> None:
    block = page("title", [np.zeros((10, 300, 3), np.uint8)], "word " * 60)
    dark = np.argwhere((block == INK).all(2))
    assert dark[:, 1].max() < block.shape[1] - 10
    assert dark[:, 0].max() < block.shape[0] - 10
    assert block.shape[0] > 70 + 10 + 3 * 20


def test_long_names_stay_beside_their_pictures() -> None:
    rows = [("", torch.zeros(3, 1, 28, 28)), ("below", torch.zeros(3, 1, 28, 28))]
    plain = sheet(rows)
    for name in ("w" * 200, "mountain_bike_" * 20, "some words " * 40):
        block = sheet([(name, rows[0][1]), rows[1]])
        assert np.array_equal(block[:, 226:], plain[:, 226:])
        assert np.array_equal(block[68:], plain[68:])
        assert (block[:64] != plain[:64]).any()
    page_of = page("title", [np.zeros((10, 300, 3), np.uint8)], "/a/folder" * 40 + ".")
    assert np.argwhere((page_of == INK).all(2))[:, 1].max() < page_of.shape[1] - 10


def test_names_of_classes_are_told_apart() -> None:
    points, x = np.array([[0.0, 0.0], [1.0, 1.0]]), torch.zeros(2, 1, 28, 28)
    labels = np.array([0, 1])

    def drawn(*names: str) -> np.ndarray:
        return plane("t", points, labels, names, x)

    for one, other in (
        ("mountain_bike", "mountain_goat"),
        ("long" * 20 + "_bike", "long" * 20 + "_goat"),
    ):
        assert not np.array_equal(drawn(one, "b"), drawn(other, "b"))
    assert drawn("long" * 20, "b").shape[1] < 520 + 10 + 240
    many = plane("t", np.zeros((30, 2)), np.arange(30), list("abcdefghijklmnopqrstuvwxyz0123"), x)
    assert many.shape == drawn("a", "b").shape
    first, eleventh = (np.array([n, n]) for n in (0, 10))
    assert not np.array_equal(plane("t", points, first, (), x), plane("t", points, eleventh, (), x))


def test_a_grid_s_title_is_above_it() -> None:
    tiles = torch.ones(4, 1, 8, 8)
    plain, titled = grid(tiles, 2), grid(tiles, 2, title="what it is")
    assert np.array_equal(titled[-len(plain) :], plain)
    assert (titled[: -len(plain)] != PAPER).any()
