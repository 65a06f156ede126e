import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from drawn_faces import SIDE, draw, draw_project, landmarks
from driving import finished

from faceswap.errors import NoFaceError
from faceswap.faces.crops import read_crop, read_crops, write_crop
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.swap.training import face_selection
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.losses import pixel_weights
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.training import dataset
from faceswap.training.held_out_split import Role, split_roles


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return draw_project(tmp_path / "p", 44).crops_folder("a")


def test_faces_come_scaled_with_their_maps(folder: Path) -> None:
    faces = load_faces(folder, "a", FaceLoadConfig(64))
    assert faces.held_out is not None
    assert len(faces.training) + len(faces.held_out) == 44 - 8  # which are too near in time
    assert len(faces.held_out) == 4
    assert faces.training.pictures.shape[1:] == (3, 64, 64)
    assert faces.training.maps.shape[1:] == (4, 32, 32)
    face, features, hidden, mouth = faces.training.maps[0].float() / 255
    assert 0.25 < face.mean() < 0.45  # the ellipse fills 36 %
    assert face[16, 16] > 0.9
    assert hidden[16, 16] < 0.1
    assert face[0, 0] == 0
    eye = ((SIDE / 2 - 13) / 3, (SIDE * 0.52 - 9) / 3)
    assert features[round(eye[1]), round(eye[0])] == 1
    assert features[16, 16] == 0
    assert mouth[round((SIDE * 0.52 + 20) / 3), 16] > 0.3
    assert mouth.mean() < 0.02
    points = (faces.landmarks.points[0] + 1) * SIDE / 2 - 0.5
    expected = np.concatenate(landmarks(0.0, 0.5))
    assert np.abs(points.numpy() - expected).max() < 0.01
    assert faces.landmarks.gazes.median(0).values.tolist() == [0, 0]
    turns = torch.corrcoef(torch.stack([faces.landmarks.poses[:, 0], faces.landmarks.gazes[:, 0]]))
    assert turns[0, 1] > 0.8  # these eyes look where the head turns
    assert float(faces.training.weights.mean()) == pytest.approx(1, abs=0.1)


def test_crops_of_mixed_size_are_scaled_to_one(folder: Path) -> None:
    image, record = draw("a", 0, 0, 99)
    large = cv2.resize(image, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_NEAREST)
    grown = dataclasses.replace(
        record, points=record.points * 2 + 0.5, forehead=record.forehead * 2 + 0.5
    )
    write_crop(folder / "000100.png", large.astype(np.uint8), grown)
    write_crop(folder / "000099.png", image, record)
    faces = load_faces(folder, "a", FaceLoadConfig(48)).training
    one, two = faces.pictures[-2:].float(), faces.maps[-2:].float()
    assert (one[0] - one[1]).abs().mean() < 2
    assert (two[0] - two[1]).abs().mean() < 2


def test_what_is_unreadable_uncertain_or_blurred_is_left_out_and_told(folder: Path) -> None:
    (folder / "000000.png").write_bytes(b"no picture")
    changes: tuple[tuple[int, dict[str, Any]], ...] = (
        (1, {"presence": 0.1}),
        (2, {"blur": 0.5}),
        (3, {"blur": 0.5}),
    )
    for number, change in changes:
        image, record = draw("a", 0, 0, number)
        write_crop(folder / f"{number:06d}.png", image, dataclasses.replace(record, **change))
    faces = load_faces(folder, "a", FaceLoadConfig(48))
    assert faces.held_out is not None
    assert len(faces.training) + len(faces.held_out) == 40 - 8
    problems = " ".join(faces.problems)
    assert "A: 1 crop left out" in problems
    assert "A: 1 of 43 faces left out as uncertain." in problems
    assert "A: 2 of 43 faces left out as blurred." in problems
    assert "A has 40 faces; with 200 or more" in problems


def test_a_set_too_large_for_memory_stays_in_its_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (0, 7, 8, 30):
        image, record = draw("a", 0, 0, number)
        write_crop(folder / f"{number:06d}.png", image, dataclasses.replace(record, presence=0.1))
    whole = load_faces(folder, "a", FaceLoadConfig(48))
    mapped: list[np.memmap] = []

    def in_a_file(shape: tuple[int, ...]) -> np.memmap:
        array = dataset.allocate_pictures(shape, budget=0)
        assert isinstance(array, np.memmap)
        mapped.append(array)
        return array

    monkeypatch.setattr(face_selection, "allocate_pictures", in_a_file)
    faces = load_faces(folder, "a", FaceLoadConfig(48))
    assert faces.held_out is not None
    assert whole.held_out is not None
    for found, wanted in ((faces.training, whole.training), (faces.held_out, whole.held_out)):
        assert torch.equal(found.pictures, wanted.pictures)
        assert torch.equal(found.maps, wanted.maps)
        for part, file in zip((found.pictures, found.maps), mapped, strict=True):
            assert np.shares_memory(part.numpy(), file)


def test_the_held_out_are_those_a_second_from_the_others(folder: Path) -> None:
    chosen = np.setdiff1d(np.arange(44), [3, 20])
    for number in (3, 20):
        (folder / f"{number:06d}.png").unlink()
    faces = load_faces(folder, "a", FaceLoadConfig(48))
    assert faces.held_out is not None
    role = split_roles(chosen / 5, np.zeros(len(chosen), int))
    trained, held = chosen[role == Role.TRAINING], chosen[role == Role.HELD_OUT]
    assert np.abs(held[:, None] - trained).min() == 5
    for part, numbers in ((faces.training, trained), (faces.held_out, held)):
        for picture, number in zip(part.pictures, numbers, strict=True):
            crop = read_crop(folder / f"{number:06d}.png").image
            small = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA)
            assert np.array_equal(picture.permute(1, 2, 0).numpy(), small)


def test_crops_that_come_while_it_loads_are_for_the_next_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, record = draw("a", 0, 0, 99)

    def more(place: Path, left_out: Any) -> Any:
        for number in (100, 101):
            write_crop(folder / f"{number:06d}.png", image, record)
        return read_crops(place, left_out)

    monkeypatch.setattr(face_selection, "read_crops", more)
    faces = load_faces(folder, "a", FaceLoadConfig(48))
    assert faces.held_out is not None
    assert len(faces.training) + len(faces.held_out) == 44 - 8


def test_a_crop_with_a_pose_that_is_no_number_is_left_out_and_told(folder: Path) -> None:
    image, record = draw("a", 0, 0, 5)
    broken = dataclasses.replace(record, pose=(float("nan"), 0.0, 0.0))
    write_crop(folder / "000005.png", image, broken)
    faces = load_faces(folder, "a", FaceLoadConfig(48))
    assert any("1 crop left out" in p and "not finite" in p for p in faces.problems)


def test_that_nothing_is_held_out_is_told(tmp_path: Path, folder: Path) -> None:
    few = load_faces(draw_project(tmp_path / "few", 39).crops_folder("a"), "a", FaceLoadConfig(48))
    assert few.held_out is None
    assert any("too few faces to hold some out" in p for p in few.problems)
    enough = load_faces(folder, "a", FaceLoadConfig(48))
    assert not any("held out" in p for p in enough.problems)


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_faces_say_how_many_and_how_many_are_wanted(tmp_path: Path, count: int) -> None:
    folder = draw_project(tmp_path, count).crops_folder("b")
    with pytest.raises(NoFaceError, match=f"B has {count} usable faces .* at least 12"):
        load_faces(folder, "b", FaceLoadConfig(48))


def test_balance_can_be_turned_off(folder: Path) -> None:
    even = load_faces(folder, "a", FaceLoadConfig(48, balanced=False)).training.weights
    assert torch.equal(even, torch.ones_like(even))
    assert load_faces(folder, "a", FaceLoadConfig(48)).training.weights.std() > 0


def test_faces_behind_a_hand_are_left_out_and_hidden_pixels_weigh_nothing(
    sample: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p"
    finished(extract(ExtractOptions(inputs=(sample / "a.mp4",), project=project, side="a")))
    folder = project / "faces" / "a"
    paths = sorted(folder.glob("*.png"))
    for number, path in enumerate(paths):
        crop = read_crop(path)
        image, side = crop.image.copy(), crop.image.shape[0]
        covered = side if number < 3 else side // 4
        image[side - covered :] = (40, 60, 150)
        write_crop(path, image, crop.record)
    faces = load_faces(folder, "a", FaceLoadConfig(64))
    assert any("3 of 50 faces left out as mostly hidden" in told for told in faces.problems)
    face, _, hidden, _ = faces.training.maps.float().mean(0) / 255
    assert hidden[29:, 10:22].mean() > 0.7
    assert face[29:, 10:22].mean() < 0.1
    weights = pixel_weights(ObjectiveConfig(), faces.training.maps[:8, :3].float() / 255)
    assert weights[:, :, 30:, 12:20].mean() < 0.3 * weights[:, :, 14:18, 12:20].mean()


def test_drawn_faces_without_skin_are_trained_whole(tmp_path: Path) -> None:
    folder = draw_project(tmp_path / "p", 44).crops_folder("a")
    for path in sorted(folder.glob("*.png")):
        crop = read_crop(path)
        painted = np.random.default_rng(0).integers(0, 255, crop.image.shape, np.uint8)
        write_crop(path, painted, crop.record)
    faces = load_faces(folder, "a", FaceLoadConfig(64))
    assert any("skin is hardly recognized" in told for told in faces.problems)
    assert faces.training.maps[:, 2].max() == 0
    assert faces.training.maps[:, 0].float().mean() > 0.25 * 255
