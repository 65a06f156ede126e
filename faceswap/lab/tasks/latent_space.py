"""Latent space: interpolation between pictures, and editing along attribute vectors."""

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
from faceswap.io.charts import line_chart
from faceswap.lab.framework.data import split_data
from faceswap.lab.framework.expressions import (
    ATTRIBUTES,
    ExpressionMeasurer,
    expression_attributes,
    read_face_records,
    without_pose,
)
from faceswap.lab.framework.figure import sheet
from faceswap.lab.framework.run import TaskFunction, TaskSettings, finish, notices
from faceswap.lab.tasks.bottleneck import encoded
from faceswap.lab.tasks.captions import Captions
from faceswap.lab.tasks.generation import VAE_STEPS, sample_quality, train_vae

STEPS = 11  # pictures of an interpolation, an odd number for one half way


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Linear interpolation (T, N, K) from codes ``a`` to ``b`` (N, K) at ``t`` (T,), 0 to 1."""
    return a + (b - a) * t.view(-1, 1, 1)


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Spherical interpolation (slerp), which keeps the length of the codes; as ``linear``.

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    cosine = functional.cosine_similarity(a, b, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
    angle = cosine.acos().view(1, -1, 1)
    t = t.view(-1, 1, 1)
    mixed: Tensor = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return mixed


def attribute_vector(codes: Tensor, having: Tensor) -> Tensor:
    """Attribute vector (K,): mean code with the attribute minus mean code without it.

    codes: (N, K). having: bool (N,). Source: Larsen et al., "Autoencoding beyond pixels using a
    learned similarity metric", 2016. Raises ValueError when all or none have it.
    """
    if bool(having.all()) or not bool(having.any()):
        raise ValueError("an attribute vector needs pictures with the attribute and without")
    return codes[having].mean(0) - codes[~having].mean(0)


@torch.no_grad()
def edited(model: Autoencoder, x: Tensor, vector: Tensor, slider: float) -> Tensor:
    """Edit pictures (N, C, H, W) along an attribute vector; a negative slider for less of it."""
    return model.decode(model.encode(x) + slider * vector)


def interpolate(settings: TaskSettings) -> TaskFunction:
    """Interpolate between pictures in latent space, linearly and spherically, and cross-fade."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    yard = yield from sample_quality(settings, parts)
    model = yield from train_vae(settings, parts, settings.code or 20, "vae", VAE_STEPS)
    x = parts.test.floats().to(settings.device)
    half = len(x) // 2
    if not half:
        raise InputError(f"There are only {len(pictures)} pictures; two test pictures are needed.")
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
    title = "Confidence of a classifier" if yard.more else "Distance to the nearest true picture"
    plot = line_chart(title, lines, "position", yard.name)
    straight, round_about, faded = (yard.text(figures[f"{yard.name} half way, {w}"]) for w in ways)
    sentence = (
        f"Half way between two pictures a classifier's confidence is {straight} for linear "
        f"interpolation (spherical {round_about}) and {faded} for cross-fading, which shows both "
        "at once."
        if yard.more
        else f"Half way between two pictures the mean squared difference from the nearest true "
        f"picture is {straight} for linear interpolation (spherical {round_about}) and {faded} for "
        "cross-fading, which shows both at once."
    )
    heads = [f"{float(u):.1f}" for u in t]
    blocks = [sheet(rows, heads=heads), plot]
    return (yield from finish(settings, "interpolate", blocks, figures, sentence))


@dataclass(frozen=True)
class Attribute:
    """An attribute. values: (N,) of the training pictures, for the vector. measure: values (M,)
    of edited test pictures, in the order of the test set."""

    name: str
    values: Tensor
    measure: Callable[[Tensor], Tensor]


def attributes(settings: TaskSettings) -> TaskFunction:
    """Edit pictures along attribute vectors, and measure the attribute before and after.

    Attributes: ink and slant of digits; mouth, smile, eyes and pose of faceswap crops; brightness
    and warmth of other pictures; and the class, where a folder has two.
    """
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split_data(pictures, settings.seed)
    faces = read_face_records(parts.training.files)
    # Light and pose are learnt first; a mouth is few pixels and takes as long again.
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
            yield Notice(message=f"Left out, as all pictures are alike in {one.name}.")
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
        raise InputError("The pictures are all alike; give pictures that differ.")
    heads = [f"{s:+.2g}" if s else "0" for s in sliders]
    sentence = (
        f"A slider from {sliders[0]:g} to {sliders[-1]:g} along an attribute vector changes "
        f"{'; '.join(said) or 'the class'}."
    )
    return (
        yield from finish(settings, "attributes", [sheet(rows, heads=heads)], figures, sentence)
    )


_MEASURED = 32  # test faces to measure: the landmarker takes some ms for each, at 11 sliders


def _rows(
    name: str, made: dict[float, Tensor], sliders: Sequence[float]
) -> list[tuple[str, Tensor]]:
    """Rows of up to two pictures, from one end of the slider to the other."""
    shown = range(min(2, *(len(pictures) for pictures in made.values())))
    return [(name, torch.stack([made[s][picture] for s in sliders])) for picture in shown]


def _of_pictures(training: Tensor) -> list[Attribute]:
    """Attributes measured from the pixels of pictures (N, C, H, W)."""

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
    """Expression attributes, from the face records of crops."""
    meter = ExpressionMeasurer(test, size)
    own = np.stack([expression_attributes(face.points, face.pose) for _, face in training])
    values = torch.from_numpy(without_pose(own))
    return [
        Attribute(name, values[:, place], partial(meter.measure, place=place))
        for place, name in enumerate(ATTRIBUTES)
    ]
