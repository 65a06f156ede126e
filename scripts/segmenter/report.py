"""Measure a segmentation network: on photographs it never saw, and on rendered people."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from faceswap.assets import asset_path
from faceswap.faces.align import FRAMINGS, crop_matrix, face_similarity
from faceswap.faces.detect import make_detector
from faceswap.faces.finder import find_faces
from faceswap.faces.labels import Label
from faceswap.faces.landmarks import make_landmarker
from faceswap.faces.segment_net import SEGMENT_SIZE
from faceswap.faces.segmenter import load_segment_net
from faceswap.types import UInt8Image
from segmenter.augment import view
from segmenter.data import CANVAS, CANVAS_FRAMING, rendered

HELD_OUT_SEED = 12
IGNORED = 255
_GROUPS = {
    "skin": (Label.SKIN,),
    "hair": (Label.HAIR, Label.BROWS, Label.BEARD),
    "in front": (Label.IN_FRONT,),
    "glasses": (Label.GLASSES,),
    "eyes": (Label.EYES,),
    "mouth": (Label.LIPS, Label.MOUTH),
}
_BAND = 3
"""Pixels around label edges that are left out, as the photographs' labels are rough there."""


def guess(net: nn.Module, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Labels (N, 128, 128) of crops (N, 128, 128, 3)."""
    net.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), 16):
            part = torch.from_numpy(images[start : start + 16]).permute(0, 3, 1, 2).float() / 255
            found.append(net(part).argmax(1).to(torch.uint8).numpy())
    net.train()
    return np.concatenate(found)


def photographs(
    folder: Path, framing: str = "face"
) -> Iterator[tuple[UInt8Image, NDArray[np.uint8]]]:
    """Aligned crops of the frontal photographs and their labels, edges left out."""
    detector, landmarker = make_detector(), make_landmarker()
    size = (SEGMENT_SIZE, SEGMENT_SIZE)
    for path in sorted(folder.glob("f_*.jpg")):
        image = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(path.with_suffix(".png"))).copy()
        kernel = np.ones((2 * _BAND - 1, 2 * _BAND - 1), np.uint8)
        edges = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
        labels[edges] = IGNORED
        faces = find_faces(image, landmarker, detector, max_faces=1)
        if not faces:
            continue
        similarity = face_similarity(faces[0].points)
        matrix = crop_matrix(similarity, SEGMENT_SIZE, FRAMINGS[framing])
        shrink = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        soft = cv2.GaussianBlur(image, (0, 0), 0.4 / shrink) if shrink < 0.7 else image
        part = cv2.warpAffine(
            soft, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        mask = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORED)
        yield np.asarray(part, np.uint8), np.asarray(mask, np.uint8)


def _photograph_table(found: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, float]:
    """IoU of skin (with nose) and hair (with brows); lips and eyes are ignored."""
    known = ~np.isin(labels, (3, 5, IGNORED))
    table = {}
    for name, theirs in (("skin", (1, 4)), ("hair", (2,))):
        a, b = np.isin(found, _GROUPS[name]) & known, np.isin(labels, theirs) & known
        table[name] = float((a & b).sum() / (a | b).sum())
    return table


def held_out(work: Path, framing: str = "face") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Crops of rendered people whom training never saw, a third with something in front."""
    canvases = rendered(work, 250, HELD_OUT_SEED, 2)
    frame = FRAMINGS[framing]
    pixels = CANVAS / CANVAS_FRAMING.side
    scale = frame.side * pixels / SEGMENT_SIZE
    middle = (CANVAS - 1) / 2 + np.array(
        [frame.x - CANVAS_FRAMING.x, frame.y - CANVAS_FRAMING.y]
    ) * pixels
    linear = np.eye(2) * scale
    matrix = np.hstack([linear, (middle - linear @ np.full(2, (SEGMENT_SIZE - 1) / 2))[:, None]])
    views = [view(i, s, matrix) for i, s in zip(canvases.images, canvases.labels, strict=True)]
    images, sets = (np.stack(column) for column in zip(*views, strict=True))
    labels = np.full(sets.shape, IGNORED, np.uint8)
    for label in Label:
        labels[sets == 1 << label] = label
    return images, labels


def _rendered_table(found: NDArray[np.uint8], labels: NDArray[np.uint8]) -> dict[str, float]:
    known = labels != IGNORED
    table = {}
    for name, mine in _GROUPS.items():
        a, b = np.isin(found, mine) & known, np.isin(labels, mine) & known
        table[name] = float((a & b).sum() / max(1, (a | b).sum()))
    return table


def _without_edges(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    kernel = np.ones((_BAND, _BAND), np.uint8)
    edges = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    return np.where(edges, np.uint8(IGNORED), labels)


_KEPT: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}


def measure(net: nn.Module, shared: Path, work: Path) -> dict[str, Mapping[str, float]]:
    """Tables of IoU by what was measured."""
    tables: dict[str, Mapping[str, float]] = {}
    for framing in ("face", "head"):
        if f"photographs {framing}" not in _KEPT:
            columns = zip(*photographs(shared / "segmentation", framing), strict=True)
            pictures, theirs = (np.stack(column) for column in columns)
            _KEPT[f"photographs {framing}"] = pictures, theirs
            _KEPT[f"rendered {framing}"] = held_out(work, framing)
        images, labels = _KEPT[f"photographs {framing}"]
        tables[f"photographs, {framing}"] = _photograph_table(guess(net, images), labels)
        images, labels = _KEPT[f"rendered {framing}"]
        found = guess(net, images)
        tables[f"rendered, {framing}"] = _rendered_table(found, labels)
        inner = np.stack([_without_edges(one) for one in labels])
        tables[f"rendered, {framing}, edges left out"] = _rendered_table(found, inner)
    return tables


def main() -> None:
    """Measure the shipped weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/segmenter"))
    parser.add_argument("--weights", type=Path, default=asset_path("segmenter.safetensors"))
    options = parser.parse_args()
    print_table(measure(load_segment_net(options.weights), options.shared, options.work))


def print_table(tables: Mapping[str, Mapping[str, float]]) -> None:
    """Print the tables, one a line."""
    for name, table in tables.items():
        print(f"{name}: " + ", ".join(f"{k} {v:.3f}" for k, v in table.items()), flush=True)


if __name__ == "__main__":
    main()
