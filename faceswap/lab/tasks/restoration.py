"""Restoration tasks: denoising, inpainting, super-resolution, colourisation, occlusion, shift."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from faceswap.autoencoder import corruption
from faceswap.autoencoder.losses import luma
from faceswap.autoencoder.similarity import psnr
from faceswap.autoencoder.unet import masked_input
from faceswap.errors import OptionsError
from faceswap.lab.framework.data import PictureSet, Split, split_data
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.models import RepairConfig, body_for
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import (
    DIGITS,
    Corrupt,
    GeometricAugmentation,
    PictureTask,
    ReconstructionLoss,
    random_relighting,
    visible_channels,
)
from faceswap.lab.task_registry import TaskName

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
"""RGB ink of digits 0 to 9, to train colourisation on grey digits."""


@dataclass(frozen=True)
class Corruption:
    """A corruption to test on: its name in the results, and the function."""

    name: str
    spoil: Corrupt


@dataclass(frozen=True)
class TaskRecipe:
    """Training recipe of a task.

    photographs: augmentation of colour pictures. steps: on digits. loss: see
    ``ReconstructionLoss``. standardised, blocks: see ``UNetConfig``. last_width: the U-Net's last
    one for pictures of over 32 pixels.
    """

    photographs: Corrupt
    steps: int = 3500
    loss: Literal["mse", "mae"] = "mse"
    standardised: bool = False
    blocks: int = 1
    last_width: int = 96


def random_photo_augmentation(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random flip, rotation and scale of photographs (N, C, S, S), random relighting of half.

    Without it a net trained on one face at one size gives its colours to all other faces.
    """
    x = _SIZES(x, generator)
    relit = torch.rand((len(x), 1, 1, 1), generator=generator, device=generator.device) < 0.5
    return torch.where(relit, random_relighting(x, generator), x)


_SIZES = GeometricAugmentation(rotation=10, scale=0.5, shift=0.1, flip=0.5, sharp=True)
_PLACES = GeometricAugmentation(rotation=5, scale=0.1, shift=0.05, flip=0.5, sharp=True)

RECIPES: dict[TaskName, TaskRecipe] = {
    # Not standardised: the noise level is estimated relative to black and white.
    "denoise": TaskRecipe(random_photo_augmentation, steps=4500),
    "blind-inpaint": TaskRecipe(random_photo_augmentation, steps=2000),
    # Holes are filled from their context, so position and scale are kept: mild augmentation.
    "inpaint": TaskRecipe(_PLACES, 8000, "mae", standardised=True, blocks=4, last_width=128),
    "superres": TaskRecipe(random_photo_augmentation, 7000, "mae"),
    # No relighting: the true colours are what is learnt.
    "colorize": TaskRecipe(GeometricAugmentation(flip=0.5)),
}


def denoise(settings: TaskSettings) -> TaskFunction:
    """Denoise Gaussian, salt-and-pepper and Poisson noise by one net; strength: Gaussian's σ."""
    sigma = 0.5 if settings.strength is None else settings.strength
    if sigma <= 0:
        raise OptionsError("Give a --strength above 0.")
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
    """Restore two full rows that were set to white, at unknown positions."""

    def hide(x: Tensor, g: torch.Generator) -> Tensor:
        where = corruption.row_masks(x, g)
        # No mask channel: white rows are easy to detect.
        return torch.where(where > 0, torch.ones_like(x), x)

    kinds = [Corruption("two white rows", hide)]
    return (yield from _repair(settings, "blind-inpaint", hide, kinds))


def inpaint(settings: TaskSettings) -> TaskFunction:
    """Inpainting: fill holes, rectangles and strokes, with known masks."""
    kinds = [
        Corruption("rectangles", lambda x, g: masked_input(x, corruption.rectangle_masks(x, g))),
        Corruption("strokes", lambda x, g: masked_input(x, corruption.stroke_masks(x, g))),
    ]

    def mixed(x: Tensor, g: torch.Generator) -> Tensor:
        return masked_input(x, corruption.inpainting_masks(x, g))

    return (yield from _repair(settings, "inpaint", mixed, kinds))


def superres(settings: TaskSettings) -> TaskFunction:
    """Super-resolution by a factor of 2 or 4 (the strength, 2 by default)."""
    if settings.strength not in (None, 2, 4):
        raise OptionsError("Super-resolution has the strengths 2 and 4; give one of them.")
    factor = int(settings.strength or 2)

    def small(x: Tensor, g: torch.Generator) -> Tensor:
        return corruption.downsampled(x, factor)

    kinds = [Corruption(f"{factor} times smaller, bicubic", small)]
    return (yield from _repair(settings, "superres", small, kinds, factor))


def colourise(settings: TaskSettings) -> TaskFunction:
    """Colourise grey pictures. Grey digits get a colour for each class first, see PALETTE."""

    def faded(x: Tensor, g: torch.Generator) -> Tensor:
        return luma(x)

    return (yield from _repair(settings, "colorize", faded, [Corruption("gray", faded)]))


def _repair(
    settings: TaskSettings,
    use: TaskName,
    spoil: Corrupt,
    kinds: list[Corruption],
    strength: float = 0.0,
) -> TaskFunction:
    pictures = settings.pictures()
    yield from notices(pictures)
    if use == "colorize" and pictures.shape[0] == 1:
        pictures = _inked(pictures)
    if use == "superres" and pictures.shape[1] % int(strength):
        raise OptionsError(
            f"{strength:g} does not divide {pictures.shape[1]} pixels; change --size."
        )
    parts = split_data(pictures, settings.seed)
    channels, way = pictures.shape[0], RECIPES[use]
    config = RepairConfig(
        use=use,
        inputs=1 if use == "colorize" else channels + (use == "inpaint"),
        channels=channels,
        widths=(16, 32, 64) if pictures.shape[1] <= 32 else (16, 32, 64, way.last_width),
        blocks=way.blocks,
        masked=use == "inpaint",
        standardised=way.standardised,
        strength=strength,
        size=pictures.shape[1],
    )
    # Bicubic: with targets blurred by bilinear augmentation, the net would blur its output.
    jitter = replace(DIGITS, sharp=True) if channels == 1 else way.photographs
    aim = ReconstructionLoss(way.loss)
    task = PictureTask(parts.training, parts.validation, aim, settings.device, spoil, jitter)
    steps = scaled_steps(way.steps, pictures.shape)
    model = yield from train(
        task, config, settings, TrainingPlan(use, steps, batch=32, precision=None)
    )
    return (yield from _measured(settings, use, model, parts, kinds))


def _inked(pictures: PictureSet) -> PictureSet:
    labels = pictures.known_labels("colorize")
    ink = torch.tensor(PALETTE)[labels % len(PALETTE)].view(-1, 3, 1, 1)
    images = (pictures.images * ink).round().to(torch.uint8)
    return replace(pictures, images=images)


@torch.no_grad()
def restore_batch(model: nn.Module, seen: Tensor) -> Tensor:
    """Apply ``model`` to ``seen``, 128 pictures at a time."""
    return torch.cat([model(part) for part in torch.split(seen, 128)])


def _measured(
    settings: TaskSettings, use: TaskName, model: nn.Module, parts: Split, kinds: list[Corruption]
) -> TaskFunction:
    generator = torch.Generator(settings.device).manual_seed(settings.seed + 1)
    x = parts.test.floats().to(settings.device)
    figures: dict[str, Any] = {"test pictures": len(x)}
    rows, said, remaining = [("target", x[:10])], list[str](), list[float]()
    # For holes the baseline is smooth interpolation; grey holes would be too easy to improve on.
    plain, leaving = (
        ("filled smoothly", "filling smoothly") if use == "inpaint" else ("before", "leaving it")
    )
    for kind in kinds:
        seen = kind.spoil(x, generator)
        corrupted = visible_channels(seen, x.shape[1]).expand_as(x)
        made = restore_batch(model, seen)
        before, after = (float(psnr(shown, x)) for shown in (corrupted, made))
        numbers = {f"PSNR {plain}": before, "PSNR after": after, "gain in dB": after - before}
        where = _hidden(use, seen, x)
        if where is not None:
            error, least = (((y - x).square() * where).sum() for y in (made, corrupted))
            remaining.append(float(error / least))
            numbers[f"error where hidden, share of {leaving}"] = remaining[-1]
        figures[kind.name] = numbers
        shown = corrupted if use != "inpaint" else torch.where(seen[:, -1:] > 0, 0.5, corrupted)
        rows += [(kind.name, shown[:10]), (f"restored, {after - before:+.1f} dB", made[:10])]
        said.append(f"{kind.name}: {before:.1f} dB {plain}, {after:.1f} dB after")
    sentence = f"PSNR on {len(x):,} test pictures: {'; '.join(said)}."
    if remaining:
        left = " and ".join(f"{share:.0%}" for share in remaining)
        sentence += f" Inside the mask, {left} of the error of {leaving} remains."
    return (yield from finish(settings, use, [sheet(rows)], figures, sentence))


def _hidden(use: TaskName, seen: Tensor, x: Tensor) -> Tensor | None:
    """Mask of hidden pixels, (N, 1, H, W), or None where the whole picture is corrupted."""
    if use == "inpaint":
        return seen[:, -1:]
    if use == "blind-inpaint":
        full = (seen == 1).all(1, keepdim=True).all(3, keepdim=True)
        return full.float().expand(-1, 1, -1, x.shape[3])
    return None


def shift(settings: TaskSettings) -> TaskFunction:
    """Move shifted pictures back; strength: largest shift in pixels."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    most = int(pictures.shape[1] / 7 if settings.strength is None else settings.strength)
    if not 1 <= most < pictures.shape[1] // 2:
        raise OptionsError(
            f"Give a --strength from 1 to {pictures.shape[1] // 2 - 1} pixels, not {most}."
        )

    def moved(x: Tensor, g: torch.Generator) -> Tensor:
        return corruption.shifted(x, most, g)

    config = body_for(pictures.shape, settings.code or 64, 256)
    task = PictureTask(
        parts.training, parts.validation, ReconstructionLoss(), settings.device, moved
    )
    model = yield from train(
        task,
        config,
        settings,
        TrainingPlan("align", scaled_steps(3000, pictures.shape), strength=most),
    )
    generator = torch.Generator(settings.device).manual_seed(settings.seed + 1)
    x = parts.test.floats().to(settings.device)
    seen = moved(x, generator)
    made = restore_batch(model, seen)
    before, after = (float(psnr(shown, x)) for shown in (seen, made))
    figures = {"PSNR before": before, "PSNR after": after, "gain in dB": after - before}
    sentence = (
        f"Pictures shifted by up to {most} pixels have a PSNR of {before:.1f} dB against the "
        f"unshifted ones, the autoencoder's output {after:.1f} dB."
    )
    rows = [("target", x[:10]), ("shifted", seen[:10]), ("restored", made[:10])]
    return (yield from finish(settings, "align", [sheet(rows)], figures, sentence))
