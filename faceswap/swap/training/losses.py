"""Losses of the swap model: spatially weighted image losses and the mask loss."""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional

from faceswap.autoencoder import losses, similarity
from faceswap.swap.training.objective import ObjectiveConfig

_FACE_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": losses.mse,
    "dssim": similarity.dssim,
    "ms_ssim": lambda x, y: 1 - similarity.ms_ssim(x, y),
    "laplacian": losses.laplacian_pyramid,
    "frequency": losses.focal_frequency,
}


def pixel_weights(objective: ObjectiveConfig, maps: Tensor) -> Tensor:
    """Pixel weights (N, 1, h, w) with a mean of 1, from maps (N, 3, h, w): face, features, hidden.

    What hides a face, such as hair and hands, weighs nothing.
    """
    rim, soft = maps.shape[-1] // 26, maps.shape[-1] // 20
    # Dilated by some 4 % of the crop: there the swapped face blends into the frame.
    face = _separable_pool(functional.max_pool2d, maps[:, :1], rim)
    inside = objective.outside + (1 - objective.outside) * face
    # Blurred: early in training a jump of the weights would show as an edge in the skin.
    softer = partial(functional.avg_pool2d, count_include_pad=False)
    features = _separable_pool(softer, maps[:, 1:2], soft)
    weights = (inside + objective.eye_mouth_priority * features) * (1 - maps[:, 2:3])
    return weights / weights.mean((2, 3), keepdim=True).clamp(min=1e-6)


def _separable_pool(pool: Callable[..., Tensor], x: Tensor, reach: int) -> Tensor:
    """Separable ``pool`` over squares of 2·reach + 1: columns, then rows, which is faster."""
    tall = pool(x, (2 * reach + 1, 1), 1, (reach, 0))
    return pool(tall, (1, 2 * reach + 1), 1, (0, reach))


def picture_losses(
    objective: ObjectiveConfig, made: Tensor, wanted: Tensor, maps: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Weighted sum of the losses between pictures (N, 3, R, R), and each loss unweighted."""
    o = objective
    weights = pixel_weights(o, maps)
    shrink = made.shape[-1] // weights.shape[-1]
    large = functional.interpolate(weights, scale_factor=float(shrink), mode="nearest")
    share = o.gradient / max(o.l1 + o.gradient, 1e-9)
    total, plain, gradients = losses.l1_gradient_loss(made, wanted, large, share)
    total = (o.l1 + o.gradient) * total
    parts = {"l1": plain, "gradient": gradients}
    if o.ssim > 0:
        grey = [functional.avg_pool2d(losses.luma(x), shrink) for x in (made, wanted)]
        similarity = losses.ssim_map(grey[0], grey[1])
        parts["ssim"] = ((1 - similarity) * functional.avg_pool2d(weights, 8, 4)).mean()
        total = total + o.ssim * parts["ssim"]
    used = {name: loss for name, loss in _FACE_LOSSES.items() if getattr(o, name) > 0}
    if used:
        face = functional.interpolate(maps[:, :1], scale_factor=float(shrink), mode="bilinear")
        # Outside the face the target stands in, so that only the face has a loss.
        alone = made * face + wanted * (1 - face)
        for name, loss in used.items():
            parts[name] = loss(alone, wanted)
            total = total + getattr(o, name) * parts[name]
    return total, {name: value.detach() for name, value in parts.items()}


def mask_loss(masks: Tensor, maps: Tensor) -> Tensor:
    """Mean squared error of the model's masks (N, 1, s, s) against the face region in ``maps``."""
    wanted = maps[:, :1]
    if wanted.shape[-1] > masks.shape[-1]:
        wanted = functional.avg_pool2d(wanted, wanted.shape[-1] // masks.shape[-1])
    elif wanted.shape[-1] < masks.shape[-1]:
        wanted = functional.interpolate(wanted, masks.shape[-2:], mode="bilinear")
    return (masks - wanted).square().mean()
