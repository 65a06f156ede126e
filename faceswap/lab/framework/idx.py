"""Reader for MNIST's IDX files, plain or gzipped.

Format: http://yann.lecun.com/exdb/mnist/: a magic number 0x0000TTDD (type, dimensions), one
32-bit big-endian size for each dimension, then the values.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.errors import InputError

_BYTES = 0x08


def idx_files(folder: Path) -> dict[Path, Path | None]:
    """IDX picture files in ``folder``, each mapped to its label file or None.

    Accepts MNIST's file names, t10k-images-idx3-ubyte, and those with a dot,
    t10k-images.idx3-ubyte. A file that is there both gzipped and plain counts once.
    """
    found: dict[str, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file() and "-ubyte" in p.name):
        # Sorted: a plain file comes before the same file gzipped.
        found.setdefault(path.name.removesuffix(".gz").replace(".idx", "-idx"), path)
    return {
        path: found.get(name.replace("images", "labels").replace("idx3", "idx1"))
        for name, path in found.items()
        if "idx3-ubyte" in name
    }


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes with this number of dimensions.

    Raises InputError when it is missing, truncated, or has another magic number.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from error
    head = 4 + 4 * dimensions
    if len(data) < head:
        raise InputError(f"{path} is truncated: it has no complete header.")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", data[:head])
    wanted = _BYTES << 8 | dimensions
    if magic != wanted:
        raise InputError(
            f"{path} has the magic number {magic:#010x}; an IDX file of "
            f"{'pictures' if dimensions == 3 else 'labels'} has {wanted:#010x}."
        )
    size = math.prod(shape)
    if len(data) - head < size:
        raise InputError(
            f"{path} is truncated: it should hold {size:,} values and has {len(data) - head:,}."
        )
    return np.frombuffer(data, np.uint8, size, head).reshape(shape)
