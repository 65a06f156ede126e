"""Benchmark of rendered people: pictures a second, and how well our own detector and landmarker
find them.

A face is found when the detector's best box holds the nose. Landmarks: mean error of the 51 inner
points in % of the outer eye distance, by how far the head is turned.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np

from faceswap.faces.detect import make_detector
from faceswap.faces.finder import find_faces
from faceswap.faces.landmarks import make_landmarker
from faceswap.synthetic.people import RenderedPerson, rendered_people
from faceswap.synthetic.people_dataset import DatasetSettings, rendered_items

Row = dict[str, str | int | float | None]
SIZES = (128, 256)
BINS = (("frontal, below 20°", 0, 20), ("turned, 20 to 45°", 20, 45), ("far, over 45°", 45, 91))


def run(arguments: Sequence[str]) -> Iterator[dict[str, list[Row]]]:
    """Measure; yields the tables so far."""
    parser = argparse.ArgumentParser(prog="benchmark.py people", description=__doc__)
    parser.add_argument("--pictures", type=int, default=60, help="timed at each size")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--faces", type=int, default=600, help="searched for faces")
    parser.add_argument("--size", type=int, default=256, help="of those searched for faces")
    options = parser.parse_args(arguments)
    rows = [speed(size, options.pictures, options.workers) for size in SIZES]
    tables = {"Rendered people: speed": rows}
    yield tables
    tables["Rendered people: found by our detector and landmarker"] = found(
        rendered_people(2, options.size, options.faces)
    )
    yield tables


def speed(size: int, pictures: int, workers: int) -> Row:
    """Pictures a second with their masks and rows, encoded, once the processes are warm."""
    warm = 3 * workers + 4
    items = rendered_items(DatasetSettings(1, size), 0, pictures + warm, workers)
    for _ in range(warm):
        next(items)
    start = time.perf_counter()
    count = sum(1 for _ in items)
    seconds = time.perf_counter() - start
    return {"size": size, "processes": workers, "pictures": count, "pictures/s": count / seconds}


def found(people: Iterator[RenderedPerson]) -> list[Row]:
    """A row for each bin of yaw, and one for faces with something in front."""
    detector, landmarker = make_detector(), make_landmarker()
    seen: dict[str, list[tuple[bool, float, float]]] = {}
    for person in people:
        yaw = abs(float(person.attributes["yaw"]))
        label = next(name for name, low, high in BINS if low <= yaw < high)
        if person.attributes["in_front"] != "none":
            label = "with something in front"
        seen.setdefault(label, []).append(_measured(person, detector, landmarker))
    rows: list[Row] = []
    for label in [*(name for name, _, _ in BINS), "with something in front"]:
        values = seen.get(label, [])
        errors = np.array([error for _, error, _ in values if np.isfinite(error)])
        if not len(values) or not len(errors):
            continue
        rows.append(
            {
                "faces": label,
                "pictures": len(values),
                "detected %": 100 * float(np.mean([hit for hit, _, _ in values])),
                "landmarks %": 100 * len(errors) / len(values),
                "error, median": float(np.median(errors)),
                "mean": float(errors.mean()),
                "worst tenth from": float(np.quantile(errors, 0.9)),
                "eyes' and mouth's, median": float(np.median([e for _, _, e in values if e == e])),
            }
        )
    return rows


def _measured(
    person: RenderedPerson, detector: object, landmarker: object
) -> tuple[bool, float, float]:
    """Whether the face is detected, the error of the inner points, and of eyes and mouth."""
    exact = person.points[:68]
    boxes = detector.detect(person.image)  # type: ignore[attr-defined]
    x, y = exact[30]
    hit = any(b.box[0] < x < b.box[2] and b.box[1] < y < b.box[3] for b in boxes)
    faces = find_faces(person.image, landmarker, detector)  # type: ignore[arg-type]
    # The outer eye distance of the head seen from the front: turning shortens it.
    unit = float(np.linalg.norm(exact[45] - exact[36]))
    unit /= max(0.4, float(np.cos(np.deg2rad(float(person.attributes["yaw"])))))
    best = float("nan")
    fine = float("nan")
    for face in faces:
        far = np.linalg.norm(face.points - exact, axis=1) * 100 / unit
        if not far[17:].mean() > best:
            best, fine = float(far[17:].mean()), float(far[36:].mean())
    return hit, best if best < 40 else float("nan"), fine if best < 40 else float("nan")
