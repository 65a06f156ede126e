"""What all autoencoders of pictures have in common.

A picture is a tensor (N, C, H, W) in [0, 1], a code (N, K). A series of T readings of F sensors
is a picture (N, 1, T, F).
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


def with_current_names(values: Any) -> Any:
    """A model's configuration as it stands in a checkpoint, under the present names of fields."""
    if isinstance(values, Mapping) and "numbers" in values:
        rest = {name: value for name, value in values.items() if name != "numbers"}
        return {**rest, "latent_dim": values["numbers"]}
    return values


class PictureConfig(BaseModel):
    """What a network's pictures are: their channels, height and width; the last by default."""

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
    """Encodes pictures (N, C, H, W) to codes (N, ``code``) and decodes them again.

    shape: (C, H, W) of its pictures. squash: what keeps the pictures within [0, 1]; with "none"
    nothing does. Subclasses give ``encode``, ``raw`` and ``level``.
    """

    def __init__(
        self, shape: tuple[int, int, int], code: int, squash: OutputActivation = "sigmoid"
    ) -> None:
        super().__init__()
        self.shape, self.code, self.squash = shape, code, squash

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, code)."""

    @abstractmethod
    def decode_logits(self, code: Tensor) -> Tensor:
        """Codes (N, code) → pictures (N, C, H, W) before they are squashed."""

    @property
    @abstractmethod
    def output_bias(self) -> Tensor:
        """The biases of the last layer, of any shape, which ``raw`` is shifted by."""

    def init_output_bias(self, mean: float) -> None:
        """Let a new model make pictures of this mean brightness.

        Where pictures are mostly dark, one that begins at middle grey is pushed down with all its
        units at once: rectifiers die and sigmoids saturate before it has seen a shape.
        """
        if self.squash == "sigmoid":
            mean = min(max(mean, 0.01), 0.99)
            mean = math.log(mean / (1 - mean))
        nn.init.constant_(self.output_bias, mean)

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, code) → pictures (N, C, H, W), float32."""
        raw = self.decode_logits(code).float()
        return torch.sigmoid(raw) if self.squash == "sigmoid" else raw

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → the same as the code remembers them."""
        return self.decode(self.encode(x))

    def check_shape(self, x: Tensor) -> None:
        """Raises ValueError when the pictures ``x`` have not the shape of this network."""
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"pictures of the shape {self.shape} are needed, not {(*x.shape[1:],)}"
            )
