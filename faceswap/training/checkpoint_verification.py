"""What the header of a checkpoint says, and its tensors, verified.

The header is a JSON text with a checksum beside it; in it stands a checksum for each tensor, so
that a part of a file can be verified without reading the rest.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from faceswap.errors import CheckpointError, NewerCheckpointError

FORMAT = 2
"""Format 1, which is still read, has one checksum over all tensors in place of one for each."""

HEADER = "faceswap"
"""The header's name among a file's metadata."""

_CHECKSUM = "faceswap.crc32"


def file_metadata(header: Mapping[str, Any]) -> dict[str, str]:
    """A file's metadata, with the header in it."""
    text = json.dumps(header)
    return {HEADER: text, _CHECKSUM: str(zlib.crc32(text.encode()))}


def parse_header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header of the file ``path``.

    Raises CheckpointError when it is damaged, NewerCheckpointError when it is from a newer version,
    KeyError, TypeError or ValueError when it is none of ours.
    """
    text = metadata[HEADER]
    known = metadata.get(_CHECKSUM)
    if known is not None and known != str(zlib.crc32(text.encode())):
        raise _damaged(path)
    header: dict[str, Any] = json.loads(text)
    if header["format"] > FORMAT:
        raise NewerCheckpointError(
            f"{path} was made by a newer version of faceswap; update faceswap first."
        )
    return header


class OpenedFile(Protocol):
    """What ``safe_open``, which says nothing of its types, gives."""

    def keys(self) -> list[str]:
        """Names of all tensors."""

    def get_tensor(self, name: str) -> Tensor:
        """A tensor, mapped into memory: what isn't looked at isn't read."""


def verified_tensors(
    path: Path, file: OpenedFile, header: Mapping[str, Any], weights: bool
) -> dict[str, Tensor]:
    """All tensors, or the weights alone, verified; those that are not asked for are not read.

    Raises CheckpointError when they are damaged.
    """
    stored = sorted(file.keys())
    wanted = _weights_among(stored) if weights else stored
    single = header["format"] == 1
    if not single and header["checksums"].keys() != set(stored):
        raise _damaged(path)
    tensors, total = {}, 0
    for name in stored if single else wanted:
        tensor = file.get_tensor(name)
        if weights:
            tensor = tensor.clone()  # verified is then what is used, whatever becomes of the file
        if single:
            total = zlib.crc32(_bytes(tensor), zlib.crc32(name.encode(), total))
        elif checksum_of(name, tensor) != header["checksums"][name]:
            raise _damaged(path)
        if name in wanted:
            tensors[name] = tensor
    if single and total != header["checksum"]:
        raise _damaged(path)
    return tensors


def _weights_among(names: Sequence[str]) -> list[str]:
    """The averaged weights, or the trained ones where there are no averaged."""
    averaged = [name for name in names if name.startswith("ema/")]
    return averaged or [name for name in names if name.startswith("model/")]


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is damaged: its checksum does not fit.")


def checksum_of(name: str, tensor: Tensor) -> int:
    """CRC-32 over what a tensor is and its bytes."""
    kind = f"{name} {tensor.dtype} {tuple(tensor.shape)}"
    return zlib.crc32(_bytes(tensor), zlib.crc32(kind.encode()))


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0)
    return flat.numpy().data
