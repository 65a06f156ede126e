"""Verification of checkpoint headers and tensors by checksum.

The header is a JSON text with a checksum of its own; it has a checksum for each tensor, so that
part of a file can be verified without reading the rest.
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
"""Format 1, still readable, has one checksum over all tensors instead of one for each."""

HEADER = "faceswap"
"""Key of the header in the file's metadata."""

_CHECKSUM = "faceswap.crc32"


def file_metadata(header: Mapping[str, Any]) -> dict[str, str]:
    """safetensors metadata: the header and its checksum."""
    text = json.dumps(header)
    return {HEADER: text, _CHECKSUM: str(zlib.crc32(text.encode()))}


def parse_header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Parse and verify the header of the file ``path``.

    Raises CheckpointError when it is damaged, NewerCheckpointError when it is from a newer version,
    KeyError, TypeError or ValueError when it is not a checkpoint of faceswap.
    """
    text = metadata[HEADER]
    stored_checksum = metadata.get(_CHECKSUM)
    if stored_checksum is not None and stored_checksum != str(zlib.crc32(text.encode())):
        raise _damaged(path)
    header: dict[str, Any] = json.loads(text)
    if header["format"] > FORMAT:
        raise NewerCheckpointError(
            f"{path} was made by a newer version of faceswap; update faceswap first."
        )
    return header


class OpenedFile(Protocol):
    """What ``safe_open``, which has no type annotations, returns."""

    def keys(self) -> list[str]:
        """Names of all tensors."""

    def get_tensor(self, name: str) -> Tensor:
        """A memory-mapped tensor: read from disk on access."""


def verified_tensors(
    path: Path, file: OpenedFile, header: Mapping[str, Any], weights: bool
) -> dict[str, Tensor]:
    """Load and verify all tensors, or the weights only, without reading the rest.

    Raises CheckpointError when they are damaged.
    """
    stored = sorted(file.keys())
    wanted = _weight_names(stored) if weights else stored
    one_checksum = header["format"] == 1
    if not one_checksum and header["checksums"].keys() != set(stored):
        raise _damaged(path)
    tensors, total = {}, 0
    for name in stored if one_checksum else wanted:
        tensor = file.get_tensor(name)
        if weights:
            tensor = tensor.clone()  # a copy, as the file could change after verification
        if one_checksum:
            total = zlib.crc32(_bytes(tensor), zlib.crc32(name.encode(), total))
        elif checksum_of(name, tensor) != header["checksums"][name]:
            raise _damaged(path)
        if name in wanted:
            tensors[name] = tensor
    if one_checksum and total != header["checksum"]:
        raise _damaged(path)
    return tensors


def _weight_names(names: Sequence[str]) -> list[str]:
    """The EMA weights, or the trained ones where there are none."""
    averaged = [name for name in names if name.startswith("ema/")]
    return averaged or [name for name in names if name.startswith("model/")]


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is damaged: its checksum does not match.")


def checksum_of(name: str, tensor: Tensor) -> int:
    """CRC-32 over a tensor's name, type, shape and bytes."""
    kind = f"{name} {tensor.dtype} {tuple(tensor.shape)}"
    return zlib.crc32(_bytes(tensor), zlib.crc32(kind.encode()))


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.reshape(-1).view(torch.uint8) if tensor.numel() else torch.empty(0)
    return flat.numpy().data
