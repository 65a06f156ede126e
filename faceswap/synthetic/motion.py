"""Seeded motion of a person talking to a camera: head pose, speech, blinks, gaze, expression."""

from dataclasses import dataclass

import numpy as np

from faceswap.synthetic.expression import Expression
from faceswap.synthetic.head_mesh import Pose
from faceswap.synthetic.uv import Array


@dataclass(frozen=True)
class MotionFrame:
    """Pose and expression of one frame."""

    pose: Pose
    expression: Expression


def _wander(rng: np.random.Generator, t: Array, slow: float, fast: float) -> Array:
    """Smooth random curve of unit standard deviation: five sines from ``slow`` to ``fast`` Hz."""
    total = np.zeros_like(t)
    for frequency in np.geomspace(slow, fast, 5):
        phase = rng.uniform(0, 2 * np.pi)
        total += np.sin(2 * np.pi * frequency * rng.uniform(0.85, 1.15) * t + phase) / 5**0.5
    return total * 2**0.5


def _pulse(t: Array, start: float, rise: float, hold: float, fall: float) -> Array:
    """Smooth pulse: 0 to 1 over ``rise`` seconds from ``start``, held, back over ``fall``."""
    up = np.clip((t - start) / rise, 0, 1)
    down = np.clip((t - start - rise - hold) / fall, 0, 1)
    return np.asarray(up * up * (3 - 2 * up) * (1 - down * down * (3 - 2 * down)))


def _speech(rng: np.random.Generator, t: Array) -> dict[str, Array]:
    """Jaw and lip curves of speech in phrases of one to two seconds, of syllables and pauses."""
    channels = {name: np.zeros_like(t) for name in ("jaw", "pucker", "upper_lip", "lower_lip")}
    now = rng.uniform(0.0, 0.4)
    while now < t[-1] + 0.1:
        phrase = now + rng.uniform(0.9, 2.0)
        while now < phrase:
            length = rng.uniform(0.16, 0.3)
            syllable = _pulse(t, now, length * 0.45, 0.0, length * 0.75)
            vowel = rng.uniform()
            channels["jaw"] += syllable * rng.uniform(0.12, 0.62) * (1 if vowel > 0.15 else 0.2)
            rounded = rng.uniform() < 0.3
            channels["pucker"] += syllable * (rng.uniform(0.4, 0.95) if rounded else 0.0)
            channels["upper_lip"] += syllable * (0.0 if rounded else rng.uniform(0.05, 0.35))
            channels["lower_lip"] += syllable * (0.1 if rounded else rng.uniform(0.1, 0.45))
            now += length
        now += rng.uniform(0.25, 0.6)
    return {name: np.minimum(channel, 1.0) for name, channel in channels.items()}


def _blinks(rng: np.random.Generator, t: Array) -> Array:
    shut = np.zeros_like(t)
    now = rng.uniform(0.5, 1.3)
    while now < t[-1]:
        shut = np.maximum(shut, _pulse(t, now, 0.09, 0.04, 0.15))
        now += rng.uniform(1.0, 2.6)
    return shut


def _gaze(rng: np.random.Generator, t: Array, yaw: Array, pitch: Array) -> tuple[Array, Array]:
    """Gaze in degrees: fixations joined by saccades; most stay on the camera as the head turns."""
    sideways, upward = np.zeros_like(t), np.zeros_like(t)
    now = 0.0
    while now < t[-1] + 0.1:
        length = rng.uniform(0.4, 1.2)
        inside = (t >= now) & (t < now + length)
        away = rng.uniform() < 0.45
        goal = rng.normal(0, 11) if away else 0.0, rng.normal(0, 5) if away else 0.0
        sideways[inside] = goal[0] - 0.8 * yaw[inside]
        upward[inside] = goal[1] - 0.7 * pitch[inside]
        now += length
    return np.clip(sideways, -26, 26), np.clip(upward, -16, 16)


def talk(seed: int, frames: int, rate: float, energy: float = 1.0) -> list[MotionFrame]:
    """Motion of talking: ``frames`` moments at ``rate`` per second; energy: scale of head motion.

    The same arguments give the same moments; a longer one does not start with a shorter one.
    """
    rng = np.random.default_rng((seed, 7919))
    t = np.arange(frames) / rate
    yaw = np.clip(_wander(rng, t, 0.1, 0.5) * 11, -24, 24) * energy
    pitch = np.clip(_wander(rng, t, 0.12, 0.9) * 4.5 - 1.0, -13, 11) * energy
    roll = np.clip(_wander(rng, t, 0.1, 0.5) * 3.5, -9, 9) * energy
    shift = np.stack([_wander(rng, t, 0.08, 0.4) * a * energy for a in (0.7, 0.3, 0.6)], -1)
    mouth = _speech(rng, t)
    pitch = pitch - 2.0 * (mouth["jaw"] - mouth["jaw"].mean())
    blink = _blinks(rng, t)
    gaze_yaw, gaze_pitch = _gaze(rng, t, yaw, pitch)
    smile = np.clip(_wander(rng, t, 0.12, 0.5) * 0.45 + 0.15, -0.5, 1.0)
    raised = np.clip(_wander(rng, t, 0.2, 1.1) * 0.4, -0.25, 1.0)
    frown = np.clip(_wander(rng, t, 0.15, 0.7) * 0.4 - 0.1, 0, 1.0)
    moments = []
    for n in range(frames):
        pose = Pose(
            float(yaw[n]),
            float(pitch[n]),
            float(roll[n]),
            (float(shift[n, 0]), float(shift[n, 1]), float(shift[n, 2])),
        )
        expression = Expression(
            jaw=float(mouth["jaw"][n]),
            smile=float(smile[n]),
            pucker=float(mouth["pucker"][n] * (1 - 0.5 * max(smile[n], 0))),
            upper_lip=float(mouth["upper_lip"][n]),
            lower_lip=float(mouth["lower_lip"][n]),
            blink_left=float(blink[n]),
            blink_right=float(blink[n]),
            squint=float(max(smile[n], 0) * 0.6),
            brow_raise=float(raised[n] * (1 - 0.6 * frown[n])),
            frown=float(frown[n]),
            gaze_yaw=float(gaze_yaw[n]),
            gaze_pitch=float(gaze_pitch[n]),
        )
        moments.append(MotionFrame(pose, expression))
    return moments
