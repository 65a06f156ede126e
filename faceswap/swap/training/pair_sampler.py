"""Sample matched pairs of A and B, and retarget one face of each pair to the other."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from faceswap.background import ReportProgress, no_report
from faceswap.swap.training.pair_matching import (
    LandmarkSet,
    Part,
    RetargetedLandmarks,
    confidence_of,
    match_faces,
    neutral_landmarks,
    retarget,
)

_PARTS: tuple[Part, ...] = ("face", "eyes", "mouth")
_CLEARLY = 0.1
"""By so much must the confidence in a face of two parts be higher than in a whole one."""


@dataclass(frozen=True)
class LowerFaces:
    """Lower halves that come from other faces of the same person.

    joined: bool (n,), which of the driven faces have one. places (n,): of the faces they come from.
    start, end (n, 81, 2): their points before and after the warp. Of all driven faces, so that
    nothing waits for a graphics card to tell which.
    """

    joined: Tensor
    places: Tensor
    start: Tensor
    end: Tensor


@dataclass(frozen=True)
class RetargetedFaces:
    """Driven faces of one side in a batch, retargeted to driving faces of the other side.

    driven_rows: their rows in the batch, and those of the driving faces. driving_side: the side of
    these. driving_points (n, 81, 2): their points. places (n,): of the driven faces. start, end
    (n, 81, 2): points of the driven faces before and after the warp, or of their upper halves.
    lower: their lower halves, where these are other faces'. mouths (n, 81, 2): points of the mouths
    after the warp. opened (n,): how much mouth interior is missing, 0 to 1. confidence (n,): 0
    where nothing is warped.
    """

    driven_rows: slice
    driving_side: str
    driving_points: Tensor
    places: Tensor
    start: Tensor
    end: Tensor
    lower: LowerFaces
    mouths: Tensor
    opened: Tensor
    confidence: Tensor


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
        self._matches: dict[str, dict[Part, Tensor]] = {
            side: {
                part: match_faces(
                    shapes[side],
                    shapes[other],
                    neutral[side],
                    neutral[other],
                    report=report,
                    part=part,
                )
                for part in _PARTS
            }
            for side, (_, other) in self._driven.items()
        }

    def sample(
        self, drawn: Mapping[str, Tensor], generator: Generator
    ) -> tuple[dict[str, Tensor], dict[str, RetargetedFaces]]:
        """Pairs for ``drawn``, indices (N,) by side: the indices with the driven rows replaced by
        random matches, and how these are retargeted."""
        places = {side: faces.clone() for side, faces in drawn.items()}
        driven = {}
        for side, faces in places.items():
            rows, driving = self._driven[side]
            like = drawn[driving][rows]
            chosen = {part: self._match(driving, part, like, generator) for part in _PARTS}
            driven[side] = self._retargeted(side, chosen, like)
            faces[rows] = driven[side].places
        return places, driven

    def _match(self, driving: str, part: Part, like: Tensor, generator: Generator) -> Tensor:
        """Random matches (n,) of the driving faces ``like`` (n,)."""
        matches = self._matches[driving][part][like]
        choice = torch.rand(len(matches), 1, generator=generator, device=generator.device)
        chosen = (choice * matches.shape[1]).long().to(matches.device)
        return matches.gather(1, chosen)[:, 0]

    def _retargeted(
        self, side: str, chosen: Mapping[Part, Tensor], like: Tensor
    ) -> RetargetedFaces:
        """The driven faces: whole ones, or the eyes of one and the mouth of another where that
        comes clearly nearer to the driving faces ``like`` (n,)."""
        rows, driving = self._driven[side]
        wanted = self._shapes[driving].at(like)
        whole, eyes, mouth = (self._warp(side, chosen[part], wanted) for part in _PARTS)
        joined_confidence = confidence_of(eyes.eyes + mouth.mouth)
        joined = joined_confidence > whole.confidence + _CLEARLY
        confidence = torch.where(joined, joined_confidence, whole.confidence)
        upper = eyes.where(joined, whole).unmoved(confidence)
        lips = mouth.where(joined, upper)
        lower = LowerFaces(joined, chosen["mouth"], mouth.start, mouth.end)
        return RetargetedFaces(
            driven_rows=rows,
            driving_side=driving,
            driving_points=wanted.points,
            places=torch.where(joined, chosen["eyes"], chosen["face"]),
            start=upper.start,
            end=upper.end,
            lower=lower,
            mouths=lips.end,
            opened=lips.opened,
            confidence=confidence,
        )

    def _warp(self, side: str, places: Tensor, wanted: LandmarkSet) -> RetargetedLandmarks:
        _, driving = self._driven[side]
        faces = self._shapes[side].at(places)
        return retarget(faces, wanted, self._neutral[side], self._neutral[driving])
