"""The lab's figures: pictures at their size, words that fit."""

import numpy as np
import torch

from faceswap.io.charts import INK, PAPER
from faceswap.lab.framework.figure import grid, page, scaled, sheet


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


def test_a_grid_s_title_is_above_it() -> None:
    tiles = torch.ones(4, 1, 8, 8)
    plain, titled = grid(tiles, 2), grid(tiles, 2, title="what it is")
    assert np.array_equal(titled[-len(plain) :], plain)
    assert (titled[: -len(plain)] != PAPER).any()
