"""Loss weights and augmentation strengths of swap training, with their bounds.

Imports no torch, so that the command line and the window start fast.
"""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1)]
Lattice = Annotated[int, Field(ge=1, le=32)]

LOSS_NAMES = ("l1", "gradient", "ssim", "mse", "dssim", "ms_ssim", "laplacian", "frequency", "mask")
AUGMENTATION_NAMES = (
    "rotation",
    "scale",
    "shift",
    "brightness",
    "contrast",
    "tint",
    "color_transfer",
    "blur",
    "noise",
    "compression",
)


RENAMED = {
    "exchange": "latent_swap",
    "features": "eye_mouth_priority",
    "pairs": "pair_matching",
}
"""Earlier names, still in old checkpoints and scripts, and the current ones."""


class ObjectiveConfig(BaseModel):
    """Weights of the losses and strengths of the augmentation.

    l1, gradient, ssim, mse, dssim, ms_ssim, laplacian, frequency, mask: loss weights. The first
    three use the per-pixel weight map, the next five the face alone. eye_mouth_priority: weight
    added for eyes, and half of it for the mouth; outside: weight of what is not face.

    pair_matching: train on pairs of A and B with the same pose and expression; latent_swap: share
    of these pairs that swap latent codes (see pair_matching.py).

    warp: standard deviation of the random warp, as a share of a lattice cell; cells: lattice
    cells per side, one number or one for each scale; warp_end: share of the training budget after
    which the warp is off. rotation: degrees. scale, shift: shares of the side. flip: probability.
    color_transfer: how far B's skin tone moves towards that of the A face paired with it. blur,
    noise, compression: maximum strengths (see training/degradation.py), on half of the inputs.
    occlusion: probability of a random occluder over an input.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    l1: Share = 1.0
    gradient: Share = 1.0
    ssim: Share = 0.5
    mse: Share = 0.0
    dssim: Share = 0.0
    ms_ssim: Share = 0.0
    laplacian: Share = 0.0
    frequency: Share = 0.0
    mask: Share = 0.2
    eye_mouth_priority: Share = 6.0
    outside: Chance = 0.1

    pair_matching: bool = True
    latent_swap: Chance = 0.5
    warp: Annotated[float, Field(ge=0, le=0.2)] = 0.1
    cells: Annotated[tuple[Lattice, ...], Field(min_length=1)] = (4,)
    warp_end: Chance = 0.9
    rotation: Annotated[float, Field(ge=0, le=180)] = 5.0
    scale: Chance = 0.05
    shift: Chance = 0.03
    flip: Chance = 0.0
    brightness: Chance = 0.05
    contrast: Chance = 0.1
    tint: Chance = 0.03
    color_transfer: Chance = 1.0
    blur: Chance = 0.0
    noise: Chance = 0.0
    compression: Chance = 0.0
    occlusion: Chance = 0.0

    @field_validator("cells", mode="before")
    @classmethod
    def _read_cells(cls, cells: object) -> object:
        return tuple(cells.split("+")) if isinstance(cells, str) else cells

    @model_validator(mode="after")
    def _check_losses(self) -> "ObjectiveConfig":
        if not any(getattr(self, name) for name in LOSS_NAMES if name != "mask"):
            raise ValueError(
                "all image losses are 0, so nothing would be learned; set at least one"
            )
        return self


def parse_strengths(text: str, names: Collection[str]) -> dict[str, Any]:
    """Parse ``dssim=1,l1=0.5`` into values of ``ObjectiveConfig`` fields.

    Raises ValueError for a name that is not in ``names`` or a value out of its bounds.
    """
    given: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, value = (p.strip() for p in part.partition("="))
        name = RENAMED.get(name, name)
        if name not in names:
            raise ValueError(f"there is no {name!r}; there are {', '.join(names)}")
        if not value:
            raise ValueError(f"{part!r} has no value; write it as {name}=0.5")
        given[name] = value
    try:
        objective = ObjectiveConfig.model_validate(given)
    except ValidationError as error:
        item = error.errors()[0]
        place = f"{item['loc'][0]}: " if item["loc"] else ""
        raise ValueError(place + item["msg"].removeprefix("Value error, ")) from None
    return {name: getattr(objective, name) for name in given}
