"""Base class and base configuration of all picture autoencoders.

Pictures are tensors (N, C, H, W) in [0, 1], codes (N, K). A time series of T readings of F
sensors is a picture (N, 1, T, F).
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

OutputActivation = Literal["sigmoid", "none"]
Count = Annotated[int, Field(ge=1)]


_EARLIER_NAMES = {"numbers": "latent_dim", "squash": "output_activation"}


def with_current_names(values: Any) -> Any:
    """Rename fields of a checkpoint's model configuration that had other names before."""
    if not isinstance(values, Mapping):
        return values
    return {_EARLIER_NAMES.get(name, name): value for name, value in values.items()}


class PictureConfig(BaseModel):
    """Picture shape of a network. size: width; height: the same as the width by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Count = 1
    size: Count = 28
    height: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _accept_renamed(cls, values: Any) -> Any:
        return with_current_names(values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return self.channels, self.height or self.size, self.size


class Autoencoder(nn.Module, ABC):
    """Base class: encodes pictures (N, C, H, W) to codes (N, ``code``) and decodes them.

    shape: (C, H, W) of the pictures. output_activation: "none" leaves the output unbounded.
    Subclasses implement ``encode``, ``decode_logits`` and ``output_bias``.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        code: int,
        output_activation: OutputActivation = "sigmoid",
    ) -> None:
        super().__init__()
        self.shape, self.code, self.output_activation = shape, code, output_activation

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, code)."""

    @abstractmethod
    def decode_logits(self, code: Tensor) -> Tensor:
        """Codes (N, code) → logits (N, C, H, W), before the output activation."""

    @property
    @abstractmethod
    def output_bias(self) -> Tensor:
        """Biases of the last layer, of any shape."""

    def init_output_bias(self, mean: float) -> None:
        """Initialise the output bias for pictures of this mean brightness.

        With mostly dark pictures, a start at middle grey gives all units the same large gradient
        at first: ReLUs die and sigmoids saturate before any shape is learnt.
        """
        if self.output_activation == "sigmoid":  # clipped, as the logit of 0 or 1 is infinite
            mean = min(max(mean, 0.01), 0.99)
            mean = math.log(mean / (1 - mean))
        nn.init.constant_(self.output_bias, mean)

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, code) → pictures (N, C, H, W), float32."""
        raw = self.decode_logits(code).float()
        return torch.sigmoid(raw) if self.output_activation == "sigmoid" else raw

    def forward(self, x: Tensor) -> Tensor:
        """Reconstruct pictures (N, C, H, W)."""
        return self.decode(self.encode(x))

    def check_shape(self, x: Tensor) -> None:
        """Raise ValueError when the pictures ``x`` do not have the shape of this network."""
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"give pictures of the shape {self.shape}, not {(*x.shape[1:],)}")
