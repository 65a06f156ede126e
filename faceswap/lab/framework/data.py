"""Pictures for the lab: MNIST's files, any folder of pictures, a project's faces, or a video.

With nothing given, the digits that come with scikit-learn, scaled to 28 × 28.
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
from faceswap.io.pictures import center_crop, center_square, picture_files, read_picture
from faceswap.lab.framework.idx import idx_files, read_idx
from faceswap.training.dataset import ImageDataset

_NAMED = 5  # so many file names in a message


@dataclass(frozen=True)
class PictureSet:
    """images: uint8 (N, C, H, W). labels: int64 (N,), or None where nobody knows; classes names
    them. files: where each came from, where they were files. notices: what the user should know.
    film: whether neighbours are nearly equal, as those of a film are.
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
        """The labels (N,); raises InputError when there are none."""
        if self.labels is None:
            raise InputError(
                f"'{use}' needs to know what the pictures show: give MNIST's files with their "
                "labels, or a folder with one folder of pictures for each class."
            )
        return self.labels

    def subset(self, places: Tensor) -> "PictureSet":
        """Those at ``places`` (K,)."""
        return PictureSet(
            self.images[places],
            None if self.labels is None else self.labels[places],
            self.classes,
            tuple(self.files[int(i)] for i in places) if self.files else (),
            film=self.film,
        )

    def image_set(self) -> ImageDataset:
        """For training; the maps are the labels, int32, as there may be more than a byte holds."""
        labels = self.labels if self.labels is not None else torch.zeros(len(self))
        maps = labels.to(torch.int32).view(-1, 1, 1, 1)
        return ImageDataset(self.images, maps, torch.ones(len(self)))


def fingerprint(*tensors: Tensor) -> int:
    """A number that tells data apart."""
    total = 0
    for tensor in tensors:
        total = zlib.crc32(tensor.cpu().contiguous().numpy().data, total)
    return total


@dataclass(frozen=True)
class Split:
    """Eight tenths to learn from, one tenth to choose by, one tenth to measure on."""

    training: PictureSet
    validation: PictureSet
    test: PictureSet


def split_data(pictures: PictureSet, seed: int) -> Split:
    """Divide by chance; raises InputError when there are fewer than 10 pictures.

    A film is divided by stretches: the neighbour of a picture learnt by heart is no test.
    """
    places = split_places(len(pictures), seed, film=pictures.film)
    return Split(*(pictures.subset(part) for part in places))


def split_places(count: int, seed: int, *, film: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Which of ``count`` pictures to learn from, to choose by and to measure on, as ``split``."""
    if count < 10:
        raise InputError(f"There are only {count} pictures; at least 10 are needed to learn.")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    if film:
        stretches = 10 * min(_STRETCHES, max(1, count // 40))
        turn = (order * stretches // count + seed) % 10
        return order[(turn != 0) & (turn != 5)], order[turn == 0], order[turn == 5]
    tenth = count // 10
    return order[2 * tenth :], order[:tenth], order[tenth : 2 * tenth]


_STRETCHES = 4  # of a film to choose by, and as many to measure on


def load_pictures(
    path: Path | None,
    size: int | None = None,
    channels: int | None = None,
    most: int = 50_000,
    report: ReportProgress = no_report,
) -> PictureSet:
    """Pictures of what ``path`` is: a folder of IDX files, pictures or classes, a project, a video.

    size: side of the pictures; by default 28 for digits and 64 for others. channels: 1 or 3; by
    default what the files have. most: an even choice of so many is taken of larger folders.
    Raises InputError when there are no pictures, or none can be read.
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
    return _as_wanted(pictures, size, channels)


def load_query(
    path: Path, shape: tuple[int, int, int], report: ReportProgress = no_report
) -> PictureSet:
    """One picture, or a folder of them, as pictures of ``shape`` (C, S, S); raises InputError."""
    if path.is_dir():
        return load_pictures(path, shape[2], shape[0], report=report)
    picture = read_picture(path)
    if picture is None:
        raise InputError(f"{path} is no picture that can be read.")
    pile = _Pile(shape[2], shape[0])
    pile.add(picture)
    return PictureSet(torch.from_numpy(pile.images()), files=(path,), notices=pile.notices())


def _as_wanted(pictures: PictureSet, size: int | None, channels: int | None) -> PictureSet:
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
                    f"{beside} has {len(known):,} labels, and {path.name} {len(one):,} pictures."
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
        notices.append(f"The pictures have {width} × {height} pixels; their middle is taken.")
    pictures = PictureSet(torch.from_numpy(every[:, None].copy()), notices=tuple(notices))
    if len(labels) < len(images):
        return replace(pictures, notices=(*notices, *_without_labels(folder, files)))
    known = np.concatenate(labels).astype(np.int64)
    classes = tuple(str(n) for n in range(int(known.max()) + 1))
    return replace(pictures, labels=torch.from_numpy(known), classes=classes)


def _without_labels(folder: Path, files: Mapping[Path, Path | None]) -> Iterator[str]:
    """What to say when not all IDX files of pictures have their labels beside them."""
    without = [path.name for path, beside in files.items() if beside is None]
    others = sorted(p.name for p in folder.iterdir() if "idx1-ubyte" in p.name)
    if others:
        yield (
            f"No labels are used: there are none for {_listed(without)}, only {_listed(others)}."
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
        notices.append(f"Of {len(files):,} pictures {most:,} are taken.")
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
        notices.append(f"Cannot be read and are left out: {names}.")
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
    """Files by the folder in ``root`` that they are in, and what was left out.

    The few pictures beside many folders are no data, nor are the few in a folder beside many.
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
    """Pictures of any size and colour, each made small when it comes, as one array.

    channels: 1 or 3, or None where the pictures are to decide.
    """

    def __init__(self, size: int, channels: int | None) -> None:
        self._size, self._channels = size, channels
        self._squares: list[NDArray[np.uint8]] = []
        self._kinds: set[int] = set()
        self._shapes: set[tuple[int, int]] = set()

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Keep the middle of (H, W) or (H, W, 3)."""
        self._kinds.add(picture.ndim)
        self._shapes.add((picture.shape[0], picture.shape[1]))
        self._squares.append(center_square(picture, self._size))

    def images(self) -> NDArray[np.uint8]:
        """All pictures (N, C, size, size), taken off the pile, as both may not fit into memory."""
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
        """What was done to the pictures."""
        notices = []
        if len(self._kinds) > 1 and self._channels is None:
            notices.append("Some pictures are grey and some in colour; all are taken as colour.")
        size = f"{self._size} × {self._size}"
        whole = all(height == width for height, width in self._shapes)
        if len(self._shapes) > 1:
            part = "" if whole else ", the middle of those that are not square"
            notices.append(f"The pictures have several sizes; all are scaled to {size}{part}.")
        elif self._shapes != {(self._size, self._size)}:
            height, width = next(iter(self._shapes))
            part = "they are" if whole else "their middle is"
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
