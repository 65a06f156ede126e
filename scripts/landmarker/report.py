"""Validation metrics of a landmark network, and the choice of its blend."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from faceswap.faces.align import upright_matrix
from faceswap.faces.landmark_net import LandmarkNet, NetOutput
from landmarker.augment import (
    TEXTURES_HELD_OUT,
    Augmenter,
    compose,
    jitter,
    random_window,
    textures,
    warp,
)
from landmarker.data import IBUG, KEPT, SIZE, FaceSet, Floats

INNER = slice(17, 68)


def predict(net: LandmarkNet, crops: list[np.ndarray], part: int = 100) -> NetOutput:
    """Apply the network to a list of grey crops, ``part`` at a time."""
    outputs = []
    with torch.inference_mode():
        for first in range(0, len(crops), part):
            x = torch.as_tensor(np.stack(crops[first : first + part]))[:, None].float() / 255
            outputs.append(net(x))
    return NetOutput(*(torch.cat(column) for column in zip(*outputs, strict=True)))


def two_passes(net: LandmarkNet, faces: FaceSet, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Points (N, 81, 2) in picture pixels and presence, by a jittered crop and one aligned by its
    result."""
    matrices = [
        compose(jitter(rng, wild=0.3), upright_matrix(p[IBUG, :2], SIZE)) for p in faces.points
    ]
    points = np.zeros((0, 81, 2), np.float32)
    for _ in range(2):
        crops = [
            warp(i, m, cv2.BORDER_REPLICATE) for i, m in zip(faces.images, matrices, strict=True)
        ]
        answer = predict(net, crops)
        back = [cv2.invertAffineTransform(m) for m in matrices]
        points = np.stack(
            [p @ b[:, :2].T + b[:, 2] for p, b in zip(answer.points.numpy(), back, strict=True)]
        )
        matrices = [upright_matrix(p[:68], SIZE) for p in points]
    return points, answer.presence.numpy()


def validate(net: LandmarkNet, faces: FaceSet, *, quick: bool = False) -> dict[str, float]:
    """Errors in % of the outer eye distance; presence at the threshold that keeps 99.5 %."""
    rng = np.random.default_rng(5)
    if quick:
        faces = FaceSet(faces.images[:500], faces.points[:500])
    points, presence = two_passes(net, faces, rng)
    labels = faces.points[:, KEPT, :2]
    eyes = np.linalg.norm(labels[:, 36] - labels[:, 45], axis=-1)
    error = 100 * np.linalg.norm(points - labels, axis=-1) / eyes[:, None]
    augmenter = Augmenter(faces, textures(TEXTURES_HELD_OUT), np.arange(478))
    background = [augmenter.background(rng) for _ in range(len(faces.points))]
    pictures = [
        random_window(rng, augmenter.pictures[i % len(augmenter.pictures)])
        for i in range(len(faces.points))
    ]
    threshold = float(np.quantile(presence, 0.005))
    return {
        "inner": float(error[:, INNER].mean()),
        "inner_median": float(np.median(error[:, INNER].mean(1))),
        "jaw": float(error[:, :17].mean()),
        "forehead": float(error[:, 68:].mean()),
        "threshold": threshold,
        "background_refused": float((predict(net, background).presence.numpy() < threshold).mean()),
        "texture_refused": float((predict(net, pictures).presence.numpy() < threshold).mean()),
    }


def choose_blend(net: LandmarkNet, faces: FaceSet) -> None:
    """Set the blend of heat maps and regression that is best on the validation faces, in place.

    One share each for inner points, jaw and forehead: one per point would overfit to label noise.
    """
    rng = np.random.default_rng(6)
    matrices = [
        compose(jitter(rng, wild=0.3), upright_matrix(p[IBUG, :2], SIZE)) for p in faces.points
    ]
    crops = [warp(i, m, cv2.BORDER_REPLICATE) for i, m in zip(faces.images, matrices, strict=True)]
    labels = torch.as_tensor(
        np.stack(
            [
                p[KEPT, :2] @ m[:, :2].T + m[:, 2]
                for p, m in zip(faces.points, matrices, strict=True)
            ]
        )
    )
    answers = []
    for share in np.linspace(0, 1, 11):
        net.blend.fill_(float(share))
        answers.append((predict(net, crops).points - labels).norm(dim=-1).mean(0))
    errors = torch.stack(answers)
    for part in (slice(0, 17), INNER, slice(68, 81)):
        net.blend[part] = float(errors[:, part].mean(1).argmin()) / 10
