"""Detectors: what they find, and what they say when their weights cannot be had."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import skimage
from numpy.typing import NDArray
from PIL import Image

from faceswap.errors import AssetError, OptionsError
from faceswap.faces import detect
from faceswap.faces.align import mean_face
from faceswap.faces.detect import (
    DETECTORS,
    CenterFace,
    FaceAlignmentDetector,
    initial_landmarks,
    make_detector,
)
from faceswap.faces.face import Detection

Frame = NDArray[np.uint8]
EYES = np.array([[203.0, 101.0], [246.0, 103.0]])


@pytest.fixture(scope="module")
def portrait() -> Frame:
    """scikit-image's portrait (512, 512, 3): one face, box about 180 87 270 175."""
    path = Path(skimage.__file__).parent / "data" / "astronaut.png"
    return np.array(Image.open(path))


@pytest.fixture(scope="module")
def centerface() -> CenterFace:
    return CenterFace()


def test_the_face_is_found_with_its_five_points(centerface: CenterFace, portrait: Frame) -> None:
    found = centerface.detect(portrait)
    assert len(found) == 1
    assert found[0].score > 0.8
    assert found[0].keypoints is not None
    left, top, right, bottom = found[0].box
    assert left < EYES[0, 0] < EYES[1, 0] < right
    assert top < 102 < bottom
    np.testing.assert_allclose(found[0].keypoints[:2], EYES, atol=4)


@pytest.mark.parametrize("factor", [0.14, 0.3, 2.5])
def test_the_size_of_the_frame_does_not_matter(
    centerface: CenterFace, portrait: Frame, factor: float
) -> None:
    frame = cv2.resize(portrait, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    found = centerface.detect(np.asarray(frame, np.uint8))
    assert len(found) == 1
    assert found[0].keypoints is not None
    np.testing.assert_allclose(found[0].keypoints[:2] / factor, EYES, atol=max(4, 1.5 / factor))


def test_a_tiny_face_in_a_large_frame(centerface: CenterFace, portrait: Frame) -> None:
    frame = np.full((720, 1280, 3), 90, np.uint8)
    small = np.asarray(cv2.resize(portrait, (137, 137), interpolation=cv2.INTER_AREA), np.uint8)
    frame[300:437, 600:737] = small  # the face is 24 px wide
    found = centerface.detect(frame)
    assert found
    assert 640 < found[0].box[0] < 660


def test_rgb_is_what_the_network_expects(centerface: CenterFace, portrait: Frame) -> None:
    plain = centerface.detect(portrait)[0].score
    swapped = centerface.detect(np.ascontiguousarray(portrait[:, :, ::-1]))
    assert not swapped or swapped[0].score < plain


@pytest.mark.parametrize(
    "shape", [(0, 0, 3), (0, 50, 3), (1, 1, 3), (5, 400, 3), (400, 7, 3), (9, 9, 3), (64, 64, 3)]
)
def test_empty_and_odd_frames_have_no_faces(
    centerface: CenterFace, shape: tuple[int, int, int]
) -> None:
    assert centerface.detect(np.zeros(shape, np.uint8)) == []


def test_noise_has_no_faces(centerface: CenterFace) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    assert centerface.detect(noise) == []


def test_guesses_lie_on_the_face() -> None:
    mean = mean_face().points[:68, :2] * 120 + [300, 200]
    five = np.stack([mean[36:42].mean(0), mean[42:48].mean(0), mean[30], mean[48], mean[54]])
    box = (float(mean[:, 0].min()), 80.0, float(mean[:, 0].max()), float(mean[:, 1].max()))
    keyed = initial_landmarks(Detection(box, 0.9, five.astype(np.float32)))
    np.testing.assert_allclose(keyed, mean, atol=0.5)
    boxed = initial_landmarks(Detection(box, 0.9))
    np.testing.assert_allclose(boxed, mean, atol=0.25 * 120)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(OptionsError, match="centerface"):
        make_detector("nosuch")
    assert make_detector().name == "centerface"


@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "centerface"])
def test_one_that_cannot_be_loaded_says_what_to_do(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a size is wrong")

    fake = SimpleNamespace(FaceDetector=broken)
    real = importlib.import_module
    monkeypatch.setattr(
        importlib, "import_module", lambda module: fake if name in module else real(module)
    )
    monkeypatch.setattr(detect, "weights_paths", lambda name: [Path("x")])
    with pytest.raises(AssetError, match=r"a size is wrong.*--detector centerface"):
        make_detector(name, "cpu")


def test_boxes_of_the_options_become_detections(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [[1, 2, 30, 40, 0.6], [5, 5, 9, 9, 0.2], [3, 3, 50, 60, 1.2], [0, 0, np.nan, 1, 0.9]]
    fake = SimpleNamespace(
        FaceDetector=lambda device, path_to_detector: SimpleNamespace(
            detect_from_image=lambda image: boxes
        )
    )
    monkeypatch.setattr(detect, "weights_paths", lambda name: [Path("weights.pth")])
    monkeypatch.setattr(importlib, "import_module", lambda module: fake)
    detector = FaceAlignmentDetector("sfd", "cpu")
    found = detector.detect(np.zeros((100, 100, 3), np.uint8))
    assert [one.score for one in found] == [1.0, 0.6]
    assert found[0].box == (3, 3, 50, 60)
    assert found[0].keypoints is None
    assert detector.detect(np.zeros((0, 0, 3), np.uint8)) == []
