"""Single pictures of a project, quickly, one after another: frames and swapped frames."""

from collections import OrderedDict
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import InputError, OutputError
from faceswap.project import Project
from faceswap.swap.look import Look

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from faceswap.swap.model import SwapModel
    from faceswap.swap.swapper import Placed
    from faceswap.video.reader import Frame

Image = NDArray[np.uint8]

_NEAR = 48
"""Frames that are rather decoded on the way than sought for."""

_KEPT = 6


class Footage:
    """Frames of one video by number; the next ones come cheaply."""

    def __init__(self, path: Path) -> None:
        from faceswap.video.reader import VideoReader

        self.reader: VideoReader = VideoReader(path, tolerate_damage=True)
        self._pass: Generator[Frame, None, None] | None = None
        self._next = 0
        self._kept: OrderedDict[int, Frame] = OrderedDict()

    def frame(self, number: int) -> "Frame":
        """Frame ``number``, or the last one before where the clip is shorter.

        Raises InputError when not even one can be decoded.
        """
        number = max(0, number)
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        if self._pass is None or not self._next <= number <= self._next + _NEAR:
            self._begin(number)
        assert self._pass is not None
        last: Frame | None = None
        for frame in self._pass:
            last, self._next = frame, frame.index + 1
            if frame.index >= number:
                break
        if last is None:
            if number == 0 or not self.reader.info.frames:
                raise InputError(f"No picture of {self.reader.path.name} can be decoded.")
            return self.frame(min(number, self.reader.info.frames) - 1)
        self._kept[last.index] = last
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return last

    def close(self) -> None:
        """Close the file."""
        self.reader.close()

    def _begin(self, number: int) -> None:
        if self._pass is not None:
            self._pass.close()
        self._pass, self._next = self.reader.frames(number), number


class Remembering:
    """A model that answers the same question twice for the price of once.

    While only the blending changes, the network's picture of a frame stays the same.
    """

    def __init__(self, model: "SwapModel") -> None:
        self._model = model
        self._asked: Tensor | None = None
        self._answer: tuple[Tensor, Tensor | None] | None = None

    @property
    def resolution(self) -> int:
        """Side of the model's pictures in pixels."""
        return self._model.resolution

    def swap(self, faces: "Tensor") -> "tuple[Tensor, Tensor | None]":
        """As the model's own ``swap``."""
        import torch

        if self._answer is None or self._asked is None or not torch.equal(self._asked, faces):
            self._asked, self._answer = faces, self._model.swap(faces)
        return self._answer


class Studio:
    """A project's pictures; holds the videos and the model open between them."""

    def __init__(self, folder: Path, device: str = "auto") -> None:
        self.folder, self._device = folder, device
        self._footage: dict[tuple[Path, int], Footage] = {}
        self._model: tuple[Path, Remembering, torch.device] | None = None
        self._places: dict[int, list[Placed]] = {}
        self._placed_for: tuple[object, ...] = ()
        self.notices: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for footage in self._footage.values():
            footage.close()

    def footage(self, path: Path) -> Footage:
        """The video at ``path``, opened; raises InputError when it cannot be."""
        # A file that a job wrote anew is another one, though the open one can still be read.
        which = path, path.stat().st_mtime_ns if path.exists() else 0
        known = self._footage.get(which)
        if known is None:
            while len(self._footage) >= 4:
                self._footage.pop(next(iter(self._footage))).close()
            known = self._footage[which] = Footage(path)
        return known

    def swapped(self, number: int, run: str, look: Look) -> tuple[Image, int]:
        """Frame ``number`` of A with B's face: uint8 (H, W, 3), and how many were swapped.

        ``notices`` grows by what the user should know. Raises ProjectError, InputError or
        CheckpointError where footage or model are missing.
        """
        from faceswap.swap.swapper import Swapper

        project = Project.open(self.folder)
        frame = self.footage(project.video("a")).frame(number)
        model, device = self._loaded(project.model / run)
        self._place(project, model.resolution, look.smooth)
        faces = self._places.get(frame.index, [])
        with Swapper(model, device, look) as swapper:
            return swapper.swap([frame.image], [faces])[0], len(faces)

    def _loaded(self, run: Path) -> "tuple[Remembering, torch.device]":
        from faceswap.swap.model import SwapModel
        from faceswap.training.checkpoint import newest_checkpoint
        from faceswap.training.precision import pick_device

        path = newest_checkpoint(run)
        if self._model is None or self._model[0] != path:
            device = pick_device(self._device)
            self._model = path, Remembering(SwapModel.load(path, device)), device
        return self._model[1], self._model[2]

    def _place(self, project: Project, resolution: int, smooth: float) -> None:
        from faceswap.swap.placing import placed_faces

        key = (resolution, smooth, project.rows("a"), self._state())
        if key != self._placed_for:
            with project.reading() as opened, opened.snapshot():
                self.notices += project.usable(opened, "a")
                self._places, _ = placed_faces(opened, "a", resolution, smooth)
            self._placed_for = (*key[:3], self._state())

    def _state(self) -> tuple[int, ...]:
        """Of the index, which changes while faces are found."""
        return tuple(p.stat().st_mtime_ns for p in self.folder.glob("index.sqlite*"))


def encoded(image: Image, width: int = 0, height: int = 0) -> bytes:
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


def write_picture(path: Path, image: Image) -> None:
    """Write a swapped frame (H, W, 3) as a picture that says so, by its ending.

    Raises OutputError when it cannot be written.
    """
    from faceswap.provenance import SWAPPED_PICTURE, save_picture

    try:
        save_picture(image, path, SWAPPED_PICTURE)
    except (OSError, ValueError) as error:
        raise OutputError(f"Cannot write {path}: {error}.") from error
