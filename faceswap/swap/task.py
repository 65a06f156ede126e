"""What the swap model learns: to undo a distortion of each person's face.

Distorted in, undistorted out, each side through its own decoder. As both share the encoder,
what it passes on is what both have in common: pose, expression, gaze and light.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.losses import detail, luma, psnr, ssim, ssim_map
from faceswap.swap.faceset import FaceSet
from faceswap.swap.model import SwapModel
from faceswap.swap.preview import write_grid
from faceswap.training import augment
from faceswap.training.data import ImageSet

Share = Annotated[float, Field(ge=0)]


class Objective(BaseModel):
    """Weights of the losses and strengths of the augmentation.

    l1, gradient, ssim, mask: weights of the losses. features: how much more eyes and mouth
    count; outside: how much what is not face counts. warp: standard deviation of the
    distortion, as a share of its lattice; warp_end: share of the run after which it has faded
    out. rotation in degrees, scale and shift as shares. color_transfer: how far B's colours go
    towards a random face of A's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    l1: Share = 1.0
    gradient: Share = 1.0
    ssim: Share = 0.5
    mask: Share = 0.2
    features: Share = 4.0
    outside: Share = 0.1
    warp: Share = 0.1
    warp_end: Annotated[float, Field(ge=0, le=1)] = 0.9
    rotation: Share = 5.0
    scale: Share = 0.05
    shift: Share = 0.03
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    brightness: Share = 0.05
    contrast: Share = 0.1
    tint: Share = 0.03
    color_transfer: Annotated[float, Field(ge=0, le=1)] = 1.0


@dataclass(frozen=True)
class SwapBatch:
    """a and b: inputs (n, 3, r, r). A's first: targets (2n, 3, R, R), maps (2n, 2, R/2, R/2)."""

    a: Tensor
    b: Tensor
    targets: Tensor
    maps: Tensor


class SwapTask:
    """Batches, losses, measures and previews of a swap model; a training.loop.Task."""

    def __init__(
        self, a: FaceSet, b: FaceSet, input_size: int, objective: Objective, device: torch.device
    ) -> None:
        self.objective = objective
        self._input_size = input_size
        self._sets = {"a": a.training.to(device), "b": b.training.to(device)}
        self._colors = {side: _statistics(faces) for side, faces in self._sets.items()}
        self._held_out = {
            side: faces.held_out.to(device)
            for side, faces in (("a", a), ("b", b))
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
        return SwapBatch(inputs[:count], inputs[count:], both, torch.cat(maps))

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
        o, count = self.objective, len(places["a"])
        matrices = {
            side: augment.random_color(count, o.brightness, o.contrast, o.tint, generator)
            for side in places
        }
        if o.color_transfer > 0:
            like = self._colors["a"][self._sets["a"].draw(count, generator)]
            strength = augment.uniform((count,), 0, o.color_transfer, generator)
            own = self._colors["b"][places["b"]]
            transfer = augment.color_transfer(own, like, strength)
            matrices["b"] = augment.compose_color(transfer, matrices["b"])
        return matrices

    def _distorted(self, targets: Tensor, generator: Generator, progress: float) -> Tensor:
        """What the encoder sees: ``targets`` at its size, warped."""
        o, size = self.objective, self._input_size
        pictures = functional.avg_pool2d(targets, targets.shape[-1] // size)
        left = 1.0 if o.warp_end <= 0 else max(0.0, 1 - progress / o.warp_end)
        # The distortion stays whole for the first half of its time and then fades.
        strength = o.warp * min(1.0, 2 * left)
        if strength == 0:
            return pictures
        grid = augment.random_warp(len(targets), size, strength, generator)
        return augment.sample(pictures, grid)

    def losses(self, model: nn.Module, batch: SwapBatch) -> dict[str, Tensor]:
        """The weighted losses of one batch; see ``Objective``."""
        (a, mask_a), (b, mask_b) = model(batch.a, batch.b)
        made = torch.cat([a, b]).float()
        weights = self._weights(batch.maps)
        total, parts = self._picture_losses(made, batch.targets, weights)
        if mask_a is not None and mask_b is not None:
            masks = torch.cat([mask_a, mask_b]).float()
            wanted = batch.maps[:, :1]
            if wanted.shape[-1] > masks.shape[-1]:
                wanted = functional.avg_pool2d(wanted, wanted.shape[-1] // masks.shape[-1])
            else:
                wanted = functional.interpolate(wanted, masks.shape[-2:])
            parts["mask"] = (masks - wanted).square().mean()
            total = total + self.objective.mask * parts["mask"]
        return {"loss": total, **parts}

    def _weights(self, maps: Tensor) -> Tensor:
        """How much each place counts (N, 1, h, w), with a mean of 1."""
        o = self.objective
        face, features = maps[:, :1], maps[:, 1:2]
        face = functional.max_pool2d(face, 5, 1, 2)  # the rim blends into the frame
        weights = o.outside + (1 - o.outside) * face + o.features * features
        return weights / weights.mean((2, 3), keepdim=True)

    def _picture_losses(
        self, made: Tensor, wanted: Tensor, weights: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        o = self.objective
        shrink = made.shape[-1] // weights.shape[-1]
        large = functional.interpolate(weights, scale_factor=float(shrink), mode="nearest")
        share = o.gradient / max(o.l1 + o.gradient, 1e-9)
        total, plain, steps = detail(made, wanted, large, share)
        grey = [functional.avg_pool2d(luma(x), shrink) for x in (made, wanted)]
        similarity = ssim_map(grey[0], grey[1])
        structure = ((1 - similarity) * functional.avg_pool2d(weights, 8, 4)).mean()
        return (
            (o.l1 + o.gradient) * total + o.ssim * structure,
            {"l1": plain, "gradient": steps, "ssim": structure.detach()},
        )

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Reconstruction of the held-out faces: mean PSNR in dB and SSIM over both sides."""
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
        """A grid of fixed faces: A, A→A, A→B, B, B→B, B→A."""
        assert isinstance(model, SwapModel)
        faces = {side: _spread(s) for side, s in self._sets.items()}
        write_grid(model, faces["a"], faces["b"], path)


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
