"""A face goes back where it came from, and nothing else changes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from faceswap.faces.align import crop_matrix, mean_face, transform
from faceswap.faces.crops import warp_crop
from faceswap.swap.compositing.blend import antialias, blend_bands, paste
from faceswap.swap.compositing.mask import (
    Growth,
    chin_region,
    feature_region,
    landmark_region,
    learned_mask_region,
    region_width,
    soft_mask,
)


def smooth_frame(height: int = 120, width: int = 160) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    layers = [128 + 80 * np.sin(x / 17 + c) * np.cos(y / 13 - c) for c in range(3)]
    return np.stack(layers, -1).astype(np.uint8)


def similarity(scale: float, degrees: float, x: float, y: float) -> NDArray[np.float64]:
    a, b = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[a, -b, x], [b, a, y]])


def oval(centre: float, radius: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    turn = np.linspace(0, 2 * np.pi, 81, endpoint=False)
    points = centre + radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    return points[:68].astype(np.float32), points[68:].astype(np.float32)


@pytest.mark.parametrize("matrix", [similarity(1, 0, -40, -30), similarity(0.8, 25, 5, -25)])
def test_pasting_what_was_cut_out_changes_next_to_nothing(matrix: NDArray[np.float64]) -> None:
    frame = smooth_frame()
    crop = warp_crop(frame, matrix, 64)
    result = frame.copy()
    paste(result, np.asarray(crop / 255, np.float32), np.ones((64, 64), np.float32), matrix)
    assert np.abs(result.astype(int) - frame).max() <= 6
    assert np.abs(result.astype(int) - frame).mean() < 0.5


def test_only_pixels_under_the_mask_change() -> None:
    frame = smooth_frame()
    mask = np.zeros((64, 64), np.float32)
    mask[24:40, 24:40] = 1
    result = frame.copy()
    paste(result, np.zeros((64, 64, 3), np.float32), mask, similarity(1, 0, -40, -30))
    assert_array_equal(result[54:70, 64:80], 0)
    untouched = np.ones(frame.shape[:2], bool)
    untouched[53:71, 63:81] = False
    assert_array_equal(result[untouched], frame[untouched])


def test_a_face_outside_the_frame_changes_nothing() -> None:
    frame = smooth_frame()
    result = frame.copy()
    black, full = np.zeros((64, 64, 3), np.float32), np.ones((64, 64), np.float32)
    paste(result, black, full, similarity(1, 0, 500, 500))
    assert_array_equal(result, frame)


def test_a_face_across_the_border_is_pasted_as_far_as_it_goes() -> None:
    result = smooth_frame()
    black, full = np.zeros((64, 64, 3), np.float32), np.ones((64, 64), np.float32)
    paste(result, black, full, similarity(1, 0, 32, 32))
    assert_array_equal(result[:31, :31], 0)


@pytest.mark.parametrize("shrink", [2, 4, 8])
def test_a_small_face_has_the_means_of_what_it_shows(shrink: int) -> None:
    texture = 0.5 + 0.15 * np.random.default_rng(0).standard_normal((256, 256, 1))
    result = np.zeros((160, 160, 3), np.uint8)
    face = np.repeat(texture, 3, 2).astype(np.float32)
    paste(result, face, np.ones((256, 256), np.float32), similarity(shrink, 0, 0, 0))
    inside = result[4 : 256 // shrink - 4, 4 : 256 // shrink - 4] / 255
    assert inside.mean() == pytest.approx(0.5, abs=0.01)
    # A pixel is the mean of shrink x shrink others: without a filter the texture keeps 0.15.
    assert 0.7 * 0.15 / shrink < inside.std() < 1.3 * 0.15 / shrink


def test_a_small_face_that_moves_does_not_shimmer() -> None:
    stripes = (np.indices((256, 256)).sum(0) % 2).astype(np.float32)
    face, full = np.repeat(stripes[..., None], 3, 2), np.ones((256, 256), np.float32)
    seen = []
    for shift in np.linspace(0, 1, 5):
        result = np.zeros((160, 160, 3), np.uint8)
        paste(result, face, full, similarity(2.2, 7, shift, shift / 2))
        seen.append(result[20:80, 20:80].astype(int))
    assert max(np.abs(one - 127).max() for one in seen) < 50


def test_a_face_of_its_own_size_is_pasted_without_blur() -> None:
    picture = np.random.default_rng(1).random((32, 32, 3)).astype(np.float32)
    assert antialias(picture, 1.0) is picture
    assert np.abs(antialias(picture, 1.001) - picture).max() < 1e-3


def test_a_large_face_is_cut_out_without_aliasing() -> None:
    checks = (np.indices((800, 800)).sum(0) % 2 * 255).astype(np.uint8)
    crop = warp_crop(np.repeat(checks[..., None], 3, 2), similarity(0.08, 10, 4, -3), 48)
    assert np.abs(crop.astype(int) - 127).max() < 12


def test_cutting_from_far_away_lands_on_the_same_place() -> None:
    frame = np.kron(smooth_frame(), np.ones((6, 6, 1))).astype(np.uint8)
    near = warp_crop(smooth_frame(), similarity(0.5, 0, 0, 0), 64)
    # Pixel centres are integers: pixel u of the small frame lies at 6u + 2.5 of the large one.
    far = warp_crop(frame, similarity(0.5 / 6, 0, -2.5 * 0.5 / 6, -2.5 * 0.5 / 6), 64)
    assert_allclose(far[:58].astype(int), near[:58], atol=6)


def test_the_mask_fades_inwards_and_ends_before_the_crop_does() -> None:
    points, forehead = oval(63.5, 40)
    mask = soft_mask(landmark_region(points, forehead, 128), Growth(), 0.2)
    y, x = np.mgrid[:128, :128] - 63.5
    radius = np.hypot(x, y)
    assert mask[radius > 44].max() < 0.03
    assert mask[radius < 22].min() > 0.97
    assert 0.35 < mask[np.abs(radius - 32) < 0.7].mean() < 0.65
    beyond = soft_mask(landmark_region(*oval(63.5, 90), 128), Growth(), 0.1)
    assert max(beyond[0].max(), beyond[:, -1].max()) < 0.01
    assert beyond[64, 64] == pytest.approx(1)


def test_a_learned_outline_counts_as_far_as_it_is_near_the_face() -> None:
    drawn = landmark_region(*oval(63.5, 30), 128)
    grid = np.hypot(*(np.mgrid[:128, :128] - 63.5))
    for radius, wanted in ((20, 20), (34, 34), (60, 36)):  # 36: a tenth of 60 px beyond
        learned = 1 / (1 + np.exp(grid - radius)).astype(np.float32)
        region = learned_mask_region(learned, drawn, reach=0.1)
        assert region_width(region) / 2 == pytest.approx(2 * wanted, abs=3)
    assert not learned_mask_region(np.zeros((128, 128), np.float32), drawn, 0.1).any()


def test_what_the_features_cover_stays_covered() -> None:
    points, _ = oval(63.5, 40)
    points[17:] = 63.5 + (points[17:] - 63.5) / 2
    region = feature_region(points, 128)
    assert region.shape == (256, 256)
    assert region[128, 128] == 1
    assert 2 * 20 < region_width(region) < 2 * 46


def test_a_chin_is_covered_and_no_hair_beside_it() -> None:
    # As large and in the place that alignment gives a face in a crop of 128 pixels.
    placed = crop_matrix(np.array([[1.0, 0, 0], [0, 1, 0]]), 128)
    points = transform(placed, mean_face().points[:68, :2])
    region = chin_region(points, 128)[::2, ::2]
    x, y = points[8].round().astype(int)
    assert region[y - 3 : y + 4, x].all()
    assert not region[y + 16 :].any()
    assert not region[: int(points[50, 1]) - 1].any()
    assert region[:, round(points[7, 0]) : round(points[9, 0])].any(0).all()
    assert not region[:, : round(points[6, 0]) - 1].any()
    assert not region[:, round(points[10, 0]) + 2 :].any()


def test_growing_and_shrinking_move_the_edge() -> None:
    points, forehead = oval(63.5, 30)
    areas = [
        soft_mask(landmark_region(points, forehead, 128), Growth(grow), 0.05).sum()
        for grow in (-0.1, 0, 0.1)
    ]
    radii = np.sqrt(np.array(areas) / np.pi)
    assert_allclose(radii, [22.5, 28.5, 34.5], atol=0.7)
    assert_allclose(np.diff(radii), 6, atol=0.3)


def test_fine_detail_changes_over_faster_than_tones() -> None:
    y, x = np.mgrid[:120, :120].astype(np.float32)
    weight = np.broadcast_to(np.clip((x - 30) / 60, 0, 1), (120, 120)).astype(np.float32)

    def rgb(luma: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.repeat(luma[..., None], 3, 2).astype(np.float32)

    def mixed(face: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
        changed = blend_bands(face, before, weight, 300.0)
        return before + weight[..., None] * (changed - before)

    tones = mixed(rgb(0 * x + 0.6), rgb(0 * x + 0.4))
    assert_allclose(tones, rgb(0.4 + 0.2 * weight), atol=0.01)
    stripes = 0.1 * np.cos(np.pi * y)
    for column, share in ((40, 0.0), (60, 0.5), (80, 1.0)):
        detail = mixed(rgb(0.5 + stripes), rgb(0 * x + 0.5))[40:80, column, 0] - 0.5
        assert_allclose(detail, share * stripes[40:80, column], atol=0.01)
    assert_allclose(mixed(rgb(0.5 + stripes), rgb(0 * x + 0.5))[:, :30], 0.5, atol=1e-6)
