"""The lab's models by name, so that a checkpoint alone rebuilds its model."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn

from faceswap.autoencoder.blocks import to_channels_last
from faceswap.autoencoder.convolutional import ConvAutoencoder, ConvConfig
from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.interface import with_current_names
from faceswap.autoencoder.lstm import LstmAutoencoder, LstmConfig
from faceswap.autoencoder.networks import ConvDecoder, ConvEncoder, DenseBottleneck
from faceswap.autoencoder.shared import DecoderPath, SharedAutoencoder
from faceswap.autoencoder.stacked import Classifier
from faceswap.autoencoder.transformer import PatchAutoencoder, PatchConfig
from faceswap.autoencoder.unet import UNet, UNetConfig
from faceswap.autoencoder.variational import VariationalAutoencoder
from faceswap.errors import OptionsError


class VariationalConfig(BaseModel):
    """body: of which the distribution is made, and whose squash chooses the likelihood: Bernoulli
    for "sigmoid", Gaussian for "none". words: how many a condition can choose from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: ConvConfig | DenseConfig
    latents: int = Field(default=20, ge=1)
    words: int = Field(default=0, ge=0)


class ClassifierConfig(BaseModel):
    """body: the encoder and its code; classes: how many there are to tell apart."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: ConvConfig | DenseConfig
    classes: int = Field(ge=2)


class TranslatingConfig(BaseModel):
    """One encoder, two decoders, as the swap model has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(default=3, ge=1)
    size: int = Field(default=32, ge=8)
    latent_dim: int = Field(default=64, ge=1)
    widths: Annotated[tuple[int, ...], Field(min_length=1)] = (32, 64)

    @model_validator(mode="before")
    @classmethod
    def _accept_renamed(cls, values: Any) -> Any:
        return with_current_names(values)


class RepairConfig(UNetConfig):
    """use: what it repairs, "sound" by its spectrograms. strength: of what spoilt what it learnt
    from; size: side of the pictures it learnt from, where holes are filled.
    """

    use: Literal["denoise", "occlusion", "inpaint", "superres", "colourise", "sound"] = "denoise"
    strength: float = 0.0
    size: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "RepairConfig":
        if self.masked and not self.size:
            raise ValueError("what fills holes must tell the size it learnt at")
        return self


def translator(config: TranslatingConfig) -> SharedAutoencoder:
    """Domains "a" and "b" through one encoder and one code."""
    encoder = ConvEncoder(config.size, config.widths, (3,) * len(config.widths), config.channels)
    inner = config.widths[-1]
    inputs = inner * encoder.lowest**2
    code = DenseBottleneck(inputs, config.latent_dim, encoder.lowest, inner, upscale=False)
    widths = config.widths[::-1]
    decoders = {d: ConvDecoder(inner, widths, channels=config.channels) for d in "ab"}
    routes = {d: DecoderPath(("both",), d) for d in "ab"}
    model = SharedAutoencoder(encoder, {"both": code}, decoders, routes)
    to_channels_last(model)
    return model


def restorer(config: RepairConfig) -> UNet:
    """Its weights lie as convolutions on a processor are fastest: 1.4 times for faces."""
    net = UNet(config)
    to_channels_last(net)
    return net


def _variational(config: VariationalConfig) -> VariationalAutoencoder:
    return VariationalAutoencoder(_body(config.body), config.latents, config.words)


def _classifier(config: ClassifierConfig) -> Classifier:
    return Classifier(_body(config.body), config.classes)


def _body(config: ConvConfig | DenseConfig) -> ConvAutoencoder | DenseAutoencoder:
    if isinstance(config, ConvConfig):
        return ConvAutoencoder(config)
    return DenseAutoencoder(config)


KINDS: dict[str, tuple[type[BaseModel], Callable[..., nn.Module]]] = {
    "lab-dense": (DenseConfig, DenseAutoencoder),
    "lab-conv": (ConvConfig, ConvAutoencoder),
    "lab-lstm": (LstmConfig, LstmAutoencoder),
    "lab-patches": (PatchConfig, PatchAutoencoder),
    "lab-repair": (RepairConfig, restorer),
    "lab-variational": (VariationalConfig, _variational),
    "lab-classifier": (ClassifierConfig, _classifier),
    "lab-translator": (TranslatingConfig, translator),
}
"""By the name that stands in the checkpoint: the class of its config, and what makes it."""


def model_name(config: BaseModel) -> str:
    """The kind of model that ``config`` describes."""
    return next(name for name, (kind, _) in KINDS.items() if type(config) is kind)


def build(config: BaseModel) -> nn.Module:
    """A new model as ``config`` says."""
    return KINDS[model_name(config)][1](config)


def fitting(numbers: int, shape: tuple[int, int, int]) -> int:
    """The length of a code as it is; raises OptionsError when it is longer than pictures (C, H, W),
    as it would be no code then."""
    values = shape[0] * shape[1] * shape[2]
    if numbers > values:
        raise OptionsError(
            f"A code of {numbers} numbers is longer than the picture, which has {values}; give a "
            "smaller --latent-dim."
        )
    return numbers


def body_for(shape: tuple[int, int, int], numbers: int | None, dense: int = 0) -> ConvConfig:
    """A convolutional autoencoder that suits square pictures (C, S, S).

    Raises OptionsError when the code is longer than the picture, or the picture too small.
    """
    channels, height, width = shape
    if numbers is not None:
        fitting(numbers, shape)
    if min(height, width) < 8:
        raise OptionsError(f"Pictures of {width} × {height} are too small; give --size 8 or more.")
    widths = [32, 64]
    while min(height, width) > 8 * 2 ** (len(widths) - 1):
        widths.append(min(128, 2 * widths[-1]))
    return ConvConfig(
        channels=channels,
        size=width,
        height=None if height == width else height,
        widths=tuple(widths),
        kind="strided",
        latent_dim=numbers,
        dense=dense,
    )


def patches_for(shape: tuple[int, int, int], numbers: int) -> PatchConfig:
    """A Transformer autoencoder that suits pictures (C, H, W).

    Raises OptionsError when no patch of 4 to 8 pixels divides them, or the code is too long.
    """
    channels, height, width = shape
    patch = next((p for p in (7, 8, 5, 4, 6) if not height % p and not width % p), None)
    if patch is None:
        raise OptionsError("No patch of 4 to 8 pixels divides the pictures; give --size 64.")
    return PatchConfig(
        channels=channels,
        height=height,
        size=width,
        patch=patch,
        latent_dim=fitting(numbers, shape),
    )
