"""Registry of the lab's models by checkpoint kind, to rebuild a model from its checkpoint."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from torch import nn

from faceswap.autoencoder.blocks import to_channels_last
from faceswap.autoencoder.convolutional import ConvAutoencoder, ConvConfig
from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.interface import with_current_names
from faceswap.autoencoder.lstm import LstmAutoencoder, LstmConfig
from faceswap.autoencoder.networks import ConvDecoder, ConvEncoder, DenseBottleneck, Upscaling
from faceswap.autoencoder.shared_encoder import DecoderPath, SharedAutoencoder
from faceswap.autoencoder.stacked import Classifier
from faceswap.autoencoder.transformer import PatchAutoencoder, PatchConfig
from faceswap.autoencoder.unet import UNet, UNetConfig
from faceswap.autoencoder.variational import VariationalAutoencoder
from faceswap.errors import OptionsError
from faceswap.lab.task_registry import TASKS, TaskName, former_names


class VariationalConfig(BaseModel):
    """VAE configuration.

    body: the autoencoder inside; its ``output_activation`` selects the likelihood, Bernoulli
    for "sigmoid", Gaussian for "none". latents: length of z. words: vocabulary size
    of the conditioning texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: ConvConfig | DenseConfig
    latents: int = Field(default=20, ge=1)
    words: int = Field(default=0, ge=0)


class ClassifierConfig(BaseModel):
    """Classifier configuration. body: autoencoder whose encoder is used; classes: their number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: ConvConfig | DenseConfig
    classes: int = Field(ge=2)


class TranslatingConfig(BaseModel):
    """Configuration of a shared encoder with two decoders, as in the swap model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: int = Field(default=3, ge=1)
    size: int = Field(default=32, ge=8)
    latent_dim: int = Field(default=64, ge=1)
    widths: Annotated[tuple[int, ...], Field(min_length=1)] = (32, 64)

    @model_validator(mode="before")
    @classmethod
    def _accept_renamed(cls, values: Any) -> Any:
        return with_current_names(values)


def _current_task(use: str) -> str:
    name = former_names().get(use, use)
    if name not in TASKS:
        raise ValueError(f"there is no task {use!r}")
    return name


class RepairConfig(UNetConfig):
    """Restoration U-Net configuration.

    use: the task; "audio-denoise" works on spectrograms. strength: of the corruption in training.
    size: side of the training pictures, at which holes are filled.
    """

    use: Annotated[TaskName, AfterValidator(_current_task)] = "denoise"
    strength: float = 0.0
    size: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check(self) -> "RepairConfig":
        if self.masked and not self.size:
            raise ValueError("an inpainting model needs the size of its training pictures")
        return self


def translator(config: TranslatingConfig) -> SharedAutoencoder:
    """Build a shared autoencoder with domains "a" and "b": one encoder, one bottleneck."""
    encoder = ConvEncoder(config.size, config.widths, (3,) * len(config.widths), config.channels)
    inner = config.widths[-1]
    inputs = inner * encoder.lowest**2
    code = DenseBottleneck(inputs, config.latent_dim, encoder.lowest, inner, upscale=False)
    upscaling = Upscaling(config.widths[::-1])
    decoders = {d: ConvDecoder(inner, upscaling, channels=config.channels) for d in "ab"}
    routes = {d: DecoderPath(("both",), d) for d in "ab"}
    model = SharedAutoencoder(encoder, {"both": code}, decoders, routes)
    to_channels_last(model)
    return model


def restorer(config: RepairConfig) -> UNet:
    """Build a restoration U-Net, channels_last: 1.4 times as fast on a CPU for faces."""
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
"""Configuration class and constructor by checkpoint kind."""


def model_name(config: BaseModel) -> str:
    """The checkpoint kind of ``config``."""
    return next(name for name, (kind, _) in KINDS.items() if type(config) is kind)


def build(config: BaseModel) -> nn.Module:
    """Build a new model from ``config``."""
    return KINDS[model_name(config)][1](config)


def fitting(numbers: int, shape: tuple[int, int, int]) -> int:
    """Return the code length ``numbers``; raises OptionsError when it exceeds the number of
    values of a picture (C, H, W)."""
    values = shape[0] * shape[1] * shape[2]
    if numbers > values:
        raise OptionsError(
            f"A code of {numbers} numbers is longer than a picture, which has {values} values; "
            "give a smaller --latent-dim."
        )
    return numbers


def body_for(shape: tuple[int, int, int], numbers: int | None, dense: int = 0) -> ConvConfig:
    """Convolutional autoencoder configuration for pictures (C, S, S): 8 pixels at the lowest map.

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
    """Transformer autoencoder configuration for pictures (C, H, W).

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
