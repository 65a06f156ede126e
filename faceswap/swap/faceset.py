"""A folder of aligned crops as a set to train on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceswap.errors import InputError, NoFaceError
from faceswap.faces.crops import FaceCrop, crop_files, read_crops
from faceswap.faces.gaze import iris_places
from faceswap.faces.mask import eyes_mask, face_mask, mouth_inside, mouth_mask
from faceswap.swap.evaluation import SIGNALS, expression_signals
from faceswap.swap.partners import Shapes
from faceswap.swap.sides import FaceSet
from faceswap.training.data import ImageSet, allocate, balance, held_out

FEWEST = 12
"""Faces without which training makes no sense."""
WANTED = 200
"""Faces from which on a swap usually is good."""


@dataclass(frozen=True)
class LoadConfig:
    """Which faces to take and how.

    resolution: side they are scaled to. min_presence: the landmarker's trust below which a face
    is left out. min_sharpness: share of the median sharpness below which it is. balanced: draw
    rare poses and openings of mouth and eyes more often.
    """

    resolution: int
    min_presence: float = 0.5
    min_sharpness: float = 0.15
    balanced: bool = True


@dataclass(frozen=True)
class _Loaded:
    picture: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    points: NDArray[np.float32]
    gaze: NDArray[np.float32]
    pose: tuple[float, float, float]
    mouth: float
    eyes: float
    presence: float
    blur: float


def load_faces(folder: Path, side: str, config: LoadConfig) -> FaceSet:
    """The faces of one side's ``folder``; see ``load_all``."""
    return load_all([folder], side, config)


def load_all(folders: Sequence[Path], side: str, config: LoadConfig) -> FaceSet:
    """The faces in ``folders``, scaled, with their maps and weights.

    Crops of any size are scaled to one. Unreadable ones are left out and told. Raises
    NoFaceError when too few are left.
    """
    count = sum(len(crop_files(folder)) for folder in folders)
    _enough(count, side, folders)
    loaded: list[_Loaded] = []
    unreadable: list[str] = []
    store = allocate((count, 3, config.resolution, config.resolution))
    maps = allocate((count, 3, config.resolution // 2, config.resolution // 2))
    crops = chain.from_iterable(read_crops(folder) for folder in folders)
    for crop in islice(crops, count):  # more may be written meanwhile
        if isinstance(crop, InputError):
            unreadable.append(str(crop))
            continue
        face = _prepare(crop, config.resolution)
        store[len(loaded)], maps[len(loaded)] = face.picture, face.maps
        # The pictures are in the store; kept here as well, they would take twice the memory.
        loaded.append(replace(face, picture=_NOTHING, maps=_NOTHING))
    keep, problems = _chosen(loaded, config, side)
    if unreadable:
        crops_out = "1 crop" if len(unreadable) == 1 else f"{len(unreadable)} crops"
        problems.insert(0, f"{side.upper()}: {crops_out} left out: {unreadable[0]}")
    _enough(int(keep.sum()), side, folders)
    if keep.sum() < WANTED:
        problems.append(
            f"{side.upper()} has {int(keep.sum())} faces; with {WANTED} or more, of all "
            "poses, the result is better."
        )
    if not held_out(int(keep.sum())).any():
        problems.append(
            f"{side.upper()}: none of so few faces is held out, so how well the model does on them "
            "is not measured."
        )
    return _split(store, maps, loaded, keep, config, problems)


_NOTHING = np.empty(0, np.uint8)


def _enough(count: int, side: str, folders: Sequence[Path]) -> None:
    if count < FEWEST:
        places = ", ".join(map(str, folders))
        raise NoFaceError(
            f"{side.upper()} has {count} usable faces in {places}, and at least {FEWEST} are "
            f"needed ({WANTED} or more are better); extract more footage with "
            f"'faceswap extract VIDEO --side {side}'."
        )


def _prepare(crop: FaceCrop, side: int) -> _Loaded:
    scale = side / crop.image.shape[0]
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(crop.image, (side, side), interpolation=shrink)
    half = side // 2
    # Pixel centres are at integers, so that scaling shifts them by half a pixel.
    points = (crop.record.points + 0.5) * (scale / 2) - 0.5
    forehead = (crop.record.forehead + 0.5) * (scale / 2) - 0.5
    size = (half, half)
    # Eyes are small; a mouth of half their weight still has more of it in all.
    features = np.maximum(eyes_mask(points, size), mouth_mask(points, size) // 2)
    maps = np.stack([face_mask(points, forehead, size), features, mouth_inside(points, size)])
    signals = expression_signals(crop.record.points)
    return _Loaded(
        picture.transpose(2, 0, 1).astype(np.uint8),
        maps,
        (np.concatenate([points, forehead]) + np.float32(0.5)) * np.float32(2 / half) - 1,
        iris_places(crop.image, crop.record.points),
        crop.record.pose,
        float(signals[SIGNALS.index("mouth opening")]),
        float(signals[[SIGNALS.index("left eye"), SIGNALS.index("right eye")]].mean()),
        crop.record.presence,
        crop.record.blur,
    )


def _chosen(
    faces: list[_Loaded], config: LoadConfig, side: str
) -> tuple[NDArray[np.bool_], list[str]]:
    presence = np.array([f.presence for f in faces])
    blur = np.array([f.blur for f in faces])
    unsure = presence < config.min_presence
    soft = ~unsure & (blur < config.min_sharpness * np.median(blur)) if len(faces) else unsure
    problems = [
        f"{side.upper()}: {int(count.sum())} of {len(faces)} faces left out as {reason}."
        for count, reason in ((unsure, "uncertain"), (soft, "blurred"))
        if count.any()
    ]
    return ~(unsure | soft), problems


def _split(
    store: NDArray[np.uint8],
    maps: NDArray[np.uint8],
    loaded: list[_Loaded],
    keep: NDArray[np.bool_],
    config: LoadConfig,
    problems: list[str],
) -> FaceSet:
    kept = np.flatnonzero(keep)
    attributes = np.array([[f.pose[0], f.pose[1], f.mouth, f.eyes] for f in loaded])[kept]
    weights = balance(attributes) if config.balanced else np.ones(len(kept))
    out = held_out(len(kept))
    learnt, count = kept[~out], int((~out).sum())
    for array in (store, maps):
        _arrange(array, learnt, kept[out])

    def part(rows: slice, chosen: NDArray[np.bool_]) -> ImageSet:
        return ImageSet(
            torch.from_numpy(store[rows]),
            torch.from_numpy(maps[rows]),
            torch.from_numpy(weights[chosen]),
        )

    gazes = torch.from_numpy(np.stack([loaded[row].gaze for row in learnt]))
    shapes = Shapes(
        torch.from_numpy(np.stack([loaded[row].points for row in learnt]).astype(np.float32)),
        torch.tensor([loaded[row].pose[:2] for row in learnt], dtype=torch.float32),
        gazes - gazes.median(0).values,
    )
    training = part(slice(count), ~out)
    return FaceSet(
        training, part(slice(count, len(kept)), out) if out.any() else None, shapes, problems
    )


def _arrange(array: NDArray[np.uint8], first: NDArray[np.int_], then: NDArray[np.int_]) -> None:
    """Move the rows ``first``, which ascend, to the front, and the few of ``then`` behind them.

    In place: a copy of the rows would take the memory that a mapped file is there to save.
    """
    aside = array[then]
    for place, row in enumerate(first):
        if place != row:
            array[place] = array[row]
    array[len(first) : len(first) + len(then)] = aside
