"""Transformer autoencoder over image patches (ViT encoder and decoder)."""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.interface import Autoencoder, OutputActivation, PictureConfig


class PatchConfig(PictureConfig):
    """Transformer autoencoder configuration.

    patch: side of the patches. width, layers, heads: of encoder and decoder each.
    """

    patch: int = Field(default=7, ge=1)
    width: int = Field(default=64, ge=2)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    latent_dim: int = Field(default=32, ge=1)
    output_activation: OutputActivation = "sigmoid"

    @model_validator(mode="after")
    def _check(self) -> "PatchConfig":
        if any(side % self.patch for side in self.shape[1:]):
            raise ValueError(
                f"patches of {self.patch} pixels do not divide pictures of "
                f"{self.shape[2]} × {self.shape[1]}"
            )
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        return self


class PatchAutoencoder(Autoencoder):
    """ViT autoencoder: the class token's output is the code, from which all patches are decoded.

    Source: Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021 (the encoder).
    """

    def __init__(self, config: PatchConfig) -> None:
        super().__init__(config.shape, config.latent_dim, config.output_activation)
        self.config = config
        c, h, w = config.shape
        self.count = (h // config.patch) * (w // config.patch)
        values, width = c * config.patch**2, config.width
        self.embed, self.unembed = nn.Linear(values, width), nn.Linear(width, values)
        self.collector = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(0.02 * torch.randn(1, self.count, width))
        self.places_out = nn.Parameter(0.02 * torch.randn(1, self.count, width))
        self.reader, self.writer = self._layers(), self._layers()
        self.shrink, self.grow = (
            nn.Linear(width, config.latent_dim),
            nn.Linear(config.latent_dim, width),
        )

    def _layers(self) -> nn.Sequential:
        config = self.config
        # Not nn.TransformerEncoder, which copies one layer: all would have the same initial weights
        return nn.Sequential(
            *(
                nn.TransformerEncoderLayer(
                    config.width,
                    config.heads,
                    4 * config.width,
                    dropout=0.0,
                    activation="gelu",
                    batch_first=True,
                    norm_first=True,
                )
                for _ in range(config.layers)
            ),
            nn.LayerNorm(config.width),
        )

    @property
    def output_bias(self) -> Tensor:
        """Biases of the last layer, (C · patch²,)."""
        return self.unembed.bias

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, code)."""
        p = self.config.patch
        tokens = self.embed(functional.unfold(x, p, stride=p).transpose(1, 2)) + self.places
        tokens = torch.cat([self.collector.expand(len(x), -1, -1).to(tokens), tokens], 1)
        code: Tensor = self.shrink(self.reader(tokens)[:, 0])
        return code

    def decode_logits(self, code: Tensor) -> Tensor:
        """Codes (N, code) → logits (N, C, H, W)."""
        p = self.config.patch
        tokens = self.writer(self.grow(code)[:, None] + self.places_out)
        c, h, w = self.shape
        # Not functional.fold, which sums overlapping patches and may be missing on MPS.
        patches: Tensor = self.unembed(tokens).float().view(-1, h // p, w // p, c, p, p)
        return patches.permute(0, 3, 1, 4, 2, 5).reshape(-1, c, h, w)
