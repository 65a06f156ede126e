"""Presets of the swap model: the only place where each is declared.

Imports no torch, for the command line and the window to list them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from faceswap.errors import OptionsError

FreezablePart = Literal["nothing", "encoder", "shared"]


KIND = "swap"


Width = Annotated[int, Field(ge=8, le=256, multiple_of=2)]


def canonical_variant(variant: str) -> str:
    """Sort the letters of a variant into the canonical order: "du" becomes "ud"."""
    return "".join(sorted(variant, key="udtc".find))


class Architecture(BaseModel):
    """Dimensions of a swap model.

    resolution: side of its images in pixels. code, encoder, decoder, mask: DeepFaceLab's
    ``ae_dims``, ``e_dims``, ``d_dims`` and ``d_mask_dims``; for df and liae only. variant: any of
    u (normalised latent code), d (doubled output), t (one more level), c (x·cos x activation).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    resolution: Annotated[int, Field(ge=64, le=512)] = 160
    code: Annotated[int, Field(ge=32, le=1024)] = 256
    encoder: Width = 64
    decoder: Width = 64
    mask: Width = 22
    variant: Annotated[str, AfterValidator(canonical_variant)] = ""


class SwapConfig(Architecture):
    """What rebuilds a swap model: its preset, and dimensions that the preset allows."""

    preset: str = "quick"

    @model_validator(mode="after")
    def _check(self) -> "SwapConfig":
        if self.preset not in PRESETS:
            raise ValueError(f"there is no preset {self.preset!r}; choose {', '.join(PRESETS)}")
        preset = PRESETS[self.preset]
        if {*self.variant} - {*"udtc"} or len({*self.variant}) != len(self.variant):
            raise ValueError(f"the variant {self.variant!r} is not made of u, d, t and c")
        if self.variant and not preset.has_variants:
            raise ValueError(f"the preset {self.preset} has no variants")
        if preset.resolution_step is None:
            if self.resolution != preset.architecture.resolution:
                raise ValueError(
                    f"the preset {self.preset} has {preset.architecture.resolution} px; choose "
                    "another preset for another resolution"
                )
            return self
        step = preset.resolution_step(self.variant)
        if self.resolution % step:
            raise ValueError(
                f"{self.preset}{'-' + self.variant if self.variant else ''} needs a resolution "
                f"that is a multiple of {step}; {self.resolution} is not"
            )
        return self

    def text(self) -> str:
        """Short description of the model, such as "df-ud 128 px"."""
        variant = f"-{self.variant}" if self.variant else ""
        return f"{self.preset}{variant} {self.resolution} px"


@dataclass(frozen=True)
class Preset:
    """Declaration of a preset; options, help, window and statistics are derived from it.

    purpose: what it is for, in a few words, which fit the window. origin: whose model it is, where
    it is a known one. network: "module:function" of the function from
    ``SwapConfig`` to ``SharedAutoencoder``, imported when a model is built. learning_rate, batch:
    defaults of training. architecture: default dimensions. resolution_step: from a variant to the
    number that resolutions are multiples of; None where there is only the default resolution.
    initial_weights: asset that new runs with the default dimensions start from.
    """

    purpose: str
    network: str
    learning_rate: float
    batch: int
    origin: str = ""
    architecture: Architecture = field(default_factory=Architecture)
    has_variants: bool = False
    resolution_step: Callable[[str], int] | None = None
    initial_weights: str | None = None

    def text(self) -> str:
        """What it is for and whose model it is."""
        return f"{self.purpose} ({self.origin})" if self.origin else self.purpose


def _saehd_step(variant: str) -> int:
    return 32 if {*variant} & {*"dt"} else 16


PRESETS: dict[str, Preset] = {
    "quick": Preset(
        purpose="trains in minutes, even on a CPU",
        network="faceswap.swap.model.architectures:quick",
        learning_rate=1e-3,
        batch=8,  # small batches learn more from the same number of faces
        architecture=Architecture(resolution=160),
        resolution_step=lambda variant: 32,
        initial_weights="quick.safetensors",
    ),
    "classic": Preset(
        purpose="the model of 2017: 64 px, blurry",
        origin="deepfakes/faceswap original",
        network="faceswap.swap.model.architectures:classic",
        learning_rate=3e-4,
        batch=16,
        architecture=Architecture(resolution=64),
    ),
    "df": Preset(
        purpose="keeps B's face shape; best on a GPU",
        origin="DeepFaceLab SAEHD",
        network="faceswap.swap.model.architectures:df",
        learning_rate=1e-4,
        batch=8,
        architecture=Architecture(resolution=128, variant="ud"),
        has_variants=True,
        resolution_step=_saehd_step,
    ),
    "liae": Preset(
        purpose="takes on A's light and shape; best on a GPU",
        origin="DeepFaceLab SAEHD",
        network="faceswap.swap.model.architectures:liae",
        learning_rate=1e-4,
        batch=8,
        architecture=Architecture(resolution=128, variant="ud"),
        has_variants=True,
        resolution_step=_saehd_step,
    ),
}


DEFAULT_PRESET = "quick"


def config_of(preset: str, resolution: int | None = None, variant: str | None = None) -> SwapConfig:
    """Configuration of a preset with overrides; raises OptionsError when they are invalid."""
    changes: dict[str, object] = {"preset": preset}
    if resolution is not None:
        changes["resolution"] = resolution
    if variant is not None:
        changes["variant"] = variant
    known = PRESETS[preset].architecture.model_dump() if preset in PRESETS else {}
    try:
        return SwapConfig.model_validate(known | changes)
    except ValidationError as error:
        reasons = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
        raise OptionsError(f"This model cannot be made: {reasons}.") from error


def initial_weights(config: SwapConfig) -> str | None:
    """Asset that a new run of this model starts from; None for random weights."""
    asset = PRESETS[config.preset].initial_weights
    return asset if asset is not None and config == config_of(config.preset) else None
