"""Convolutional autoencoders: max-pooling and upsampling, or strided convolutions."""

import itertools
from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from faceswap.autoencoder.blocks import ActivationName, activation, he_init_
from faceswap.autoencoder.interface import Autoencoder, Count, OutputActivation, PictureConfig


class ConvConfig(PictureConfig):
    """Convolutional autoencoder configuration.

    widths: filters of each downscale. kind: "pool" is 3×3 convolutions with max-pooling and
    nearest-neighbour upsampling; "strided" is strided and transposed convolutions. latent_dim:
    length of the code, made by a dense layer; None for the last feature map itself. dense: units
    of one more dense layer between feature map and code, 0 for none.
    """

    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 8, 8)
    kind: Literal["pool", "strided"] = "pool"
    latent_dim: int | None = Field(default=None, ge=1)
    dense: int = Field(default=0, ge=0)
    active: ActivationName = "relu"
    output_activation: OutputActivation = "sigmoid"

    @model_validator(mode="after")
    def _check(self) -> "ConvConfig":
        smallest = min(self.shape[1:])
        if smallest < 2 ** (len(self.widths) - 1) + 1:
            raise ValueError(
                f"pictures of {smallest} pixels cannot be halved {len(self.widths)} times; "
                "use fewer widths or larger pictures"
            )
        if self.dense and self.latent_dim is None:
            raise ValueError("a dense layer needs a latent_dim")
        return self


def transposed_size(m: int, kernel: int, stride: int, padding: int = 0, extra: int = 0) -> int:
    """Output size N = s(M − 1) + k − 2p + extra of a transposed convolution, input size ``m``.

    extra: PyTorch's output_padding, less than ``stride``. Source: Dumoulin and Visin, "A
    guide to convolution arithmetic for deep learning", 2016.
    """
    return stride * (m - 1) + kernel - 2 * padding + extra


class ConvAutoencoder(Autoencoder):
    """See ``ConvConfig``. Defaults: 28×28 pictures, 16-8-8 filters, a 4×4×8 code."""

    def __init__(self, config: ConvConfig) -> None:
        c, h, w = config.shape
        sizes = [(h, w)]
        for _ in config.widths:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        map_shape = (config.widths[-1], *sizes[-1])
        flat = map_shape[0] * map_shape[1] * map_shape[2]
        super().__init__(config.shape, config.latent_dim or flat, config.output_activation)
        self.config, self.map_shape = config, map_shape
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        inputs = c
        for number, width in enumerate(config.widths):
            down += self._downscale(inputs, width, config)
            output = number == 0
            up = [*self._upscale(width, inputs, sizes[number], sizes[number + 1], output), *up]
            inputs = width
        self.down, self.up = nn.Sequential(*down), nn.Sequential(*up)
        self.shrink, self.grow = self._bottleneck(flat, config)

    @property
    def output_bias(self) -> Tensor:
        """Biases of the last layer, (C,)."""
        last = self.up[-1].bias
        assert isinstance(last, Tensor)
        return last

    def _downscale(self, inputs: int, outputs: int, config: ConvConfig) -> list[nn.Module]:
        stride = 1 if config.kind == "pool" else 2
        layer = nn.Conv2d(inputs, outputs, 3, stride, 1)
        he_init_(layer)
        layers = [layer, activation(config.active)]
        return [*layers, nn.MaxPool2d(2, ceil_mode=True)] if config.kind == "pool" else layers

    def _upscale(
        self,
        inputs: int,
        outputs: int,
        large: tuple[int, int],
        small: tuple[int, int],
        last: bool,
    ) -> list[nn.Module]:
        config = self.config
        after = [] if last else [activation(config.active)]
        if config.kind == "pool":
            layer = nn.Conv2d(inputs, outputs, 3, padding=1)
            he_init_(layer, 1.0 if last else 2.0)
            return [nn.Upsample(large), layer, *after]
        missing = [n - transposed_size(m, 3, 2, 1) for n, m in zip(large, small, strict=True)]
        return [
            nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=(missing[0], missing[1])),
            *after,
        ]

    def _bottleneck(self, flat: int, config: ConvConfig) -> tuple[nn.Module, nn.Module]:
        if config.latent_dim is None:
            return nn.Identity(), nn.Identity()
        middle = config.dense
        sizes = [flat, middle, config.latent_dim] if middle else [flat, config.latent_dim]
        shrink: list[nn.Module] = []
        grow: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            shrink += [nn.Linear(a, b), activation(config.active)]
        for a, b in zip(sizes[::-1], sizes[-2::-1], strict=False):
            grow += [nn.Linear(a, b), activation(config.active)]
        for layer in (*shrink, *grow):
            if isinstance(layer, nn.Linear):
                he_init_(layer)
        return nn.Sequential(*shrink[:-1]), nn.Sequential(*grow)  # no activation on the code

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, code)."""
        code: Tensor = self.shrink(self.down(x).flatten(1))
        return code

    def decode_logits(self, code: Tensor) -> Tensor:
        """Codes (N, code) → logits (N, C, H, W)."""
        out: Tensor = self.up(self.grow(code).view(-1, *self.map_shape))
        return out
