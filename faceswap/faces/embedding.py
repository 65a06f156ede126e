"""Embed faces: vectors that tell whether two faces are of one person.

A linear discriminant (Fisher 1936; Belhumeur et al., "Eigenfaces vs. Fisherfaces", 1997) of
histograms of oriented gradients (Dalal and Triggs, CVPR 2005) of the aligned face: what varies
between people counts, what varies with pose, expression and light hardly does. How it was trained
and how well it tells people apart stands in ``assets/embedder.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from faceswap.assets import asset_path
from faceswap.errors import AssetError
from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.index_schema import EMBEDDING_DIM
from faceswap.faces.landmarks import grey_crop
from faceswap.types import Points, UInt8Image

__all__ = ["CROP_SIZE", "EMBEDDING_DIM", "FEATURES", "Embedder", "Vectors", "gradient_features"]

Vectors = NDArray[np.float32]
"""Embeddings (N, 128): unit vectors."""

CROP_SIZE = 64
"""Side of the grey crop that is looked at, framed as crops are (``align.FRAMINGS["face"]``)."""
_CELL = 8
_BINS = 8
_ROWS, _COLUMNS = slice(1, 8), slice(1, 7)  # cells of the face: without most of the background
FEATURES = 7 * 6 * _BINS
_CLIP = 0.6


def gradient_features(crops: NDArray[np.floating]) -> NDArray[np.float32]:
    """Histograms of oriented gradients (N, 336), of length 1, of grey crops (N, 64, 64)."""
    across, down = np.zeros_like(crops), np.zeros_like(crops)
    across[:, :, 1:-1] = crops[:, :, 2:] - crops[:, :, :-2]
    down[:, 1:-1] = crops[:, 2:] - crops[:, :-2]
    angle = (np.arctan2(down, across) % np.pi) * (_BINS / np.pi)
    bins = np.arange(_BINS)[:, None, None]
    apart = np.abs((angle[:, None] - bins + _BINS / 2) % _BINS - _BINS / 2)
    shares = np.clip(1 - apart, 0, 1) * np.hypot(across, down)[:, None]
    count = CROP_SIZE // _CELL
    cells = shares.reshape(len(crops), _BINS, count, _CELL, count, _CELL).mean((3, 5))
    contrast = np.sqrt(_around(np.square(cells).sum(1)))
    cells = np.minimum(cells / (contrast[:, None] + 0.01), _CLIP)
    flat = cells[:, :, _ROWS, _COLUMNS].transpose(0, 2, 3, 1).reshape(len(crops), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, 1e-6), np.float32)


def _around(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """Mean of each value (N, H, W) and its eight neighbours, 0 outside."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.asarray((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9)


class Embedder:
    """The bundled embedding; it takes less than a millisecond a face.

    Raises AssetError when its file is missing or damaged.
    """

    def __init__(self, path: Path | None = None) -> None:
        path = path or asset_path("embedder.safetensors")
        try:
            weights = load_file(path)
            self._mean = weights["mean"].astype(np.float32).reshape(FEATURES)
            self._matrix = weights["matrix"].astype(np.float32).reshape(FEATURES, EMBEDDING_DIM)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise AssetError(
                f"The embedder's weights {path} are damaged ({str(error).splitlines()[0]}); "
                "install faceswap again (pip install --force-reinstall faceswap), or in a "
                "checkout: git checkout assets."
            ) from error

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
        stacked = np.stack(crops).astype(np.float32) / 255
        # A mirrored face is of the same person: the mean of both is steadier.
        both = np.concatenate([stacked, stacked[:, :, ::-1]])
        vectors = _unit((gradient_features(both) - self._mean) @ self._matrix)
        return _unit(vectors[: len(crops)] + vectors[len(crops) :])


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-6), np.float32)
