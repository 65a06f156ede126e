"""Ways through the space of codes: from one picture to another, and along an attribute."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from faceswap.autoencoder.interface import Autoencoder
from faceswap.errors import InputError
from faceswap.events import Notice
from faceswap.faces.crops import FaceRecord
from faceswap.lab.framework.data import split_data
from faceswap.lab.framework.expressions import (
    ATTRIBUTES,
    ExpressionMeasurer,
    expression_attributes,
    read_face_records,
    without_pose,
)
from faceswap.lab.framework.figure import curves, sheet
from faceswap.lab.framework.run import TaskFunction, TaskSettings, finish, notices
from faceswap.lab.tasks.bottleneck import encoded
from faceswap.lab.tasks.captions import Captions
from faceswap.lab.tasks.generation import VAE_STEPS, sample_quality, train_vae

STEPS = 11


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Codes (T, N, K) from ``a`` to ``b`` (N, K) at ``t`` (T,) from 0 to 1, straight on."""
    return a + (b - a) * t.view(-1, 1, 1)


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """As ``linear``, along a great circle, so that the length in between is that of codes.

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    cosine = functional.cosine_similarity(a, b, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = cosine.acos().view(1, -1, 1)
    t = t.view(-1, 1, 1)
    mixed: Tensor = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return mixed


def attribute_vector(codes: Tensor, having: Tensor) -> Tensor:
    """Mean of the codes (N, K) that have it, (N,) bool, minus mean of those that don't: (K,).

    Source: Larsen et al., "Autoencoding beyond pixels using a learned similarity metric", 2016.
    Raises ValueError when all or none have it.
    """
    if bool(having.all()) or not bool(having.any()):
        raise ValueError("an attribute vector needs pictures with the attribute and without")
    return codes[having].mean(0) - codes[~having].mean(0)


@torch.no_grad()
def edited(model: Autoencoder, x: Tensor, vector: Tensor, slider: float) -> Tensor:
    """Pictures (N, C, H, W) with more of an attribute, or less of it with a negative slider."""
    return model.decode(model.encode(x) + slider * vector)


def interpolate(settings: TaskSettings) -> TaskFunction:
    """Between two pictures through the codes, straight and on a circle, against cross-fading."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    yard = yield from sample_quality(settings, parts)
    model = yield from train_vae(settings, parts, settings.code or 20, "vae", VAE_STEPS)
    x = parts.test.floats().to(settings.device)
    half = len(x) // 2
    if not half:
        raise InputError(f"There are only {len(pictures)} pictures; two unseen ones are needed.")
    a, b = x[:half], x[half : 2 * half]
    t = torch.linspace(0, 1, STEPS, device=settings.device)
    with torch.no_grad():
        za, zb = model.encode(a), model.encode(b)
        ways = {
            "linear": model.decode(linear(za, zb, t).flatten(0, 1)),
            "spherical": model.decode(spherical(za, zb, t).flatten(0, 1)),
            "cross-fade": linear(a.flatten(1), b.flatten(1), t).reshape(-1, *a.shape[1:]),
        }
    lines, figures, rows = {}, {}, []
    for name, made in ways.items():
        true = yard.measure(made).view(STEPS, half).mean(1)
        lines[name] = [(float(u), float(v)) for u, v in zip(t, true, strict=True)]
        figures[f"{yard.name} half way, {name}"] = float(true[STEPS // 2])
        for pair in range(min(2, half)):
            rows.append((name, made.view(STEPS, half, *a.shape[1:])[:, pair]))
    rows = rows[::2] + rows[1::2] if half > 1 else rows
    title = "How sure a classifier is on the way" if yard.more else "From the nearest true picture"
    plot = curves(title, lines, "way", yard.name)
    straight, round_about, faded = (yard.text(figures[f"{yard.name} half way, {w}"]) for w in ways)
    sentence = (
        f"Half way between two pictures a classifier is {straight} sure of what it sees "
        f"(spherical {round_about}), against {faded} for plain cross-fading, which shows both at "
        "once."
        if yard.more
        else f"Half way between two pictures what is seen is {straight} from the nearest true one "
        f"(mean squared difference; spherical {round_about}), against {faded} for plain "
        "cross-fading, which shows both at once."
    )
    heads = [f"{float(u):.1f}" for u in t]
    blocks = [sheet(rows, heads=heads), plot]
    return (yield from finish(settings, "interpolate", blocks, figures, sentence))


@dataclass(frozen=True)
class Attribute:
    """values (N,) of the training pictures, which make the vector; measure: of any pictures made
    of the test's, in their order, a number (M,) each."""

    name: str
    values: Tensor
    measure: Callable[[Tensor], Tensor]


def attributes(settings: TaskSettings) -> TaskFunction:
    """Edit along attribute vectors: thickness and slant of strokes, smile, mouth, eyes and turn
    of a faceset's faces, measured before and after; and from one class of a folder to another."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    faces = read_face_records(parts.training.files)
    # Light and turn are learnt first; a mouth is a few pixels, and takes as long again.
    steps = VAE_STEPS * (2 if faces else 1)
    model = yield from train_vae(settings, parts, settings.code or 20, "vae", steps)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    codes = encoded(model, training)
    limit = 1.5 if settings.strength is None else settings.strength
    sliders = [limit * (i / 5 - 1) for i in range(11)]
    figures, rows, said = dict[str, Any](), list[tuple[str, Tensor]](), []
    if faces:
        x = x[:_MEASURED]
        found = _of_faces(faces, read_face_records(parts.test.files[:_MEASURED]), pictures.shape[2])
    else:
        found = _of_pictures(training)
    for one in found:
        having = (one.values > one.values.median()).to(codes.device)
        if not bool(having.any()):
            yield Notice(message=f"All pictures are alike in {one.name}; it is left out.")
            continue
        vector = attribute_vector(codes, having)
        made = {s: edited(model, x, vector, s) for s in sliders}
        low, high = (float(one.measure(made[s]).mean()) for s in (sliders[0], sliders[-1]))
        spread = float(one.measure(x).std(correction=0))
        figures[one.name] = {"least": low, "most": high, "spread of true pictures": spread}
        said.append(f"{one.name} from {low:.3g} to {high:.3g} (true pictures: ±{spread:.2g})")
        rows += _rows(one.name, made, sliders)
    if parts.training.labels is not None and len(parts.training.classes) == 2:
        name = parts.training.classes[1]
        vector = attribute_vector(codes, parts.training.labels.to(codes.device) == 1)
        made = {s: edited(model, x[:2], vector, s) for s in sliders}
        rows += _rows(f"{parts.training.classes[0]} to {name}", made, sliders)
    if not rows:
        raise InputError("The pictures are all alike: there is nothing to edit along.")
    heads = [f"{s:+.2g}" if s else "0" for s in sliders]
    sentence = (
        f"A slider from {sliders[0]:g} to {sliders[-1]:g} along a vector of the code changes "
        f"{'; '.join(said) or 'the class'}."
    )
    return (
        yield from finish(settings, "attributes", [sheet(rows, heads=heads)], figures, sentence)
    )


_MEASURED = 32  # so many test faces are measured by the landmarker, some ms each


def _rows(
    name: str, made: dict[float, Tensor], sliders: Sequence[float]
) -> list[tuple[str, Tensor]]:
    """Two pictures at most, from one end of the slider to the other."""
    shown = range(min(2, *(len(pictures) for pictures in made.values())))
    return [(name, torch.stack([made[s][picture] for s in sliders])) for picture in shown]


def _of_pictures(training: Tensor) -> list[Attribute]:
    """What is measured of pictures (N, C, H, W) by their values."""

    def brightness(x: Tensor) -> Tensor:
        return x.flatten(1).mean(1)

    def lean(x: Tensor) -> Tensor:
        return Captions.slant(x.mean(1, keepdim=True))

    def warmth(x: Tensor) -> Tensor:
        return (x[:, 0] - x[:, -1]).flatten(1).mean(1)

    if training.shape[1] == 1:
        measures = {"thickness (mean ink)": brightness, "slant in degrees": lean}
    else:
        measures = {"brightness": brightness, "warmth (red minus blue)": warmth}
    return [Attribute(name, measure(training), measure) for name, measure in measures.items()]


def _of_faces(
    training: Sequence[tuple[int, FaceRecord]], test: Sequence[tuple[int, FaceRecord]], size: int
) -> list[Attribute]:
    """What faces do, by the records of their crops."""
    meter = ExpressionMeasurer(test, size)
    own = np.stack([expression_attributes(face.points, face.pose) for _, face in training])
    values = torch.from_numpy(without_pose(own))
    return [
        Attribute(name, values[:, place], partial(meter.measure, place=place))
        for place, name in enumerate(ATTRIBUTES)
    ]
