"""Unpaired image translation by a shared encoder and two decoders, as in the swap model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from faceswap.autoencoder.shared_encoder import SharedAutoencoder
from faceswap.autoencoder.similarity import psnr
from faceswap.errors import InputError, OptionsError
from faceswap.events import Notice
from faceswap.lab.framework.data import (
    PictureSet,
    fingerprint,
    load_pictures,
    split_data,
    split_places,
)
from faceswap.lab.framework.figure import sheet, write_png
from faceswap.lab.framework.models import TranslatingConfig, fitting
from faceswap.lab.framework.run import (
    TaskFunction,
    TaskSettings,
    TrainingPlan,
    finish,
    notices,
    scaled_steps,
    train,
)
from faceswap.lab.framework.training_task import GeometricAugmentation, Losses, random_relighting
from faceswap.lab.tasks.bottleneck import jitter_for
from faceswap.training.dataset import ImageDataset


@dataclass(frozen=True)
class PairBatch:
    """Inputs and targets (n, C, S, S) of each domain."""

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]

    def micro_batch(self, index: int, count: int) -> "PairBatch":
        """The ``index``-th of ``count`` equal micro-batches."""
        n = len(self.targets["a"])
        mine = slice(index * n // count, (index + 1) * n // count)
        return PairBatch(
            {name: x[mine] for name, x in self.inputs.items()},
            {name: x[mine] for name, x in self.targets.items()},
        )


class TranslationTask:
    """Training task: reconstruct each domain's augmented pictures by its own decoder.

    The encoder's inputs are randomly relit, which makes the code invariant to lighting.
    """

    def __init__(
        self,
        a: PictureSet,
        b: PictureSet,
        held_out: PictureSet,
        jitter: GeometricAugmentation,
        device: torch.device,
    ) -> None:
        self.fingerprint = fingerprint(a.images, b.images)
        self._sets = {"a": a.image_set().to(device), "b": b.image_set().to(device)}
        self._held_out, self._jitter = held_out.image_set().to(device), jitter
        self._device = device
        self._negative = _opposite(a, b)

    def batch(self, count: int, generator: Generator, progress: float) -> PairBatch:
        """``count`` random pictures of each domain."""
        inputs, targets = {}, {}
        for name, pictures in self._sets.items():
            x = self._jitter(_random_pictures(pictures, count, generator), generator)
            targets[name] = x
            inputs[name] = random_relighting(x, generator, negative=self._negative)
        return PairBatch(inputs, targets)

    def losses(self, model: nn.Module, batch: PairBatch) -> Losses:
        """Mean absolute error, and the mean squared error of each domain."""
        made = model(batch.inputs)
        parts = {name: (made[name][0].float() - x) for name, x in batch.targets.items()}
        loss = torch.stack([d.abs().mean() for d in parts.values()]).mean()
        return {"loss": loss} | {f"mse {n}": d.square().mean().detach() for n, d in parts.items()}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Reconstruction error of held-out pictures of A."""
        assert isinstance(model, SharedAutoencoder)
        x = self._held_out.pictures[:256].float() / 255
        return {"held-out mse a": float((model.translate(x, "a")[0] - x).square().mean())}

    @torch.no_grad()
    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a picture of held-out pictures of A, decoded as A and as B."""
        assert isinstance(model, SharedAutoencoder)
        x = self._held_out.pictures[:8].float() / 255
        rows = [("A", x), ("as A", model.translate(x, "a")[0])]
        write_png(path, sheet([*rows, ("as B", model.translate(x, "b")[0])]))


def _random_pictures(pictures: ImageDataset, count: int, generator: Generator) -> Tensor:
    places = torch.randint(len(pictures), (count,), generator=generator, device=generator.device)
    return pictures.pictures[places].float() / 255


def _opposite(a: PictureSet, b: PictureSet) -> bool:
    """Whether the domains' mean pictures correlate negatively: one's bright is the other's dark."""
    mean_a, mean_b = (p.floats().mean(0).flatten() for p in (a, b))
    return float(torch.corrcoef(torch.stack([mean_a, mean_b]))[0, 1]) < 0


def translate(settings: TaskSettings) -> TaskFunction:
    """Translate pictures of folder A to the style of folder B; by default digits, night to day.

    A third folder may hold the ground truth: A's pictures as B, under the same file names.
    """
    if len(settings.data) == 1:
        raise OptionsError("Give two folders, of A and of B.")
    size = settings.size or 32
    widths = (32, 64) if size <= 32 else (24, 48, 96)
    if size % 2 ** len(widths):
        raise OptionsError(f"--size must be a multiple of {2 ** len(widths)} here; {size} is not.")
    truth: PictureSet | None = None
    if settings.data:
        a = load_pictures(settings.data[0], size, 3, report=settings.report)
        b = load_pictures(settings.data[1], size, 3, report=settings.report)
        yield from notices(a, b)
        if len(settings.data) > 2:
            truth = load_pictures(settings.data[2], size, 3, report=settings.report)
            yield from notices(truth)
    else:
        a, b, truth = night_and_day(load_pictures(None, size, 3), settings.seed)
    parts = split_data(a, settings.seed)
    pairs: list[tuple[int, int]] = []
    if truth is not None:
        tested = split_places(len(a), settings.seed, film=a.film)[2].tolist()
        known = matched_truth(a, truth)
        pairs = [(n, known[place]) for n, place in enumerate(tested) if place in known]
        if not pairs:
            raise InputError("Give truth pictures for A's test pictures, under the same names.")
        if without := len(tested) - len(pairs):
            yield Notice(message=f"{without} of A's {len(tested)} test pictures have no truth.")
    config = TranslatingConfig(
        channels=3, size=size, latent_dim=fitting(settings.code or 64, a.shape), widths=widths
    )
    jitter = jitter_for(PictureSet(a.images[:1, :1])) if not settings.data else _MILD
    task = TranslationTask(parts.training, b, parts.validation, jitter, settings.device)
    steps = scaled_steps(3000, a.shape)
    model = yield from train(
        task, config, settings, TrainingPlan("translate", steps, batch=32, precision=None)
    )
    assert isinstance(model, SharedAutoencoder)
    x = parts.test.floats().to(settings.device)
    with torch.no_grad():
        made = torch.cat([model.translate(part, "b")[0] for part in torch.split(x, 128)])
    rows = [("A", x[:10]), ("A as B", made[:10]), ("some of B", b.images[:10].float() / 255)]
    figures: dict[str, Any] = {"pictures of A": len(a), "pictures of B": len(b)}
    sentence = f"{len(x)} test pictures of A are translated to B."
    if truth is not None:
        mine = [n for n, _ in pairs]
        wanted = truth.subset(torch.tensor([n for _, n in pairs])).floats().to(settings.device)
        figures |= scores(made[mine], x[mine], wanted, b)
        rows[:2] = [("A", x[mine][:10]), ("A as B", made[mine][:10]), ("the truth", wanted[:10])]
        sentence = (
            f"Against the ground truth, which is not trained on, the translation has a PSNR of "
            f"{figures['PSNR']:.1f} dB, A unchanged {figures['PSNR of A as it is']:.1f} dB, A with "
            f"B's mean colors {figures['PSNR of colors matched']:.1f} dB, and B's mean picture "
            f"{figures['PSNR of the mean of B']:.1f} dB."
        )
    return (yield from finish(settings, "translate", [sheet(rows)], figures, sentence))


_MILD = GeometricAugmentation(rotation=6, scale=0.06, shift=0.04, warp=0.06)


def matched_truth(a: PictureSet, truth: PictureSet) -> dict[int, int]:
    """Index in ``truth`` of the ground truth of each picture of ``a``, by its index.

    Files are matched by name without the ending, as an unreadable file is missing on one side
    only; without files, pictures are matched by order. Raises InputError when that is ambiguous.
    """
    if not (a.files and truth.files):
        if len(a) != len(truth):
            raise InputError(
                f"The truth has {len(truth)} pictures and A {len(a)}; each of A's needs its own."
            )
        return {n: n for n in range(len(a))}
    ours, theirs = _names(a.files), _names(truth.files)
    for side, names in (("A", ours), ("The truth", theirs)):
        name, count = Counter(names).most_common(1)[0]
        if count > 1:
            raise InputError(f"{side} has {count} pictures of the name {name}; rename all but one.")
    places = {name: n for n, name in enumerate(theirs)}
    found = {n: places[name] for n, name in enumerate(ours) if name in places}
    if not found:
        raise InputError("No truth picture has the name of one of A's; give them the same names.")
    return found


def _names(files: Sequence[Path]) -> list[str]:
    """File names without endings, with the folder's name where there are several folders."""
    several = len({file.parent for file in files}) > 1
    return [f"{file.parent.name}/{file.stem}" if several else file.stem for file in files]


def scores(made: Tensor, a: Tensor, truth: Tensor, b: PictureSet) -> dict[str, float]:
    """PSNR in dB of the translation and of baselines without one; pictures (N, 3, S, S) each."""
    mean_b, colour, spread_b = (t.to(a) for t in moments(b))
    centre, spread = a.mean((0, 2, 3), keepdim=True), a.std((0, 2, 3), keepdim=True)
    matched = (a - centre) / spread.clamp(min=1e-6) * spread_b + colour
    compared = {
        "PSNR": made,
        "PSNR of A as it is": a,
        "PSNR of colors matched": matched.clamp(0, 1),
        "PSNR of the mean of B": mean_b.expand_as(truth),
    }
    return {name: float(psnr(pictures, truth)) for name, pictures in compared.items()}


def moments(pictures: PictureSet) -> tuple[Tensor, Tensor, Tensor]:
    """Mean picture (C, H, W), and mean and standard deviation of each channel, (C, 1, 1)."""
    total = torch.zeros(pictures.shape, dtype=torch.float64)
    squares = total.clone()
    for part in torch.split(pictures.images, 512):
        values = part.double() / 255
        total += values.sum(0)
        squares += values.square().sum(0)
    mean = total / len(pictures)
    colour = mean.mean((1, 2), keepdim=True)
    spread = squares.div_(len(pictures)).mean((1, 2), keepdim=True) - colour.square()
    return mean.float(), colour.float(), spread.clamp(min=0).sqrt().float()


def night_and_day(digits: PictureSet, seed: int) -> tuple[PictureSet, PictureSet, PictureSet]:
    """Digits at night, other digits by day, and the first ones by day (the ground truth)."""
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(seed))
    half = len(order) // 2
    first, second = digits.subset(order[:half]), digits.subset(order[half:])
    return _scene(first, night=True), _scene(second, night=False), _scene(first, night=False)


def _scene(digits: PictureSet, *, night: bool) -> PictureSet:
    """Digits (N, 3, S, S) as coloured strokes on a sky gradient."""
    ink = digits.floats()
    height = torch.linspace(0, 1, ink.shape[2]).view(1, 1, -1, 1)
    if night:
        low, high, stroke = (0.02, 0.02, 0.10), (0.10, 0.12, 0.30), (1.0, 0.9, 0.6)
    else:
        low, high, stroke = (0.55, 0.75, 0.98), (0.95, 0.95, 0.85), (0.35, 0.15, 0.1)
    a, b, c = (torch.tensor(t).view(1, 3, 1, 1) for t in (low, high, stroke))
    sky = a + (b - a) * height
    scene = sky * (1 - ink) + c * ink
    return PictureSet((scene * 255).round().to(torch.uint8), digits.labels, digits.classes)
