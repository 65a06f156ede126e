"""Crops carry their own record, and one bad file costs nothing but itself."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from faceswap.errors import InputError, OutputError
from faceswap.faces.align import crop_matrix, mean_face, transform
from faceswap.faces.crops import (
    FaceCrop,
    FaceRecord,
    crop_files,
    native_crop_size,
    read_crop,
    read_crops,
    sharpness,
    write_crop,
)


def record(frame: int = 7) -> FaceRecord:
    rng = np.random.default_rng(frame)
    return FaceRecord(
        side="a",
        frame=frame,
        time=0.28,
        track=3,
        points=rng.uniform(0, 64, (68, 2)).astype(np.float32),
        forehead=rng.uniform(0, 64, (13, 2)).astype(np.float32),
        presence=0.97,
        pose=(1.5, -2.0, 3.25),
        matrix=rng.normal(size=(2, 3)),
        blur=12.5,
    )


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)


def test_a_crop_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "ünï cödé 1.png"
    write_crop(path, image(), record())
    crop = read_crop(path)
    assert_array_equal(crop.image, image())
    assert_allclose(crop.record.points, record().points, atol=1e-3)
    assert_allclose(crop.record.matrix, record().matrix, rtol=1e-15)
    assert crop.record.pose == record().pose
    assert (crop.record.side, crop.record.frame, crop.record.track) == ("a", 7, 3)


def test_one_damaged_file_does_not_cost_the_others(tmp_path: Path) -> None:
    for number in range(3):
        write_crop(tmp_path / f"{number}.png", image(number), record(number))
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    first, second, third = read_crops(tmp_path)
    assert isinstance(first, FaceCrop)
    assert isinstance(second, InputError)
    assert "1.png" in str(second)
    assert isinstance(third, FaceCrop)
    assert third.record.frame == 2


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_what_is_no_picture_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.png"):
        read_crop(path)


def test_a_picture_without_a_record_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(image()).save(tmp_path / "x.png")
    with pytest.raises(InputError, match="not a face crop"):
        read_crop(tmp_path / "x.png")


def test_a_record_of_a_newer_version_is_refused() -> None:
    text = record().to_json().replace('"format":1', '"format":2')
    with pytest.raises(ValueError, match="newer version"):
        FaceRecord.from_json(text)


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "1e999", "null"])
def test_a_record_with_a_number_that_is_none_is_refused(wrong: str) -> None:
    plain = json.loads(record().to_json())
    for name in ("pose", "points", "forehead", "matrix"):
        text = json.dumps(plain | {name: "HERE"}).replace('"HERE"', _with(plain[name], wrong))
        with pytest.raises((ValueError, TypeError)):
            FaceRecord.from_json(text)
    for name in ("presence", "blur", "time"):
        text = json.dumps(plain | {name: "HERE"}).replace('"HERE"', wrong)
        with pytest.raises((ValueError, TypeError)):
            FaceRecord.from_json(text)


def _with(values: list[Any], wrong: str) -> str:
    """``values`` as JSON, the very last number of them replaced by ``wrong``."""
    text = json.dumps(values)
    at = max(text.rfind(","), text.rfind("["))
    return text[: at + 1] + wrong + text[len(text.rstrip("]")) :]


def test_a_picture_that_is_not_square_is_refused(tmp_path: Path) -> None:
    write_crop(tmp_path / "x.png", image()[:48], record())
    with pytest.raises(InputError, match="not square but 64 by 48 pixels"):
        read_crop(tmp_path / "x.png")


def test_a_missing_folder_holds_no_crops(tmp_path: Path) -> None:
    assert crop_files(tmp_path / "none") == []


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="none"):
        write_crop(tmp_path / "none" / "x.png", image(), record())
    assert os.listdir(tmp_path) == []


def test_blur_lowers_sharpness_whatever_the_size() -> None:
    import cv2

    sharp = image().repeat(4, 0).repeat(4, 1)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 8), np.uint8)
    assert sharpness(blurred) < 0.1 * sharpness(sharp)
    larger = sharp.repeat(2, 0).repeat(2, 1)
    assert_allclose(sharpness(larger), sharpness(sharp), rtol=0.01)


@pytest.mark.parametrize(
    ("scale", "most", "side"), [(0.5, 1024, 144), (2, 1024, 560), (9, 512, 512)]
)
def test_a_crop_has_the_size_of_the_face_in_its_frame(scale: float, most: int, side: int) -> None:
    """The mean face, scaled so that a crop of it would be 278 pixels wide at scale 1."""
    placed = crop_matrix(np.array([[1.0, 0, 0], [0, 1, 0]]), 278)
    points = transform(placed, mean_face().points[:68, :2]) * scale
    assert native_crop_size(points.astype(np.float32), most) == side


def test_a_face_of_few_pixels_still_has_a_crop_to_look_at() -> None:
    assert native_crop_size(mean_face().points[:68, :2].astype(np.float32) * 1e-3, 1024) == 64
