"""Load folders of aligned crops as a training set."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from faceswap.background import ReportProgress, no_report
from faceswap.errors import InputError, NoFaceError
from faceswap.faces.crops import FaceCrop, crop_files, read_crops
from faceswap.faces.expression import SIGNALS, expression_signals
from faceswap.faces.face_regions import eyes_mask, face_mask, mouth_interior_mask, mouth_mask
from faceswap.faces.gaze import iris_offsets
from faceswap.faces.labels import Label
from faceswap.faces.segmenter import FACE, HIDING, Segmentation, shared_segmenter
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.pair_matching import LandmarkSet
from faceswap.training.dataset import ImageDataset, allocate_pictures, balanced_weights
from faceswap.training.held_out_split import HELD_OUT_GAP, Role, split_roles

MIN_FACES = 12
"""Fewest faces that training accepts."""
RECOMMENDED_FACES = 200
"""Number of faces that usually makes a good swap."""
_MAPS = 4
_LEAST_SEEN = 0.4
"""Faces of which less is seen, as hair, hands or the like hide the rest, are left out."""
_USUAL = 0.8
"""Share of the median of what is seen from which a face counts in full."""
_SEGMENTED = 16
"""Crops that are segmented at a time."""

_NOBODY: Mapping[Path, Collection[int]] = MappingProxyType({})


@dataclass(frozen=True)
class FaceLoadConfig:
    """Selection and scaling of the training faces.

    resolution: side they are scaled to, in pixels. min_presence: faces with a lower presence are
    left out. min_sharpness: so are those with less than this share of the median sharpness.
    balanced: sample rare poses and openings of mouth and eyes more often. device: where faces are
    segmented.
    """

    resolution: int
    min_presence: float = 0.5
    min_sharpness: float = 0.15
    balanced: bool = True
    device: torch.device | str = "cpu"


@dataclass(frozen=True)
class _Loaded:
    picture: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    folder: Path
    frame: int
    time: float
    points: NDArray[np.float32]
    gaze: NDArray[np.float32]
    pose: tuple[float, float, float]
    mouth: float
    eyes: float
    presence: float
    blur: float
    seen: float


def load_faces(
    folder: Path, side: str, config: FaceLoadConfig, report: ReportProgress = no_report
) -> FaceSet:
    """Load one side's ``folder``; see ``load_face_folders``."""
    return load_face_folders([folder], side, config, report)


def load_face_folders(
    folders: Sequence[Path],
    side: str,
    config: FaceLoadConfig,
    report: ReportProgress = no_report,
    left_out: Mapping[Path, Collection[int]] = _NOBODY,
) -> FaceSet:
    """Load the faces in ``folders``, scaled, with their maps and sampling weights.

    left_out: by folder, tracks of other people. report: progress, called for each crop. Unreadable
    crops are left out and listed in ``problems``. Raises NoFaceError when too few are left.
    """
    count = sum(len(crop_files(folder, left_out.get(folder, ()))) for folder in folders)
    _check_count(count, side, folders)
    loaded: list[_Loaded] = []
    unreadable: list[str] = []
    store = allocate_pictures((count, 3, config.resolution, config.resolution))
    maps = allocate_pictures((count, _MAPS, config.resolution // 2, config.resolution // 2))
    crops = chain.from_iterable(read_crops(place, left_out.get(place, ())) for place in folders)
    usable = _readable(islice(crops, count), unreadable)  # extraction may add more meanwhile
    for crop, segmentation, row in _segmented(usable, config):
        report(len(loaded) + len(unreadable), count)
        face = _prepare(crop, config.resolution, segmentation, row)
        store[len(loaded)], maps[len(loaded)] = face.picture, face.maps
        # The pictures are in the store; keeping them here too would double the memory.
        loaded.append(replace(face, picture=_EMPTY, maps=_EMPTY))
    problems = _trust_segmentation(loaded, maps, side)
    keep, left = select_faces(loaded, config, side)
    problems += left
    if unreadable:
        crops_out = "1 crop" if len(unreadable) == 1 else f"{len(unreadable)} crops"
        problems.insert(0, f"{side.upper()}: {crops_out} left out: {unreadable[0]}")
    _check_count(int(keep.sum()), side, folders)
    if keep.sum() < RECOMMENDED_FACES:
        problems.append(
            f"{side.upper()} has {int(keep.sum())} faces; with {RECOMMENDED_FACES} or more, in all "
            "poses, the swap gets better."
        )
    faces = _split(store, maps, loaded, keep, config, problems)
    if faces.held_out is None:
        problems.append(
            f"{side.upper()} has too few faces to hold some out, so overfitting is not measured; "
            "that takes 40 faces over five seconds or more."
        )
    return faces


_EMPTY = np.empty(0, np.uint8)


def _check_count(count: int, side: str, folders: Sequence[Path]) -> None:
    if count < MIN_FACES:
        places = ", ".join(map(str, folders))
        raise NoFaceError(
            f"{side.upper()} has {count} usable faces in {places}, and at least {MIN_FACES} are "
            f"needed ({RECOMMENDED_FACES} or more are better); extract more footage with "
            f"'faceswap extract VIDEO --side {side}'."
        )


def _readable(crops: Iterator[FaceCrop | InputError], unreadable: list[str]) -> Iterator[FaceCrop]:
    """The crops that could be read; what is wrong with the others is added to ``unreadable``."""
    for crop in crops:
        if isinstance(crop, InputError):
            unreadable.append(str(crop))
        else:
            yield crop


def _segmented(
    crops: Iterator[FaceCrop], config: FaceLoadConfig
) -> Iterator[tuple[FaceCrop, Segmentation, int]]:
    """Each crop with the segmentation that holds it, and its row there."""
    segmenter = shared_segmenter(torch.device(config.device))
    while part := list(islice(crops, _SEGMENTED)):
        found = segmenter.segment([crop.image for crop in part])
        for row, crop in enumerate(part):
            yield crop, found, row


def _prepare(crop: FaceCrop, side: int, segmentation: Segmentation, row: int) -> _Loaded:
    scale = side / crop.image.shape[0]
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(crop.image, (side, side), interpolation=shrink)
    half = side // 2
    # Pixel centres are at integers, so scaling shifts them by half a pixel.
    points = (crop.record.points + 0.5) * (scale / 2) - 0.5
    forehead = (crop.record.forehead + 0.5) * (scale / 2) - 0.5
    size = (half, half)
    # Eyes are small; with half their weight per pixel the mouth still has more in total.
    features = np.maximum(eyes_mask(points, size), mouth_mask(points, size) // 2)
    whole = face_mask(points, forehead, size)
    face = cv2.resize(segmentation.of(row, (*FACE, Label.GLASSES)), size) * whole
    hidden = cv2.resize(segmentation.of(row, HIDING), size) * 255
    planes = face, features, hidden, mouth_interior_mask(points, size)
    maps = np.stack([np.asarray(plane, np.float32) for plane in planes]).round().astype(np.uint8)
    signals = expression_signals(crop.record.points)
    return _Loaded(
        picture.transpose(2, 0, 1).astype(np.uint8),
        maps,
        crop.path.parent,
        crop.record.frame,
        crop.record.time,
        (np.concatenate([points, forehead]) + np.float32(0.5)) * np.float32(2 / half) - 1,
        iris_offsets(crop.image, crop.record.points),
        crop.record.pose,
        float(signals[SIGNALS.index("mouth opening")]),
        float(signals[[SIGNALS.index("left eye"), SIGNALS.index("right eye")]].mean()),
        crop.record.presence,
        crop.record.blur,
        float(face.sum() / max(1.0, whole.sum(dtype=np.float64))),
    )


def _trust_segmentation(faces: list[_Loaded], maps: NDArray[np.uint8], side: str) -> list[str]:
    """Do without the segmentation where it sees hardly any face: drawn, painted or masked ones.

    Sets the faces' ``seen`` to 1 and their maps to the whole face then, and says so.
    """
    if not faces or np.median([face.seen for face in faces]) >= _LEAST_SEEN:
        return []
    half = maps.shape[-1]
    for number, face in enumerate(faces):
        points = np.asarray((face.points + 1) * (half / 2) - 0.5, np.float32)
        maps[number, 0] = face_mask(points[:68], points[68:], (half, half))
        maps[number, 2] = 0
        faces[number] = replace(face, seen=1.0)
    return [
        f"{side.upper()}: skin is hardly recognized in its faces (drawings, masks, paint?), so all "
        "inside their outlines counts as face."
    ]


def select_faces(
    faces: list[_Loaded], config: FaceLoadConfig, side: str
) -> tuple[NDArray[np.bool_], list[str]]:
    presence = np.array([f.presence for f in faces])
    blur = np.array([f.blur for f in faces])
    seen = np.array([f.seen for f in faces])
    unsure = presence < config.min_presence
    hidden = ~unsure & (seen < _LEAST_SEEN)
    unsure |= hidden
    soft = ~unsure & (blur < config.min_sharpness * np.median(blur)) if len(faces) else unsure
    problems = [
        f"{side.upper()}: {int(count.sum())} of {len(faces)} faces left out as {reason}."
        for count, reason in (
            (unsure & ~hidden, "uncertain"),
            (hidden, "mostly hidden by hair, hands or other things"),
            (soft, "blurred"),
        )
        if count.any()
    ]
    return ~(unsure | soft), problems


def _split(
    store: NDArray[np.uint8],
    maps: NDArray[np.uint8],
    loaded: list[_Loaded],
    keep: NDArray[np.bool_],
    config: FaceLoadConfig,
    problems: list[str],
) -> FaceSet:
    kept = np.flatnonzero(keep)
    chosen = [loaded[row] for row in kept]
    attributes = np.array([[f.pose[0], f.pose[1], f.mouth, f.eyes] for f in chosen])
    weights = balanced_weights(attributes) if config.balanced else np.ones(len(kept), np.float32)
    seen = np.array([f.seen for f in chosen], np.float32)
    # A fringe in all of them is no reason: what counts is what is hidden beyond the usual.
    weights = weights * np.minimum(1, seen / np.float32(_USUAL * np.median(seen)))
    role = split_roles(*_times_and_sources(chosen))
    training, held = role == Role.TRAINING, role == Role.HELD_OUT
    count, end = int(training.sum()), int(training.sum() + held.sum())
    for array in (store, maps):
        _move_rows(array, kept[training], kept[held])

    def part(rows: slice, drawn: NDArray[np.bool_]) -> ImageDataset:
        return ImageDataset(
            torch.from_numpy(store[rows]),
            torch.from_numpy(maps[rows]),
            torch.from_numpy(weights[drawn]),
        )

    trained = [loaded[row] for row in kept[training]]
    gazes = torch.from_numpy(np.stack([face.gaze for face in trained]))
    shapes = LandmarkSet(
        torch.from_numpy(np.stack([face.points for face in trained]).astype(np.float32)),
        torch.tensor([face.pose[:2] for face in trained], dtype=torch.float32),
        gazes - gazes.median(0).values,
    )
    held_out = part(slice(count, end), held) if held.any() else None
    return FaceSet(part(slice(count), training), held_out, shapes, problems)


def _times_and_sources(faces: Sequence[_Loaded]) -> tuple[NDArray[np.float64], NDArray[np.int_]]:
    """Time of each face in seconds (N,) and the number of its folder (N,)."""
    folders = {folder: n for n, folder in enumerate(dict.fromkeys(f.folder for f in faces))}
    sources = np.array([folders[face.folder] for face in faces])
    seconds = np.array([face.time for face in faces], np.float64)
    for source in folders.values():
        mine = sources == source
        if np.ptp(seconds[mine]) == 0:  # photographs are independent: spaced beyond the gap
            seconds[mine] = np.array([face.frame for face in faces])[mine] * 2 * HELD_OUT_GAP
    return seconds, sources


def _move_rows(array: NDArray[np.uint8], first: NDArray[np.int_], then: NDArray[np.int_]) -> None:
    """Move the rows ``first``, ascending, to the front and the few of ``then`` behind them.

    In place, as the array may be a memory-mapped file that is larger than memory.
    """
    saved = array[then]
    for place, row in enumerate(first):
        if place != row:
            array[place] = array[row]
    array[len(first) : len(first) + len(then)] = saved
