"""The bundled embedder tells rendered people apart, and crops tell the same as frames."""

from pathlib import Path

import numpy as np
import pytest

from faceswap.assets import asset_path
from faceswap.errors import AssetError
from faceswap.faces.crops import crop_face
from faceswap.faces.detect import CenterFace
from faceswap.faces.embedding import Embedder, gradient_features
from faceswap.faces.finder import find_faces
from faceswap.faces.landmarks import make_landmarker
from faceswap.faces.people_groups import SAME_PERSON, likeness
from faceswap.video.reader import VideoReader


def test_rendered_people_are_told_apart(sample: Path) -> None:
    landmarker, detector, embedder = make_landmarker(), CenterFace(), Embedder()
    vectors = {}
    for name in ("a", "b"):
        found = []
        with VideoReader(sample / f"{name}.mp4") as video:
            for frame in video.frames(0, 40, 10):
                (face,) = find_faces(frame.image, landmarker, detector)
                found.append(embedder.embed(frame.image, [face.points])[0])
                crop, _ = crop_face(frame.image, face, 128, side=name, frame=frame.index)
                assert embedder.embed_crops([crop])[0] @ found[-1] > 0.9
        vectors[name] = np.stack(found)
    assert likeness(vectors["a"][:2], vectors["a"][2:]) > SAME_PERSON
    assert likeness(vectors["a"], vectors["b"]) < SAME_PERSON


def test_embeddings_are_unit_vectors_whatever_the_light() -> None:
    rng = np.random.default_rng(1)
    crop = rng.integers(40, 200, (64, 64, 3), np.uint8)
    one, brighter = Embedder().embed_crops([crop, np.asarray(crop // 2 + 20, np.uint8)])
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ brighter > 0.95
    assert Embedder().embed_crops([]).shape == (0, 128)


def test_features_of_a_flat_crop_are_none() -> None:
    assert not gradient_features(np.full((1, 64, 64), 0.5)).any()


def test_a_damaged_asset_is_told(tmp_path: Path) -> None:
    path = tmp_path / "embedder.safetensors"
    path.write_bytes(asset_path("embedder.safetensors").read_bytes()[:100])
    with pytest.raises(AssetError, match="git checkout assets"):
        Embedder(path)
    with pytest.raises(AssetError, match="damaged"):
        Embedder(tmp_path / "none.safetensors")
