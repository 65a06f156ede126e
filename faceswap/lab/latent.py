"""Ways through the space of codes: from one picture to another, and along an attribute."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from faceswap.autoencoder.family import Autoencoder
from faceswap.lab.captions import Captions
from faceswap.lab.codes import encoded
from faceswap.lab.data import split
from faceswap.lab.figure import curves, sheet
from faceswap.lab.generate import confidence, judge, vary
from faceswap.lab.run import Run, Settings, finish, notices

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


def interpolate(settings: Settings) -> Run:
    """Between two pictures through the codes, straight and on a circle, against cross-fading."""
    pictures = settings.pictures()
    yield from notices(pictures)
    labels = pictures.known_labels("interpolate")
    parts = split(pictures, settings.seed)
    judging = yield from judge(settings, parts)
    model = yield from vary(settings, parts, settings.code or 20, "vae", 8000)
    x = parts.test.floats().to(settings.device)
    half = len(x) // 2
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
        sure = confidence(judging, made).view(STEPS, half).mean(1)
        lines[name] = [(float(u), float(v)) for u, v in zip(t, sure, strict=True)]
        figures[f"confidence half way, {name}"] = float(sure[STEPS // 2])
        for pair in range(2):
            rows.append((name, made.view(STEPS, half, *a.shape[1:])[:, pair]))
    rows = rows[::2] + rows[1::2]
    plot = curves("How sure a classifier is on the way", lines, "way", "confidence")
    sentence = (
        f"Half way between two pictures of {len(torch.unique(labels))} classes a classifier is "
        f"{figures['confidence half way, linear']:.0%} sure of what it sees (spherical "
        f"{figures['confidence half way, spherical']:.0%}), against "
        f"{figures['confidence half way, cross-fade']:.0%} for plain cross-fading, which shows "
        "both at once."
    )
    return (yield from finish(settings, "interpolate", [sheet(rows), plot], figures, sentence))


def attributes(settings: Settings) -> Run:
    """Edit along attribute vectors: thickness and slant, measured, or the folder's classes."""
    pictures = settings.pictures()
    yield from notices(pictures)
    parts = split(pictures, settings.seed)
    model = yield from vary(settings, parts, settings.code or 20, "vae", 8000)
    x, training = (p.floats().to(settings.device) for p in (parts.test, parts.training))
    codes = encoded(model, training)
    limit = 1.5 if settings.strength is None else settings.strength
    sliders = [limit * (i / 5 - 1) for i in range(11)]
    figures, rows, said = {}, [], []
    for name, measure in _measures(pictures.shape[0]).items():
        values = measure(training)
        vector = attribute_vector(codes, values > values.median())
        made = {s: edited(model, x, vector, s) for s in sliders}
        low, high = (float(measure(made[s]).mean()) for s in (sliders[0], sliders[-1]))
        spread = float(measure(x).std())
        figures[name] = {"least": low, "most": high, "spread of true pictures": spread}
        said.append(f"{name} from {low:.3g} to {high:.3g} (true pictures spread by {spread:.2g})")
        for picture in range(2):
            rows.append((name, torch.stack([made[s][picture] for s in sliders])))
    if parts.training.labels is not None and len(parts.training.classes) == 2:
        name = parts.training.classes[1]
        vector = attribute_vector(codes, parts.training.labels.to(codes.device) == 1)
        rows += [
            (name, torch.stack([edited(model, x[i : i + 1], vector, s)[0] for s in sliders]))
            for i in range(2)
        ]
    sentence = (
        f"A slider from {sliders[0]:g} to {sliders[-1]:g} along a vector of the code changes "
        f"{' and '.join(said)}."
    )
    return (yield from finish(settings, "attributes", [sheet(rows)], figures, sentence))


def _measures(channels: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """What is measured of pictures (N, C, H, W): a number (N,) each."""

    def brightness(x: Tensor) -> Tensor:
        return x.flatten(1).mean(1)

    def lean(x: Tensor) -> Tensor:
        return Captions.slant(x.mean(1, keepdim=True))

    def warmth(x: Tensor) -> Tensor:
        return (x[:, 0] - x[:, -1]).flatten(1).mean(1)

    if channels == 1:
        return {"thickness (mean ink)": brightness, "slant in degrees": lean}
    return {"brightness": brightness, "warmth (red minus blue)": warmth}
