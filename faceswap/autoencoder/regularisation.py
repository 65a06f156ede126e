"""Penalties on latent codes: sparse (L1, KL) and contractive."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

SPARSE_WEIGHT = 1e-5
"""Default weight of ``sparse_l1`` beside a mean squared error."""


def sparse_l1(code: Tensor) -> Tensor:
    """L1 sparsity penalty: sum of |code| of codes (N, K), mean over the pictures."""
    return code.abs().sum(1).mean()


def sparse_kl(code: Tensor, target: float = 0.05) -> Tensor:
    """KL sparsity penalty Σ_j KL(target ‖ mean activation of unit j), for sigmoid units.

    Source: Ng, "Sparse autoencoder", CS294A lecture notes, 2011.
    """
    mean = code.float().mean(0).clamp(1e-6, 1 - 1e-6)
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


def contractive_sigmoid(weight: Tensor, code: Tensor) -> Tensor:
    """Contractive penalty ‖J‖² of h = sigmoid(W x + b) in closed form, mean over the pictures.

    weight: (K, D). code: h (N, K). Source: Rifai et al., "Contractive auto-encoders", ICML 2011.
    """
    slope = (code * (1 - code)).square()
    return (slope @ weight.square().sum(1)).mean()


def contractive_exact(encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Contractive penalty ‖J‖² of any encoder, mean over ``x``: a backward pass per code unit."""
    return _squared_gradients(encode, x, lambda code: code.sum(0))


def contractive_estimate(encode: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """Hutchinson estimate of ``contractive_exact``, unbiased: one backward pass per sample.

    E‖vᵀJ‖² = ‖J‖² for ``v`` ~ N(0, I); v: L samples (L, N, K). Source: Hutchinson, "A stochastic
    estimator of the trace of the influence matrix", 1989.
    """
    return _squared_gradients(encode, x, lambda code: ((code * one).sum() for one in v)) / len(v)


def _squared_gradients(
    encode: Callable[[Tensor], Tensor], x: Tensor, scalars: Callable[[Tensor], Iterable[Tensor]]
) -> Tensor:
    """Σ of the squared input gradients of all ``scalars`` of the code, mean over ``x``.

    Differentiable where gradients are enabled; works under ``no_grad`` too.
    """
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        total = x.new_zeros(())
        for scalar in scalars(encode(x)):
            (gradient,) = torch.autograd.grad(
                scalar, x, retain_graph=True, create_graph=differentiable
            )
            total = total + gradient.square().sum() / len(x)
    return total
