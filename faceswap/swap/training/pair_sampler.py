"""Which faces of A and B are shown together, and how some are made to do what their partners do."""

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
    """Faces of one side in a batch that imitate faces of the other.

    rows: their places in the batch, and those of the faces they imitate. leader: the side of
    these. led (n, 81, 2): their points. imitation: how the followers are dragged.
    """

    driven_rows: slice
    driving_side: str
    driven_places: Tensor
    retargeting: RetargetedLandmarks


class PairSampler:
    """Pairs of faces of two sides; see pair_matching.py.

    The first, third, fifth … face of the first side leads and that of the second imitates it;
    at the places between it is the other way round.
    """

    def __init__(
        self, shapes: Mapping[str, LandmarkSet], report: ReportProgress = no_report
    ) -> None:
        first, second = shapes
        self._shapes = dict(shapes)
        self._follow = {first: (slice(1, None, 2), second), second: (slice(0, None, 2), first)}
        self._rests = neutral_landmarks(shapes)
        rests = self._rests
        self._partners = {
            side: match_faces(shapes[side], shapes[other], rests[side], rests[other], report=report)
            for side, (_, other) in self._follow.items()
        }

    def sample(self, drawn: Mapping[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """Faces (N,) of both sides: where one follows, a partner takes the place of the drawn."""
        places = {side: faces.clone() for side, faces in drawn.items()}
        for side, faces in places.items():
            rows, leader = self._follow[side]
            known = self._partners[leader][drawn[leader][rows]]
            choice = torch.rand(len(known), 1, generator=generator, device=generator.device)
            chosen = (choice * known.shape[1]).long().to(known.device)
            faces[rows] = known.gather(1, chosen)[:, 0]
        return places

    def retargeted(self, side: str, places: Mapping[str, Tensor]) -> RetargetedFaces:
        """Those of ``side`` among the faces at ``places`` (N,), which ``draw`` gave."""
        rows, leader = self._follow[side]
        faces = self._shapes[side].at(places[side][rows])
        like = self._shapes[leader].at(places[leader][rows])
        moved = retarget(faces, like, self._rests[side], self._rests[leader])
        return RetargetedFaces(rows, leader, like.points, moved)
