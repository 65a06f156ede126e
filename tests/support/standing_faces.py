"""A stand-in for the tracker, for tests of what an extraction writes, keeps and loses."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from drawn_faces import landmarks

from faceswap.faces.face import Face, box_of
from faceswap.faces.tracking import TrackedFrame
from faceswap.jobs import extract as module
from faceswap.jobs.extract import ExtractOptions

SHOT = 10
"""Frames of a shot, with each of which new tracks begin."""


class StandIn:
    """Sees ``max_faces`` faces in every frame; goes on from its state as the tracker does."""

    def __init__(self, options: ExtractOptions) -> None:
        self._count, self._frame = options.max_faces, 0

    def update(self, image: np.ndarray) -> TrackedFrame:
        frame = self._frame
        self._frame += 1
        first = frame // SHOT * self._count
        faces = tuple(_face(frame, place, first + place) for place in range(self._count))
        return TrackedFrame(faces, cut=frame > 0 and frame % SHOT == 0, dropped=0)

    def state(self) -> dict[str, Any]:
        return {"frame": self._frame}

    def restore(self, state: dict[str, Any]) -> None:
        self._frame = int(state["frame"])


def _face(frame: int, place: int, track: int) -> Face:
    points, forehead = landmarks(np.sin(frame), 0.5)
    shift = np.array([40 * place + 0.37 * frame, 0.21 * frame], np.float32)
    points, forehead = points * np.float32(0.4) + shift, forehead * np.float32(0.4) + shift
    return Face(points, forehead, 0.9 - frame / 1000, (frame, 1.5, -2.0), box_of(points), 1, track)


def stand_in(batch: int = 4) -> None:
    """Let the extractions of this process see the stand-in's faces, in batches of so many."""
    mock.patch.object(module, "_tracker", StandIn).start()
    module._BATCH = batch


def untaught(run: Path) -> None:
    """Put a model that has learnt nothing into the folder of a run."""
    import torch

    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.model.presets import KIND, config_of
    from faceswap.training.checkpoint import CheckpointFolder, named_weights

    torch.manual_seed(0)
    config = config_of("quick", 64)
    tensors = dict(named_weights(SwapModel(config), "model"))
    CheckpointFolder(run).save(7, KIND, config.model_dump(), {}, tensors)
