"""Pair matching: pair faces of A and B that show the same pose and expression.

B's decoder has to decode latent codes of A's faces, which reconstructing B does not train. So each
sampled (driving) face is paired with a similar one of the other person, warped (retargeted) to the
same expression, with the driving face's mouth interior where its own lips are shut. Where no
picture has both the eyes and the mouth that are wanted, such as a blink of someone who otherwise
talks, the eyes of one and the mouth of another are put together. Decoding the code of one as the
other person is then a swap with a known target.

Points are (N, 81, 2): iBUG's 68 and the forehead's 13, in normalised crop coordinates, -1 to 1
from edge to edge. Distances are in half sides of the crop.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.linalg import vector_norm  # that of tensors themselves is deprecated off processors
from torch.nn import functional

from faceswap.background import ReportProgress, no_report
from faceswap.faces.align import FRAMINGS, mean_face

Edges = tuple[tuple[slice, slice], ...]
"""Upper and lower points of an opening: upper from left to right, lower from right to left."""

_LIDS: Edges = ((slice(37, 39), slice(40, 42)), (slice(43, 45), slice(46, 48)))
_LIPS: Edges = ((slice(61, 64), slice(65, 68)),)
_LIP_POINTS, _BROW_POINTS, _NOSE_POINTS = slice(48, 68), slice(17, 27), slice(27, 36)

_RIDGE = 0.1
"""Ridge penalty on the effect of the mouth opening, for clips in which it hardly varies."""
_CANDIDATES = 4096
"""Faces that are searched at most; of a larger set, every n-th."""
_AT_ONCE = 512
"""Faces per block of distances: 8 MB with 4096 candidates."""

_MAX_MOTION = 0.25
"""Largest displacement of a point along each axis."""
_MAX_NOSE_MOTION = 0.06
"""Largest mean displacement of the nose: a 2-D warp cannot show a head that turns farther."""
_SHUT = 0.04
"""Lip gap up to which a mouth may be shut: landmarks of shut lips can be this far apart."""
_MIN_CLOSING = 0.7
"""Lids and lips are closed to this share of their opening at most: a warp cannot remove what is
between them, it only squeezes it."""
_TOLERANCE, _MIN_CONFIDENCE = 0.03, 0.2
"""Mismatch at which the confidence is 1/e, and the confidence below which a face is not warped."""


@dataclass(frozen=True)
class LandmarkSet:
    """Landmarks of N faces of one person.

    points: (N, 81, 2). poses: (N, 2), yaw and pitch in degrees. gazes: (N, 2), offset of the
    irises from their median position, in eye widths.
    """

    points: Tensor
    poses: Tensor
    gazes: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def at(self, places: Tensor) -> "LandmarkSet":
        """Select the faces with indices ``places`` (K,)."""
        return LandmarkSet(self.points[places], self.poses[places], self.gazes[places])

    def to(self, device: torch.device) -> "LandmarkSet":
        """Copy to ``device``."""
        return LandmarkSet(self.points.to(device), self.poses.to(device), self.gazes.to(device))


def neutral_landmarks(sides: Mapping[str, LandmarkSet]) -> dict[str, Tensor]:
    """Estimate each person's neutral landmarks (81, 2): frontal, with the mouth shut.

    The effect of the pose is taken from the rotated mean face. That of the mouth opening is fitted
    by least squares for all sides together, so that an expression that one person shows more often
    is not taken for identity.
    """
    count = len(sides)
    who = torch.cat([torch.full((len(s),), i) for i, s in enumerate(sides.values())])
    ahead = turned_mean(torch.zeros(1, 2))
    points = [s.points.cpu() - turned_mean(s.poses.cpu()) + ahead for s in sides.values()]
    mouth = torch.cat([_mouth_opening(s.points.cpu()) for s in sides.values()]).double() / 0.1
    terms = torch.cat([functional.one_hot(who, count).double(), mouth[:, None]], 1)
    ridge = torch.tensor([0.0] * count + [_RIDGE], dtype=torch.float64).diag()
    flat = torch.cat(points).double().flatten(1)
    fitted = torch.linalg.solve(terms.T @ terms + ridge, terms.T @ flat)
    rests = fitted[:count].view(count, -1, 2).float()
    return {
        side: rest.to(shapes.points.device)
        for (side, shapes), rest in zip(sides.items(), rests, strict=True)
    }


def turned_mean(poses: Tensor) -> Tensor:
    """Rotate the mean face to yaw and pitch (N, 2) in degrees: (N, 81, 2), aligned as crops are."""
    mean = mean_face()
    face = torch.from_numpy(mean.points).float()
    weights = torch.from_numpy(mean.weights / mean.weights.sum()).float()
    yaw, pitch = torch.deg2rad(poses)[:, None].unbind(-1)
    x, y, z = (face - weights @ face[:68]).unbind(-1)
    across = torch.cos(yaw) * x - torch.sin(yaw) * z
    down = torch.sin(pitch) * (torch.sin(yaw) * x + torch.cos(yaw) * z) + torch.cos(pitch) * y
    # Least-squares similarity to the mean face, in complex numbers (see align.fit_similarity).
    seen, wanted = torch.complex(across, down), torch.complex(*face[:, :2].T.contiguous())
    seen = seen - (seen[:, :68] * weights).sum(1, keepdim=True)
    middle = (wanted[:68] * weights).sum()
    fit = (seen[:, :68].conj() * (wanted[:68] - middle) * weights).sum(1, keepdim=True)
    size = (seen[:, :68].abs().square() * weights).sum(1, keepdim=True)
    placed = torch.view_as_real(seen * (fit / size) + middle)
    framing = FRAMINGS["face"]
    return (placed - torch.tensor([framing.x, framing.y])) * (2 / framing.side)


def _mouth_opening(points: Tensor) -> Tensor:
    """Mouth opening (N,), less the person's lip gap when shut: under a beard it may not be 0."""
    gaps = _gaps(points, _LIPS).mean(1)
    return gaps - gaps.quantile(0.05).clamp(max=2 * _SHUT)


def retarget_landmarks(faces: LandmarkSet, own: Tensor, other: Tensor) -> Tensor:
    """Transfer the expressions and poses of ``faces`` to another person's points (N, 81, 2).

    own, other: neutral landmarks (81, 2) of both people. Lid gaps are scaled by the ratio of the
    neutral ones, so that a shut eye stays shut.
    """
    # Foreshortening: turned by the yaw, a face is narrower, and so is the difference of two.
    narrowed = torch.cos(torch.deg2rad(faces.poses[:, :1])).clamp(min=0.3)
    moved = faces.points + (other - own) * torch.stack([narrowed, torch.ones_like(narrowed)], -1)
    ratio = _gaps(other[None], _LIDS) / _gaps(own[None], _LIDS).clamp(min=1e-3)
    # The limits guard against a neutral eye opening that was measured as nearly none.
    return _with_gaps(moved, _LIDS, _gaps(faces.points, _LIDS) * ratio.clamp(0.4, 2.5))


Part = Literal["face", "eyes", "mouth"]
"""What of two faces is to match: all, or besides the pose only lids, gaze and brows, or lips."""


def match_faces(
    faces: LandmarkSet,
    others: LandmarkSet,
    own: Tensor,
    other: Tensor,
    count: int = 4,
    report: ReportProgress = no_report,
    part: Part = "face",
) -> Tensor:
    """Nearest neighbours of ``faces`` among ``others`` by expression: indices (N, count).

    own, other: neutral landmarks (81, 2) of both people. Of a large set only every n-th face is
    searched. report: progress, called for each block of faces. part: what is to match.
    """
    step = -(-len(others) // _CANDIDATES)
    candidates = torch.arange(0, len(others), step, device=others.points.device)
    chosen = others.at(candidates)
    available = _expression_descriptor(chosen.points, chosen.poses, _gaze(chosen, other), part)
    wanted = _expression_descriptor(
        retarget_landmarks(faces, own, other), faces.poses, _gaze(faces, own), part
    )
    nearest = []
    for number, block in enumerate(torch.split(wanted, _AT_ONCE)):
        report(number * _AT_ONCE, len(wanted))
        apart = torch.cdist(block, available)
        nearest.append(apart.topk(min(count, len(candidates)), largest=False).indices)
    return candidates[torch.cat(nearest)]


def _expression_descriptor(points: Tensor, poses: Tensor, gazes: Tensor, part: Part) -> Tensor:
    """Expression descriptor (N, F) with Euclidean distance, comparable between people.

    Each term is divided by about a just noticeable difference: half sides for points (root mean
    square over 20 lip and 10 brow points), degrees for poses, eye widths for gazes.
    """
    lids = _gaps(points, _LIDS).view(-1, 2, 2).mean(2) / 0.01
    lips = points[:, _LIP_POINTS].flatten(1) / (0.04 * 20**0.5)
    brows = points[:, _BROW_POINTS].flatten(1) / (0.05 * 10**0.5)
    terms: Mapping[Part, list[Tensor]] = {
        "face": [lids, lips, brows, gazes / 0.04],
        "eyes": [lids, brows, gazes / 0.04],
        "mouth": [lips],
    }
    return torch.cat([*terms[part], poses / 6], 1)


@dataclass(frozen=True)
class RetargetedLandmarks:
    """Warp of N driven faces to the expressions of N driving faces of the other person.

    start, end: points (N, 81, 2) in the picture, before and after. opened (N,): 0 to 1, how much
    mouth interior is missing because the warp opens lips that were shut. eyes, mouth (N,): by how
    much lids and gaze, and lips, miss their target after the warp.
    """

    start: Tensor
    end: Tensor
    opened: Tensor
    eyes: Tensor
    mouth: Tensor

    @property
    def confidence(self) -> Tensor:
        """(N,): 1 where lips, lids and gaze match after the warp, 0 where they are so far off that
        the face must not be warped."""
        return confidence_of(self.eyes + self.mouth)

    def where(self, chosen: Tensor, other: "RetargetedLandmarks") -> "RetargetedLandmarks":
        """These where ``chosen`` (N,) and those of ``other`` elsewhere."""
        rows = chosen[:, None, None]
        return RetargetedLandmarks(
            torch.where(rows, self.start, other.start),
            torch.where(rows, self.end, other.end),
            torch.where(chosen, self.opened, other.opened),
            torch.where(chosen, self.eyes, other.eyes),
            torch.where(chosen, self.mouth, other.mouth),
        )

    def unmoved(self, confident: Tensor) -> "RetargetedLandmarks":
        """The same with no warp, which opens nothing, where ``confident`` (N,) is 0."""
        warped = confident > 0
        end = torch.where(warped[:, None, None], self.end, self.start)
        return RetargetedLandmarks(self.start, end, self.opened * warped, self.eyes, self.mouth)


def confidence_of(mismatch: Tensor) -> Tensor:
    """Confidence (N,) of a warp that misses its target by ``mismatch`` (N,)."""
    confidence = torch.exp(-((mismatch / _TOLERANCE) ** 2))
    return confidence * (confidence > _MIN_CONFIDENCE)


def retarget(
    faces: LandmarkSet, like: LandmarkSet, own: Tensor, other: Tensor
) -> RetargetedLandmarks:
    """Retarget ``faces`` to the expressions and poses of the driving faces ``like``.

    own, other: neutral landmarks (81, 2) of the people of ``faces`` and of ``like``. The warp is
    limited: displacements, above all of the nose (head rotation); lids open to twice their gap, as
    a shut eye has no pixels of the eyeball; lids and lips hardly close.
    """
    start, target = faces.points, retarget_landmarks(like, other, own)
    motion = (target - start).clamp(-_MAX_MOTION, _MAX_MOTION)
    turned = vector_norm(motion[:, _NOSE_POINTS], dim=2).mean(1).clamp(min=1e-6)
    end = start + motion * (_MAX_NOSE_MOTION / turned).clamp(max=1)[:, None, None]
    lids, lips = _gaps(start, _LIDS), _gaps(start, _LIPS)
    end = _with_gaps(end, _LIDS, _gaps(end, _LIDS).clamp(_MIN_CLOSING * lids, 2 * lids))
    end = _with_gaps(end, _LIPS, _gaps(end, _LIPS).maximum(_MIN_CLOSING * lips))
    lid_gap, lip_gap = ((_gaps(end, e) - _gaps(target, e)).abs().mean(1) for e in (_LIDS, _LIPS))
    # Gazes are in eye widths, each of which is some 0.2 half sides.
    eyes = lid_gap + 0.2 * vector_norm(_gaze(faces, own) - _gaze(like, other), dim=1)
    mouth = lip_gap + vector_norm((end - target)[:, _LIP_POINTS], dim=2).mean(1)
    # From 0 at 1.3 times the old gap plus _SHUT to 1 at twice the sum of both.
    opening = (_gaps(end, _LIPS).mean(1) - 1.3 * lips.mean(1) - _SHUT) / (
        0.7 * lips.mean(1) + _SHUT
    )
    return RetargetedLandmarks(start, end, opening.clamp(0, 1), eyes, mouth)


def _gaze(faces: LandmarkSet, rest: Tensor) -> Tensor:
    """Gaze (N, 2) of faces of a person with neutral landmarks ``rest``.

    Scaled down as eyes shut: the dark pixels of a nearly shut eye are lashes, not the iris.
    """
    open_eyes = _gaps(faces.points, _LIDS).mean(1) / _gaps(rest[None], _LIDS).mean().clamp(min=1e-3)
    return faces.gazes * open_eyes.clamp(0, 1)[:, None]


def _gaps(points: Tensor, edges: Edges) -> Tensor:
    """Vertical gaps between paired lower and upper points, at least 0: (N, pairs)."""
    heights = points[..., 1]
    gaps = [heights[:, lower].flip(1) - heights[:, upper] for upper, lower in edges]
    return torch.cat(gaps, 1).clamp(min=0)


def _with_gaps(points: Tensor, edges: Edges, gaps: Tensor) -> Tensor:
    """Set the vertical gaps of paired points to ``gaps`` (N, pairs), keeping their middles."""
    out = points.clone()
    parts = torch.split(gaps, [upper.stop - upper.start for upper, _ in edges], 1)
    for (upper, lower), gap in zip(edges, parts, strict=True):
        middle = (points[:, upper, 1] + points[:, lower, 1].flip(1)) / 2
        out[:, upper, 1] = middle - gap / 2
        out[:, lower, 1] = (middle + gap / 2).flip(1)
    return out
