"""Training task of the swap model: reconstruct randomly warped faces of each person.

Each side is reconstructed by its own decoder. As the encoder is shared, its latent code holds what
both have in common: pose, expression, gaze and light. Faces of A and B are sampled in matched
pairs, and some pairs swap their codes: a swap with a known target (see pair_matching.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.similarity import mean_psnr, ssim
from faceswap.background import ReportProgress, no_report
from faceswap.device_support import memory_format
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.losses import mask_loss, picture_losses
from faceswap.swap.training.objective import ObjectiveConfig
from faceswap.swap.training.pair_sampler import PairSampler, RetargetedFaces
from faceswap.swap.training.retargeted_pictures import (
    LowerHalves,
    displacement,
    mouth_window,
    put_lower_halves,
)
from faceswap.training import augment, degradation
from faceswap.training.dataset import ImageDataset
from faceswap.training.memory import in_micro_batches


@dataclass(frozen=True)
class SwapBatch:
    """Batch of n faces per side. inputs: (n, 3, r, r) by side. Concatenated over sides: targets
    (sides·n, 3, R, R), maps (sides·n, 3, R/2, R/2) and is_real (sides·n,): 1 for faces as filmed,
    0 for retargeted ones. latent_swapped: bool (n,), the pairs that swap their latent codes; None
    without pair matching."""

    inputs: dict[str, Tensor]
    targets: Tensor
    maps: Tensor
    is_real: Tensor
    latent_swapped: Tensor | None = None

    def micro_batch(self, index: int, count: int) -> "SwapBatch":
        """The ``index``-th of ``count`` equal parts, with the same number of faces per side."""
        if count == 1:
            return self
        sides = len(self.inputs)
        n = len(self.targets) // sides
        mine = slice(index * n // count, (index + 1) * n // count)
        targets, maps, is_real = (
            torch.cat([part[mine] for part in whole.chunk(sides)])
            for whole in (self.targets, self.maps, self.is_real)
        )
        inputs = {side: x[mine] for side, x in self.inputs.items()}
        swapped = None if self.latent_swapped is None else self.latent_swapped[mine]
        return SwapBatch(inputs, targets, maps, is_real, swapped)


@dataclass(frozen=True)
class _SampledFaces:
    """Random choices of a batch: by side the faces and maps, the retargeted ones and the colour
    matrices; and the affine augmentation of all."""

    faces: dict[str, tuple[Tensor, Tensor]]
    driven: dict[str, RetargetedFaces]
    colors: dict[str, Tensor]
    theta: Tensor


class SwapTask:
    """Batches, losses, metrics and previews of a swap model; a training.loop.Task.

    sets: the faces of the sides to train, "a", "b" or both. objective may be changed between two
    steps, except ``pair_matching``. report: progress of the preparation.
    """

    def __init__(
        self,
        sets: Mapping[str, FaceSet],
        input_size: int,
        objective: ObjectiveConfig,
        device: torch.device,
        report: ReportProgress = no_report,
    ) -> None:
        self.objective = objective
        self._input_size = input_size
        self._sets = {side: faces.training.to(device) for side, faces in sets.items()}
        paired = objective.pair_matching and len(sets) == 2
        shapes = {side: faces.landmarks.to(device) for side, faces in sets.items()}
        self._pairing = PairSampler(shapes, report) if paired else None
        self._colors = {side: _tones(faces, report) for side, faces in self._sets.items()}
        self._held_out = {
            side: faces.held_out.to(device)
            for side, faces in sets.items()
            if faces.held_out is not None
        }

    def batch(self, count: int, generator: Generator, progress: float) -> SwapBatch:
        """Sample ``count`` faces per side, augmented, and warped and degraded as inputs."""
        sampled = self._sample(count, generator)
        by_side = [self._targets(side, sampled) for side in self._sets]
        targets, maps = (torch.cat(part) for part in zip(*by_side, strict=True))
        inputs = self._encoder_inputs(targets, generator, progress)
        inputs = inputs.contiguous(memory_format=memory_format(inputs.device))
        named = dict(zip(self._sets, torch.split(inputs, count), strict=True))
        exchanged, is_real = self._sample_latent_swaps(sampled, generator)
        return SwapBatch(named, targets, maps, is_real, exchanged)

    def _sample(self, count: int, generator: Generator) -> _SampledFaces:
        o = self.objective
        places = {
            side: faces.sample_indices(count, generator) for side, faces in self._sets.items()
        }
        driven: dict[str, RetargetedFaces] = {}
        if self._pairing is not None:
            places, driven = self._pairing.sample(places, generator)
        colors = self._color_matrices(places, generator)
        theta = augment.random_affine(count, o.rotation, o.scale, o.shift, o.flip, generator)
        faces = {side: self._sets[side].gather(place) for side, place in places.items()}
        return _SampledFaces(faces, driven, colors, theta)

    def _color_matrices(self, places: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """Colour matrices (n, 3, 4) by side: transfer of B to A's colours, then a random change."""
        o, count = self.objective, len(next(iter(places.values())))
        change = augment.random_color(count, o.brightness, o.contrast, o.tint, generator)
        matrices = dict.fromkeys(places, change)
        if o.color_transfer > 0 and len(places) > 1:
            like = self._colors["a"][places["a"]]
            strength = augment.uniform((count,), 0, o.color_transfer, generator)
            own = self._colors["b"][places["b"]]
            transfer = augment.skin_tone_transfer(own, like, strength)
            matrices["b"] = augment.compose_color(transfer, change)
        return matrices

    def _targets(self, side: str, sampled: _SampledFaces) -> tuple[Tensor, Tensor]:
        """Target images (n, 3, R, R) of one side and their maps (n, 3, R/2, R/2)."""
        pictures, maps = sampled.faces[side]
        grids = [augment.affine_grid(sampled.theta, x.shape[-1]) for x in (pictures, maps)]
        driven = sampled.driven.get(side)
        if driven is not None:
            rows = driven.driven_rows
            field = displacement(driven.start, driven.end, sampled.theta[rows])
            for grid in grids:
                grid[rows] += augment.resize_field(field, grid.shape[1])
        pictures, maps = augment.sample(pictures, grids[0]), augment.sample(maps, grids[1])
        if driven is not None:
            halves = self._lower_halves(side, driven)
            put_lower_halves((pictures[rows], maps[rows]), halves, driven, sampled.theta[rows])
        pictures = augment.apply_color(pictures, sampled.colors[side])
        if driven is not None:
            mouths, inside = self._driving_mouths(driven, sampled)
            there = (rows, slice(None), *mouth_window(pictures.shape[-1]))
            pictures[there] = pictures[there].lerp(mouths, inside)
        return pictures, maps[:, :3]

    def _lower_halves(self, side: str, driven: RetargetedFaces) -> LowerHalves:
        """The lower halves that come from other faces, and their way to the upper ones' tone."""
        pictures, maps = self._sets[side].gather(driven.lower.places)
        tones = self._colors[side]
        upper = tones[driven.places]
        full = torch.ones_like(upper[:, 0])
        color = augment.skin_tone_transfer(tones[driven.lower.places], upper, full)
        return LowerHalves(pictures, maps, color)

    def _driving_mouths(
        self, driven: RetargetedFaces, sampled: _SampledFaces
    ) -> tuple[Tensor, Tensor]:
        """Mouths of the driving faces, warped into the driven ones: pixels (n, 3, h, w) and blend
        weights (n, 1, h, w), above 0 between lips that were shut."""
        rows, driving = driven.driven_rows, driven.driving_side
        pictures, maps = (part[rows] for part in sampled.faces[driving])
        theta = sampled.theta[rows]
        size = pictures.shape[-1]
        field = displacement(driven.driving_points, driven.mouths, theta)
        grid = augment.affine_grid(theta, size) + augment.resize_field(field, size)
        grid = grid[:, *mouth_window(size)]
        inside = augment.sample(maps[:, 3:], grid) * driven.opened[:, None, None, None]
        mouths = augment.apply_color(augment.sample(pictures, grid), sampled.colors[driving][rows])
        return mouths, inside

    def _sample_latent_swaps(
        self, sampled: _SampledFaces, generator: Generator
    ) -> tuple[Tensor | None, Tensor]:
        """Sample which matched pairs swap latents (n,), or None, and mask out faces that were
        warped by retargeting: ``is_real`` (sides·n,)."""
        count = len(sampled.theta)
        is_real = {side: sampled.theta.new_ones(count) for side in sampled.faces}
        if not sampled.driven:
            return None, torch.cat(list(is_real.values()))
        chance = sampled.theta.new_full((count,), self.objective.latent_swap)
        for side, driven in sampled.driven.items():
            chance[driven.driven_rows] *= driven.confidence
            is_real[side][driven.driven_rows].zero_()
        exchanged = augment.uniform((count,), 0, 1, generator) < chance
        return exchanged, torch.cat(list(is_real.values()))

    def _encoder_inputs(self, targets: Tensor, generator: Generator, progress: float) -> Tensor:
        """Encoder inputs: ``targets`` at its size, with random warp and degradation."""
        o, size = self.objective, self._input_size
        pictures = functional.avg_pool2d(targets, targets.shape[-1] // size)
        remaining = 1.0 if o.warp_end <= 0 else max(0.0, 1 - progress / o.warp_end)
        # Full strength for the first half of its time, then a linear fade.
        strength = o.warp * min(1.0, 2 * remaining)
        if strength > 0:
            grid = augment.random_warp(len(targets), size, strength, generator, o.cells)
            pictures = augment.sample(pictures, grid)
        return self._degraded(pictures, generator)

    def _degraded(self, pictures: Tensor, generator: Generator) -> Tensor:
        o, count = self.objective, len(pictures)

        def strength(largest: float) -> Tensor:
            """Random strengths: 0 for half of the pictures, up to ``largest`` for the others."""
            return augment.uniform((count,), -largest, largest, generator).clamp(min=0)

        if o.occlusion > 0:
            where = degradation.random_occluders(count, pictures.shape[-1], o.occlusion, generator)
            pictures = degradation.occlude(pictures, where, generator)
        if o.blur > 0:
            pictures = degradation.blur(pictures, strength(o.blur))
        if o.noise > 0:
            pictures = degradation.noise(pictures, strength(o.noise), generator)
        if o.compression > 0:
            pictures = degradation.compress(pictures, strength(o.compression))
        return pictures

    def losses(self, model: nn.Module, batch: SwapBatch) -> dict[str, Tensor]:
        """Losses of a batch; ``"loss"`` is their weighted sum."""
        decoded = list(model(batch.inputs, batch.latent_swapped).values())
        made = torch.cat([picture for picture, _ in decoded]).float()
        # In float32: SSIM's variances are small differences of large numbers.
        with torch.autocast(made.device.type, enabled=False):
            total, parts = picture_losses(self.objective, made, batch.targets, batch.maps)
        masks = [mask for _, mask in decoded if mask is not None]
        if masks:
            loss = mask_loss(torch.cat(masks).float(), batch.maps)
            total = total + self.objective.mask * loss
            parts["mask"] = loss.detach()
        return {"loss": total, **parts}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Evaluate the reconstruction of held-out faces: PSNR in dB and SSIM, averaged over sides.

        Outside the face region the input is used, as conversion leaves the frame there, so both are
        higher than for the face alone: PSNR by some 4 dB.
        """
        assert isinstance(model, SwapModel)
        by_side = [
            in_micro_batches(partial(_reconstruction_quality, model, side, faces), 32)
            for side, faces in self._held_out.items()
        ]
        if not by_side:
            return {}
        names = ("held-out PSNR", "held-out SSIM")
        return dict(zip(names, torch.stack(by_side).mean(0).tolist(), strict=True))

    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a preview of fixed faces; see ``write_preview_grid``."""
        from faceswap.swap.training.preview_grid import write_preview_grid

        assert isinstance(model, SwapModel)
        write_preview_grid(model, {side: _evenly_spaced(s) for side, s in self._sets.items()}, path)


def _reconstruction_quality(model: SwapModel, side: str, faces: ImageDataset, size: int) -> Tensor:
    """Mean PSNR and SSIM (2,) of one side's reconstructed ``faces``, in batches of ``size``."""
    total = torch.zeros(2)
    for places in faces.index_batches(size):
        pictures, maps = faces.gather(places)
        made, _ = model.reconstruct(pictures, side)
        inside = functional.interpolate(maps[:, :1], pictures.shape[-2:])
        made = made * inside + pictures * (1 - inside)
        means = torch.stack([mean_psnr(made, pictures), ssim(made, pictures)])
        total += means.cpu() * len(places)
    return total / len(faces)


def _tones(faces: ImageDataset, report: ReportProgress) -> Tensor:
    """Skin tones (N, 3) of all faces, for colour transfer."""
    found = []
    for places in faces.index_batches(64):
        report(int(places[0]), len(faces))
        pictures, maps = faces.gather(places)
        small = functional.adaptive_avg_pool2d(pictures, maps.shape[-1])
        found.append(augment.skin_tone(small, maps[:, :1]))
    return torch.cat(found)


def _evenly_spaced(faces: ImageDataset, count: int = 8) -> Tensor:
    """``count`` faces, evenly spaced over the set: (count, 3, R, R)."""
    places = torch.linspace(0, len(faces) - 1, count, device=faces.pictures.device).long()
    return faces.gather(places)[0]
