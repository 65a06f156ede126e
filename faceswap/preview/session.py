"""Single pictures of a project, quickly, one after another: frames and swapped frames."""

from collections import OrderedDict, deque
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from faceswap.errors import InputError, OutputError
from faceswap.project.project import Project
from faceswap.swap.compositing.options import BlendOptions
from faceswap.types import UInt8Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from faceswap.swap.compositing.color_smoothing import ColorHistory
    from faceswap.swap.compositing.swapper import AlignedFace, Swapper
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.video.reader import Frame


_NEAR = 48
"""Frames that are rather decoded on the way than sought for."""

_KEPT = 6

_AT_A_TIME = 12
"""Frames to be learnt from, and the one to be shown: as many as the default look needs."""

_FACES_KEPT = 16

_Mark = tuple[str, int, int, int]


class FrameReader:
    """Frames of one video by number; the next ones come cheaply."""

    def __init__(self, path: Path) -> None:
        from faceswap.video.reader import VideoReader

        self.reader: VideoReader = VideoReader(path, tolerate_damage=True)
        self._pass: Generator[Frame, None, None] | None = None
        self._next = 0
        self._end: int | None = None  # the last frame's number, once a pass came to it
        self._kept: OrderedDict[int, Frame] = OrderedDict()

    def frame(self, number: int) -> "Frame":
        """Frame ``number``, or the last one where the clip ends before it.

        Raises InputError when not even one can be decoded.
        """
        number = max(0, number if self._end is None else min(number, self._end))
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        if self._pass is None or not self._next <= number <= self._next + _NEAR:
            self._begin(number)
        assert self._pass is not None
        found: Frame | None = None
        for found in self._pass:
            self._next = found.index + 1
            if found.index >= number:
                break
        if found is None or found.index < number:
            found = found or self._last()
            self._end = found.index
        self._kept[found.index] = found
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def _begin(self, number: int) -> None:
        if self._pass is not None:
            self._pass.close()
        self._pass, self._next = self.reader.frames(number), number

    def _last(self) -> "Frame":
        """The last frame that can be decoded, however many the file says that it has."""
        packets, back = len(self.reader.timestamps()), _NEAR
        while True:
            start = max(0, packets - back)
            last = deque(self.reader.frames(start), maxlen=1)
            if last:
                return last[0]
            if start == 0:
                raise InputError(f"No picture of {self.reader.path.name} can be decoded.")
            back *= 2


class CachedModel:
    """A model that answers the same question twice for the price of once.

    While only the blending changes, the network's picture of a face stays the same.
    """

    def __init__(self, model: "SwapModel") -> None:
        self._model = model
        self._known: OrderedDict[bytes, tuple[Tensor, Tensor | None]] = OrderedDict()

    @property
    def resolution(self) -> int:
        """Side of the model's pictures in pixels."""
        return self._model.resolution

    def swap(self, faces: "Tensor") -> "tuple[Tensor, Tensor | None]":
        """As the model's own ``swap``; all faces are computed where one of them is new."""
        import torch

        keys = [face.cpu().numpy().tobytes() for face in faces]
        if any(key not in self._known for key in keys):
            pictures, masks = self._model.swap(faces)
            for n, key in enumerate(keys):
                self._known[key] = pictures[n], None if masks is None else masks[n]
                self._known.move_to_end(key)
        found = [self._known[key] for key in keys]
        while len(self._known) > _FACES_KEPT:
            self._known.popitem(last=False)
        learned = [mask for _, mask in found if mask is not None]
        made = torch.stack([picture for picture, _ in found])
        return made, torch.stack(learned) if learned else None


@dataclass(frozen=True)
class PreviewFrame:
    """A frame of A with B's face.

    frame: its number, the last one's where the clip is shorter than was asked for. image: uint8
    (H, W, 3). faces: how many were swapped.
    """

    frame: int
    image: UInt8Image
    faces: int


@dataclass(frozen=True)
class _Loaded:
    """A model, the file it is from, and what this and newer files were like when it was read."""

    path: Path
    seen: tuple[_Mark, ...]
    model: CachedModel
    device: "torch.device"


class PreviewSession:
    """A project's pictures; holds the videos and the model open between them."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self.folder, self._device = folder, device
        self._footage: dict[tuple[Path, int], FrameReader] = {}
        self._loaded: _Loaded | None = None
        self._places: dict[int, list[AlignedFace]] = {}
        self._placed_for: tuple[object, ...] = ()
        self.notices: list[str] = []
        self._tones: ColorHistory | None = None
        self._tones_for: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for footage in self._footage.values():
            footage.close()

    def footage(self, path: Path) -> FrameReader:
        """The video at ``path``, opened; raises InputError when it cannot be."""
        # A file that a job wrote anew is another one, though the open one can still be read.
        which = path, path.stat().st_mtime_ns if path.exists() else 0
        known = self._footage.get(which)
        if known is None:
            while len(self._footage) >= 4:
                self._footage.pop(next(iter(self._footage))).close()
            known = self._footage[which] = FrameReader(path)
        return known

    def release(self, path: Path) -> None:
        """Close the video at ``path``, if it is open."""
        for which in [which for which in self._footage if which[0] == path]:
            self._footage.pop(which).close()

    def swapped(self, number: int, run: str, look: BlendOptions) -> PreviewFrame:
        """Frame ``number`` of A with B's face, as conversion with this ``look`` writes it.

        ``notices`` grows by what the user should know. Raises ProjectError, InputError or
        CheckpointError where footage or model are missing.
        """
        from faceswap.swap.compositing.color_smoothing import ColorHistory
        from faceswap.swap.compositing.swapper import Swapper

        project = Project.open(self.folder)
        footage = self.footage(project.video("a"))
        loaded = self._load(project.runs_folder / run)
        self._place(project, loaded.model.resolution, look.alignment_smoothing)
        which = (loaded.path, loaded.seen, self._placed_for, look.mask_outline)
        if self._tones is None or which != self._tones_for:
            self._tones, self._tones_for = ColorHistory(), which
        with Swapper(loaded.model, loaded.device, look, self._tones) as swapper:
            # Frames before come first: the footage is then gone through once.
            self._learn(swapper, footage, number, look)
            frame = footage.frame(number)
            if frame.index != number:
                self._learn(swapper, footage, frame.index, look)
            faces = self._places.get(frame.index, [])
            image = swapper.swap([frame.image], [faces])[0]
        return PreviewFrame(frame.index, image, len(faces))

    def nearest_face(self, number: int) -> int | None:
        """The frame nearest to ``number`` of those in which faces are known, after a swap."""
        return min(self._places, key=lambda frame: abs(frame - number), default=None)

    def _learn(
        self, swapper: "Swapper", footage: FrameReader, number: int, look: BlendOptions
    ) -> None:
        """Learn the tones of the frames before ``number`` that count for those in it."""
        from faceswap.swap.compositing.color_smoothing import anchors_before

        assert self._tones is not None
        work = {
            before: [face for face in faces if not self._tones.has_shift(face)]
            for before, faces in anchors_before(self._places, number, look.color_smoothing).items()
        }
        work = {before: faces for before, faces in work.items() if faces}
        if work:
            work[number] = self._places[number]
        numbers = [*work]
        for start in range(0, len(numbers), _AT_A_TIME):
            some = numbers[start : start + _AT_A_TIME]
            swapper.measure_colors([footage.frame(n).image for n in some], [work[n] for n in some])

    def _load(self, run: Path) -> _Loaded:
        """The newest model of ``run``; nothing is read where its files are as they were."""
        from faceswap.swap.model.loading import newest_model
        from faceswap.training.checkpoint import CheckpointFolder
        from faceswap.training.precision import pick_device

        marks = {path: _mark(path) for path in CheckpointFolder(run).files()}

        def since(path: Path) -> tuple[_Mark, ...]:
            return tuple(mark for other, mark in marks.items() if other >= path)

        if self._loaded is None or since(self._loaded.path) != self._loaded.seen:
            self._loaded = None  # two models at once may be more than fits
            device = pick_device(self._device)
            model, path, problems = newest_model(run, device)
            seen = since(path)
            self._loaded = _Loaded(path, seen, CachedModel(model), device)
            self.notices += problems
        return self._loaded

    def _place(self, project: Project, resolution: int, smooth: float) -> None:
        from faceswap.swap.compositing.face_placement import place_faces

        key = (resolution, smooth, project.index_key("a"), self._state())
        if key != self._placed_for:
            with project.open_index_read_only() as opened, opened.snapshot():
                self.notices += project.extraction_warnings(opened, "a")
                self._places, _ = place_faces(opened, "a", resolution, smooth)
            self._placed_for = (*key[:3], self._state())

    def _state(self) -> tuple[int, ...]:
        """Of the index, which changes while faces are found."""
        return tuple(_mark(path)[2] for path in sorted(self.folder.glob("index.sqlite*")))


def _mark(path: Path) -> _Mark:
    """What tells a file from another of its name, or from what it was before it was changed."""
    try:
        known = path.stat()
    except FileNotFoundError:  # pushed out by a newer save just now
        return str(path), 0, 0, 0
    return str(path), known.st_size, known.st_mtime_ns, known.st_ino


def encode_jpeg(image: UInt8Image, width: int = 0, height: int = 0) -> bytes:
    """``image`` as JPEG, scaled down to fit ``width`` × ``height`` where these are given."""
    import cv2

    if width and height:
        scale = min(1.0, width / image.shape[1], height / image.shape[0])
        if scale < 1:
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92]
    )
    if not done:
        raise OutputError("A picture could not be encoded.")
    return data.tobytes()


def write_picture(path: Path, image: UInt8Image) -> None:
    """Write a swapped frame (H, W, 3) as a picture that says so, by its ending.

    Raises OutputError when it cannot be written.
    """
    from faceswap.io.provenance import SWAPPED_PICTURE, save_picture

    try:
        save_picture(image, path, SWAPPED_PICTURE)
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot write {path}: {error}.") from error
