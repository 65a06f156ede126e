"""A source of a project: a video, a folder of pictures or a picture.

Its id names its rows in the index and its folder of crops: ``a`` and ``b`` are the first of a
side, then ``a2``, ``a3`` and so on. The id stays when the file is moved or used for both sides.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faceswap.errors import InputError
from faceswap.io.file_types import PICTURE_SUFFIXES, picture_files

SourceKind = Literal["video", "picture", "pictures"]
"""``pictures``: a folder of them."""

_PART = 1 << 20
"""Bytes of a file that its fingerprint covers at either end."""


@dataclass(frozen=True)
class Source:
    """A source. sides: "a", "b", "ab", or "" if it is only converted and never trained on.

    in_point, out_point: the seconds that are used, None from the beginning or to the end.
    """

    id: str
    path: Path
    kind: SourceKind
    fingerprint: str
    sides: str
    in_point: float | None = None
    out_point: float | None = None

    @classmethod
    def from_entry(cls, name: str, entry: dict[str, Any]) -> "Source":
        """The source of an entry of the settings file."""
        kind = entry.get("kind", "video")
        return cls(
            name,
            Path(entry["path"]),
            kind if kind in ("picture", "pictures") else "video",
            entry["fingerprint"],
            entry.get("sides", ""),
            entry.get("in"),
            entry.get("out"),
        )


def kind_of(path: Path) -> SourceKind:
    """What a file or folder is as a source, by its name."""
    if path.is_dir():
        return "pictures"
    return "picture" if path.suffix.lower() in PICTURE_SUFFIXES else "video"


def free_id(side: str, known: Collection[str]) -> str:
    """The first free id for a source of ``side``: a, a2, a3 and so on."""
    if side not in known:
        return side
    numbers = [int(name[1:]) for name in known if name[0] == side and name[1:].isdigit()]
    return f"{side}{max([1, *numbers]) + 1}"


def fingerprint(path: Path) -> str:
    """Hash of the content of a file or of a folder's pictures, shortened.

    Of a file: SHA-256 of its size and its first and last MiB. Of a folder: of the names and
    sizes of its pictures. Raises InputError when it cannot be read or has no pictures.
    """
    if not path.is_dir():
        return _hash_file(path)
    files = picture_files(path)
    if not files:
        raise InputError(
            f"{path} holds no pictures; give a folder of {', '.join(PICTURE_SUFFIXES)} files."
        )
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _hash_file(path: Path) -> str:
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            digest = hashlib.sha256(str(size).encode() + file.read(_PART))
            file.seek(max(_PART, size - _PART))
            digest.update(file.read(_PART))
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    return digest.hexdigest()[:32]
