"""Benchmark of landmarkers: accuracy, jitter and speed on labelled clips, and validation metrics.

Accuracy: mean error of the 51 inner points in % of the outer eye distance, against MediaPipe
FaceMesh's labels. Jitter: median second difference over time of the fitted similarity's log scale
(%), angle (degrees) and position (% of the eye distance). Speed: CPU time per frame in tracking
mode on one core, without decoding. Rendered heads: correlation of mouth and lid opening with the
exact ones, see `characters.py`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from landmarker.characters import follow
from landmarker.data import KEPT, FaceSet
from landmarker.report import validate
from numpy.typing import NDArray

from faceswap.assets import asset_path
from faceswap.errors import AssetError
from faceswap.faces.align import face_similarity, fit_similarity, invert, mean_face
from faceswap.faces.detect import CenterFace
from faceswap.faces.face import Landmarker
from faceswap.faces.landmarks import load_net, make_landmarker
from faceswap.faces.smoothing import smooth
from faceswap.faces.tracking import Tracker
from faceswap.synthetic.characters import CHARACTERS
from faceswap.video.reader import VideoReader

Matrix = NDArray[np.float64]
Floats = NDArray[np.float32]
Row = dict[str, str | int | float | None]

CAST_FRAMES = 75

TARGETS = {
    "studio_a": 2.0,
    "studio_b": 1.7,
    "address_a": 1.8,
    "address_b": 2.0,
    "portrait_720x1280": 2.2,
    "distant_720x1364": 3.5,
    "film_600x480": 4.0,
}


def run(arguments: Sequence[str]) -> dict[str, list[Row]]:
    """Measure; returns tables of the clips, the rendered heads and the validation split."""
    parser = argparse.ArgumentParser(prog="benchmark.py landmarks", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[3] / "shared")
    parser.add_argument("--landmarkers", nargs="+", default=["builtin"])
    parser.add_argument("--clips", nargs="+", default=list(TARGETS))
    parser.add_argument("--frames", type=int, default=100_000, help="most frames of each clip")
    parser.add_argument("--peers", action="store_true", help="CenterFace's five points too; slow")
    options = parser.parse_args(arguments)
    if not options.shared.is_dir():
        raise SystemExit(f"There is no {options.shared}; give the labeled clips with --shared.")
    # One core: the table's title says so.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    labels = np.load(options.shared / "landmarks" / "clips.npz")
    rows: list[Row] = []
    cast: list[Row] = []
    for name in options.landmarkers:
        try:
            landmarker = make_landmarker(name)
        except AssetError as error:
            print(f"{name} is left out: {error}")
            continue
        for clip in options.clips:
            truth = labels[clip][: options.frames, KEPT, :2].astype(np.float32)
            rows.append(measure(landmarker, options.shared / "clips" / f"{clip}.mp4", truth))
        for head in CHARACTERS:
            row = follow(landmarker, head, min(CAST_FRAMES, options.frames))
            cast.append({"landmarker": name, **row})
    if options.peers:
        rows += [
            five_points(options.shared / "clips" / f"{clip}.mp4", 60) for clip in options.clips
        ]
    return {
        "Landmarks on the labeled clips: error in % of the eye distance; jitter before/after "
        "smoothing and of the labels: scale %, angle °, place %; ms a frame on one core": rows,
        "Rendered heads: inner error in % of the eye distance; opening of mouth and lids against "
        "the exact one: correlation, slope; mouth seen open while shut, %": cast,
        "Validation split, static mode: error in %, share refused at the presence threshold": [
            dict(validation(options.shared / "landmarks"))
        ],
    }


def measure(landmarker: Landmarker, path: Path, truth: Floats) -> Row:
    """Track the clip's largest face and compare its landmarks with labels (frames, 81, 2)."""
    tracker = Tracker(landmarker, CenterFace())
    points = np.full_like(truth, np.nan)
    spent: list[float] = []
    with VideoReader(path) as video:
        for frame in video.frames(0, len(truth)):
            began = time.process_time()
            seen = tracker.update(frame.image)
            spent.append(time.process_time() - began)
            if seen.faces:
                points[frame.index] = np.vstack([seen.faces[0].points, seen.faces[0].forehead])
    found = ~np.isnan(points[:, 0, 0])
    eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1)
    error = 100 * np.linalg.norm(points - truth, axis=-1)[found] / eyes[found, None]
    similarities = [face_similarity(p) for p in points[found]]
    return {
        "landmarker": landmarker.name,
        "clip": path.stem,
        "inner": float(error[:, 17:68].mean()),
        "target": TARGETS.get(path.stem),
        "jaw": float(error[:, :17].mean()),
        "lost": int((~found).sum()),
        "frames": len(truth),
        "jitter": _three(jitter(similarities)),
        "smoothed": _three(jitter(smooth(similarities))),
        "labels": _three(jitter([face_similarity(p) for p in truth])),
        "ms": float(np.median(spent)) * 1000,
        "ms best tenth": float(np.quantile(spent, 0.1)) * 1000,
    }


def five_points(path: Path, frames: int) -> Row:
    """Jitter of the similarity fitted to CenterFace's five points, detected in every frame."""
    detector, mean = CenterFace(), mean_face().points[:68, :2]
    model = np.stack([mean[36:42].mean(0), mean[42:48].mean(0), mean[30], mean[48], mean[54]])
    similarities: list[Matrix] = []
    with VideoReader(path) as video:
        for frame in video.frames(0, frames):
            found = detector.detect(frame.image)
            if found and found[0].keypoints is not None:
                similarities.append(fit_similarity(found[0].keypoints, model))
    return {"landmarker": "centerface 5", "clip": path.stem, "jitter": _three(jitter(similarities))}


def jitter(similarities: Sequence[Matrix]) -> list[float]:
    """Median second difference of log scale (%), angle (degrees), position (% of eye distance)."""
    scale = np.array([np.log(np.hypot(m[0, 0], m[1, 0])) for m in similarities])
    angle = np.unwrap([np.arctan2(m[1, 0], m[0, 0]) for m in similarities])
    place = np.array([invert(m)[:, 2] for m in similarities])
    eyes = float(np.exp(-scale).mean())
    moved = np.linalg.norm(np.diff(place, n=2, axis=0), axis=1)
    return [
        float(100 * np.median(np.abs(np.diff(scale, n=2)))),
        float(np.degrees(np.median(np.abs(np.diff(angle, n=2))))),
        float(100 * np.median(moved) / eyes),
    ]


def validation(folder: Path) -> dict[str, float]:
    """Metrics of the shipped network on the validation split."""
    return validate(load_net(asset_path("landmarker.safetensors")), FaceSet.load(folder).split()[1])


def _three(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
