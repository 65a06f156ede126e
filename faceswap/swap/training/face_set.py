"""One side's faces as a model learns from them, and as one file that holds all of it.

Needs nothing but PyTorch, numpy and safetensors: a machine that only trains or measures reads
faces from such a file, with nothing there that decodes pictures. Reading a folder of crops is
``face_loading.py``'s matter.
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


@dataclass
class FaceSet:
    """One side's faces.

    training and held_out hold pictures (N, 3, R, R) and maps (N, 3, R/2, R/2): the face's
    region, eyes with, at half strength, the mouth, and what is between the lips. shapes: the
    landmarks of those in training. problems: what was left out and why.
    """

    training: ImageDataset
    held_out: ImageDataset | None
    landmarks: LandmarkSet
    problems: list[str] = field(default_factory=list)


def write_face_sets(path: Path, sides: Mapping[str, FaceSet], count: int) -> None:
    """Write ``count`` faces of each side's training set, evenly spaced over it, into one file.

    All that there are where they are fewer. Raises OutputError when it can't be written.
    """
    tensors: dict[str, Tensor] = {}
    for side, faces in sides.items():
        there = len(faces.training)
        places = torch.linspace(0, there - 1, min(count, there)).round().long()
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
    """The sides in a file of ``write_face_sets``, pictures (N, 3, R, R) at ``resolution``.

    Raises InputError when the file is missing or no such file.
    """
    try:
        tensors = load_file(path)
        names = dict.fromkeys(name.partition("/")[0] for name in sorted(tensors))
        return {name: _side(tensors, name, resolution) for name in names}
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(f"{path} is no file of faces to learn from: {error}.") from error


def _side(tensors: Mapping[str, Tensor], name: str, resolution: int) -> FaceSet:
    pictures, maps, weights, points, poses, gazes = (
        tensors[f"{name}/{part}"]
        for part in ("pictures", "maps", "weights", "points", "poses", "gazes")
    )
    images = ImageDataset(_scaled(pictures, resolution), _scaled(maps, resolution // 2), weights)
    return FaceSet(images, None, LandmarkSet(points, poses, gazes))


def _scaled(pictures: Tensor, side: int) -> Tensor:
    """uint8 pictures (N, C, H, W) as (N, C, side, side)."""
    if pictures.shape[-1] == side:
        return pictures
    # Smoothed where it shrinks: else fine detail comes out as noise.
    made = functional.interpolate(
        pictures.float(), (side, side), mode="bilinear", antialias=True, align_corners=False
    )
    return made.round().clamp_(0, 255).to(torch.uint8)
