"""Repairs: noise, hidden rows, holes, lost detail, lost colour, a shifted picture."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from faceswap.autoencoder import corruption
from faceswap.autoencoder.losses import luma, mse, psnr_from_mse
from faceswap.autoencoder.unet import with_holes
from faceswap.errors import OptionsError
from faceswap.lab.framework.data import PictureSet, Split, split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.models import RepairConfig, body_for
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import (
    DIGITS,
    Corrupt,
    Jitter,
    PictureTask,
    ReconstructionLoss,
    random_relighting,
    visible_channels,
)

Use = Literal["denoise", "occlusion", "inpaint", "superres", "colourise"]
PALETTE = (
    (0.95, 0.25, 0.2),
    (0.2, 0.6, 1.0),
    (0.3, 0.85, 0.3),
    (1.0, 0.8, 0.1),
    (0.75, 0.35, 0.95),
    (0.1, 0.9, 0.85),
    (1.0, 0.5, 0.1),
    (0.95, 0.45, 0.75),
    (0.65, 0.75, 0.2),
    (0.55, 0.55, 1.0),
)
"""The ink of digits 0 to 9 where grey ones are to be coloured."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil pictures: its name in the figures, and how."""

    name: str
    spoil: Corrupt


@dataclass(frozen=True)
class TaskRecipe:
    """How a task is learnt. steps: of digits. loss: see ``ReconstructionLoss``. photographs: what
    changes them by chance. standardised, blocks and deep, the last of its widths for them: of
    the net, see ``UNetConfig``.
    """

    photographs: Corrupt
    steps: int = 3500
    loss: Literal["mse", "mae"] = "mse"
    standardised: bool = False
    blocks: int = 1
    deep: int = 96


def random_photo_augmentation(x: Tensor, generator: torch.Generator) -> Tensor:
    """Photographs (N, C, S, S) mirrored, turned, enlarged or reduced, half of them relit.

    A net that saw one kind of face alone, at one size, would give its colours to all others.
    """
    x = _SIZES(x, generator)
    drawn = torch.rand((len(x), 1, 1, 1), generator=generator, device=generator.device)
    return torch.where(drawn < 0.5, random_relighting(x, generator), x)


_SIZES = Jitter(rotation=10, scale=0.5, shift=0.1, flip=0.5, sharp=True)
_PLACES = Jitter(rotation=5, scale=0.1, shift=0.05, flip=0.5, sharp=True)

RECIPES: dict[Use, TaskRecipe] = {
    # The level of noise is known by how it compares with black and white, so light stays in.
    "denoise": TaskRecipe(random_photo_augmentation, steps=4500),
    "occlusion": TaskRecipe(random_photo_augmentation, steps=2000),
    # What is hidden is told by what is around it, in its place and at its size.
    "inpaint": TaskRecipe(_PLACES, 8000, "mae", standardised=True, blocks=4, deep=128),
    "superres": TaskRecipe(random_photo_augmentation, 7000, "mae"),
    # Which colours are true is what is learnt there.
    "colourise": TaskRecipe(Jitter(flip=0.5)),
}


def psnr(x: Tensor, y: Tensor) -> float:
    """10 log10(1 / mean squared difference) over all pictures, in dB."""
    return float(psnr_from_mse(mse(x, y)))


def denoise(settings: TaskSettings) -> TaskFunction:
    """Gaussian, salt-and-pepper and Poisson noise, one net for all; strength is Gaussian's σ."""
    sigma = 0.5 if settings.strength is None else settings.strength
    if sigma <= 0:
        raise OptionsError("The strength of noise must be above 0.")
    kinds = [
        Corruption(f"Gaussian, sigma {sigma:g}", lambda x, g: corruption.gaussian(x, sigma, g)),
        Corruption(
            f"salt and pepper, {sigma / 2:.0%}",
            lambda x, g: corruption.salt_and_pepper(x, min(1.0, sigma / 2), g),
        ),
        Corruption("Poisson", lambda x, g: corruption.poisson(x, 1 / sigma**2, g)),
    ]

    def mixed(x: Tensor, g: torch.Generator) -> Tensor:
        """Half of the pictures with Gaussian noise, a quarter with each of the others."""
        cuts = [len(x) // 2, 3 * len(x) // 4]
        parts = torch.tensor_split(x, cuts)
        return torch.cat([k.spoil(p, g) for k, p in zip(kinds, parts, strict=True) if len(p)])

    return (yield from _repair(settings, "denoise", mixed, kinds, sigma))


def occlusion(settings: TaskSettings) -> TaskFunction:
    """The classic occluder, two full rows set to white; what lies behind is to be guessed."""

    def hide(x: Tensor, g: torch.Generator) -> Tensor:
        where = corruption.row_masks(x, g)
        # The model is not told where: white rows give themselves away.
        return torch.where(where > 0, torch.ones_like(x), x)

    kinds = [Corruption("two white rows", hide)]
    return (yield from _repair(settings, "occlusion", hide, kinds))


def inpaint(settings: TaskSettings) -> TaskFunction:
    """Fill holes, rectangles and strokes, whose places are known."""
    kinds = [
        Corruption("rectangles", lambda x, g: with_holes(x, corruption.rectangle_masks(x, g))),
        Corruption("strokes", lambda x, g: with_holes(x, corruption.stroke_masks(x, g))),
    ]

    def mixed(x: Tensor, g: torch.Generator) -> Tensor:
        return with_holes(x, corruption.inpainting_masks(x, g))

    return (yield from _repair(settings, "inpaint", mixed, kinds))


def superres(settings: TaskSettings) -> TaskFunction:
    """Bring back detail of pictures 2 or 4 times smaller (the strength, 2 by default)."""
    if settings.strength not in (None, 2, 4):
        raise OptionsError("Super-resolution knows the strengths 2 and 4, by which it enlarges.")
    factor = int(settings.strength or 2)

    def small(x: Tensor, g: torch.Generator) -> Tensor:
        return corruption.downsampled(x, factor)

    kinds = [Corruption(f"{factor} times smaller, bicubic", small)]
    return (yield from _repair(settings, "superres", small, kinds, factor))


def colourise(settings: TaskSettings) -> TaskFunction:
    """Colours from grey. Grey digits are first given an ink for each class to be guessed."""

    def faded(x: Tensor, g: torch.Generator) -> Tensor:
        return luma(x)

    return (yield from _repair(settings, "colourise", faded, [Corruption("grey", faded)]))


def _repair(
    settings: TaskSettings,
    use: Use,
    spoil: Corrupt,
    kinds: list[Corruption],
    strength: float = 0.0,
) -> TaskFunction:
    pictures = settings.pictures()
    yield from notices(pictures)
    if use == "colourise" and pictures.shape[0] == 1:
        pictures = _inked(pictures)
    if use == "superres" and pictures.shape[1] % int(strength):
        raise OptionsError(f"{strength:g} does not divide pictures of {pictures.shape[1]} pixels.")
    parts = split_data(pictures, settings.seed)
    channels, way = pictures.shape[0], RECIPES[use]
    config = RepairConfig(
        use=use,
        inputs=1 if use == "colourise" else channels + (use == "inpaint"),
        channels=channels,
        widths=(16, 32, 64) if pictures.shape[1] <= 32 else (16, 32, 64, way.deep),
        blocks=way.blocks,
        masked=use == "inpaint",
        standardised=way.standardised,
        strength=strength,
        size=pictures.shape[1],
    )
    # Sharp, as a net that learns from blurred pictures would blur what it repairs.
    jitter = replace(DIGITS, sharp=True) if channels == 1 else way.photographs
    aim = ReconstructionLoss(way.loss)
    task = PictureTask(parts.training, parts.validation, aim, settings.device, spoil, jitter)
    steps = scaled_steps(way.steps, pictures.shape)
    model = yield from train(task, config, settings, use, steps, batch=32, precision=None)
    return (yield from _measured(settings, use, model, parts, kinds))


def _inked(pictures: PictureSet) -> PictureSet:
    labels = pictures.known_labels("colourise")
    ink = torch.tensor(PALETTE)[labels % len(PALETTE)].view(-1, 3, 1, 1)
    images = (pictures.images * ink).round().to(torch.uint8)
    return replace(pictures, images=images)


@torch.no_grad()
def restore_batch(model: nn.Module, seen: Tensor) -> Tensor:
    """What ``model`` makes of ``seen``, 128 at a time."""
    return torch.cat([model(part) for part in torch.split(seen, 128)])


def _measured(
    settings: TaskSettings, use: Use, model: nn.Module, parts: Split, kinds: list[Corruption]
) -> TaskFunction:
    generator = torch.Generator(settings.device).manual_seed(settings.seed + 1)
    x = parts.test.floats().to(settings.device)
    figures: dict[str, Any] = {"test pictures": len(x)}
    rows, said, left_so = [("wanted", x[:10])], list[str](), list[float]()
    # Holes left grey would be too easy to be better than.
    plain, leaving = (
        ("filled smoothly", "filling smoothly") if use == "inpaint" else ("before", "leaving it")
    )
    for kind in kinds:
        seen = kind.spoil(x, generator)
        spoilt = visible_channels(seen, x.shape[1]).expand_as(x)
        made = restore_batch(model, seen)
        before, after = psnr(spoilt, x), psnr(made, x)
        numbers = {f"PSNR {plain}": before, "PSNR after": after, "gain in dB": after - before}
        where = _hidden(use, seen, x)
        if where is not None:
            error, least = (((y - x).square() * where).sum() for y in (made, spoilt))
            left_so.append(float(error / least))
            numbers[f"error where hidden, share of {leaving}"] = left_so[-1]
        figures[kind.name] = numbers
        shown = spoilt if use != "inpaint" else torch.where(seen[:, -1:] > 0, 0.5, spoilt)
        rows += [(kind.name, shown[:10]), (f"repaired, {after - before:+.1f} dB", made[:10])]
        said.append(f"{kind.name}: {before:.1f} dB {plain}, {after:.1f} dB after")
    sentence = f"On {len(x):,} pictures it has never seen: {'; '.join(said)}."
    if left_so:
        left = " and ".join(f"{share:.0%}" for share in left_so)
        sentence += f" In the hidden places {left} of the error of {leaving} is left."
    return (yield from finish(settings, use, [sheet(rows)], figures, sentence))


def _hidden(use: Use, seen: Tensor, x: Tensor) -> Tensor | None:
    """Where something was hidden, (N, 1, H, W), or None where the whole picture is spoilt."""
    if use == "inpaint":
        return seen[:, -1:]
    if use == "occlusion":
        full = (seen == 1).all(1, keepdim=True).all(3, keepdim=True)
        return full.float().expand(-1, 1, -1, x.shape[3])
    return None


def shift(settings: TaskSettings) -> TaskFunction:
    """Put a displaced picture back into the middle; strength: by up to so many pixels."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    most = int(pictures.shape[1] / 7 if settings.strength is None else settings.strength)
    if not 1 <= most < pictures.shape[1] // 2:
        raise OptionsError(f"A shift of {most} pixels does not fit the pictures.")

    def moved(x: Tensor, g: torch.Generator) -> Tensor:
        return corruption.shifted(x, most, g)

    config = body_for(pictures.shape, settings.code or 64, 256)
    task = PictureTask(
        parts.training, parts.validation, ReconstructionLoss(), settings.device, moved
    )
    model = yield from train(
        task, config, settings, "shift", scaled_steps(3000, pictures.shape), strength=most
    )
    generator = torch.Generator(settings.device).manual_seed(settings.seed + 1)
    x = parts.test.floats().to(settings.device)
    seen = moved(x, generator)
    made = restore_batch(model, seen)
    before, after = psnr(seen, x), psnr(made, x)
    figures = {"PSNR before": before, "PSNR after": after, "gain in dB": after - before}
    sentence = (
        f"Pictures displaced by up to {most} pixels are {before:.1f} dB from where they belong; "
        f"what the autoencoder makes of them, {after:.1f} dB."
    )
    rows = [("wanted", x[:10]), ("displaced", seen[:10]), ("put back", made[:10])]
    return (yield from finish(settings, "shift", [sheet(rows)], figures, sentence))
