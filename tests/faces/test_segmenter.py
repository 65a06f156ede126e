"""The bundled segmenter tells the parts of rendered people that training never saw."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from faceswap.assets import asset_path
from faceswap.bf16_support import supports_bf16
from faceswap.errors import AssetError
from faceswap.faces import segmenter
from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.labels import Label
from faceswap.faces.segmenter import FACE, SEGMENT_SIZE, Segmenter
from faceswap.synthetic.people import RenderedPerson, rendered_people
from faceswap.types import UInt8Image

_HELD_OUT_SEED = 77  # training draws people by seed 11


def _crop(person: RenderedPerson) -> tuple[UInt8Image, UInt8Image]:
    matrix = crop_matrix(face_similarity(person.points[:68]), SEGMENT_SIZE)
    size = (SEGMENT_SIZE, SEGMENT_SIZE)
    edge = cv2.BORDER_REPLICATE
    image = cv2.warpAffine(person.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge)
    labels = cv2.warpAffine(person.labels, matrix, size, flags=cv2.INTER_NEAREST, borderMode=edge)
    return np.asarray(image, np.uint8), np.asarray(labels, np.uint8)


@pytest.fixture(scope="module")
def people() -> tuple[list[UInt8Image], list[UInt8Image]]:
    """Crops of twelve rendered people and their true labels."""
    crops = [_crop(person) for person in rendered_people(_HELD_OUT_SEED, 160, 12)]
    return [image for image, _ in crops], [labels for _, labels in crops]


def test_skin_and_hair_of_people_never_seen_are_told(
    people: tuple[list[UInt8Image], list[UInt8Image]],
) -> None:
    images, truth = people
    found = Segmenter().segment(images)
    labels = np.stack([found.labels(row) for row in range(len(found))])
    for label, least in ((Label.SKIN, 0.88), (Label.HAIR, 0.65)):
        mine, true = labels == label, np.stack(truth) == label
        assert (mine & true).sum() / (mine | true).sum() > least, label.name


def test_what_is_pasted_in_front_is_no_face(
    people: tuple[list[UInt8Image], list[UInt8Image]],
) -> None:
    image = people[0][0].copy()
    before = Segmenter().segment([image]).of(0, FACE)
    cv2.rectangle(image, (30, 70), (100, 120), (30, 60, 140), -1)
    after = Segmenter().segment([image]).of(0, FACE)
    assert before[80:110, 45:85].mean() > 0.8
    assert after[80:110, 45:85].mean() < 0.3


def test_a_crop_is_judged_alone_and_in_any_form(
    people: tuple[list[UInt8Image], list[UInt8Image]],
) -> None:
    net = Segmenter()
    together = net.segment(people[0][:3])
    alone = net.segment(people[0][1:2])
    np.testing.assert_allclose(together.probabilities[1], alone.probabilities[0], atol=1e-5)
    np.testing.assert_allclose(together.probabilities.sum(1), 1, atol=1e-5)
    floats = net.segment([people[0][1].astype(np.float32) / np.float32(255)])
    np.testing.assert_allclose(floats.probabilities, alone.probabilities, atol=1e-5)
    large = cv2.resize(people[0][1], (256, 256), interpolation=cv2.INTER_CUBIC)
    same = net.segment([np.asarray(large, np.uint8)]).labels(0) == alone.labels(0)
    assert same.mean() > 0.97
    assert len(net.segment([])) == 0


def test_a_damaged_asset_is_told(tmp_path: Path) -> None:
    path = tmp_path / "segmenter.safetensors"
    path.write_bytes(asset_path("segmenter.safetensors").read_bytes()[:100])
    with pytest.raises(AssetError, match="git checkout assets"):
        Segmenter(path=path)
    with pytest.raises(AssetError, match="damaged"):
        Segmenter(path=tmp_path / "none.safetensors")


def test_bfloat16_tells_the_same_labels(
    people: tuple[list[UInt8Image], list[UInt8Image]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not supports_bf16("convolution", torch.device("cpu")):
        pytest.skip("this processor has no convolutions in bfloat16")
    found = {}
    for precision in ("fp32", "bf16"):
        monkeypatch.setattr(segmenter, "fastest_precision", lambda _, p=precision: p)
        found[precision] = Segmenter().segment(people[0])
    assert not np.array_equal(found["fp32"].probabilities, found["bf16"].probabilities)
    pairs = [[one.labels(row) for row in range(len(one))] for one in found.values()]
    assert np.mean(np.stack(pairs[0]) == np.stack(pairs[1])) > 0.995
