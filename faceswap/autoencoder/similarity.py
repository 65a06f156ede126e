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
_C1 = 0.01**2  # the first constant of the SSIM paper for a range of 1
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
    return _similarity_map(x, y).mean()


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
        part = _similarity_map(x, y)
        if scale < scales:
            part = part / _luminance_map(x, y)
        # A negative similarity has no real power; it counts as 0.
        result = result * part.mean((2, 3)).clamp(min=1e-6) ** (exponent / sum(exponents))
        x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
    return result.mean()


def _similarity_map(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each window, (N, C, H − 10, W − 10)."""
    from kornia.metrics import ssim

    with torch.autocast(x.device.type, enabled=False):
        return ssim(x.float(), y.float(), _WINDOW, eps=0.0, padding="valid")


def _luminance_map(x: Tensor, y: Tensor) -> Tensor:
    """The factor of ``_similarity_map`` that compares means; the other compares structure."""
    from kornia.filters import gaussian_blur2d

    with torch.autocast(x.device.type, enabled=False):
        blurred = gaussian_blur2d(torch.cat([x, y]).float(), _WINDOW, (_SIGMA, _SIGMA))
        rim = _WINDOW // 2
        mx, my = blurred[..., rim:-rim, rim:-rim].chunk(2)
        return (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
