"""What the swap model learns: to undo a distortion of each person's face.

Distorted in, undistorted out, each side through its own decoder. As both share the encoder,
what it passes on is what both have in common: pose, expression, gaze and light.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.losses import psnr, ssim
from faceswap.swap.faceset import FaceSet
from faceswap.swap.model import SwapModel
from faceswap.swap.objective import Objective, mask_loss, picture_losses
from faceswap.swap.preview import write_grid
from faceswap.training import augment, degrade
from faceswap.training.data import ImageSet


@dataclass(frozen=True)
class SwapBatch:
    """n faces of each side. inputs: (n, 3, r, r) by side. One side after the other: targets
    (sides·n, 3, R, R), maps (sides·n, 2, R/2, R/2)."""

    inputs: dict[str, Tensor]
    targets: Tensor
    maps: Tensor

    def part(self, index: int, count: int) -> "SwapBatch":
        """The ``index``-th of ``count`` equal portions, with as many faces of each side."""
        if count == 1:
            return self
        sides = len(self.inputs)
        n = len(self.targets) // sides
        mine = slice(index * n // count, (index + 1) * n // count)
        targets, maps = (
            torch.cat([part[mine] for part in whole.chunk(sides)])
            for whole in (self.targets, self.maps)
        )
        return SwapBatch({side: x[mine] for side, x in self.inputs.items()}, targets, maps)


class SwapTask:
    """Batches, losses, measures and previews of a swap model; a training.loop.Task.

    sets: the faces of each side of the model that learns: "a" and "b", or one of them.
    """

    def __init__(
        self,
        sets: Mapping[str, FaceSet],
        input_size: int,
        objective: Objective,
        device: torch.device,
    ) -> None:
        self.objective = objective
        self._input_size = input_size
        self._sets = {side: faces.training.to(device) for side, faces in sets.items()}
        self._colors = {side: _statistics(faces) for side, faces in self._sets.items()}
        self._held_out = {
            side: faces.held_out.to(device)
            for side, faces in sets.items()
            if faces.held_out is not None
        }

    def batch(self, count: int, generator: Generator, progress: float) -> SwapBatch:
        """``count`` faces of each side, drawn, changed and distorted."""
        places = {side: faces.draw(count, generator) for side, faces in self._sets.items()}
        colors = self._color_matrices(places, generator)
        targets, maps = [], []
        for side, faces in self._sets.items():
            target, planes = self._changed(faces, places[side], colors[side], generator)
            targets.append(target)
            maps.append(planes)
        both = torch.cat(targets)
        inputs = self._distorted(both, generator, progress)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        by_side = dict(zip(self._sets, torch.split(inputs, count), strict=True))
        return SwapBatch(by_side, both, torch.cat(maps))

    def _changed(
        self, faces: ImageSet, places: Tensor, color: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        o = self.objective
        pictures, maps = faces.take(places)
        theta = augment.random_affine(len(places), o.rotation, o.scale, o.shift, o.flip, generator)
        grid = augment.affine_grid(theta, pictures.shape[-1])
        target = augment.apply_color(augment.sample(pictures, grid), color)
        return target, augment.sample(maps, augment.affine_grid(theta, maps.shape[-1]))

    def _color_matrices(self, places: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """Matrices (n, 3, 4) for each side: B's towards A's colours, then a change to both."""
        o, count = self.objective, len(next(iter(places.values())))
        matrices = {
            side: augment.random_color(count, o.brightness, o.contrast, o.tint, generator)
            for side in places
        }
        if o.color_transfer > 0 and len(places) > 1:
            like = self._colors["a"][self._sets["a"].draw(count, generator)]
            strength = augment.uniform((count,), 0, o.color_transfer, generator)
            own = self._colors["b"][places["b"]]
            transfer = augment.color_transfer(own, like, strength)
            matrices["b"] = augment.compose_color(transfer, matrices["b"])
        return matrices

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
            where = degrade.occluders(count, pictures.shape[-1], o.occlusion, generator)
            pictures = degrade.occlude(pictures, where, generator)
        if o.blur > 0:
            pictures = degrade.blur(pictures, strength(o.blur))
        if o.noise > 0:
            pictures = degrade.noise(pictures, strength(o.noise), generator)
        if o.compression > 0:
            pictures = degrade.compress(pictures, strength(o.compression))
        return pictures

    def losses(self, model: nn.Module, batch: SwapBatch) -> dict[str, Tensor]:
        """The losses of one batch, and under ``"loss"`` their weighted sum."""
        decoded = list(model(batch.inputs).values())
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
        """Reconstruction of the held-out faces: mean PSNR in dB and SSIM over the sides."""
        assert isinstance(model, SwapModel)
        results: dict[str, list[float]] = {"held-out PSNR": [], "held-out SSIM": []}
        for side, faces in self._held_out.items():
            for places in faces.portions(32):
                pictures, maps = faces.take(places)
                made, _ = model.reconstruct(pictures, side)
                inside = functional.interpolate(maps[:, :1], pictures.shape[-2:])
                made = made * inside + pictures * (1 - inside)
                results["held-out PSNR"].append(float(psnr(made, pictures)))
                results["held-out SSIM"].append(float(ssim(made, pictures)))
        return {name: sum(v) / len(v) for name, v in results.items() if v}

    def preview(self, model: nn.Module, path: Path) -> None:
        """A grid of fixed faces; see ``write_grid``."""
        assert isinstance(model, SwapModel)
        write_grid(model, {side: _spread(s) for side, s in self._sets.items()}, path)


def _statistics(faces: ImageSet) -> Tensor:
    """Colour statistics (N, 2, 3) of every face, inside its mask."""
    found = []
    for places in faces.portions(64):
        pictures, maps = faces.take(places)
        small = functional.adaptive_avg_pool2d(pictures, maps.shape[-1])
        found.append(augment.color_statistics(small, maps[:, :1]))
    return torch.cat(found)


def _spread(faces: ImageSet, count: int = 8) -> Tensor:
    """``count`` faces, evenly spaced over the set: (count, 3, R, R)."""
    places = torch.linspace(0, len(faces) - 1, count, device=faces.pictures.device).long()
    return faces.take(places)[0]
