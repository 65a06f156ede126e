"""Fully connected autoencoders: shallow and deep, narrow and wide, with tied weights or own."""

import itertools
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.blocks import ActivationName, activation, start_convolution_
from faceswap.autoencoder.interface import Autoencoder, Count, OutputActivation, PictureConfig


class DenseConfig(PictureConfig):
    """widths: units of each layer of the encoder; the last is the code, and may be larger than
    the picture (overcomplete). The decoder mirrors them. tied: its matrices are the encoder's
    transposed. hidden, code_active: activations of the layers between and of the code.
    """

    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (32,)
    hidden: ActivationName = "relu"
    code_active: ActivationName = "none"
    squash: OutputActivation = "sigmoid"
    tied: bool = False


SHALLOW = DenseConfig(widths=(32,))
"""784-32-784."""
DEEP = DenseConfig(widths=(128, 64, 32))
"""784-128-64-32-64-128-784."""


def linear(code: int, channels: int = 1, size: int = 28) -> DenseConfig:
    """A linear autoencoder with tied weights, which learns the subspace of PCA.

    Source: Baldi and Hornik, "Neural networks and principal component analysis", 1989.
    """
    return DenseConfig(
        channels=channels, size=size, widths=(code,), hidden="none", squash="none", tied=True
    )


class DenseAutoencoder(Autoencoder):
    """Layers of all pixels; see ``DenseConfig``."""

    def __init__(self, config: DenseConfig) -> None:
        super().__init__(config.shape, config.widths[-1], config.squash)
        self.config = config
        c, h, w = config.shape
        sizes = (c * h * w, *config.widths)
        pairs = list(itertools.pairwise(sizes))
        last = len(pairs) - 1
        gains = [2.0 if config.hidden in ("relu", "leaky", "silu") else 1.0] * last + [1.0]
        self.encoders = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(a)) for a, _ in pairs)
        self.decoders = nn.ModuleList(
            () if config.tied else (nn.Linear(b, a, bias=False) for a, b in pairs)
        )
        for layer, gain in zip(self.encoders, gains, strict=True):
            assert isinstance(layer, nn.Linear)
            start_convolution_(layer, gain)
        for layer, gain in zip(self.decoders, [1.0, *gains[:-1]], strict=False):
            assert isinstance(layer, nn.Linear)
            start_convolution_(layer, gain)
        self.hidden, self.code_active = activation(config.hidden), activation(config.code_active)

    @property
    def output_bias(self) -> Tensor:
        """(C · H · W,)."""
        level: Tensor = self.biases[0]
        return level

    @property
    def depth(self) -> int:
        """How many layers the encoder has."""
        return len(self.encoders)

    def encode_layer(self, number: int, x: Tensor) -> Tensor:
        """One layer of the encoder, with its activation: (N, I) → (N, O)."""
        active = self.code_active if number == self.depth - 1 else self.hidden
        out: Tensor = active(self.encoders[number](x))
        return out

    def decode_layer(self, number: int, h: Tensor) -> Tensor:
        """What undoes layer ``number`` of the encoder: (N, O) → (N, I), no activation."""
        own = self.decoders[number].weight if len(self.decoders) else None
        weight = self.encoders[number].weight.T if own is None else own
        assert isinstance(weight, Tensor)
        return functional.linear(h, weight, self.biases[number])

    def encode(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, code)."""
        h = x.flatten(1)
        for number in range(self.depth):
            h = self.encode_layer(number, h)
        return h

    def decode_logits(self, code: Tensor) -> Tensor:
        """(N, code) → (N, C, H, W)."""
        h = code
        for number in reversed(range(self.depth)):
            h = self.decode_layer(number, h)
            if number:
                h = self.hidden(h)
        return h.view(-1, *self.shape)
