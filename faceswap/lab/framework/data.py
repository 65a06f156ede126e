"""Data loading for the lab: IDX (MNIST) files, folders of pictures, a project's faces, a video.

The default is scikit-learn's digits data set, scaled to 28 × 28.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceswap.background import ReportProgress, no_report
from faceswap.errors import InputError
from faceswap.faces.crops import is_face_crop
from faceswap.io.file_types import picture_files
from faceswap.io.pictures import center_crop, center_square, read_picture
from faceswap.lab.framework.idx import idx_files, read_idx
from faceswap.training.dataset import ImageDataset

_NAMED = 5  # file names listed in a message


@dataclass(frozen=True)
class PictureSet:
    """A data set of pictures.

    images: uint8 (N, C, H, W). labels: int64 (N,) or None; classes: their names. files: source
    file of each picture, if any. notices: messages for the user. film: whether neighbours are
    nearly equal, as consecutive video frames are.
    """

    images: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    notices: tuple[str, ...] = ()
    film: bool = False

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        c, h, w = self.images.shape[1:]
        return c, h, w

    def floats(self) -> Tensor:
        """All pictures (N, C, H, W) in [0, 1]."""
        return self.images.float() / 255

    def known_labels(self, use: str) -> Tensor:
        """The labels (N,); raises InputError, naming the task ``use``, when there are none."""
        if self.labels is None:
            raise InputError(
                f"'{use}' needs to know the class of each picture: give MNIST's files with their "
                "labels, or a folder with one folder of pictures for each class."
            )
        return self.labels

    def subset(self, places: Tensor) -> "PictureSet":
        """The pictures at indices ``places`` (K,)."""
        return PictureSet(
            self.images[places],
            None if self.labels is None else self.labels[places],
            self.classes,
            tuple(self.files[int(i)] for i in places) if self.files else (),
            film=self.film,
        )

    def image_set(self) -> ImageDataset:
        """As a training data set whose maps are the labels, int32 (there may be over 256)."""
        labels = self.labels if self.labels is not None else torch.zeros(len(self))
        maps = labels.to(torch.int32).view(-1, 1, 1, 1)
        return ImageDataset(self.images, maps, torch.ones(len(self)))


def fingerprint(*tensors: Tensor) -> int:
    """CRC-32 of the data, to recognise a run's training data."""
    total = 0
    for tensor in tensors:
        total = zlib.crc32(tensor.cpu().contiguous().numpy().data, total)
    return total


@dataclass(frozen=True)
class Split:
    """Training (80 %), validation (10 %) and test (10 %) sets."""

    training: PictureSet
    validation: PictureSet
    test: PictureSet


def split_data(pictures: PictureSet, seed: int) -> Split:
    """Random training, validation and test split; raises InputError for fewer than 10 pictures.

    A video is split by segments: neighbours of training frames are too similar for a test.
    """
    places = split_places(len(pictures), seed, film=pictures.film)
    return Split(*(pictures.subset(part) for part in places))


def split_places(count: int, seed: int, *, film: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Indices of the training, validation and test pictures among ``count``; see ``split_data``."""
    if count < 10:
        raise InputError(f"There are only {count} pictures; at least 10 are needed.")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    if film:
        segments = 10 * min(_SEGMENTS, max(1, count // 40))  # of 4 frames or more
        turn = (order * segments // count + seed) % 10
        return order[(turn != 0) & (turn != 5)], order[turn == 0], order[turn == 5]
    tenth = count // 10
    return order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]


_SEGMENTS = 4  # of a video in the validation set, and as many in the test set


def load_pictures(
    path: Path | None,
    size: int | None = None,
    channels: int | None = None,
    most: int = 50_000,
    report: ReportProgress = no_report,
) -> PictureSet:
    """Load pictures from a folder of IDX files, pictures or classes, a project, or a video.

    size: side of the pictures; by default 28 for digits and 64 for others. channels: 1 or 3; by
    default what the files have. most: evenly spaced subset of larger folders. Raises InputError
    when there are no pictures, or none can be read.
    """
    if path is None:
        pictures = _bundled()
    elif path.is_file():
        pictures = _video(path, size or 64, most, report)
    elif not path.is_dir():
        raise InputError(f"There is no folder {path}.")
    elif found := idx_files(path):
        pictures = _mnist(path, found)
    else:
        pictures = _folder(path, size or 64, channels, most, report)
    return _resized(pictures, size, channels)


def load_query(
    path: Path, shape: tuple[int, int, int], report: ReportProgress = no_report
) -> PictureSet:
    """Load a picture, or a folder of them, as ``shape`` (C, S, S); raises InputError."""
    if path.is_dir():
        return load_pictures(path, shape[2], shape[0], report=report)
    picture = read_picture(path)
    if picture is None:
        raise InputError(f"{path} cannot be read as a picture.")
    pile = _Pile(shape[2], shape[0])
    pile.add(picture)
    return PictureSet(torch.from_numpy(pile.images()), files=(path,), notices=pile.notices())


def _resized(pictures: PictureSet, size: int | None, channels: int | None) -> PictureSet:
    images = pictures.images
    c, h, w = pictures.shape
    if size is not None and (h, w) != (size, size):
        how = cv2.INTER_AREA if size < h else cv2.INTER_CUBIC
        planes = [
            cv2.resize(p, (size, size), interpolation=how) for p in images.flatten(0, 1).numpy()
        ]
        images = torch.from_numpy(np.stack(planes)).view(-1, c, size, size)
    if channels == 3 and c == 1:
        images = images.expand(-1, 3, -1, -1).contiguous()
    elif channels == 1 and c == 3:
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        images = (images.float() * weights).sum(1, keepdim=True).round().to(torch.uint8)
    if images is pictures.images:
        return pictures
    return replace(pictures, images=images)


def _bundled() -> PictureSet:
    from sklearn.datasets import load_digits

    digits = load_digits()
    large = [
        cv2.resize(picture.astype(np.float32) / 16, (28, 28), interpolation=cv2.INTER_CUBIC)
        for picture in digits.images
    ]
    images = (np.clip(np.stack(large), 0, 1) * 255).round().astype(np.uint8)
    return PictureSet(
        torch.from_numpy(images)[:, None],
        torch.from_numpy(digits.target.astype(np.int64)),
        tuple("0123456789"),
    )


def _mnist(folder: Path, files: Mapping[Path, Path | None]) -> PictureSet:
    images, labels, notices = [], [], []
    for path, beside in files.items():
        one = read_idx(path, 3)
        images.append(one)
        if beside is not None:
            known = read_idx(beside, 1)
            if len(known) != len(one):
                raise InputError(
                    f"{beside} has {len(known):,} labels, but {path.name} {len(one):,} pictures."
                )
            labels.append(known)
    if len({one.shape[1:] for one in images}) > 1:
        raise InputError(f"The IDX files in {folder} have pictures of several sizes.")
    every = np.concatenate(images)
    if not every.size:
        raise InputError(f"The IDX files in {folder} have no pictures.")
    _, height, width = every.shape
    if height != width:
        every = center_crop(every.transpose(1, 2, 0)).transpose(2, 0, 1)
        notices.append(f"The pictures have {width} × {height} pixels; their center is cropped.")
    pictures = PictureSet(torch.from_numpy(every[:, None].copy()), notices=tuple(notices))
    if len(labels) < len(images):
        return replace(pictures, notices=(*notices, *_without_labels(folder, files)))
    known = np.concatenate(labels).astype(np.int64)
    classes = tuple(str(n) for n in range(int(known.max()) + 1))
    return replace(pictures, labels=torch.from_numpy(known), classes=classes)


def _without_labels(folder: Path, files: Mapping[Path, Path | None]) -> Iterator[str]:
    """Notice for IDX picture files without a label file, where the folder has other labels."""
    without = [path.name for path, beside in files.items() if beside is None]
    others = sorted(p.name for p in folder.iterdir() if "idx1-ubyte" in p.name)
    if others:
        yield (
            f"No labels are used: none match {_listed(without)}; there are only {_listed(others)}."
        )


def _folder(
    path: Path, size: int, channels: int | None, most: int, report: ReportProgress
) -> PictureSet:
    root = path / "faces" if (path / "project.toml").is_file() else path
    classes, notices = _classes(root)
    files = [file for group in classes.values() for file in group]
    if not files:
        raise InputError(f"There are no pictures in {path}.")
    labels = [n for n, group in enumerate(classes.values()) for _ in group]
    if len(files) > most:
        notices.append(f"{most:,} of {len(files):,} pictures are used.")
        keep = np.linspace(0, len(files) - 1, most).astype(int)
        files, labels = [files[i] for i in keep], [labels[i] for i in keep]
    pile, good = _Pile(size, channels), []
    for number, file in enumerate(files):
        report(number, len(files))
        picture = read_picture(file)
        if picture is not None:
            pile.add(picture)
            good.append(number)
    if not good:
        raise InputError(f"None of the {len(files)} pictures in {path} can be read.")
    notices += pile.notices()
    if bad := sorted(set(range(len(files))) - set(good)):
        names = _listed([files[n].name for n in bad])
        notices.append(f"Left out, as they cannot be read: {names}.")
    labelled = len(classes) > 1
    return PictureSet(
        torch.from_numpy(pile.images()),
        torch.tensor([labels[n] for n in good]) if labelled else None,
        tuple(classes) if labelled else (),
        tuple(files[n] for n in good),
        tuple(notices),
        film=is_face_crop(files[good[0]]),
    )


def _classes(root: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Picture files by class folder in ``root``, and notices of what was left out.

    Where pictures lie both in ``root`` and in its folders, the larger group is used.
    """
    plain = picture_files(root)
    inside = {
        folder.name: picture_files(folder) for folder in sorted(root.iterdir()) if folder.is_dir()
    }
    classes = {name: files for name, files in inside.items() if files}
    below = sum(len(files) for files in classes.values())
    if not plain or not below:
        return ({"": plain} if plain else classes), []
    if len(plain) > below:
        return {"": plain}, [f"Left out: {_counted(below)} in the folders of {root}."]
    return classes, [f"Left out: {_counted(len(plain))} beside the folders of {root}."]


def _counted(pictures: int) -> str:
    return f"{pictures:,} picture{'s' * (pictures != 1)}"


class _Pile:
    """Collects pictures of any size and colour, scaled when added, into one array.

    channels: 1 or 3, or None for 3 where any picture has colour.
    """

    def __init__(self, size: int, channels: int | None) -> None:
        self._size, self._channels = size, channels
        self._squares: list[NDArray[np.uint8]] = []
        self._kinds: set[int] = set()
        self._shapes: set[tuple[int, int]] = set()

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Add the centre square of (H, W) or (H, W, 3)."""
        self._kinds.add(picture.ndim)
        self._shapes.add((picture.shape[0], picture.shape[1]))
        self._squares.append(center_square(picture, self._size))

    def images(self) -> NDArray[np.uint8]:
        """All pictures (N, C, size, size); empties the pile, as both may not fit into memory."""
        wanted = self._channels or (3 if 3 in self._kinds else 1)
        images = np.empty((len(self._squares), wanted, self._size, self._size), np.uint8)
        for number in reversed(range(len(images))):
            picture = self._squares.pop()
            if picture.ndim == 2:
                images[number] = picture
            elif wanted == 1:
                images[number] = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            else:
                images[number] = picture.transpose(2, 0, 1)
        return images

    def notices(self) -> tuple[str, ...]:
        """Notices of how the pictures were converted."""
        notices = []
        if len(self._kinds) > 1 and self._channels is None:
            notices.append("Some pictures are gray and some in color; all are loaded as RGB.")
        size = f"{self._size} × {self._size}"
        whole = all(height == width for height, width in self._shapes)
        if len(self._shapes) > 1:
            part = "" if whole else ", cropped to the center square where needed"
            notices.append(f"The pictures have several sizes; all are scaled to {size}{part}.")
        elif self._shapes != {(self._size, self._size)}:
            height, width = next(iter(self._shapes))
            part = "they are" if whole else "their center square is"
            notices.append(f"The pictures have {width} × {height} pixels; {part} scaled to {size}.")
        return tuple(notices)


def _video(path: Path, size: int, most: int, report: ReportProgress) -> PictureSet:
    from faceswap.video.reader import VideoReader

    pile = _Pile(size, 3)
    with VideoReader(path) as video:
        for frame in video.frames(0, most):
            report(frame.index, video.info.frames or None)
            pile.add(frame.image)
    return PictureSet(torch.from_numpy(pile.images()), notices=pile.notices(), film=True)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
