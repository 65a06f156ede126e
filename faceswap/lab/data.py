"""Pictures for the lab: MNIST's files, any folder of pictures, a project's faces, or a video.

With nothing given, the digits that come with scikit-learn, scaled to 28 × 28.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from faceswap.errors import InputError
from faceswap.faces.crops import CHUNK
from faceswap.lab.idx import read_idx
from faceswap.training.data import ImageSet

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_NAMED = 5  # so many file names in a message


@dataclass(frozen=True)
class Pictures:
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

    def subset(self, places: Tensor) -> "Pictures":
        """Those at ``places`` (K,)."""
        return Pictures(
            self.images[places],
            None if self.labels is None else self.labels[places],
            self.classes,
            tuple(self.files[int(i)] for i in places) if self.files else (),
            film=self.film,
        )

    def image_set(self) -> ImageSet:
        """For training; the maps are the labels, one byte each."""
        labels = self.labels if self.labels is not None else torch.zeros(len(self))
        maps = labels.clamp(0, 255).to(torch.uint8).view(-1, 1, 1, 1)
        return ImageSet(self.images, maps, torch.ones(len(self), dtype=torch.float64))


def fingerprint(*tensors: Tensor) -> int:
    """A number that tells data apart."""
    total = 0
    for tensor in tensors:
        total = zlib.crc32(tensor.cpu().contiguous().numpy().data, total)
    return total


@dataclass(frozen=True)
class Split:
    """Eight tenths to learn from, one tenth to choose by, one tenth to measure on."""

    training: Pictures
    validation: Pictures
    test: Pictures


def split(pictures: Pictures, seed: int) -> Split:
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


def load(
    path: Path | None, size: int | None = None, channels: int | None = None, most: int = 50_000
) -> Pictures:
    """Pictures of what ``path`` is: a folder of IDX files, pictures or classes, a project, a video.

    size: side of the pictures; by default 28 for digits and 64 for others. channels: 1 or 3; by
    default what the files have. most: an even choice of so many is taken of larger folders.
    Raises InputError when there are no pictures, or none can be read.
    """
    if path is None:
        pictures = _bundled()
    elif path.is_file():
        pictures = _video(path, size or 64, most)
    elif not path.is_dir():
        raise InputError(f"There is no folder {path}.")
    elif found := sorted(p for p in path.iterdir() if "idx3-ubyte" in p.name):
        pictures = _mnist(found)
    else:
        pictures = _folder(path, size or 64, channels, most)
    return _as_wanted(pictures, size, channels)


def load_query(path: Path, shape: tuple[int, int, int]) -> Pictures:
    """One picture, or a folder of them, as pictures of ``shape`` (C, S, S); raises InputError."""
    if path.is_dir():
        return load(path, shape[2], shape[0])
    picture = read_picture(path)
    if picture is None:
        raise InputError(f"{path} is no picture that can be read.")
    images, _ = _even([picture], shape[2], shape[0])
    return Pictures(torch.from_numpy(images), files=(path,))


def _as_wanted(pictures: Pictures, size: int | None, channels: int | None) -> Pictures:
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


def _bundled() -> Pictures:
    from sklearn.datasets import load_digits

    digits = load_digits()
    large = [
        cv2.resize(picture.astype(np.float32) / 16, (28, 28), interpolation=cv2.INTER_CUBIC)
        for picture in digits.images
    ]
    images = (np.clip(np.stack(large), 0, 1) * 255).round().astype(np.uint8)
    return Pictures(
        torch.from_numpy(images)[:, None],
        torch.from_numpy(digits.target.astype(np.int64)),
        tuple("0123456789"),
    )


def _mnist(files: Sequence[Path]) -> Pictures:
    images, labels = [], []
    for path in files:
        one = read_idx(path, 3)
        images.append(one)
        beside = _labels_of(path)
        if beside is not None:
            known = read_idx(beside, 1)
            if len(known) != len(one):
                raise InputError(
                    f"{beside} has {len(known):,} labels, and {path.name} {len(one):,} pictures."
                )
            labels.append(known)
    if len({one.shape[1:] for one in images}) > 1:
        raise InputError(f"The IDX files in {files[0].parent} have pictures of several sizes.")
    every = np.concatenate(images)[:, None].copy()
    if len(labels) < len(images):
        return Pictures(torch.from_numpy(every))
    known = np.concatenate(labels).astype(np.int64)
    classes = tuple(str(n) for n in range(int(known.max()) + 1))
    return Pictures(torch.from_numpy(every), torch.from_numpy(known), classes)


def _labels_of(path: Path) -> Path | None:
    """The file of labels beside one of pictures, packed or not."""
    plain = path.name.removesuffix(".gz").replace("images-idx3", "labels-idx1")
    found = [path.with_name(plain + end) for end in ("", ".gz")]
    return next((one for one in found if one != path and one.exists()), None)


def _folder(path: Path, size: int, channels: int | None, most: int) -> Pictures:
    root = path / "faces" if (path / "project.toml").is_file() else path
    inside = {
        folder.name: _picture_files(folder) for folder in sorted(root.iterdir()) if folder.is_dir()
    }
    classes = {name: files for name, files in inside.items() if files}
    plain = _picture_files(root)
    if plain:
        classes = {"": plain}
    files = [file for group in classes.values() for file in group]
    if not files:
        raise InputError(f"There are no pictures in {path}.")
    labels = [n for n, group in enumerate(classes.values()) for _ in group]
    if len(files) > most:
        keep = np.linspace(0, len(files) - 1, most).astype(int)
        files, labels = [files[i] for i in keep], [labels[i] for i in keep]
    read = [read_picture(file) for file in files]
    good = [n for n, picture in enumerate(read) if picture is not None]
    bad = [file.name for file, picture in zip(files, read, strict=True) if picture is None]
    if not good:
        raise InputError(f"None of the {len(files)} pictures in {path} can be read.")
    kept = [picture for picture in read if picture is not None]
    images, notices = _even(kept, size, channels)
    if bad:
        notices = (*notices, f"Cannot be read and are left out: {_listed(bad)}.")
    labelled = len(classes) > 1
    return Pictures(
        torch.from_numpy(images),
        torch.tensor([labels[n] for n in good]) if labelled else None,
        tuple(classes) if labelled else (),
        tuple(files[n] for n in good),
        notices,
        film=_is_crop(files[good[0]]),
    )


def _even(
    pictures: Sequence[NDArray[np.uint8]], size: int, channels: int | None
) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """All pictures (H, W[, 3]) as one array (N, C, size, size), and what was done to them."""
    notices = []
    kinds = {picture.ndim for picture in pictures}
    if len(kinds) > 1 and channels is None:
        notices.append("Some pictures are grey and some in colour; all are taken as colour.")
    wanted = channels or (3 if 3 in kinds else 1)
    if len({picture.shape[:2] for picture in pictures}) > 1:
        notices.append(f"The pictures have several sizes; all are scaled to {size} × {size}.")
    images = np.empty((len(pictures), wanted, size, size), np.uint8)
    for number, picture in enumerate(pictures):
        square = _square(picture, size)
        if square.ndim == 2:
            images[number] = square
        elif wanted == 1:
            images[number] = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
        else:
            images[number] = square.transpose(2, 0, 1)
    return images, tuple(notices)


def _square(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The middle of a picture (H, W[, 3]), scaled to (size, size[, 3])."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = picture[top : top + side, left : left + side]
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(middle, (size, size), interpolation=how), np.uint8)


def _video(path: Path, size: int, most: int) -> Pictures:
    from faceswap.video.reader import VideoReader

    frames: list[NDArray[np.uint8]] = []
    with VideoReader(path) as video:
        for frame in video.frames():
            if len(frames) == most:
                break
            frames.append(_square(frame.image, size).transpose(2, 0, 1))
    return Pictures(torch.from_numpy(np.stack(frames)), film=True)


def _is_crop(path: Path) -> bool:
    """Whether a picture is a face that was cut out of a film or a picture."""
    with Image.open(path) as picture:
        return CHUNK in picture.info


def _picture_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def read_picture(path: Path) -> NDArray[np.uint8] | None:
    """A picture, grey (H, W) or RGB (H, W, 3); None when it cannot be read."""
    try:
        with Image.open(path) as picture:
            mode = "L" if picture.mode in ("1", "L", "LA", "I;16", "I", "F") else "RGB"
            return np.asarray(picture.convert(mode))
    except (OSError, UnidentifiedImageError, SyntaxError):
        return None


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
