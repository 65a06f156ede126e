"""Train the pretrained weights of the preset quick: ``assets/quick.safetensors``.

    python scripts/train_quick_start.py ../shared/landmarks --minutes 30

The faces come from the landmarker's training data: grey photographs of many people, aligned by
their labels and tinted like skin. Runs of the preset start from these weights and train faster.
``faceswap pretrain`` does the training; the script resumes when it is started again.
"""

import argparse
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
from landmarker.data import FOREHEAD, IBUG
from numpy.typing import NDArray

from faceswap.cli import run as faceswap
from faceswap.faces.align import crop_matrix, face_similarity, head_pose, transform
from faceswap.faces.crops import FaceRecord, sharpness, warp_crop, write_crop

ASSET = Path(__file__).parent.parent / "assets" / "quick.safetensors"
COUNT = 12027  # the rest is the landmarker's validation set
SIDE = 160


def main() -> int:
    """Write the crops, train, and write the asset."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of faces.zip and points.npz")
    parser.add_argument("--work", type=Path, required=True, help="folder for crops and the run")
    parser.add_argument("--minutes", default="30", help="time to train")
    arguments = parser.parse_args()
    crops = arguments.work / "crops"
    write_crops(arguments.data, crops)
    goal = ["-o", str(ASSET), "--run", str(arguments.work / "run"), "--overwrite"]
    return faceswap(["pretrain", str(crops), *goal, "--minutes", arguments.minutes])


def write_crops(data: Path, folder: Path) -> None:
    """Write aligned, tinted crops to ``folder``, except those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    points = np.load(data / "points.npz")["points"]
    with zipfile.ZipFile(data / "faces.zip") as faces:
        for number in range(COUNT):
            path = folder / f"{number:05d}.png"
            if path.exists():
                continue
            packed = np.frombuffer(faces.read(f"{number:05d}.jpg"), np.uint8)
            grey = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
            assert grey is not None
            labels = points[number, :, :2].astype(np.float32)
            write_crop(path, *cropped(np.asarray(grey, np.uint8), labels, number))


def cropped(
    grey: NDArray[np.uint8], labels: NDArray[np.float32], number: int
) -> tuple[NDArray[np.uint8], FaceRecord]:
    """Aligned crop (SIDE, SIDE, 3) of a grey picture (H, W), and its face record."""
    matrix = crop_matrix(face_similarity(labels[IBUG]), SIDE)
    crop = warp_crop(tinted(grey, np.random.default_rng(number)), matrix, SIDE)
    record = FaceRecord(
        side="b",
        frame=number,
        time=float(number),
        track=0,
        points=transform(matrix, labels[IBUG]),
        forehead=transform(matrix, labels[FOREHEAD]),
        presence=1.0,
        pose=head_pose(labels[IBUG]),
        matrix=matrix,
        blur=sharpness(crop),
    )
    return crop, record


def tinted(grey: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Tint a grey picture (H, W) in a random skin tone, dark brown to light rose: (H, W, 3)."""
    light = np.arange(256, dtype=np.float64) / 255
    warmth, redness = rng.uniform(0.05, 0.6), rng.normal(0, 0.05)
    powers = (1 / (1 + warmth), 1 + redness, 1 + 0.8 * warmth)
    table = np.stack([light**power for power in powers], -1) * 255
    return np.asarray(np.round(table)[grey], np.uint8)


if __name__ == "__main__":
    sys.exit(main())
