"""Presets and architecture configuration of the swap model."""

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

Preset = Literal["quick", "classic", "df", "liae"]


FreezablePart = Literal["nothing", "encoder", "shared"]


KIND = "swap"


Width = Annotated[int, Field(ge=8, le=256, multiple_of=2)]


def canonical_variant(variant: str) -> str:
    """Sort the letters of a variant into the canonical order: "du" becomes "ud"."""
    return "".join(sorted(variant, key="udtc".find))


class SwapConfig(BaseModel):
    """Architecture of the swap model.

    resolution: side of its images in pixels. code, encoder, decoder, mask: DeepFaceLab's
    ``ae_dims``, ``e_dims``, ``d_dims`` and ``d_mask_dims``; for df and liae only. variant: any of
    u (normalised latent code), d (doubled output), t (one more level), c (x·cos x activation).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = "quick"
    resolution: Annotated[int, Field(ge=64, le=512)] = 160
    code: Annotated[int, Field(ge=32, le=1024)] = 256
    encoder: Width = 64
    decoder: Width = 64
    mask: Width = 22
    variant: Annotated[str, AfterValidator(canonical_variant)] = ""

    @model_validator(mode="after")
    def _check(self) -> "SwapConfig":
        if self.preset == "classic" and self.resolution != 64:
            raise ValueError("the preset classic has 64 px; choose another preset for more")
        if self.preset == "quick" and self.resolution % 32:
            raise ValueError("the preset quick needs a resolution that is a multiple of 32")
        if {*self.variant} - {*"udtc"} or len({*self.variant}) != len(self.variant):
            raise ValueError(f"the variant {self.variant!r} is not made of u, d, t and c")
        if self.variant and self.preset not in ("df", "liae"):
            raise ValueError(f"the preset {self.preset} has no variants")
        step = 32 if {*self.variant} & {*"dt"} else 16
        if self.preset in ("df", "liae") and self.resolution % step:
            raise ValueError(
                f"{self.preset}{'-' + self.variant if self.variant else ''} needs a resolution "
                f"that is a multiple of {step}; {self.resolution} is not"
            )
        return self

    def text(self) -> str:
        """Short description of the model, such as "df-ud 128 px"."""
        variant = f"-{self.variant}" if self.variant else ""
        return f"{self.preset}{variant} {self.resolution} px"


# The network of each is in architectures.py, its learning rate and batch in ../training/options.py.
PRESETS: dict[Preset, SwapConfig] = {
    "quick": SwapConfig(preset="quick", resolution=160),
    "classic": SwapConfig(preset="classic", resolution=64),
    "df": SwapConfig(preset="df", resolution=128, variant="ud"),
    "liae": SwapConfig(preset="liae", resolution=128, variant="ud"),
}


def config_of(
    preset: Preset, resolution: int | None = None, variant: str | None = None
) -> SwapConfig:
    """Configuration of a preset with overrides; raises OptionsError when they are invalid."""
    changes: dict[str, object] = {}
    if resolution is not None:
        changes["resolution"] = resolution
    if variant is not None:
        changes["variant"] = variant
    try:
        return SwapConfig.model_validate(PRESETS[preset].model_dump() | changes)
    except ValidationError as error:
        reasons = "; ".join(str(e["msg"]).removeprefix("Value error, ") for e in error.errors())
        raise OptionsError(f"This model cannot be made: {reasons}.") from error
