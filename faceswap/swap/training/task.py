"""What the swap model learns: to undo a distortion of each person's face.

Distorted in, undistorted out, each side through its own decoder. As both share the encoder,
what it passes on is what both have in common: pose, expression, gaze and light. Faces of A and B
come in pairs that do the same, and some pairs exchange their codes: that is a swap, with the
answer known (see pair_matching.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.losses import psnr, ssim
from faceswap.background import ReportProgress, no_report
from faceswap.device_support import memory_format
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.training.config import ObjectiveConfig
from faceswap.swap.training.face_set import FaceSet
from faceswap.swap.training.losses import mask_loss, picture_losses
from faceswap.swap.training.pair_sampler import PairSampler, RetargetedFaces
from faceswap.training import augment, degradation
from faceswap.training.dataset import ImageDataset
from faceswap.training.memory import in_micro_batches

_LATTICE = 32
"""Side of the lattice that offsets are computed on."""


@dataclass(frozen=True)
class SwapBatch:
    """n faces of each side. inputs: (n, 3, r, r) by side. One side after the other: targets
    (sides·n, 3, R, R), maps (sides·n, 2, R/2, R/2). exchanged: bool (n,), the pairs that
    exchange their codes; None without pairs. genuine (sides·n,): 1 for pictures as they were
    filmed, 0 for those that were dragged to do what their partner does."""

    inputs: dict[str, Tensor]
    targets: Tensor
    maps: Tensor
    genuine: Tensor
    exchanged: Tensor | None = None

    def micro_batch(self, index: int, count: int) -> "SwapBatch":
        """The ``index``-th of ``count`` equal portions, with as many faces of each side."""
        if count == 1:
            return self
        sides = len(self.inputs)
        n = len(self.targets) // sides
        mine = slice(index * n // count, (index + 1) * n // count)
        targets, maps, genuine = (
            torch.cat([part[mine] for part in whole.chunk(sides)])
            for whole in (self.targets, self.maps, self.genuine)
        )
        inputs = {side: x[mine] for side, x in self.inputs.items()}
        exchanged = None if self.exchanged is None else self.exchanged[mine]
        return SwapBatch(inputs, targets, maps, genuine, exchanged)


@dataclass(frozen=True)
class _Drawn:
    """What a batch is made of: by side its faces and maps, those of them that imitate others, and
    their colours; and how all are turned, scaled and shifted."""

    faces: dict[str, tuple[Tensor, Tensor]]
    followers: dict[str, RetargetedFaces]
    colors: dict[str, Tensor]
    theta: Tensor


class SwapTask:
    """Batches, losses, measures and previews of a swap model; a training.loop.Task.

    sets: the faces of each side of the model that learns: "a" and "b", or one of them. objective
    may be changed between two steps, but for its pairs. report: hears how far the preparations are.
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
        """``count`` faces of each side, drawn, changed and distorted."""
        drawn = self._drawn(count, generator)
        shown = [self._shown(side, drawn) for side in self._sets]
        targets, maps = (torch.cat(part) for part in zip(*shown, strict=True))
        inputs = self._distorted(targets, generator, progress)
        inputs = inputs.contiguous(memory_format=memory_format(inputs.device))
        by_side = dict(zip(self._sets, torch.split(inputs, count), strict=True))
        exchanged, genuine = self._roles(drawn, generator)
        return SwapBatch(by_side, targets, maps, genuine, exchanged)

    def _drawn(self, count: int, generator: Generator) -> _Drawn:
        o = self.objective
        places = {
            side: faces.sample_indices(count, generator) for side, faces in self._sets.items()
        }
        followers = {}
        if self._pairing is not None:
            places = self._pairing.sample(places, generator)
            followers = {side: self._pairing.retargeted(side, places) for side in places}
        colors = self._color_matrices(places, generator)
        theta = augment.random_affine(count, o.rotation, o.scale, o.shift, o.flip, generator)
        faces = {side: self._sets[side].gather(place) for side, place in places.items()}
        return _Drawn(faces, followers, colors, theta)

    def _color_matrices(self, places: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """Matrices (n, 3, 4) for each side: B's towards A's colours, then a change to both."""
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

    def _shown(self, side: str, drawn: _Drawn) -> tuple[Tensor, Tensor]:
        """One side's pictures (n, 3, R, R) to be made, and their maps (n, 2, R/2, R/2)."""
        pictures, maps = drawn.faces[side]
        grids = [augment.affine_grid(drawn.theta, x.shape[-1]) for x in (pictures, maps)]
        followers = drawn.followers.get(side)
        if followers is not None:
            moved, rows = followers.retargeting, followers.driven_rows
            drag = _drag(moved.start, moved.end, drawn.theta[rows])
            for grid in grids:
                grid[rows] += augment.resize_field(drag, grid.shape[1])
        pictures, maps = augment.sample(pictures, grids[0]), augment.sample(maps, grids[1])
        pictures = augment.apply_color(pictures, drawn.colors[side])
        if followers is not None:
            mouths, inside = self._mouths(followers, drawn)
            there = (rows, slice(None), *_mouth_window(pictures.shape[-1]))
            pictures[there] = pictures[there].lerp(mouths, inside)
        return pictures, maps[:, :2]

    def _mouths(self, followers: RetargetedFaces, drawn: _Drawn) -> tuple[Tensor, Tensor]:
        """What faces that are imitated show where mouths are (n, 3, h, w), where those are that
        imitate them, and how much of it is to be seen (n, 1, h, w): between lips that were shut."""
        rows, leader, moved = followers.driven_rows, followers.driving_side, followers.retargeting
        pictures, maps = (part[rows] for part in drawn.faces[leader])
        theta = drawn.theta[rows]
        size = pictures.shape[-1]
        drag = _drag(followers.driven_places, moved.end, theta)
        grid = augment.affine_grid(theta, size) + augment.resize_field(drag, size)
        grid = grid[:, *_mouth_window(size)]
        inside = augment.sample(maps[:, 2:], grid) * moved.opened[:, None, None, None]
        mouths = augment.apply_color(augment.sample(pictures, grid), drawn.colors[leader][rows])
        return mouths, inside

    def _roles(self, drawn: _Drawn, generator: Generator) -> tuple[Tensor | None, Tensor]:
        """Which pairs exchange their codes, of those that do the same, and which faces are as
        they were filmed: (n,) and (sides·n,)."""
        count = len(drawn.theta)
        genuine = {side: drawn.theta.new_ones(count) for side in drawn.faces}
        if not drawn.followers:
            return None, torch.cat(list(genuine.values()))
        chance = drawn.theta.new_full((count,), self.objective.latent_swap)
        for side, followers in drawn.followers.items():
            chance[followers.driven_rows] *= followers.retargeting.confidence
            genuine[side][followers.driven_rows].zero_()
        exchanged = augment.uniform((count,), 0, 1, generator) < chance
        return exchanged, torch.cat(list(genuine.values()))

    def _distorted(self, targets: Tensor, generator: Generator, progress: float) -> Tensor:
        """What the encoder sees: ``targets`` at its size, warped and spoilt."""
        o, size = self.objective, self._input_size
        pictures = functional.avg_pool2d(targets, targets.shape[-1] // size)
        left = 1.0 if o.warp_end <= 0 else max(0.0, 1 - progress / o.warp_end)
        # The distortion stays whole for the first half of its time and then fades.
        strength = o.warp * min(1.0, 2 * left)
        if strength > 0:
            grid = augment.random_warp(len(targets), size, strength, generator, o.cells)
            pictures = augment.sample(pictures, grid)
        return self._spoilt(pictures, generator)

    def _spoilt(self, pictures: Tensor, generator: Generator) -> Tensor:
        o, count = self.objective, len(pictures)

        def strength(largest: float) -> Tensor:
            """None for half of the pictures, up to ``largest`` for the others."""
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
        """The losses of one batch, and under ``"loss"`` their weighted sum."""
        decoded = list(model(batch.inputs, batch.exchanged).values())
        made = torch.cat([picture for picture, _ in decoded]).float()
        # In full precision: SSIM's variances are small differences of large numbers.
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
        """Reconstruction of the held-out faces: PSNR in dB and SSIM, means over both sides.

        Outside of the face's region the picture itself stands in, as a conversion leaves the frame
        there, so both are higher than for the face alone: PSNR by some 4 dB.
        """
        assert isinstance(model, SwapModel)
        by_side = [
            in_micro_batches(partial(_likeness, model, side, faces), 32)
            for side, faces in self._held_out.items()
        ]
        if not by_side:
            return {}
        names = ("held-out PSNR", "held-out SSIM")
        return dict(zip(names, torch.stack(by_side).mean(0).tolist(), strict=True))

    def preview(self, model: nn.Module, path: Path) -> None:
        """A grid of fixed faces; see ``write_preview_grid``."""
        from faceswap.swap.training.preview_grid import write_preview_grid

        assert isinstance(model, SwapModel)
        write_preview_grid(model, {side: _spread(s) for side, s in self._sets.items()}, path)


def _likeness(model: SwapModel, side: str, faces: ImageDataset, size: int) -> Tensor:
    """Mean PSNR and SSIM (2,) of one side's ``faces`` reconstructed, ``size`` at a time."""
    total = torch.zeros(2)
    for places in faces.index_batches(size):
        pictures, maps = faces.gather(places)
        made, _ = model.reconstruct(pictures, side)
        inside = functional.interpolate(maps[:, :1], pictures.shape[-2:])
        made = made * inside + pictures * (1 - inside)
        means = torch.stack([psnr(made, pictures), ssim(made, pictures)])
        total += means.cpu() * len(places)
    return total / len(faces)


def _tones(faces: ImageDataset, report: ReportProgress) -> Tensor:
    """Skin tones (N, 3) of all faces."""
    found = []
    for places in faces.index_batches(64):
        report(int(places[0]), len(faces))
        pictures, maps = faces.gather(places)
        small = functional.adaptive_avg_pool2d(pictures, maps.shape[-1])
        found.append(augment.skin_tone(small, maps[:, :1]))
    return torch.cat(found)


def _drag(start: Tensor, end: Tensor, theta: Tensor) -> Tensor:
    """Offsets (N, s, s, 2) to the sampling grid of the matrices ``theta``.

    They drag what is at the points ``start`` (N, K, 2) of a picture to where ``end`` is in it.
    """
    linear = theta[:, :, :2].transpose(1, 2)
    back = augment.inverse(linear)
    start, end = ((p - theta[:, None, :, 2]) @ back for p in (start, end))
    field = augment.displacement_field(start, end, _LATTICE)
    return (field.flatten(1, 2) @ linear).view_as(field)


def _mouth_window(size: int) -> tuple[slice, slice]:
    """Rows and columns of a crop of ``size`` pixels that mouths, however wide, are inside of."""
    return slice(size // 2, size), slice(size // 5, size - size // 5)


def _spread(faces: ImageDataset, count: int = 8) -> Tensor:
    """``count`` faces, evenly spaced over the set: (count, 3, R, R)."""
    places = torch.linspace(0, len(faces) - 1, count, device=faces.pictures.device).long()
    return faces.gather(places)[0]
