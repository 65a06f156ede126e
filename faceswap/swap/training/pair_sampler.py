"""Sample matched pairs of A and B, and retarget one face of each pair to the other."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from faceswap.background import ReportProgress, no_report
from faceswap.swap.training.pair_matching import (
    LandmarkSet,
    RetargetedLandmarks,
    match_faces,
    neutral_landmarks,
    retarget,
)


@dataclass(frozen=True)
class RetargetedFaces:
    """Driven faces of one side in a batch, retargeted to driving faces of the other side.

    driven_rows: their rows in the batch, and those of the driving faces. driving_side: the side of
    these. driven_places (n, 81, 2): points of the driving faces. retargeting: the warp.
    """

    driven_rows: slice
    driving_side: str
    driving_points: Tensor
    retargeting: RetargetedLandmarks


class PairSampler:
    """Samples matched pairs of two sides; see pair_matching.py.

    In even rows, from 0, the first side is driving and the second one driven; in odd rows it is
    the other way round.
    """

    def __init__(
        self, shapes: Mapping[str, LandmarkSet], report: ReportProgress = no_report
    ) -> None:
        first, second = shapes
        self._shapes = dict(shapes)
        self._driven = {first: (slice(1, None, 2), second), second: (slice(0, None, 2), first)}
        self._neutral = neutral_landmarks(shapes)
        neutral = self._neutral
        self._matches = {
            side: match_faces(
                shapes[side], shapes[other], neutral[side], neutral[other], report=report
            )
            for side, (_, other) in self._driven.items()
        }

    def sample(self, drawn: Mapping[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """Replace the driven rows of ``drawn``, indices (N,) by side, by random matches."""
        places = {side: faces.clone() for side, faces in drawn.items()}
        for side, faces in places.items():
            rows, driving = self._driven[side]
            matches = self._matches[driving][drawn[driving][rows]]
            choice = torch.rand(len(matches), 1, generator=generator, device=generator.device)
            chosen = (choice * matches.shape[1]).long().to(matches.device)
            faces[rows] = matches.gather(1, chosen)[:, 0]
        return places

    def retargeted(self, side: str, places: Mapping[str, Tensor]) -> RetargetedFaces:
        """Retarget the driven faces of ``side`` in a batch ``places`` (N,) from ``sample``."""
        rows, driving = self._driven[side]
        faces = self._shapes[side].at(places[side][rows])
        like = self._shapes[driving].at(places[driving][rows])
        moved = retarget(faces, like, self._neutral[side], self._neutral[driving])
        return RetargetedFaces(rows, driving, like.points, moved)
