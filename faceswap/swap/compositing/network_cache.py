"""Keep what a model made of crops, so that other blend options do not run it again.

An entry is a whole batch: of a batch alone the results are exactly those of the model, which rounds
differently in batches of another size.
"""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from faceswap.io.atomic import partial_file
from faceswap.swap.compositing.swapper import FaceModel

_ENDING = ".safetensors"


class NetworkCache:
    """Batches in ``folder``, by model, of ``limit`` bytes at most.

    When it is full, batches of other models make room; those of a model stay, as a film that is
    larger would otherwise push out its beginning before that is asked for again. It is only a
    cache: what cannot be read or written is made again.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
        self._size = sum(_size(path) for path in folder.glob(f"*/*{_ENDING}"))

    def read(self, model: str, key: str) -> dict[str, Tensor] | None:
        """The entry with ``key`` of a model, or None."""
        path = self._path(model, key)
        try:
            return load_file(path)
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError):
            with suppress(OSError):  # cut short when the power went
                path.unlink()
            return None

    def write(self, model: str, key: str, tensors: dict[str, Tensor]) -> None:
        """Keep an entry, if there is room for it."""
        size = sum(tensor.nbytes for tensor in tensors.values())
        if self._size + size > self._limit:
            self._make_room(model)
        if self._size + size > self._limit:
            return
        path = self._path(model, key)
        with suppress(OSError, SafetensorError):  # a full or read-only disk
            path.parent.mkdir(exist_ok=True)
            with partial_file(path) as part:
                save_file(tensors, part)
            self._size += _size(path)

    def _make_room(self, model: str) -> None:
        for other in self._folder.glob("*"):
            if other.name != model and other.is_dir():
                self._size -= sum(_size(path) for path in other.glob(f"*{_ENDING}"))
                shutil.rmtree(other, ignore_errors=True)

    def _path(self, model: str, key: str) -> Path:
        return self._folder / model / f"{key}{_ENDING}"


class DiskCachedModel:
    """A swap model whose results for a batch are looked up first.

    mark: of the model's file. Its results depend on the device and precision, too.
    """

    def __init__(self, model: FaceModel, mark: str, cache: NetworkCache) -> None:
        self._model, self._mark, self._cache = model, mark, cache

    @property
    def resolution(self) -> int:
        """Side of the model's crops in pixels."""
        return self._model.resolution

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        """As the model's, for crops (N, 3, R, R) that were 8-bit."""
        crops = (faces * 255).round().to(torch.uint8).cpu().contiguous()
        digest = hashlib.sha256(f"{tuple(crops.shape)}".encode())
        digest.update(crops.numpy().tobytes())
        mark, key = f"{self._mark}-{faces.device.type}", digest.hexdigest()[:32]
        known = self._cache.read(mark, key)
        if known is not None and "faces" in known:
            masks = known.get("masks")
            return known["faces"].to(faces.device), None if masks is None else masks.to(
                faces.device
            )
        made, learned = self._model.swap(faces)
        kept = {"faces": made.cpu().contiguous()}
        if learned is not None:
            kept["masks"] = learned.cpu().contiguous()
        self._cache.write(mark, key, kept)
        return made, learned


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
