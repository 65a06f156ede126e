"""Embed faces: vectors that tell whether two faces are of one person."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from faceswap.assets import asset_path
from faceswap.errors import AssetError
from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.embedding_net import CROP_SIZE, EMBEDDING_DIM, EmbeddingNet
from faceswap.faces.landmarks import checksum, grey_crop
from faceswap.types import Points, UInt8Image

__all__ = ["EMBEDDING_DIM", "Embedder", "Vectors"]

Vectors = NDArray[np.float32]
"""Embeddings (N, 128): unit vectors."""


class Embedder:
    """The bundled embedding network, on the CPU: it takes a millisecond a face.

    Raises AssetError when its file is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._net = _load_net(path or asset_path("embedder.safetensors"))

    def embed(self, frame: UInt8Image, faces: Sequence[Points]) -> Vectors:
        """Embeddings (N, 128) of the faces with points (68, 2) in a frame (H, W, 3)."""
        matrices = [crop_matrix(face_similarity(points), CROP_SIZE) for points in faces]
        return self._embed([grey_crop(frame, matrix, CROP_SIZE) for matrix in matrices])

    def embed_crops(self, crops: Sequence[UInt8Image]) -> Vectors:
        """Embeddings (N, 128) of aligned crops (S, S, 3), as extraction writes them."""
        size = (CROP_SIZE, CROP_SIZE)
        grey = [cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops]
        small = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA) for crop in grey]
        return self._embed([np.asarray(crop, np.uint8) for crop in small])

    def _embed(self, crops: Sequence[UInt8Image]) -> Vectors:
        if not crops:
            return np.zeros((0, EMBEDDING_DIM), np.float32)
        with torch.inference_mode():
            batch = torch.from_numpy(np.stack(crops))[:, None].float().mul_(1 / 255)
            # A mirrored face is of the same person: the mean of both is steadier.
            both = self._net(torch.cat([batch, batch.flip(-1)]))
            mean = torch.nn.functional.normalize(both[: len(crops)] + both[len(crops) :], dim=1)
        return np.asarray(mean.numpy(), np.float32)


def _load_net(path: Path) -> EmbeddingNet:
    net = EmbeddingNet().fold()
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            weights = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if metadata.get("crc32") != str(checksum(weights)):
            raise ValueError("its checksum does not match")
        net.load_state_dict({name: value.float() for name, value in weights.items()})
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise AssetError(
            f"The embedder's weights {path} are damaged ({str(error).splitlines()[0]}); install "
            "faceswap again (pip install --force-reinstall faceswap), or in a checkout: git "
            "checkout assets."
        ) from error
    return net
