"""Faces of one person that do what faces of the other do.

The decoder of B has to make B of codes of A's faces, which reconstructing B does not teach. So
faces are shown in pairs, one of each person with the same pose and expression: one drawn, and
the most similar one of the other person, dragged so that it does the same, with the inside of
the drawn one's mouth where its own lips are shut. Decoding the one's code as the other then is
what a swap is, with the answer known.

Points are (N, 81, 2): iBUG's 68 and the forehead's 13, in a crop's normalised coordinates,
-1 to 1 over its edges.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import vector_norm  # that of tensors themselves is deprecated off processors
from torch.nn import functional

from faceswap.background import ReportProgress, no_report
from faceswap.faces.align import FRAMINGS, mean_face

Edges = tuple[tuple[slice, slice], ...]
"""Upper and lower points of openings: the upper from left to right, the lower back again."""

_LIDS: Edges = ((slice(37, 39), slice(40, 42)), (slice(43, 45), slice(46, 48)))
_LIPS: Edges = ((slice(61, 64), slice(65, 68)),)
_LIPS_PLACE, _BROWS_PLACE, _NOSE_PLACE = slice(48, 68), slice(17, 27), slice(27, 36)

_RIDGE = 0.1
_CANDIDATES = 4096
_AT_ONCE = 512

_FARTHEST = 0.25
"""How far a point is dragged at most, in half sides of the picture."""
_TURN = 0.06
"""How far the nose is dragged at most: a head that is turned farther cannot be made up."""
_SHUT = 0.04
"""Lips of a shut mouth are found up to so far apart."""
_CLOSED = 0.7
"""The share of their opening to which lids and lips are closed at most. Dragging them together
further only seems to: what was between them is spread over both."""
_DOUBT, _BELIEVED = 0.03, 0.2
"""Where an imitation is so far from what it imitates, little is made of it; where trust is so
small, nothing."""


@dataclass(frozen=True)
class LandmarkSet:
    """Landmarks of N faces of one person.

    points: (N, 81, 2). poses: (N, 2), yaw and pitch in degrees. gazes: (N, 2), how far the irises
    are from where they usually are, in eye widths.
    """

    points: Tensor
    poses: Tensor
    gazes: Tensor

    def __len__(self) -> int:
        return len(self.points)

    def at(self, places: Tensor) -> "LandmarkSet":
        """Those of the faces at ``places`` (K,)."""
        return LandmarkSet(self.points[places], self.poses[places], self.gazes[places])

    def to(self, device: torch.device) -> "LandmarkSet":
        """The same on ``device``."""
        return LandmarkSet(self.points.to(device), self.poses.to(device), self.gazes.to(device))


def neutral_landmarks(sides: Mapping[str, LandmarkSet]) -> dict[str, Tensor]:
    """Each person's points (81, 2) looking ahead with the mouth shut.

    What the pose does to points is taken from the mean face, turned in space; what the opening of
    the mouth does, by one least-squares fit, is common to all sides: so what one person does more
    often than another is not taken for the way they look.
    """
    count = len(sides)
    who = torch.cat([torch.full((len(s),), i) for i, s in enumerate(sides.values())])
    ahead = turned_mean(torch.zeros(1, 2))
    points = [s.points.cpu() - turned_mean(s.poses.cpu()) + ahead for s in sides.values()]
    mouth = torch.cat([_mouth(s.points.cpu()) for s in sides.values()]).double() / 0.1
    terms = torch.cat([functional.one_hot(who, count).double(), mouth[:, None]], 1)
    steady = torch.tensor([0.0] * count + [_RIDGE], dtype=torch.float64).diag()
    flat = torch.cat(points).double().flatten(1)
    fitted = torch.linalg.solve(terms.T @ terms + steady, terms.T @ flat)
    rests = fitted[:count].view(count, -1, 2).float()
    return {
        side: rest.to(shapes.points.device)
        for (side, shapes), rest in zip(sides.items(), rests, strict=True)
    }


def turned_mean(poses: Tensor) -> Tensor:
    """The mean face (N, 81, 2) at yaw and pitch (N, 2) in degrees, aligned as crops are."""
    mean = mean_face()
    face = torch.from_numpy(mean.points).float()
    weights = torch.from_numpy(mean.weights / mean.weights.sum()).float()
    yaw, pitch = torch.deg2rad(poses)[:, None].unbind(-1)
    x, y, z = (face - weights @ face[:68]).unbind(-1)
    across = torch.cos(yaw) * x - torch.sin(yaw) * z
    down = torch.sin(pitch) * (torch.sin(yaw) * x + torch.cos(yaw) * z) + torch.cos(pitch) * y
    # The similarity nearest to the mean face, in closed form with complex numbers (see align.py).
    seen, wanted = torch.complex(across, down), torch.complex(*face[:, :2].T.contiguous())
    seen = seen - (seen[:, :68] * weights).sum(1, keepdim=True)
    middle = (wanted[:68] * weights).sum()
    fit = (seen[:, :68].conj() * (wanted[:68] - middle) * weights).sum(1, keepdim=True)
    size = (seen[:, :68].abs().square() * weights).sum(1, keepdim=True)
    placed = torch.view_as_real(seen * (fit / size) + middle)
    framing = FRAMINGS["face"]
    return (placed - torch.tensor([framing.x, framing.y])) * (2 / framing.side)


def _mouth(points: Tensor) -> Tensor:
    """How far mouths are opened (N,). A shut one may be seen as a little open, under a beard."""
    gaps = _gaps(points, _LIPS).mean(1)
    return gaps - gaps.quantile(0.05).clamp(max=2 * _SHUT)


def retarget_landmarks(faces: LandmarkSet, own: Tensor, other: Tensor) -> Tensor:
    """Where the points of another person are who does what these faces do: (N, 81, 2).

    own, other: the resting points (81, 2) of both. Lids keep their share of the whole opening,
    so that a shut eye stays shut.
    """
    # Seen from the side, a face is narrower, and so is the difference between two.
    narrowed = torch.cos(torch.deg2rad(faces.poses[:, :1])).clamp(min=0.3)
    moved = faces.points + (other - own) * torch.stack([narrowed, torch.ones_like(narrowed)], -1)
    ratio = _gaps(other[None], _LIDS) / _gaps(own[None], _LIDS).clamp(min=1e-3)
    return _with_gaps(moved, _LIDS, _gaps(faces.points, _LIDS) * ratio.clamp(0.4, 2.5))


def match_faces(
    faces: LandmarkSet,
    others: LandmarkSet,
    own: Tensor,
    other: Tensor,
    count: int = 4,
    report: ReportProgress = no_report,
) -> Tensor:
    """For each of ``faces``, the places of ``others`` that do most nearly the same: (N, count).

    own, other: the resting points (81, 2) of both people. Of a large set, every few are looked
    through. report: hears of each few hundred faces.
    """
    step = -(-len(others) // _CANDIDATES)
    candidates = torch.arange(0, len(others), step, device=others.points.device)
    chosen = others.at(candidates)
    known = _expression_descriptor(chosen.points, chosen.poses, _gaze(chosen, other))
    wanted = _expression_descriptor(
        retarget_landmarks(faces, own, other), faces.poses, _gaze(faces, own)
    )
    nearest = []
    for number, part in enumerate(torch.split(wanted, _AT_ONCE)):
        report(number * _AT_ONCE, len(wanted))
        apart = torch.cdist(part, known)
        nearest.append(apart.topk(min(count, len(candidates)), largest=False).indices)
    return candidates[torch.cat(nearest)]


def _expression_descriptor(points: Tensor, poses: Tensor, gazes: Tensor) -> Tensor:
    """What faces do, comparable between people: (N, F), 1 being a difference that is seen."""
    lids = _gaps(points, _LIDS).view(-1, 2, 2).mean(2) / 0.01
    lips = points[:, _LIPS_PLACE].flatten(1) / (0.04 * 20**0.5)
    brows = points[:, _BROWS_PLACE].flatten(1) / (0.05 * 10**0.5)
    return torch.cat([lids, lips, brows, poses / 6, gazes / 0.04], 1)


@dataclass(frozen=True)
class RetargetedLandmarks:
    """How N faces are dragged so that they do what N faces of the other person do.

    start, end: points (N, 81, 2) in the picture, before and after. opened (N,): 0 to 1, how far
    this leaves a gap between lips that shows nothing of a mouth's inside. trust (N,): 1 where
    lips, lids and gaze then are the same; 0 where they are so far from it that ``end`` is
    ``start``.
    """

    start: Tensor
    end: Tensor
    opened: Tensor
    confidence: Tensor


def retarget(
    faces: LandmarkSet, like: LandmarkSet, own: Tensor, other: Tensor
) -> RetargetedLandmarks:
    """How ``faces`` come to do what the faces ``like`` do.

    own, other: the resting points (81, 2) of the people of ``faces`` and of ``like``. Nothing is
    dragged far, heads are hardly turned, eyes open to twice their opening at most, as there is
    nothing behind lids that touch, and what lids and lips show between them hardly goes away.
    Where that leaves too much to wish for, the face stays as it is.
    """
    start, wanted = faces.points, retarget_landmarks(like, other, own)
    away = (wanted - start).clamp(-_FARTHEST, _FARTHEST)
    turned = vector_norm(away[:, _NOSE_PLACE], dim=2).mean(1).clamp(min=1e-6)
    end = start + away * (_TURN / turned).clamp(max=1)[:, None, None]
    lids, lips = _gaps(start, _LIDS), _gaps(start, _LIPS)
    end = _with_gaps(end, _LIDS, _gaps(end, _LIDS).clamp(_CLOSED * lids, 2 * lids))
    end = _with_gaps(end, _LIPS, _gaps(end, _LIPS).maximum(_CLOSED * lips))
    short = (
        vector_norm((end - wanted)[:, _LIPS_PLACE], dim=2).mean(1)
        + sum((_gaps(end, e) - _gaps(wanted, e)).abs().mean(1) for e in (_LIDS, _LIPS))
        + 0.2 * vector_norm(_gaze(faces, own) - _gaze(like, other), dim=1)
    )
    trust = torch.exp(-((short / _DOUBT) ** 2))
    believed = trust > _BELIEVED
    end = torch.where(believed[:, None, None], end, start)
    opening = (_gaps(end, _LIPS).mean(1) - 1.3 * lips.mean(1) - _SHUT) / (
        0.7 * lips.mean(1) + _SHUT
    )
    return RetargetedLandmarks(start, end, opening.clamp(0, 1), trust * believed)


def _gaze(faces: LandmarkSet, rest: Tensor) -> Tensor:
    """Where the faces of a person with the resting points ``rest`` look: (N, 2).

    What is dark in an eye that is nearly shut are its lashes; they say nothing.
    """
    open_eyes = _gaps(faces.points, _LIDS).mean(1) / _gaps(rest[None], _LIDS).mean().clamp(min=1e-3)
    return faces.gazes * open_eyes.clamp(0, 1)[:, None]


def _gaps(points: Tensor, edges: Edges) -> Tensor:
    """How far each lower point is below its upper one, not below 0: (N, pairs)."""
    heights = points[..., 1]
    gaps = [heights[:, lower].flip(1) - heights[:, upper] for upper, lower in edges]
    return torch.cat(gaps, 1).clamp(min=0)


def _with_gaps(points: Tensor, edges: Edges, gaps: Tensor) -> Tensor:
    """The points with each pair ``gaps`` (N, pairs) apart, about the same middle."""
    out = points.clone()
    parts = torch.split(gaps, [upper.stop - upper.start for upper, _ in edges], 1)
    for (upper, lower), gap in zip(edges, parts, strict=True):
        middle = (points[:, upper, 1] + points[:, lower, 1].flip(1)) / 2
        out[:, upper, 1] = middle - gap / 2
        out[:, lower, 1] = (middle + gap / 2).flip(1)
    return out
