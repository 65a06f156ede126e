"""How alike pictures are: PSNR, SSIM and MS-SSIM, as losses and as measures.

x and y are (N, C, H, W) with values in [0, 1]. SSIM is computed in float32 even under autocast: in
bfloat16 its variances, differences of squares, would be only rounding errors, which a net learns to
exploit.
"""

import torch
from torch import Tensor
from torch.nn import functional

BEST_PSNR = 100.0
"""PSNR in dB given for identical pictures, and the largest."""

_WINDOW, _SIGMA = 11, 1.5  # pixels and standard deviation of the Gaussian window, from the paper
_C1, _C2 = 0.01**2, 0.03**2  # the constants of the SSIM paper for a range of 1
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from the MS-SSIM paper


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, at most 100, of all pictures (of any shape) as one."""
    # kornia is imported in functions: a machine that only trains may not have it.
    from kornia.metrics import psnr

    return psnr(x, y, 1.0).clamp(max=BEST_PSNR)


def mean_psnr(x: Tensor, y: Tensor) -> Tensor:
    """Mean of the pictures' PSNR in dB."""
    return torch.stack([psnr(a, b) for a, b in zip(x, y, strict=True)]).mean()


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Mean SSIM with the paper's Gaussian window, over windows fully inside the picture.

    Source: Wang et al., "Image quality assessment: from error visibility to structural
    similarity", 2004.
    """
    luminance, structure = _similarity(x, y)
    return (luminance * structure).mean()


def dssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural dissimilarity (DSSIM), (1 − SSIM) / 2."""
    return (1 - ssim(x, y)) / 2


def ms_ssim(x: Tensor, y: Tensor, scales: int = 3) -> Tensor:
    """Multi-scale SSIM over ``scales`` scales, each half the resolution of the one before.

    Uses the paper's first ``scales`` exponents, scaled to a sum of 1. Source: Wang et al.,
    "Multi-scale structural similarity for image quality assessment", 2003.
    """
    # kornia's has no pyramid; torchmetrics' takes twice the time, and 3 s to import.
    exponents = _EXPONENTS[:scales]
    result = torch.ones(x.shape[:2], device=x.device)
    for scale, exponent in enumerate(exponents, 1):
        luminance, structure = _similarity(x, y)
        part = luminance * structure if scale == scales else structure
        # A negative similarity has no real power; it counts as 0.
        result = result * part.mean((2, 3)).clamp(min=1e-6) ** (exponent / sum(exponents))
        x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return result.mean()


def _similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance and structure of SSIM in each window, both (N, C, H − 10, W − 10).

    Not kornia's ``ssim``, only its filter: that one gives their product alone, and copies its
    window to the device at each call, where a training step would wait.
    """
    from kornia.filters import filter2d_separable

    with torch.autocast(x.device.type, enabled=False):
        x, y = x.float(), y.float()
        window = _gaussian_window(x.device)
        moments = torch.cat([x, y, x * x, y * y, x * y], 1)
        blurred = filter2d_separable(moments, window, window, padding="valid")
        mx, my, xx, yy, xy = blurred.chunk(5, 1)
        centre, energy = mx * my, mx * mx + my * my
        luminance = (2 * centre + _C1) / (energy + _C1)
        return luminance, (2 * (xy - centre) + _C2) / (xx + yy - energy + _C2)


def _gaussian_window(device: torch.device) -> Tensor:
    """Gaussian weights (1, 11) with sum 1."""
    places = torch.arange(_WINDOW, device=device) - _WINDOW // 2
    weights = torch.exp(-places.square() / (2 * _SIGMA**2))
    return (weights / weights.sum())[None]
