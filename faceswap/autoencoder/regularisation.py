"""What is asked of a code besides that it remembers the picture."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

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
    return _slopes(encode, x, lambda code: code.sum(0))


def contractive_estimate(encode: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """An unbiased estimate of ``contractive_exact`` that costs one backward pass per sample.

    E‖vᵀJ‖² = ‖J‖² for ``v`` ~ N(0, I), of which L samples (L, N, K) are given. Source: Hutchinson,
    "A stochastic estimator of the trace of the influence matrix", 1989.
    """
    return _slopes(encode, x, lambda code: ((code * one).sum() for one in v)) / len(v)


def _slopes(
    encode: Callable[[Tensor], Tensor], x: Tensor, ways: Callable[[Tensor], Iterable[Tensor]]
) -> Tensor:
    """Σ of the squared slopes of all ``ways`` of making one number of the code, mean over ``x``.

    It has a gradient where one is asked for, and is measured as well where none is.
    """
    learning = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        total = x.new_zeros(())
        for way in ways(encode(x)):
            (slope,) = torch.autograd.grad(way, x, retain_graph=True, create_graph=learning)
            total = total + slope.square().sum() / len(x)
    return total
