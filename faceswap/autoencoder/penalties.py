"""What is asked of a code besides that it remembers the picture."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

SPARSE_WEIGHT = 1e-5


def sparse_l1(code: Tensor) -> Tensor:
    """Sum of the absolute values of a code (N, K), mean over the pictures."""
    return code.abs().sum(1).mean()


def sparse_kl(code: Tensor, target: float = 0.05) -> Tensor:
    """Σ_j KL(target ‖ mean activity of unit j) for units between 0 and 1, such as sigmoid ones.

    Source: Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    """
    mean = code.float().mean(0).clamp(1e-6, 1 - 1e-6)
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


def contractive_sigmoid(weight: Tensor, code: Tensor) -> Tensor:
    """‖J‖² of h = sigmoid(W x + b), mean over the pictures, in closed form.

    weight: (K, D). code: h (N, K). Source: Rifai et al., "Contractive auto-encoders", ICML 2011.
    """
    slope = (code * (1 - code)).square()
    return (slope @ weight.square().sum(1)).mean()


def contractive_exact(encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖J‖² of any encoder at pictures ``x``, mean over them: one backward pass per number."""
    x = x.detach().requires_grad_()
    code = encode(x)
    total = code.new_zeros(())
    for column in code.sum(0):
        (slope,) = torch.autograd.grad(column, x, create_graph=True)
        total = total + slope.square().sum() / len(x)
    return total


def contractive_estimate(
    encode: Callable[[Tensor], Tensor], x: Tensor, generator: Generator, samples: int = 1
) -> Tensor:
    """An unbiased estimate of ``contractive_exact`` that costs one backward pass per sample.

    E‖vᵀJ‖² = ‖J‖² for v ~ N(0, I). Source: Hutchinson, "A stochastic estimator of the trace of
    the influence matrix", 1989.
    """
    x = x.detach().requires_grad_()
    code = encode(x)
    total = code.new_zeros(())
    for _ in range(samples):
        v = torch.randn(code.shape, generator=generator, device=generator.device)
        (slope,) = torch.autograd.grad((code * v.to(code)).sum(), x, create_graph=True)
        total = total + slope.square().sum() / (len(x) * samples)
    return total
