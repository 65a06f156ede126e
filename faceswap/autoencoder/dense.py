"""Fully connected autoencoders: shallow or deep, under- or overcomplete, tied weights or not."""

import itertools
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import ActivationName, activation, he_init_
from faceswap.autoencoder.interface import Autoencoder, Count, OutputActivation, PictureConfig


class DenseConfig(PictureConfig):
    """Dense autoencoder configuration.

    widths: units of each encoder layer; the last is the code, and may be larger than the picture
    (overcomplete). The decoder mirrors them. tied: decoder weights are the encoder's, transposed.
    hidden, code_active: activations of the hidden layers and of the code.
    """

    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (32,)
    hidden: ActivationName = "relu"
    code_active: ActivationName = "none"
    output_activation: OutputActivation = "sigmoid"
    tied: bool = False


SHALLOW = DenseConfig(widths=(32,))
"""784-32-784."""
DEEP = DenseConfig(widths=(128, 64, 32))
"""784-128-64-32-64-128-784."""


def linear(code: int, channels: int = 1, size: int = 28) -> DenseConfig:
    """Linear autoencoder with tied weights, which learns the PCA subspace.

    Source: Baldi and Hornik, "Neural networks and principal component analysis", 1989.
    """
    return DenseConfig(
        channels=channels,
        size=size,
        widths=(code,),
        hidden="none",
        output_activation="none",
        tied=True,
    )


class DenseAutoencoder(Autoencoder):
    """Fully connected autoencoder on flattened pictures; see ``DenseConfig``."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__(config.shape, config.widths[-1], config.output_activation)
        self.config = config
        c, h, w = config.shape
        sizes = (c * h * w, *config.widths)
        pairs = list(itertools.pairwise(sizes))
        last = len(pairs) - 1
        # He initialisation: gain 2 before rectifiers, 1 before anything else.
        gains = [2.0 if config.hidden in ("relu", "leaky", "silu") else 1.0] * last + [1.0]
        self.encoders = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(a)) for a, _ in pairs)
        self.decoders = nn.ModuleList(
            () if config.tied else (nn.Linear(b, a, bias=False) for a, b in pairs)
        )
        for layer, gain in zip(self.encoders, gains, strict=True):
            assert isinstance(layer, nn.Linear)
            he_init_(layer, gain)
        for layer, gain in zip(self.decoders, [1.0, *gains[:-1]], strict=False):
            assert isinstance(layer, nn.Linear)
            he_init_(layer, gain)
        self.hidden, self.code_active = activation(config.hidden), activation(config.code_active)

    @property
    def output_bias(self) -> Tensor:
        """Biases of the last layer, (C · H · W,)."""
        bias: Tensor = self.biases[0]
        return bias

    @property
    def depth(self) -> int:
        """Number of encoder layers."""
        return len(self.encoders)

    def encode_layer(self, number: int, x: Tensor) -> Tensor:
        """One layer of the encoder, with its activation: (N, I) → (N, O)."""
        active = self.code_active if number == self.depth - 1 else self.hidden
        out: Tensor = active(self.encoders[number](x))
        return out

    def decode_layer(self, number: int, h: Tensor) -> Tensor:
        """Decoder layer that mirrors encoder layer ``number``: (N, O) → (N, I), no activation."""
        untied = self.decoders[number].weight if len(self.decoders) else None
        weight = self.encoders[number].weight.T if untied is None else untied
        assert isinstance(weight, Tensor)
        return functional.linear(h, weight, self.biases[number])

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, code)."""
        h = x.flatten(1)
        for number in range(self.depth):
            h = self.encode_layer(number, h)
        return h

    def decode_logits(self, code: Tensor) -> Tensor:
        """Codes (N, code) → logits (N, C, H, W)."""
        h = code
        for number in reversed(range(self.depth)):
            h = self.decode_layer(number, h)
            if number:
                h = self.hidden(h)
        return h.view(-1, *self.shape)
