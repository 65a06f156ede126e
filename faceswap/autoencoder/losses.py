"""Image losses: MSE, block SSIM, L1 + gradient, Laplacian, frequency.

x and y are (N, C, H, W) with values in [0, 1]. Functions that end in ``_map`` return a map
(N, 1, h, w) for weighting, the others a mean.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from faceswap.device_support import SPECTRA, with_cpu_fallback

_C1, _C2 = 0.01**2, 0.03**2  # the constants of the SSIM paper for a range of 1


def mse(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared error."""
    return (x - y).square().mean()


def ssim_map(x: Tensor, y: Tensor, window: int = 8, stride: int = 4) -> Tensor:
    """SSIM of square windows: (N, 1, h, w), 1 where they are equal.

    Uniform weights inside the window and only every ``stride``-th window: a sixteenth of the cost
    of ``similarity.ssim``, too dear for every step.
    Source: Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004.
    """
    moments = torch.cat([x, y, x * x + y * y, x * y], 1)
    pooled = functional.avg_pool2d(moments, window, stride)
    mx, my, squares, product = torch.chunk(pooled, 4, 1)
    centre, energy = mx * my, mx * mx + my * my
    spread = squares - energy
    covariance = product - centre
    ratio = (2 * centre + _C1) * (2 * covariance + _C2) / ((energy + _C1) * (spread + _C2))
    means: Tensor = ratio.mean(1, keepdim=True)
    return means


class _Detail(torch.autograd.Function):
    """Autograd function of ``detail``; the forward pass computes the gradient, in a third of the
    memory passes that autograd needs."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, y: Tensor, weights: Tensor, share: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        scale = 1 / x.numel()
        # On a CPU one picture at a time, which fits its cache; on a GPU the whole batch.
        chunk = 1 if x.device.type == "cpu" else len(x)
        gradients, sums = [], []
        for a, b, w in zip(*(torch.split(t, chunk) for t in (x, y, weights)), strict=True):
            gradient, l1, steps = _gradient_and_sums(a - b, w, share)
            gradients.append(gradient.mul_(scale))
            sums.append(torch.stack([l1, steps]))
        ctx.save_for_backward(torch.cat(gradients))
        l1, steps = torch.stack(sums).sum(0) * scale
        ctx.mark_non_differentiable(l1, steps)
        return (1 - share) * l1 + share * steps, l1, steps

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None, None


def _gradient_and_sums(d: Tensor, weights: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Gradient of the loss by the difference ``d``, and the sums of its L1 and gradient terms."""
    gradient = torch.sign(d).mul_(weights)
    l1 = (gradient * d).sum()
    gradient.mul_(1 - share)
    steps = d.new_zeros(())
    for axis in (-1, -2):
        size = d.shape[axis] - 1
        step = d.narrow(axis, 1, size) - d.narrow(axis, 0, size)
        sign = torch.sign(step).mul_(weights.narrow(axis, 0, size))
        steps = steps + step.mul_(sign).sum()
        sign.mul_(share)
        gradient.narrow(axis, 1, size).add_(sign)
        gradient.narrow(axis, 0, size).sub_(sign)
    return gradient, l1, steps


def l1_gradient_loss(
    x: Tensor, y: Tensor, weights: Tensor, share: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted L1 plus image-gradient loss: ((1 − share) · l1 + share · gradient, l1, gradient).

    weights: per pixel, (N, 1, H, W). Only the first is differentiable, and only in x.
    """
    loss, l1, steps = _Detail.apply(x, y, weights, share)  # type: ignore[no-untyped-call]
    return loss, l1, steps


def luma(x: Tensor) -> Tensor:
    """Luma (N, 1, H, W) of RGB pictures (N, 3, H, W), ITU-R BT.601.

    Not a matrix product, which autocast would do in bfloat16: SSIM's variances, differences of
    squares, would be only rounding errors, which a net learns to exploit.
    """
    red, green, blue = torch.chunk(x, 3, 1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def laplacian_pyramid(x: Tensor, y: Tensor, levels: int = 3) -> Tensor:
    """Laplacian pyramid loss: L1 with weight 2^−j at level j, 2^−levels at the low-pass residual.

    A level is the picture minus its 2×2 mean, upsampled. Source: Bojanowski et al., "Optimizing
    the latent space of generative networks", ICML 2018 (with the weights reversed: fine detail
    counts most, as suits faces).
    """
    d = x - y  # the pyramid is linear: one of the difference is enough
    total: Tensor = d.new_zeros(())
    for level in range(levels):
        small = functional.avg_pool2d(d, 2)
        large = functional.interpolate(small, d.shape[-2:], mode="nearest")
        total = total + (d - large).abs().mean() * 2.0**-level
        d = small
    return total + d.abs().mean() * 2.0**-levels


def _spectrum(x: Tensor) -> Tensor:
    """Power spectrum of pictures (N, C, H, W)."""
    spectrum: Tensor = torch.fft.fft2(x, norm="ortho")
    return spectrum.real.square() + spectrum.imag.square()


def focal_frequency(x: Tensor, y: Tensor, alpha: float = 1.0) -> Tensor:
    """Focal frequency loss: squared spectral difference, weighted by itself to the power alpha / 2.

    Source: Jiang et al., "Focal frequency loss for image reconstruction and synthesis",
    ICCV 2021, equations 7 and 8 (orthonormal transform, weights scaled to a maximum of 1).
    """
    distance = with_cpu_fallback(SPECTRA, _spectrum, x.float() - y.float())
    weight = distance.detach().sqrt() ** alpha
    weight = weight / weight.amax((-2, -1), keepdim=True).clamp(min=1e-12)
    loss: Tensor = (weight * distance).mean()
    return loss
