"""Fast random access to a project's frames and swapped frames, with caches."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from faceswap.errors import OutputError
from faceswap.preview.frame_reader import FrameReader
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

_BATCH = 12
"""Frames per batch when colours are measured: all that the default color_smoothing needs."""

_MASKS = 128
"""Masks of faces that are kept, 0.3 MB each; a frame needs a few for each of its faces."""

_CACHED_FACES = 16

_FileStamp = tuple[str, int, int, int]


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
class Casting:
    """Who is swapped in a source: by ``run``, or as ``mapping`` says by PERSON=RUN, if given."""

    source: str = "a"
    run: str = "main"
    mapping: tuple[str, ...] = ()


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


@dataclass
class _Part:
    """The faces, by frame, that one run's model swaps, and what is known of their colours."""

    run: str
    places: "dict[int, list[AlignedFace]]" = field(default_factory=dict)
    measured: "tuple[ColorHistory, MaskHistory] | None" = None
    measured_key: tuple[object, ...] = ()


class PreviewSession:
    """Frames and swapped frames of a project; keeps the videos and the models open.

    notices: warnings for the user, which the caller shows and clears. tells_choice: they say who
    is swapped where nobody was chosen.
    """

    def __init__(self, folder: Path, device: str = "auto", tells_choice: bool = True) -> None:
        self.folder, self._device, self._tells_choice = folder, device, tells_choice
        self._footage: dict[tuple[Path, int], FrameReader] = {}
        self._loaded: dict[str, _Loaded] = {}
        self._parts: list[_Part] = []
        self._parts_key: tuple[object, ...] = ()
        self.notices: list[str] = []

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

    def swapped(
        self, casting: Casting, number: int, options: BlendOptions, *, mask: bool = False
    ) -> PreviewFrame:
        """Frame ``number`` with the chosen faces, the same as a conversion with ``options``.

        mask: the frame as it was, tinted where faces would be swapped, instead.
        Adds warnings to ``notices``. Raises ProjectError, InputError or CheckpointError if footage
        or a model are missing, OptionsError if a person is.
        """
        from faceswap.swap.compositing.original_mask import draw_patch

        project = Project.open(self.folder)
        footage = self.footage(project.video(casting.source))
        self._place(project, casting, options.alignment_smoothing)
        # Earlier frames first, so that the video is decoded in order.
        self._measure_before(footage, number, options)
        frame = footage.frame(number)
        if frame.index != number:
            self._measure_before(footage, frame.index, options)
        image, count = frame.image, 0
        for part in self._parts:
            faces = part.places.get(frame.index, [])
            if faces:
                with self._swapper(part, options) as swapper:
                    (patches,) = swapper.patches([image], [faces])
                image = image.copy()
                for patch in patches:
                    if mask:
                        draw_patch(image, patch)
                    else:
                        patch.apply(image)
            count += len(faces)
        return PreviewFrame(frame.index, image, count)

    def nearest_face(self, number: int) -> int | None:
        """The frame with a face nearest to ``number``; valid after ``swapped``."""
        frames = {frame for part in self._parts for frame in part.places}
        return min(frames, key=lambda frame: abs(frame - number), default=None)

    @contextmanager
    def _swapper(self, part: _Part, options: BlendOptions) -> "Iterator[Swapper]":
        """A swapper for the faces of a part, with the colours and masks measured so far."""
        from faceswap.swap.compositing.color_smoothing import ColorHistory
        from faceswap.swap.compositing.mask_smoothing import MaskHistory
        from faceswap.swap.compositing.swapper import Swapper

        loaded = self._loaded[part.run]
        measured_by = (
            *(options.mask_type, options.keep_glasses),
            *(options.color_mode, options.blend_mode == "poisson"),
        )
        key = (loaded.path, loaded.stamps, self._parts_key, measured_by)
        if part.measured is None or key != part.measured_key:
            part.measured, part.measured_key = (ColorHistory(), MaskHistory()), key
        with Swapper(loaded.model, loaded.device, options, *part.measured) as swapper:
            yield swapper
        part.measured[1].trim(_MASKS)

    def _measure_before(self, footage: FrameReader, number: int, look: BlendOptions) -> None:
        """Measure colours and masks of the earlier frames that ``number`` depends on."""
        from faceswap.swap.compositing.color_smoothing import anchors_before
        from faceswap.swap.compositing.mask_smoothing import frames_before

        for part in self._parts:
            with self._swapper(part, look) as swapper:
                assert part.measured is not None
                colors, masks = part.measured
                work = {
                    n: [face for face in faces if not colors.has_transfer(face)]
                    for n, faces in anchors_before(
                        part.places, number, look.color_smoothing
                    ).items()
                }
                if look.mask_type in ("all", "segmented"):
                    for n, faces in frames_before(part.places, number).items():
                        if not all(masks.has(face) for face in faces):
                            work[n] = faces
                work = {n: work[n] for n in sorted(work) if work[n]}  # decoded in order
                if work:
                    work[number] = part.places[number]
                numbers = [*work]
                for start in range(0, len(numbers), _BATCH):
                    batch = numbers[start : start + _BATCH]
                    images = [footage.frame(n).image for n in batch]
                    swapper.measure(images, [work[n] for n in batch])

    def _load(self, runs: Path, names: list[str]) -> None:
        """Load the newest models of runs; cached until their files change."""
        from faceswap.devices import pick_device
        from faceswap.swap.model.loading import newest_model
        from faceswap.training.checkpoint import CheckpointFolder

        for name in [name for name in self._loaded if name not in names]:
            del self._loaded[name]  # memory may not hold them all
        for name in names:
            stamps = {p: _file_stamp(p) for p in CheckpointFolder(runs / name).files()}
            known = self._loaded.get(name)
            if known is not None and _since(stamps, known.path) == known.stamps:
                continue
            known = None
            self._loaded.pop(name, None)  # frees the old model first: memory may not hold two
            device = pick_device(self._device)
            model, path, problems = newest_model(runs / name, device)
            made = _Loaded(path, _since(stamps, path), CachedModel(model), device)
            self._loaded[name] = made
            self.notices += problems

    def _place(self, project: Project, casting: Casting, smooth: float) -> None:
        """Load the models and place the faces that a conversion by them would swap."""
        from faceswap.project.swap_plan import plan_swap
        from faceswap.swap.compositing.face_placement import place_faces

        source, mapping = casting.source, casting.mapping
        names = sorted({word.rpartition("=")[2] for word in mapping} or {casting.run})
        self._load(project.runs_folder, names)
        sizes = [self._loaded[name].model.resolution for name in names]
        key = (casting, sizes, smooth, project.index_key(source), self._project_state())
        if key == self._parts_key:
            return
        with project.open_index_read_only() as opened, opened.snapshot():
            self.notices += project.extraction_warnings(opened, source)
            plan = plan_swap(project, opened, source, casting.run, None, mapping)
            self.notices += plan.notices if self._tells_choice else plan.warnings
            self._parts = []
            for part in plan.parts:
                size = self._loaded[part.run].model.resolution
                keep = plan.keeps(part)
                places, _ = place_faces(opened, source, size, smooth, keep=keep)
                self._parts.append(_Part(part.run, places))
        self._parts_key = (*key[:4], self._project_state())

    def _project_state(self) -> tuple[int, ...]:
        """Modification times of the index, which changes during extraction, and the settings.

        These say who is ignored or left unswapped.
        """
        files = [*sorted(self.folder.glob("index.sqlite*")), self.folder / "project.toml"]
        return tuple(_file_stamp(path)[2] for path in files)


def _since(stamps: "Mapping[Path, _FileStamp]", path: Path) -> tuple[_FileStamp, ...]:
    """Stamps of a checkpoint and of newer ones."""
    return tuple(stamp for other, stamp in stamps.items() if other >= path)


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
