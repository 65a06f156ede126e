"""What counts when a swap model learns, and how its faces are changed beforehand."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from faceswap.autoencoder import losses

Share = Annotated[float, Field(ge=0)]
Chance = Annotated[float, Field(ge=0, le=1)]


class Objective(BaseModel):
    """Weights of the losses and strengths of the changes.

    l1, gradient, ssim, mse, dssim, ms_ssim, laplacian, frequency, mask: weights of the losses;
    the first three are weighted by place, the others see the face alone. features: how much
    more eyes count, and half of it, the mouth; outside: how much what is no face counts.

    pairs: show faces of both people together that do the same; exchange: how many of those pairs
    exchange their codes (see partners.py).

    warp: standard deviation of the distortion, as a share of its lattice's cells; cells: how
    many of them to a side, at one scale or at several; warp_end: share of the run after which
    it has faded out. rotation in degrees, scale and shift as shares. color_transfer: how far
    B's colours go towards those of A's face beside it. blur, noise, compression: the largest
    strengths (see training/degrade.py), for half of the inputs; occlusion: how many inputs have
    something in front that the model has to look behind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    l1: Share = 1.0
    gradient: Share = 1.0
    ssim: Share = 0.5
    mse: Share = 0.0
    dssim: Share = 0.0
    ms_ssim: Share = 0.0
    laplacian: Share = 0.0
    frequency: Share = 0.0
    mask: Share = 0.2
    features: Share = 6.0
    outside: Share = 0.1

    pairs: bool = True
    exchange: Chance = 0.5
    warp: Share = 0.1
    cells: tuple[int, ...] = (4,)
    warp_end: Chance = 0.9
    rotation: Share = 5.0
    scale: Share = 0.05
    shift: Share = 0.03
    flip: Chance = 0.0
    brightness: Share = 0.05
    contrast: Share = 0.1
    tint: Share = 0.03
    color_transfer: Chance = 1.0
    blur: Chance = 0.0
    noise: Share = 0.0
    compression: Share = 0.0
    occlusion: Chance = 0.0


_WHOLE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": losses.mse,
    "dssim": losses.dssim,
    "ms_ssim": lambda x, y: 1 - losses.ms_ssim(x, y),
    "laplacian": losses.laplacian_pyramid,
    "frequency": losses.focal_frequency,
}


def place_weights(objective: Objective, maps: Tensor) -> Tensor:
    """How much each place counts (N, 1, h, w), with a mean of 1; maps (N, 2, h, w)."""
    rim, soft = maps.shape[-1] // 26, maps.shape[-1] // 20
    # The rim blends into the frame.
    face = _along_both(functional.max_pool2d, maps[:, :1], rim)
    inside = objective.outside + (1 - objective.outside) * face
    # Softened: where weights jump, a young decoder's answer does too, and skin shows an edge.
    softer = partial(functional.avg_pool2d, count_include_pad=False)
    features = _along_both(softer, maps[:, 1:2], soft)
    weights = inside + objective.features * features
    return weights / weights.mean((2, 3), keepdim=True).clamp(min=1e-6)


def _along_both(pool: Callable[..., Tensor], x: Tensor, reach: int) -> Tensor:
    """``pool`` over squares of 2·reach + 1, as columns and then rows: so much less to read."""
    tall = pool(x, (2 * reach + 1, 1), 1, (reach, 0))
    return pool(tall, (1, 2 * reach + 1), 1, (0, reach))


def picture_losses(
    objective: Objective, made: Tensor, wanted: Tensor, maps: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of the losses between pictures (N, 3, R, R), and each by itself."""
    o = objective
    weights = place_weights(o, maps)
    shrink = made.shape[-1] // weights.shape[-1]
    large = functional.interpolate(weights, scale_factor=float(shrink), mode="nearest")
    share = o.gradient / max(o.l1 + o.gradient, 1e-9)
    total, plain, steps = losses.detail(made, wanted, large, share)
    total = (o.l1 + o.gradient) * total
    parts = {"l1": plain, "gradient": steps}
    if o.ssim > 0:
        grey = [functional.avg_pool2d(losses.luma(x), shrink) for x in (made, wanted)]
        similarity = losses.ssim_map(grey[0], grey[1])
        parts["ssim"] = ((1 - similarity) * functional.avg_pool2d(weights, 8, 4)).mean()
        total = total + o.ssim * parts["ssim"]
    asked = {name: loss for name, loss in _WHOLE.items() if getattr(o, name) > 0}
    if asked:
        face = functional.interpolate(maps[:, :1], scale_factor=float(shrink), mode="bilinear")
        alone = made * face + wanted * (1 - face)
        for name, loss in asked.items():
            parts[name] = loss(alone, wanted)
            total = total + getattr(o, name) * parts[name]
    return total, {name: value.detach() for name, value in parts.items()}


def mask_loss(masks: Tensor, maps: Tensor) -> Tensor:
    """Mean squared error of learnt masks (N, 1, s, s) against the drawn ones in ``maps``."""
    wanted = maps[:, :1]
    if wanted.shape[-1] > masks.shape[-1]:
        wanted = functional.avg_pool2d(wanted, wanted.shape[-1] // masks.shape[-1])
    elif wanted.shape[-1] < masks.shape[-1]:
        wanted = functional.interpolate(wanted, masks.shape[-2:], mode="bilinear")
    return (masks - wanted).square().mean()
