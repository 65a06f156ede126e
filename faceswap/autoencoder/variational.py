"""Variational autoencoder (VAE, β-VAE) and conditional VAE.

Source: Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014; β: Higgins et al.,
ICLR 2017; free bits: Kingma et al., "Improving variational inference with inverse autoregressive
flow", 2016; conditional: Sohn et al., NIPS 2015.
"""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from faceswap.autoencoder.blocks import he_init_
from faceswap.autoencoder.interface import Autoencoder

Likelihood = Literal["bernoulli", "gaussian"]


class Posterior(NamedTuple):
    """Approximate posterior q(z | x): mean and log variance, (N, K) each."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Reparameterised sample z = μ + σ ⊙ ε for ε (…, N, K)."""
        return self.mean + (0.5 * self.log_variance).exp() * noise


class VariationalAutoencoder(Autoencoder):
    """VAE around any autoencoder, conditional where ``words`` is not 0.

    body: the autoencoder whose code feeds mean and log variance, and is made from z. latents:
    length K of z. words: vocabulary size of the conditioning texts, 0 for none; a class label is
    a text of one word.
    """

    def __init__(self, body: Autoencoder, latents: int, words: int = 0) -> None:
        super().__init__(body.shape, latents, body.output_activation)
        self.body, self.latents, self.words = body, latents, words
        self.mean = nn.Linear(body.code, latents)
        self.log_variance = nn.Linear(body.code, latents)
        self.grow = nn.Linear(latents, body.code)
        # Word 0 is padding, for texts of different lengths in one tensor.
        self.say = nn.Embedding(words + 1, body.code, padding_idx=0) if words else None
        self.see = nn.Embedding(words + 1, body.code, padding_idx=0) if words else None
        for layer, gain in ((self.mean, 1.0), (self.log_variance, 0.01), (self.grow, 2.0)):
            he_init_(layer, gain)

    @property
    def output_bias(self) -> Tensor:
        """Biases of the body's last layer."""
        return self.body.output_bias

    def posterior(self, x: Tensor, text: Tensor | None = None) -> Posterior:
        """Pictures (N, C, H, W), and texts (N, T) of words from 1 on → q(z | x).

        Raises ValueError when the model is conditional and there is no text.
        """
        h = self.body.encode(x)
        if self.see is not None:
            h = h + self.see(self._checked(text)).sum(1)
        h = torch.relu(h)
        # Clamped to variances from 6e-6 to 3e3, so that exp() neither overflows nor vanishes.
        return Posterior(self.mean(h).float(), self.log_variance(h).float().clamp(-12, 8))

    def _checked(self, text: Tensor | None) -> Tensor:
        if text is None:
            raise ValueError("a conditional model needs a text for each picture")
        return text[:, None] if text.dim() == 1 else text

    def encode(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → μ (N, K); for a conditional model use ``posterior``."""
        return self.posterior(x).mean

    def decode_logits(self, code: Tensor, text: Tensor | None = None) -> Tensor:
        """z (N, K), and texts (N, T) → logits (N, C, H, W)."""
        h = self.grow(code)
        if self.say is not None:
            h = h + self.say(self._checked(text)).sum(1)
        return self.body.decode_logits(torch.relu(h))

    def decode(self, code: Tensor, text: Tensor | None = None) -> Tensor:
        """z (N, K), and texts (N, T) → pictures (N, C, H, W)."""
        raw = self.decode_logits(code, text).float()
        return torch.sigmoid(raw) if self.output_activation == "sigmoid" else raw

    def forward(  # type: ignore[override]  # training takes noise and returns the posterior too
        self, x: Tensor, noise: Tensor, text: Tensor | None = None
    ) -> tuple[Tensor, Posterior]:
        """Training pass: pictures (N, C, H, W) and ε (L, N, K) → (logits (L·N, C, H, W), q)."""
        q = self.posterior(x, text)
        z = q.sample(noise).flatten(0, 1)
        texts = None if text is None else text.repeat(len(noise), *[1] * (text.dim() - 1))
        return self.decode_logits(z, texts), q


def kl_divergence(q: Posterior) -> Tensor:
    """KL(q ‖ N(0, I)) per picture and latent dimension, (N, K), in nats."""
    mean, log_variance = q
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def reconstruction_nats(raw: Tensor, x: Tensor, likelihood: Likelihood) -> Tensor:
    """Negative log-likelihood −log p(x | z) per picture, (N,), in nats.

    raw: the decoder's output. bernoulli: cross-entropy with ``raw`` as logits. gaussian: mean
    ``raw``, standard deviation 1, normalising constant included.
    """
    if likelihood == "bernoulli":
        each = nn.functional.binary_cross_entropy_with_logits(raw.float(), x, reduction="none")
    else:
        each = 0.5 * (raw.float() - x).square() + 0.5 * math.log(2 * math.pi)
    return each.flatten(1).sum(1)


def warmed_up_beta(beta: float, progress: float, warmup: float) -> float:
    """β at ``progress`` (0 to 1) of the run: linear warm-up over its first ``warmup`` share."""
    return beta if warmup <= 0 else beta * min(1.0, progress / warmup)


def negative_elbo(
    raw: Tensor,
    q: Posterior,
    x: Tensor,
    likelihood: Likelihood = "bernoulli",
    beta: float = 1.0,
    free_bits: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Negative ELBO: (loss, reconstruction, KL) in nats, means over the pictures.

    raw: (L·N, C, H, W), L Monte-Carlo samples of N pictures ``x``. free_bits: nats per latent
    dimension without a penalty, against posterior collapse. The loss weights KL with ``beta``;
    the KL returned is without ``beta`` and ``free_bits``.
    """
    samples = len(raw) // len(x)
    reconstruction = reconstruction_nats(raw, x.repeat(samples, 1, 1, 1), likelihood).mean()
    kl = kl_divergence(q).mean(0)
    return reconstruction + beta * kl.clamp(min=free_bits).sum(), reconstruction, kl.sum()
