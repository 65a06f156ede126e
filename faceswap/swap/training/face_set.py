"""Training set of one side, in memory and as a safetensors file.

Needs only PyTorch, NumPy and safetensors, so that a machine that only trains or benchmarks can read
faces without an image decoder. ``face_selection.py`` reads folders of crops.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from faceswap.errors import InputError, OutputError
from faceswap.swap.training.pair_matching import LandmarkSet
from faceswap.training.dataset import ImageDataset

_EARLIER_MAPS = 3


@dataclass
class FaceSet:
    """Training and held-out faces of one side.

    training, held_out: pictures (N, 3, R, R) and maps (N, 4, R/2, R/2): the face as far as it is
    seen; the eyes and, at half strength, the mouth; what hides it, such as hair and hands; and the
    mouth interior. landmarks: of the training faces. problems: sentences on what was left out and
    why.
    """

    training: ImageDataset
    held_out: ImageDataset | None
    landmarks: LandmarkSet
    problems: list[str] = field(default_factory=list)


def write_face_sets(path: Path, sides: Mapping[str, FaceSet], count: int) -> None:
    """Write up to ``count`` evenly spaced training faces of each side into one file.

    Raises OutputError when it cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for side, faces in sides.items():
        total = len(faces.training)
        places = torch.linspace(0, total - 1, min(count, total)).round().long()
        part, shapes = faces.training.subset(places), faces.landmarks.at(places)
        named = {"pictures": part.pictures, "maps": part.maps, "weights": part.weights}
        named |= {"points": shapes.points, "poses": shapes.poses, "gazes": shapes.gazes}
        tensors |= {f"{side}/{name}": value.contiguous() for name, value in named.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"Cannot write {path}: {error}.") from error


def read_face_sets(path: Path, resolution: int) -> dict[str, FaceSet]:
    """Read a file of ``write_face_sets``, with pictures (N, 3, R, R) scaled to ``resolution``.

    Raises InputError when it is missing or not such a file.
    """
    try:
        tensors = load_file(path)
        names = dict.fromkeys(name.partition("/")[0] for name in sorted(tensors))
        return {name: _face_set(tensors, name, resolution) for name in names}
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"{path} is no file of faces to train on: {error}.") from error


def _face_set(tensors: Mapping[str, Tensor], name: str, resolution: int) -> FaceSet:
    pictures, maps, weights, points, poses, gazes = (
        tensors[f"{name}/{part}"]
        for part in ("pictures", "maps", "weights", "points", "poses", "gazes")
    )
    if maps.shape[1] == _EARLIER_MAPS:  # nothing was known of what hides a face
        maps = torch.cat([maps[:, :2], torch.zeros_like(maps[:, :1]), maps[:, 2:]], 1)
    images = ImageDataset(_resize(pictures, resolution), _resize(maps, resolution // 2), weights)
    return FaceSet(images, None, LandmarkSet(points, poses, gazes))


def _resize(pictures: Tensor, side: int) -> Tensor:
    """Resize uint8 pictures (N, C, H, W) to (N, C, side, side)."""
    if pictures.shape[-1] == side:
        return pictures
    # Anti-aliased when shrinking.
    made = functional.interpolate(
        pictures.float(), (side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return made.round().clamp_(0, 255).to(torch.uint8)
