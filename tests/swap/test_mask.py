"""Masks of a swapped face: soft edges, sides, and what is cut out of them."""

import numpy as np
import pytest

from faceswap.faces.labels import Label
from faceswap.faces.segmenter import SEGMENT_SIZE, Segmentation
from faceswap.swap.compositing.mask import (
    Growth,
    features_of_b,
    region_width,
    seen_of_a,
    seen_of_b,
    soft_mask,
    swapped_face,
    unhidden,
)
from faceswap.types import Mask

_SIDE = 64


def _square() -> Mask:
    region = np.zeros((2 * _SIDE, 2 * _SIDE), np.uint8)
    region[40:88, 40:88] = 1
    return region


def _segmented(label: Label, rows: slice, columns: slice) -> Segmentation:
    """Skin everywhere, ``label`` in a rectangle."""
    scores = np.zeros((1, len(Label), SEGMENT_SIZE, SEGMENT_SIZE), np.float32)
    scores[0, Label.SKIN] = 1
    scores[0, Label.SKIN, rows, columns] = 0
    scores[0, label, rows, columns] = 1
    return Segmentation(scores, np.zeros((1, SEGMENT_SIZE, SEGMENT_SIZE, 3), np.float32))


def test_a_mask_fades_inwards_and_never_exceeds_its_outline() -> None:
    mask = soft_mask(_square(), Growth(), 0.25)
    assert mask.shape == (_SIDE, _SIDE)
    assert mask[32, 32] == pytest.approx(1)
    assert not mask[:20].any()
    assert not mask[:, 44:].any()
    rising = mask[32, 20:33]
    assert (np.diff(rising) >= -1e-6).all()
    assert rising[0] < 0.2


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_one_side_grows_alone(side: str) -> None:
    before = soft_mask(_square(), Growth(), 0.0) > 0.5
    after = soft_mask(_square(), Growth(**{side: 0.25}), 0.0) > 0.5

    def reach(mask: np.ndarray) -> dict[str, int]:
        rows, columns = np.flatnonzero(mask[:, 32]), np.flatnonzero(mask[32])
        return {"top": -rows[0], "bottom": rows[-1], "left": -columns[0], "right": columns[-1]}

    grown = {name: reach(after)[name] - reach(before)[name] for name in reach(before)}
    assert grown.pop(side) == pytest.approx(0.25 * region_width(_square()) / 2, abs=1)
    assert set(grown.values()) == {0}


def test_all_sides_alike_are_the_same_as_all_around() -> None:
    around = soft_mask(_square(), Growth(0.1), 0.1)
    sides = soft_mask(_square(), Growth(0, 0.1, 0.1, 0.1, 0.1), 0.1)
    np.testing.assert_allclose(sides, around, atol=1e-5)


@pytest.mark.parametrize("label", [Label.HAIR, Label.IN_FRONT, Label.CLOTH])
def test_what_is_in_front_of_a_stays(label: Label) -> None:
    found = _segmented(label, slice(0, 64), slice(None))
    shown = unhidden(seen_of_a(found, 0, keep_glasses=True), _SIDE)
    assert not shown[:32].any()  # to the very edge
    assert (shown[38:] > 0.99).all()


def test_a_few_dark_lashes_are_no_glasses() -> None:
    few = _segmented(Label.GLASSES, slice(60, 64), slice(40, 60))
    assert (unhidden(seen_of_a(few, 0, keep_glasses=True), _SIDE) > 0.99).all()


def test_glasses_stay_or_go_as_asked() -> None:
    found = _segmented(Label.GLASSES, slice(40, 80), slice(None))
    assert not unhidden(seen_of_a(found, 0, keep_glasses=True), _SIDE)[24:36].any()
    assert (unhidden(seen_of_a(found, 0, keep_glasses=False), _SIDE) > 0.99).all()


@pytest.mark.parametrize("label", [Label.BROWS, Label.BEARD, Label.EYES, Label.MOUTH])
def test_parts_of_a_face_are_swapped(label: Label) -> None:
    found = _segmented(label, slice(40, 80), slice(40, 80))
    assert (unhidden(seen_of_a(found, 0, keep_glasses=True), _SIDE) > 0.99).all()
    both = seen_of_b(found, 0), features_of_b(found, 0)
    assert (swapped_face(*both, _SIDE) > 0.99).all()


def test_hair_of_b_never_comes_in() -> None:
    found = _segmented(Label.HAIR, slice(None), slice(0, 40))
    kept = swapped_face(seen_of_b(found, 0), features_of_b(found, 0), _SIDE)
    assert not kept[:, :20].any()
    assert (kept[:, 44:] > 0.99).all()


def test_an_eye_beside_hair_is_kept_whole_and_skin_fades() -> None:
    hair = _segmented(Label.HAIR, slice(None), slice(0, 40))
    eye = hair.probabilities.copy()
    eye[0, :, 40:60, 44:64] = 0
    eye[0, Label.EYES, 40:60, 44:64] = 1
    found = Segmentation(eye, hair.pictures)
    kept = swapped_face(seen_of_b(found, 0), features_of_b(found, 0), _SIDE)
    assert kept[22:28, 24].min() > 0.9
    assert kept[50, 24] < kept[25, 24] - 0.2
    assert not kept[:, :20].any()


def test_a_brow_at_the_edge_is_covered_and_the_outline_stays() -> None:
    brow = np.zeros((64, 64), np.float32)
    brow[30:34, 18:24] = 1
    plain = soft_mask(_square(), Growth(), 0.25)
    covered = soft_mask(_square(), Growth(), 0.25, brow)
    inside = np.s_[30:34, 21:24]
    assert plain[inside].mean() < 0.6
    assert covered[inside].min() > 0.85
    np.testing.assert_array_equal(covered > 0, plain > 0)
    np.testing.assert_array_equal(covered[brow == 0], plain[brow == 0])
