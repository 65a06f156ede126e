"""How calm masks are over time, beside the landmarks' hull, in a project's footage.

    python scripts/segmenter/calm.py PROJECT

Prints means of the second difference over time of the mask's area, as a share of it, and of its
edge, in pixels, and their ratios to those of the hull.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.face_regions import face_mask
from faceswap.faces.segmenter import SEGMENT_SIZE, Segmenter
from faceswap.project.project import Project
from faceswap.swap.compositing.face_placement import place_faces
from faceswap.swap.compositing.options import MaskOptions
from faceswap.swap.compositing.original_mask import OriginalMasks
from faceswap.video.reader import VideoReader

Planes = NDArray[np.float32]


def _both(project: Project, source: str, options: MaskOptions) -> list[tuple[Planes, Planes]]:
    """Hull and mask (H, W) of the one face of consecutive frames."""
    masks = OriginalMasks(Segmenter(), options)
    with project.open_index_read_only() as index:
        places, _ = place_faces(index, source, SEGMENT_SIZE, options.alignment_smoothing)
    found = []
    with VideoReader(project.video(source)) as video:
        for frame in video.frames():
            faces = places.get(frame.index, [])[:1]
            for face, mask in zip(faces, masks.of(frame.image, faces), strict=True):
                height, width = frame.image.shape[:2]
                hull = face_mask(face.points, face.forehead, (height, width))
                inverse = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
                shown = cv2.warpAffine(mask.shown, mask.matrix, (width, height), flags=inverse)
                whole = np.asarray(hull, np.float32) / np.float32(255)
                found.append((whole, np.asarray(shown * whole, np.float32)))
    return found


def _unrest(planes: list[Planes]) -> tuple[float, float]:
    """Second differences of area, as a share, and of the edge, in pixels."""
    before, now, after = planes
    area = float(now.sum())
    if area < 1:
        return 0.0, 0.0
    areas = float(before.sum() - 2 * now.sum() + after.sum())
    edge = float(np.abs(cv2.Laplacian((now > 0.5).astype(np.uint8), cv2.CV_16S)).clip(0, 1).sum())
    return abs(areas) / area, float(np.abs(before - 2 * now + after).sum()) / max(1.0, edge)


def main() -> None:
    """Measure a project's source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("--source", default="a")
    parser.add_argument("--smoothing", type=float, default=MaskOptions().mask_smoothing)
    options = parser.parse_args()
    look = MaskOptions(mask_smoothing=options.smoothing)
    found = _both(Project.open(options.project), options.source, look)
    rows = []
    for three in zip(found, found[1:], found[2:], strict=False):
        hull, mask = (_unrest([one[k] for one in three]) for k in (0, 1))
        rows.append((*hull, *mask))
    hull_area, hull_edge, area, edge = np.mean(rows, 0)
    print(
        f"area {hull_area:.4f} hull, {area:.4f} mask, ratio {area / hull_area:.2f}; "
        f"edge {hull_edge:.3f} hull, {edge:.3f} mask, ratio {edge / hull_edge:.2f}"
    )


if __name__ == "__main__":
    main()
