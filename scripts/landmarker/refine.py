"""Second training stage of the landmarker: rendered heads, and a temporal consistency loss.

It fine-tunes the network that the first stage exported. The labels of real faces are poor for
mouths shut under a beard and have no fully shut lids; rendered heads have exact points for both.
The consistency loss wants the same points in two crops of a face that differ like two frames'.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from faceswap.faces.align import mean_face, upright_matrix
from faceswap.faces.landmark_net import HeadOutputs, LandmarkNet
from landmarker.augment import (
    TEXTURES,
    Augmenter,
    as_jpeg,
    camera,
    compose,
    jitter,
    light,
    moved,
    random_border,
    shrunk,
    textures,
    warp,
)
from landmarker.characters import LIDS, MOUTH
from landmarker.data import KEPT, SIZE, FaceSet, Floats, Gray, mirror_order
from landmarker.heads import RenderedHeads
from landmarker.mean_face import MIRROR
from landmarker.report import predict
from landmarker.run import Report, Run, distance, wing

_RENDERED, _TWICE, _EMPTY = 24, 16, 16
"""Number of rendered faces, of faces with two crops each, and of negatives in a batch."""
_FLIP = np.array([[-1, 0, SIZE - 1], [0, 1, 0], [0, 0, 1]], np.float32)


@dataclass
class Mixed:
    """A batch. crops (N, 112, 112): rendered, real, pairs' first, pairs' second, negatives.

    exact (R, 81, 2) and weights (R, 81): of the rendered ones; points (P, 81, 3): of the real
    ones, then of the pairs' first and second crops; back (T, 2, 3): second crop -> first crop.
    """

    crops: Gray
    exact: Floats
    weights: Floats
    points: Floats
    back: Floats


class MixedBatches(Dataset[Mixed]):
    """Data set whose item `step` is that step's whole batch, deterministic by the seed."""

    def __init__(
        self, faces: FaceSet, heads: RenderedHeads, seed: int, steps: int, batch: int
    ) -> None:
        self.augmenter = Augmenter(faces, textures(TEXTURES), mirror_order(faces.points))
        self.heads, self.seed, self.steps = heads, seed, steps
        self.trust = point_trust()
        self.single = batch - _RENDERED - 2 * _TWICE - _EMPTY

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Mixed:
        cv2.setNumThreads(0)
        rng = np.random.default_rng((self.seed, 2, step))
        rendered = [self._rendered(rng) for _ in range(_RENDERED)]
        single = [self.augmenter.positive(rng, expressive=True) for _ in range(self.single)]
        twice = [self._twice(rng) for _ in range(_TWICE)]
        empty = [self.augmenter.negative(rng) for _ in range(_EMPTY)]
        crops = [crop for crop, _, _ in rendered] + [crop for crop, _ in single]
        crops += [t.crops[0] for t in twice] + [t.crops[1] for t in twice] + empty
        points = [placed[KEPT] for _, placed in single]
        points += [t.points[0] for t in twice] + [t.points[1] for t in twice]
        return Mixed(
            np.stack(crops),
            np.stack([placed for _, placed, _ in rendered]),
            np.stack([weights for _, _, weights in rendered]),
            np.stack(points),
            np.stack([t.back for t in twice]),
        )

    def _rendered(self, rng: np.random.Generator) -> tuple[Gray, Floats, Floats]:
        """A rendered head (112, 112), its points (81, 2), and their loss weights (81,)."""
        row = int(rng.integers(len(self.heads.points)))
        points, weights = self.heads.points[row], self.trust.copy()
        weights[~self.heads.visible[row]] *= 0.2
        matrix = compose(jitter(rng, wild=0.2), upright_matrix(points[:68], SIZE))
        flip = rng.random() < 0.5
        if flip:
            matrix, points, weights = compose(_FLIP, matrix), points[MIRROR], weights[MIRROR]
        crop = warp(self.heads.images[row], matrix, random_border(rng))
        placed = (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        return self.augmenter.seen(rng, crop, placed), placed, weights

    def _twice(self, rng: np.random.Generator) -> Twice:
        """A real face in two crops, which differ like a tracker's crops of two frames."""
        faces = self.augmenter.faces
        row = int(np.searchsorted(self.augmenter.shares, rng.random()))
        points = faces.points[row]
        first = compose(jitter(rng, wild=0.15), upright_matrix(points[KEPT[:68], :2], SIZE))
        if rng.random() < 0.5:
            first, points = compose(_FLIP, first), points[self.augmenter.mirror]
        move = nudge(rng)
        second = compose(move, first)
        border, lamp, lens = random_border(rng), *rng.integers(1 << 30, size=2)
        crops = []
        for matrix in (first, second):
            lit = light(np.random.default_rng(lamp), warp(faces.images[row], matrix, border))
            lit = lit * np.float32(rng.normal(1, 0.02)) + np.float32(rng.normal(0, 2))
            crops.append(_sensor(rng, np.random.default_rng(lens), lit))
        placed = (moved(points[KEPT], first), moved(points[KEPT], second))
        back = np.asarray(cv2.invertAffineTransform(move[:2]), np.float32)
        return Twice((crops[0], crops[1]), placed, back)


@dataclass
class Twice:
    """Two crops (112, 112) of a face, its points (81, 3) in each; back: second -> first crop."""

    crops: tuple[Gray, Gray]
    points: tuple[Floats, Floats]
    back: NDArray[np.floating]


def nudge(rng: np.random.Generator) -> Floats:
    """Random similarity (3, 3) about the crop's centre, as between crops of two frames."""
    angle, scale = np.radians(rng.normal(0, 1.2)), np.exp(rng.normal(0, 0.015))
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, (SIZE - 1) / 2)
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, centre + rng.normal(0, 1.3, 2) - linear @ centre
    return matrix.astype(np.float32)


def _sensor(rng: np.random.Generator, lens: np.random.Generator, lit: Floats) -> Gray:
    """Camera degradation: blur and resolution by `lens`, which two frames share, noise by `rng`."""
    if lens.random() < 0.15:
        return camera(lens, lit)  # sometimes everything is shared, black bars included
    if lens.random() < 0.2:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), lens.uniform(0.4, 1.5)), np.float32)
    if lens.random() < 0.3:
        lit = shrunk(lit, int(lens.integers(40, 100)))
    noise = lens.uniform(0, 7) if lens.random() < 0.6 else 0.0
    lit = lit + rng.standard_normal(lit.shape, np.float32) * np.float32(noise)
    crop = np.clip(lit, 0, 255).astype(np.uint8)
    if lens.random() < 0.4:
        crop = as_jpeg(crop, int(lens.integers(30, 90)))
    return crop


def as_labelled(net: LandmarkNet, heads: RenderedHeads) -> RenderedHeads:
    """Rendered heads with their points moved to FaceMesh's convention.

    The network was trained on FaceMesh's labels, so the median offset (in upright crops, made
    symmetric) from the exact points to its predictions is the difference of the conventions. Each
    eye and the mouth get one common offset, which keeps their opening exact. Without this, noses of
    real faces were predicted 1.3 % of the eye distance too high.
    """
    matrices = [upright_matrix(points[:68], SIZE) for points in heads.points]
    pairs = list(zip(heads.images, matrices, strict=True))
    seen = predict(net, [warp(i, m, cv2.BORDER_REPLICATE) for i, m in pairs]).points.numpy()
    pairs = list(zip(heads.points, matrices, strict=True))
    placed = np.stack([p @ m[:, :2].T + m[:, 2] for p, m in pairs])
    away = np.median(seen - placed, axis=0)
    for part in (slice(36, 42), slice(42, 48), slice(48, 68)):
        away[part] = away[part].mean(0)
    away = (away + away[MIRROR] * [-1, 1]) / 2
    backs = [cv2.invertAffineTransform(m) for m in matrices]
    points = [p @ b[:, :2].T + b[:, 2] for p, b in zip(placed + away, backs, strict=True)]
    return replace(heads, points=np.stack(points).astype(np.float32))


def point_trust() -> Floats:
    """Loss weight of a rendered head's points (81,): lids and lips, which real labels lack."""
    trust = np.full(81, 1.0, np.float32)
    trust[:36], trust[36:48], trust[68:] = 0.02, 1.5, 0.02
    return trust


def openings(points: Tensor) -> Tensor:
    """Vectors (N, 7, 2) across the mouth and the lids of points (N, 81, 2)."""
    pairs = torch.as_tensor((*MOUTH, *LIDS), device=points.device)
    return points[:, pairs[:, 1], :2] - points[:, pairs[:, 0], :2]


class Calm(nn.Module):
    """Temporal consistency: difference of two predictions of a face, by points and similarity."""

    def __init__(self) -> None:
        super().__init__()
        share = mean_face().weights / mean_face().weights.sum()
        self.register_buffer("share", torch.as_tensor(share, dtype=torch.float32)[:, None])
        self.share: Tensor

    def forward(self, first: Tensor, again: Tensor) -> tuple[Tensor, Tensor]:
        """Mean point distance of predictions (T, 81, 2), and of their shift, rotation and scale."""
        apart = (again - first)[:, :68]
        place = (self.share * apart).sum(1)
        middle = (self.share * first[:, :68]).sum(1, keepdim=True)
        arm = (first[:, :68] - middle).detach()
        radius = (self.share * arm.square()).sum((1, 2)).sqrt()
        along = (self.share * arm * apart).sum((1, 2)) / radius
        turned = arm[..., 0] * apart[..., 1] - arm[..., 1] * apart[..., 0]
        across = (self.share[:, 0] * turned).sum(1) / radius
        as_one = (place.square().sum(1) + along.square() + across.square() + 1e-4).sqrt()
        return distance(again, first).mean(), as_one.mean()


def loss_of(heads: HeadOutputs, batch: Mixed, calm: Calm, quiet: float) -> dict[str, Tensor]:
    """Weighted loss terms; quiet: weight of the consistency terms."""
    exact, points = torch.as_tensor(batch.exact), torch.as_tensor(batch.points)
    rendered, faces = len(exact), len(exact) + len(points)
    target = torch.cat([exact, points[..., :2]])
    usual = torch.ones(81)
    usual[:17], usual[68:] = 0.5, 0.4
    weight = torch.cat([torch.as_tensor(batch.weights), usual.expand(len(points), 81)])
    mapped, regressed = heads.mapped[:faces], heads.regressed[:faces, :, :2]
    blend = (mapped + regressed) / 2

    def part(guess: Tensor) -> Tensor:
        return (wing(distance(guess, target)) * weight).mean()

    apart = distance(openings(blend), openings(target))
    share = torch.full((faces, len(MOUTH) + len(LIDS)), 0.4)
    share[:rendered, : len(MOUTH)], share[:rendered, len(MOUTH) :] = 2.0, 3.0
    depth = points[..., 2] - points[..., 2].mean(1, keepdim=True)
    present = (torch.arange(len(heads.presence)) < faces).float()
    count = len(batch.back)
    back = torch.as_tensor(batch.back, dtype=torch.float32)
    still, as_one = torch.zeros(()), torch.zeros(())
    for answer in (mapped, regressed):
        first, again = answer[-2 * count : -count], answer[-count:]
        again = again @ back[:, :, :2].transpose(1, 2) + back[:, None, :, 2]
        one, other = calm(first, again)
        still, as_one = still + one, as_one + other
    return {
        "blend": part(blend),
        "mapped": 0.5 * part(mapped),
        "regressed": 0.5 * part(regressed),
        "opening": 0.7 * (wing(apart, bend=1.0) * share).mean(),
        "depth": 0.1 * wing((heads.regressed[rendered:faces, :, 2] - depth).abs()).mean(),
        "presence": 2.0 * nn.functional.binary_cross_entropy_with_logits(heads.presence, present),
        "still": quiet * still,
        "as one": 2 * quiet * as_one,
    }


@dataclass(frozen=True)
class Refinement:
    """Settings of the second stage.

    quiet: weight of the consistency loss. keep: share of the first stage's weights in the result.
    Interpolated weights are nearly as good on real faces as the first stage's, and on rendered
    heads as the second stage's (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    report, check: steps from one line, and from one checkpoint, to the next.
    """

    steps: int
    rate: float
    batch: int
    seed: int
    quiet: float
    keep: float
    report: int
    check: int


def refine(
    net: LandmarkNet, faces: FaceSet, heads: RenderedHeads, path: Path, plan: Refinement
) -> tuple[LandmarkNet, float]:
    """Fine-tune the folded network; returns it and the seconds spent. path: of the checkpoint."""
    heads = as_labelled(net, heads)
    first = {name: value.clone() for name, value in net.state_dict().items()}
    net.train().requires_grad_(True)
    run = Run(net, path, plan.steps, plan.rate, warm=100, decay=0.998)
    run.load()
    batches = MixedBatches(faces, heads, plan.seed, plan.steps, plan.batch)
    order = range(run.step, plan.steps)
    loader = DataLoader(batches, batch_size=None, sampler=order, num_workers=1, prefetch_factor=6)
    calm, shown, spent = Calm(), Report(plan.report), run.seconds
    started = time.monotonic()
    for mixed in loader:
        crops = torch.as_tensor(mixed.crops)[:, None].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            answer = net.heads(crops)
        parts = loss_of(answer, mixed, calm, plan.quiet)
        run.learn(parts)
        run.seconds = spent + time.monotonic() - started
        shown.add(run.step, run.seconds, parts)
        if run.step % plan.check == 0 or run.step == plan.steps:
            run.save()
    net.load_state_dict({n: v.lerp(first[n], plan.keep) for n, v in run.average.state.items()})
    return net.eval().requires_grad_(False), run.seconds
