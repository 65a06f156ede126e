"""Crops of drawn faces with exact records, for tests of training."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.faces.crops import FaceRecord, write_crop
from faceswap.project.project import Project

SIDE = 96
_SKIN = {"a": (205, 160, 135), "b": (120, 85, 60)}


def landmarks(yaw: float, opening: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points (68, 2) and forehead (13, 2) of a face turned by ``yaw`` (-1 to 1)."""
    cx, cy, rx, ry = SIDE / 2, SIDE * 0.52, SIDE * 0.30, SIDE * 0.38
    shift = yaw * SIDE * 0.05
    jaw = np.pi - np.linspace(0, np.pi, 17)
    top = np.pi + np.linspace(0, np.pi, 15)[1:-1]

    def ring(x: float, y: float, w: float, h: float, count: int) -> NDArray[np.float64]:
        angle = np.pi + np.linspace(0, 2 * np.pi, count, endpoint=False)
        return np.stack([x + shift + w * np.cos(angle), y + h * np.sin(angle)], 1)

    oval = [np.stack([cx + rx * np.cos(t), cy + ry * np.sin(t)], 1) for t in (jaw, top)]
    brows = [
        np.stack([np.linspace(cx + s - 7, cx + s + 7, 5) + shift, np.full(5, cy - 16)], 1)
        for s in (-13, 13)
    ]
    nose = np.stack([np.full(4, cx + shift), np.linspace(cy - 8, cy + 5, 4)], 1)
    wings = np.stack([np.linspace(cx - 5, cx + 5, 5) + shift, np.full(5, cy + 8)], 1)
    eyes = [ring(cx + s, cy - 9, 6, 2.5, 6) for s in (-13, 13)]
    lips = [ring(cx, cy + 20, 10, 4 + 4 * opening, 12), ring(cx, cy + 20, 7, 0.5 + 4 * opening, 8)]
    points = np.concatenate([oval[0], *brows, nose, wings, *eyes, *lips])
    return points.astype(np.float32), oval[1].astype(np.float32)


def draw(side: str, yaw: float, opening: float, seed: int) -> tuple[NDArray[np.uint8], FaceRecord]:
    """A crop and its record."""
    points, forehead = landmarks(yaw, opening)
    image = np.full((SIDE, SIDE, 3), (60, 80, 110), np.uint8)

    def fill(outline: NDArray[np.float32], color: tuple[int, int, int]) -> None:
        cv2.fillPoly(image, [np.round(outline * 16).astype(np.int32)], color, cv2.LINE_AA, 4)

    fill(np.concatenate([points[:17], forehead]), _SKIN[side])
    for eye in (points[36:42], points[42:48]):
        fill(eye, (245, 245, 245))
        x, y = eye.mean(0)
        cv2.circle(image, (int(x + 2 * yaw), int(y)), 2, (20, 20, 20), -1)
    fill(points[48:60], (170, 40, 50))
    fill(points[60:68], (40, 10, 10))
    noise = np.random.default_rng(seed).normal(0, 3, image.shape)
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    record = FaceRecord(
        side=side,
        frame=seed,
        time=seed / 5,  # every fifth frame of a film
        track=0,
        points=points,
        forehead=forehead,
        presence=0.99,
        pose=(30 * yaw, 0.0, 0.0),
        matrix=np.eye(2, 3),
        blur=100.0,
    )
    return image, record


def draw_side(project: Project, side: str, count: int = 40) -> Path:
    """Fill one side's folder with faces that turn and speak."""
    folder = project.folder / "faces" / side
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        yaw, opening = np.sin(number / 5), 0.5 + 0.5 * np.sin(number / 2)
        write_crop(folder / f"{number:06d}.png", *draw(side, float(yaw), float(opening), number))
    return folder


def draw_project(folder: Path, count: int = 40) -> Project:
    """A project with both sides' faces and no footage."""
    project = Project.open_or_create(folder)
    for side in ("a", "b"):
        draw_side(project, side, count)
    return project
