"""Debug overlay: landmarks, box and pose drawn on a frame."""

from __future__ import annotations

import math

import cv2
import numpy as np

from faceswap.faces.face import Face
from faceswap.types import UInt8Image

__all__ = ["draw_face"]

_POINT, _FOREHEAD, _BOX = (80, 255, 80), (255, 190, 60), (90, 170, 255)
_AXES = ((255, 80, 80), (80, 255, 80), (80, 120, 255))
_SHIFT = 4  # fractional bits: cv2 draws at 1/16 of a pixel


def draw_face(frame: UInt8Image, face: Face) -> None:
    """Draw points, box, track, presence and the head's axes on frame (H, W, 3), in place.

    The axes are the head's right (red), down (green) and forward (blue), seen from the camera.
    """
    width = face.box[2] - face.box[0]
    thick = max(1, round(width / 150))
    for points, colour in ((face.points, _POINT), (face.forehead, _FOREHEAD)):
        for x, y in points.tolist():
            _dot(frame, x, y, width / 110, colour)
    corners = np.array(face.box).reshape(2, 2)
    _line(frame, corners[0], (corners[1, 0], corners[0, 1]), _BOX, thick)
    _line(frame, (corners[1, 0], corners[0, 1]), corners[1], _BOX, thick)
    _line(frame, corners[1], (corners[0, 0], corners[1, 1]), _BOX, thick)
    _line(frame, (corners[0, 0], corners[1, 1]), corners[0], _BOX, thick)
    tip = face.points[30]
    for direction, colour in zip(_directions(face.pose), _AXES, strict=True):
        _line(frame, tip, tip + direction * width * 0.45, colour, thick + 1)
    yaw, pitch, roll = face.pose
    text = f"{face.track}  {face.presence:.2f}  yaw {yaw:.0f} pitch {pitch:.0f} roll {roll:.0f}"
    size = max(0.35, width / 450)
    place = (int(face.box[0]), max(12, int(face.box[1] - 6 * size)))
    cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, _BOX, thick, cv2.LINE_AA)


def _directions(
    pose: tuple[float, float, float],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Projections (3, 2) of the head's right, down and forward axes."""
    yaw, pitch, roll = (math.radians(angle) for angle in pose)
    turn = np.array(
        [[math.cos(-yaw), 0, math.sin(-yaw)], [0, 1, 0], [-math.sin(-yaw), 0, math.cos(-yaw)]]
    )
    nod = np.array(
        [
            [1, 0, 0],
            [0, math.cos(-pitch), -math.sin(-pitch)],
            [0, math.sin(-pitch), math.cos(-pitch)],
        ]
    )
    tilt = np.array(
        [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    )
    rotation = tilt @ nod @ turn
    return np.asarray((rotation * [1, 1, -1]).T[:, :2])


def _dot(
    frame: UInt8Image, x: float, y: float, radius: float, colour: tuple[int, int, int]
) -> None:
    scale = 1 << _SHIFT
    centre = (round(x * scale), round(y * scale))
    cv2.circle(frame, centre, round(max(radius, 1) * scale), colour, -1, cv2.LINE_AA, _SHIFT)


def _line(
    frame: UInt8Image,
    start: object,
    end: object,
    colour: tuple[int, int, int],
    thick: int,
) -> None:
    scale = 1 << _SHIFT
    ends = [
        tuple(np.rint(np.asarray(p, np.float64) * scale).astype(int).tolist()) for p in (start, end)
    ]
    cv2.line(frame, ends[0], ends[1], colour, thick, cv2.LINE_AA, _SHIFT)
