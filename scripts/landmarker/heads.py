"""Rendered training data of the landmarker's second stage: random people with exact landmarks.

None of the characters of the demo and the evaluation is among them: person, pose, expression,
light and camera are random. Rendering takes about 3 s of one core for a person's 24 pictures.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from faceswap.synthetic.camera import Camera
from faceswap.synthetic.expression import Expression
from faceswap.synthetic.head_mesh import Pose
from faceswap.synthetic.identity import Beard, Colour, Hair, Hairs, Identity, Shape, Skin
from faceswap.synthetic.motion import MotionFrame, talk
from faceswap.synthetic.pair import build_head
from faceswap.synthetic.scene import LIGHTS, Light, Scene, rotate_light
from landmarker.data import Floats, Gray

PICTURE = 224
"""Side of a rendered picture in pixels, the same as of the real ones."""
_STYLES: tuple[Hair, ...] = (
    *("bald", "cropped", "short", "parted"),
    *("bob", "long", "curly", "bun"),
)
_BEARDS: tuple[Beard, ...] = ("none", "stubble", "moustache", "goatee", "full")
_BEARD_SHARES = (0.4, 0.15, 0.12, 0.18, 0.15)
_FIRST_SEED = 100_000
"""First seed of the random people, far above the characters' seeds."""


@dataclass(frozen=True)
class RenderedHeads:
    """Grey pictures (N, 224, 224), exact points (N, 81, 2), and their visibility (N, 81)."""

    images: Gray
    points: Floats
    visible: NDArray[np.bool_]

    @classmethod
    def load(cls, path: Path, people: int, frames: int, seed: int, workers: int) -> RenderedHeads:
        """Read people x frames pictures from the file, or render them and write it."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_suffix(".new").open("wb") as file:
                np.savez(file, allow_pickle=False, **_drawn(people, frames, seed, workers))
            path.with_suffix(".new").replace(path)
        with np.load(path) as stored:
            return cls(stored["images"], stored["points"], stored["visible"])


def _drawn(people: int, frames: int, seed: int, workers: int) -> dict[str, NDArray[np.generic]]:
    draw = partial(pictures_of, frames=frames, seed=seed)
    # Spawned, not forked: forking a process with threads is unsafe.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        parts = []
        for number, part in enumerate(pool.map(draw, range(people))):
            parts.append(part)
            if (number + 1) % 20 == 0:
                print(f"{number + 1} of {people} heads rendered", flush=True)
    images, points, visible = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {"images": images, "points": points, "visible": visible}


def pictures_of(number: int, frames: int, seed: int) -> tuple[Gray, Floats, NDArray[np.bool_]]:
    """Render `frames` pictures of random person `number`: images, points, visible."""
    rng = np.random.default_rng((seed, number, 401))
    figure = build_head(person(rng, number))
    images, points, visible = [], [], []
    for count, moment in enumerate(_moments(rng, frames, number)):
        scene = Scene(
            (PICTURE, PICTURE),
            _light(rng),
            Camera(
                distance=float(rng.uniform(50, 140)),
                view=float(rng.uniform(26, 33)),
                noise=float(rng.uniform(0, 2.5)),
                softness=float(rng.uniform(0.0015, 0.006)),
            ),
            background=int(rng.integers(1 << 30)),
            seed=number,
        )
        frame = scene.frame(figure, moment.pose, moment.expression, count)
        images.append(cv2.cvtColor(frame.picture, cv2.COLOR_RGB2GRAY))
        points.append(np.concatenate([frame.points, frame.forehead]))
        visible.append(frame.visible)
    return np.stack(images), np.stack(points), np.stack(visible)


def person(rng: np.random.Generator, number: int) -> Identity:
    """Random person: shape, skin, hair and beard."""
    shape = {f.name: float(np.clip(rng.normal(0, 0.6), -1.2, 1.2)) for f in fields(Shape)}
    tone = _between(rng, (0.17, 0.085, 0.05), (0.74, 0.49, 0.38), rng.random() ** 0.7, 0.05)
    lips = [t * s for t, s in zip(tone, (0.85, 0.52, 0.52), strict=True)]
    painted = rng.random() < 0.3
    dark: Colour = (0.012, 0.010, 0.009)
    fair = [(0.30, 0.11, 0.035), (0.42, 0.26, 0.11), (0.55, 0.54, 0.52), (0.09, 0.05, 0.02)]
    hair = _between(rng, dark, fair[int(rng.integers(4))], rng.random(), 0.1)
    return Identity(
        f"made up {number}",
        _FIRST_SEED + number,
        Shape(**shape),
        Skin(
            tone=tone,
            redness=float(rng.uniform(0, 1)),
            freckles=float(max(rng.uniform(-1, 1), 0)),
            moles=int(rng.integers(5)),
            wrinkles=float(rng.uniform(0, 1) ** 2),
            shine=float(rng.uniform(0, 0.9)),
            lips=_between(rng, tone, (lips[0], lips[1], lips[2]), rng.uniform(0.4, 1.2), 0.05),
            lipstick=float(rng.uniform(0.3, 1)) if painted else 0.0,
            eyeshadow=float(rng.uniform(0.2, 1)) if painted else 0.0,
            under_eyes=float(rng.uniform(0, 0.9)),
            iris=_between(rng, (0.05, 0.025, 0.015), (0.16, 0.24, 0.28), rng.random(), 0.2),
        ),
        Hairs(
            style=_STYLES[int(rng.integers(len(_STYLES)))],
            colour=hair,
            brow_colour=_between(rng, dark, hair, rng.random(), 0.1),
            brow_thickness=float(rng.normal(0, 0.5)),
            brow_arch=float(rng.normal(0.1, 0.4)),
            brow_density=float(rng.uniform(0.4, 1)),
            beard=_BEARDS[int(rng.choice(len(_BEARDS), p=_BEARD_SHARES))],
            beard_colour=_between(rng, dark, hair, rng.random(), 0.1),
            lashes=float(rng.uniform(0.1, 1)),
        ),
        clothes=_between(rng, (0.03, 0.03, 0.03), (0.5, 0.48, 0.45), rng.random(), 0.3),
    )


def _between(
    rng: np.random.Generator, one: Colour, other: Colour, share: float, spread: float
) -> Colour:
    """Mix two colours in the share ``share``, with random deviation ``spread``."""
    mixed = np.array(one) + share * (np.array(other) - one)
    red, green, blue = np.clip(mixed * np.exp(rng.normal(0, spread, 3)), 0.005, 0.9).tolist()
    return red, green, blue


def _moments(rng: np.random.Generator, frames: int, number: int) -> Iterator[MotionFrame]:
    """Poses and expressions: half from talking motion, half random."""
    script = talk(_FIRST_SEED + number, 250, 25.0, energy=1.2)
    for count in range(frames):
        if count % 2:
            yield script[int(rng.integers(len(script)))]
        else:
            pose = Pose(
                float(np.clip(rng.normal(0, 16), -42, 42)),
                float(np.clip(rng.normal(-1, 9), -24, 22)),
                float(rng.normal(0, 4)),
            )
            yield MotionFrame(pose, expression(rng))


def expression(rng: np.random.Generator) -> Expression:
    """Random expression, with shut, half-open and wide mouths and lids equally often."""
    jaw = [0.0, rng.uniform(0, 0.3), rng.uniform(0.3, 1.0)][int(rng.integers(3))]
    lids = [0.0, rng.uniform(-0.4, 0.2), rng.uniform(0, 1), 1.0][int(rng.integers(4))]
    wink = rng.uniform(0, 1) if rng.random() < 0.12 else lids
    smile = float(np.clip(rng.normal(0.1, 0.5), -1, 1))
    lips = rng.uniform(0, 0.6, 2) * (rng.random(2) < 0.4)
    if jaw == 0.0 and rng.random() < 0.7:
        lips[:] = 0.0  # lips that touch
    return Expression(
        jaw=float(jaw),
        smile=smile,
        pucker=float(rng.uniform(0, 1) * (rng.random() < 0.2)),
        upper_lip=float(lips[0]),
        lower_lip=float(lips[1]),
        blink_left=float(lids),
        blink_right=float(wink),
        squint=float(rng.uniform(0, 0.8) * (rng.random() < 0.4)),
        brow_raise=float(np.clip(rng.normal(0.1, 0.4), -0.5, 1)),
        frown=float(max(rng.normal(0, 0.4), 0)),
        gaze_yaw=float(np.clip(rng.normal(0, 11), -28, 28)),
        gaze_pitch=float(np.clip(rng.normal(0, 7), -18, 16)),
    )


def _light(rng: np.random.Generator) -> Light:
    names = sorted(LIGHTS)
    light = rotate_light(LIGHTS[names[int(rng.integers(len(names)))]], float(rng.normal(0, 35)))
    strength = float(np.exp(rng.normal(0, 0.3)))
    red, green, blue = light.key_colour
    return replace(light, key_colour=(red * strength, green * strength, blue * strength))
