"""Write MediaPipe's person masks of the press photographs, in an environment of its own.

    VENV/bin/python scripts/segmenter/person_masks.py ../shared/landmarks OUT.npz

The environment holds mediapipe 0.10.21 and opencv-python-headless; the product never imports them.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import cv2
import numpy as np

SIDE = 112
"""Side of a mask in pixels; the photographs are 224."""


def main() -> None:
    """Segment the first ``--count`` photographs."""
    import mediapipe  # type: ignore[import-not-found]

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=4000)
    options = parser.parse_args()
    masks = np.zeros((options.count, SIDE, SIDE), np.uint8)
    net = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    with zipfile.ZipFile(options.data / "faces.zip") as file:
        for number in range(options.count):
            stored = np.frombuffer(file.read(f"{number:05d}.jpg"), np.uint8)
            picture = cv2.imdecode(stored, cv2.IMREAD_COLOR)
            if picture is None:
                raise SystemExit(f"Picture {number} of faces.zip cannot be read.")
            found = net.process(picture).segmentation_mask
            small = cv2.resize(found, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            masks[number] = np.clip(small * 255, 0, 255).astype(np.uint8)
    np.savez_compressed(options.out, masks=masks)


if __name__ == "__main__":
    main()
