"""A project with all that the preview server can be asked about."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from drawn_faces import draw_side, landmarks
from made_people import vectors_of

from faceswap.faces.index import FaceRow, FrameRow
from faceswap.options import SIDES
from faceswap.project.project import Project
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import KIND, config_of
from faceswap.training.checkpoint import CheckpointFolder, named_weights

PEOPLE = {"a": 1, "b": 2}
"""The person that each side shows."""
FRAMES, FACES = 40, 30
"""Frames of the footage of both sides; in the first of them there is a face."""


def make_preview_project(folder: Path, clip: Path) -> Path:
    """A project with footage, an index with a gap and a doubtful stretch, crops and a model.

    clip: a video of FRAMES frames.
    """
    project = Project.open_or_create(folder)
    with project.open_index() as index:
        for side in SIDES:
            project.set_video(side, clip)
            names = sorted(p.name for p in draw_side(project, side, FRAMES).glob("*.png"))
            index.reset_source(side, {})
            frames = [FrameRow(n, n, n / 25, n == 20) for n in range(FRAMES)]
            faces = [_face(n, names[n]) for n in range(FACES)]
            index.add(side, frames, faces, {}, complete=True)
            index.sum_up_tracks()
            tracks = [
                replace(row, embeddings=vectors_of(PEOPLE[side])) for row in index.tracks(side)
            ]
            index.replace_tracks(side, tracks)
            index.set_people(side, {0: PEOPLE[side]})
    torch.manual_seed(0)
    config = config_of("quick", 64)
    tensors = dict(named_weights(SwapModel(config), "model"))
    run = project.runs_folder / "main"
    notes = {"begun": {"warp": 0.05, "batch": "auto", "rate": "auto"}, "found": {"batch": 3}}
    CheckpointFolder(run).save(7, KIND, config.model_dump(), {"notes": notes}, tensors)
    rows = [{"step": n, "seconds": n / 10, "loss": 1 / n} for n in range(1, 8)]
    rows[3]["loss"] = float("nan")
    (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return project.folder


def _face(number: int, name: str) -> FaceRow:
    points, forehead = landmarks(0, 0.5)
    presence = 0.3 if 10 <= number < 15 else 0.9
    return FaceRow(number, 0, points, forehead, presence, (0.0, 0.0, 0.0), name)
