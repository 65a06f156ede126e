"""Fast random access to a project's frames and swapped frames, with caches."""

from collections import OrderedDict, deque
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from faceswap.errors import InputError, OutputError
from faceswap.project.project import Project
from faceswap.swap.compositing.options import BlendOptions
from faceswap.types import UInt8Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from faceswap.swap.compositing.color_smoothing import ColorHistory
    from faceswap.swap.compositing.mask_smoothing import MaskHistory
    from faceswap.swap.compositing.swapper import AlignedFace, Swapper
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.video.reader import Frame, VideoReader


_MAX_SKIP = 48
"""Frames that are decoded and skipped rather than seeking."""

_CACHED_FRAMES = 6

_BATCH = 12
"""Frames per batch when colours are measured: all that the default color_smoothing needs."""

_CACHED_FACES = 16

_FileStamp = tuple[str, int, int, int]


class FrameReader:
    """Frames of one video by number, with a cache; consecutive frames need no seeking."""

    def __init__(self, path: Path) -> None:
        from faceswap.video.reader import open_footage

        self.reader: VideoReader = open_footage(path)
        self._pass: Generator[Frame, None, None] | None = None
        self._next = 0
        self._end: int | None = None  # number of the last frame, once it was decoded
        self._cache: OrderedDict[int, Frame] = OrderedDict()

    def frame(self, number: int) -> "Frame":
        """Frame ``number``, or the last frame if the video is shorter.

        Raises InputError when no frame can be decoded.
        """
        number = max(0, number if self._end is None else min(number, self._end))
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        if self._pass is None or not self._next <= number <= self._next + _MAX_SKIP:
            self._seek(number)
        assert self._pass is not None
        found: Frame | None = None
        for found in self._pass:
            self._next = found.index + 1
            if found.index >= number:
                break
        if found is None or found.index < number:
            found = found or self._last()
            self._end = found.index
        self._cache[found.index] = found
        while len(self._cache) > _CACHED_FRAMES:
            self._cache.popitem(last=False)
        return found

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def _seek(self, number: int) -> None:
        if self._pass is not None:
            self._pass.close()
        self._pass, self._next = self.reader.frames(number), number

    def _last(self) -> "Frame":
        """The last frame that can be decoded; the container may announce more."""
        packets, back = len(self.reader.timestamps()), _MAX_SKIP
        while True:
            start = max(0, packets - back)
            last = deque(self.reader.frames(start), maxlen=1)
            if last:
                return last[0]
            if start == 0:
                raise InputError(
                    f"No frame of {self.reader.path.name} can be decoded; choose another video."
                )
            back *= 2


class CachedModel:
    """A model with a cache of its outputs by input.

    While only compositing options change, the network's output for a face stays the same.
    """

    def __init__(self, model: "SwapModel") -> None:
        self._model = model
        self._cache: OrderedDict[bytes, tuple[Tensor, Tensor | None]] = OrderedDict()

    @property
    def resolution(self) -> int:
        """Side of the model's crops in pixels."""
        return self._model.resolution

    def swap(self, faces: "Tensor") -> "tuple[Tensor, Tensor | None]":
        """As the model's own ``swap``; computes all faces if one is not cached."""
        import torch

        keys = [face.cpu().numpy().tobytes() for face in faces]
        if any(key not in self._cache for key in keys):
            pictures, masks = self._model.swap(faces)
            for n, key in enumerate(keys):
                self._cache[key] = pictures[n], None if masks is None else masks[n]
                self._cache.move_to_end(key)
        found = [self._cache[key] for key in keys]
        while len(self._cache) > _CACHED_FACES:
            self._cache.popitem(last=False)
        learned = [mask for _, mask in found if mask is not None]
        made = torch.stack([picture for picture, _ in found])
        return made, torch.stack(learned) if learned else None


@dataclass(frozen=True)
class PreviewFrame:
    """A frame of A with B's face.

    frame: its number, which is the last one if a later one was requested. image: uint8 (H, W, 3).
    faces: number of swapped faces.
    """

    frame: int
    image: UInt8Image
    faces: int


@dataclass(frozen=True)
class _Loaded:
    """A model, its checkpoint file, and the stamps of this and newer files when it was read."""

    path: Path
    stamps: tuple[_FileStamp, ...]
    model: CachedModel
    device: "torch.device"


_MASKS = 128
"""Masks of faces that are kept, 0.3 MB each; a frame needs a few for each of its faces."""


class PreviewSession:
    """Frames and swapped frames of a project; keeps the videos and the model open.

    notices: warnings for the user, which the caller shows and clears.
    """

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self.folder, self._device = folder, device
        self._footage: dict[tuple[Path, int], FrameReader] = {}
        self._loaded: _Loaded | None = None
        self._places: dict[int, list[AlignedFace]] = {}
        self._places_key: tuple[object, ...] = ()
        self.notices: list[str] = []
        self._colors: ColorHistory | None = None
        self._masks: MaskHistory | None = None
        self._colors_key: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for footage in self._footage.values():
            footage.close()

    def footage(self, path: Path) -> FrameReader:
        """The opened video at ``path``; raises InputError when it cannot be opened."""
        # A job may have replaced the file, while the old open one can still be read.
        key = path, path.stat().st_mtime_ns if path.exists() else 0
        reader = self._footage.get(key)
        if reader is None:
            while len(self._footage) >= 4:
                self._footage.pop(next(iter(self._footage))).close()
            reader = self._footage[key] = FrameReader(path)
        return reader

    def release(self, path: Path) -> None:
        """Close the video at ``path``, if it is open."""
        for key in [key for key in self._footage if key[0] == path]:
            self._footage.pop(key).close()

    def swapped(self, number: int, run: str, options: BlendOptions) -> PreviewFrame:
        """Frame ``number`` of A with B's face, the same as a conversion with ``options``.

        Adds warnings to ``notices``. Raises ProjectError, InputError or CheckpointError if footage
        or model are missing.
        """
        from faceswap.swap.compositing.color_smoothing import ColorHistory
        from faceswap.swap.compositing.mask_smoothing import MaskHistory
        from faceswap.swap.compositing.swapper import Swapper

        project = Project.open(self.folder)
        footage = self.footage(project.video("a"))
        loaded = self._load(project.runs_folder / run)
        self._place(project, run, loaded.model.resolution, options.alignment_smoothing)
        measured_by = (
            *(options.mask_type, options.keep_glasses),
            *(options.color_mode, options.blend_mode == "poisson"),
        )
        key = (loaded.path, loaded.stamps, self._places_key, measured_by)
        if self._colors is None or self._masks is None or key != self._colors_key:
            self._colors, self._masks, self._colors_key = ColorHistory(), MaskHistory(), key
        history = self._colors, self._masks
        with Swapper(loaded.model, loaded.device, options, *history) as swapper:
            # Earlier frames first, so that the video is decoded in order.
            self._measure_before(swapper, footage, number, options)
            frame = footage.frame(number)
            if frame.index != number:
                self._measure_before(swapper, footage, frame.index, options)
            faces = self._places.get(frame.index, [])
            image = swapper.swap([frame.image], [faces])[0]
            self._masks.trim(_MASKS)
        return PreviewFrame(frame.index, image, len(faces))

    def nearest_face(self, number: int) -> int | None:
        """The frame with a face nearest to ``number``; valid after ``swapped``."""
        return min(self._places, key=lambda frame: abs(frame - number), default=None)

    def _measure_before(
        self, swapper: "Swapper", footage: FrameReader, number: int, look: BlendOptions
    ) -> None:
        """Measure colour transfers and masks of the earlier frames that ``number`` depends on."""
        from faceswap.swap.compositing.color_smoothing import anchors_before
        from faceswap.swap.compositing.mask_smoothing import frames_before

        assert self._colors is not None
        assert self._masks is not None
        work = {
            before: [face for face in faces if not self._colors.has_transfer(face)]
            for before, faces in anchors_before(self._places, number, look.color_smoothing).items()
        }
        if look.mask_type in ("all", "segmented"):
            for before, faces in frames_before(self._places, number).items():
                if not all(self._masks.has(face) for face in faces):
                    work[before] = faces
        work = {before: work[before] for before in sorted(work)}  # the film is decoded in order
        work = {before: faces for before, faces in work.items() if faces}
        if work:
            work[number] = self._places[number]
        numbers = [*work]
        for start in range(0, len(numbers), _BATCH):
            batch = numbers[start : start + _BATCH]
            images = [footage.frame(n).image for n in batch]
            swapper.measure(images, [work[n] for n in batch])

    def _load(self, run: Path) -> _Loaded:
        """The newest model of ``run``; cached until its files change."""
        from faceswap.devices import pick_device
        from faceswap.swap.model.loading import newest_model
        from faceswap.training.checkpoint import CheckpointFolder

        stamps = {path: _file_stamp(path) for path in CheckpointFolder(run).files()}

        def since(path: Path) -> tuple[_FileStamp, ...]:
            return tuple(stamp for other, stamp in stamps.items() if other >= path)

        if self._loaded is None or since(self._loaded.path) != self._loaded.stamps:
            self._loaded = None  # frees the old model first: memory may not hold two
            device = pick_device(self._device)
            model, path, problems = newest_model(run, device)
            self._loaded = _Loaded(path, since(path), CachedModel(model), device)
            self.notices += problems
        return self._loaded

    def _place(self, project: Project, run: str, resolution: int, smooth: float) -> None:
        """Place the faces that a conversion by ``run`` would swap."""
        from faceswap.project.swap_plan import plan_swap
        from faceswap.swap.compositing.face_placement import place_faces

        key = (run, resolution, smooth, project.index_key("a"), self._project_state())
        if key != self._places_key:
            with project.open_index_read_only() as opened, opened.snapshot():
                self.notices += project.extraction_warnings(opened, "a")
                plan = plan_swap(project, opened, "a", run)
                self.notices += plan.notices
                keep = plan.keeps(plan.parts[0])  # the only one, as no map is given
                self._places, _ = place_faces(opened, "a", resolution, smooth, keep=keep)
            self._places_key = (*key[:4], self._project_state())

    def _project_state(self) -> tuple[int, ...]:
        """Modification times of the index, which changes during extraction, and the settings.

        These say who is ignored or left unswapped.
        """
        files = [*sorted(self.folder.glob("index.sqlite*")), self.folder / "project.toml"]
        return tuple(_file_stamp(path)[2] for path in files)


def _file_stamp(path: Path) -> _FileStamp:
    """Path, size, modification time and inode: differ once the file is changed or replaced."""
    try:
        stat = path.stat()
    except FileNotFoundError:  # deleted just now in favour of a newer checkpoint
        return str(path), 0, 0, 0
    return str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino


def write_picture(path: Path, image: UInt8Image) -> None:
    """Write a swapped frame (H, W, 3) with its provenance, in the format of the suffix.

    Raises OutputError when it cannot be written.
    """
    from faceswap.io.provenance import SWAPPED_PICTURE, save_picture

    try:
        save_picture(image, path, SWAPPED_PICTURE)
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot write {path}: {error}.") from error
