"""Cuts: on drawn shots, on a GIF of few frames per second, and on real clips joined."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceswap.errors import ProjectError
from faceswap.faces.cuts import BlockCutDetector
from faceswap.video.reader import VideoReader

Frame = NDArray[np.uint8]
SIZE = 192


def scene(seed: int, size: int = SIZE) -> Frame:
    """A picture with coarse and fine structure, as a shot has."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.normal(0, 1, (n, n, 3)), (size, size), interpolation=cv2.INTER_CUBIC) * k
        for n, k in ((3, 1.0), (9, 0.7), (24, 0.7))
    ]
    return np.asarray(np.clip(110 + 45 * sum(layers), 0, 255), np.uint8)


def found(frames: Sequence[Frame]) -> list[int]:
    detector = BlockCutDetector()
    return [number for number, frame in enumerate(frames) if detector.update(frame)]


def lit(frame: Frame, gain: float, level: float = 0.0) -> Frame:
    return np.asarray(np.clip(frame * gain + level, 0, 255), np.uint8)


def test_every_cut_is_found_and_nothing_else() -> None:
    frames = [scene(shot) for shot in range(12) for _ in range(5)]
    assert found(frames) == list(range(5, 60, 5))


def test_a_fast_pan_is_no_cut() -> None:
    wide = scene(1, 3 * SIZE)
    assert found([wide[SIZE : 2 * SIZE, x : x + SIZE] for x in range(0, 2 * SIZE, 19)]) == []


def test_flashes_and_fades_are_no_cuts() -> None:
    still = scene(2)
    flash = [still, lit(still, 1, 255), still, lit(still, 1.8, 40), lit(still, 0.4), still]
    assert found(flash) == []
    fade = [lit(still, n / 10) for n in range(10)]
    assert found([*fade, *fade[::-1]]) == []


def test_a_fade_through_black_is_one_cut() -> None:
    frames = [lit(scene(3), n / 10) for n in range(10, -1, -1)]
    frames += [lit(scene(4), n / 10) for n in range(11)]
    (cut,) = found(frames)
    assert 11 < cut < 18


def test_a_hand_in_front_is_no_cut() -> None:
    frames = []
    for x in range(-60, SIZE + 60, 40):
        frame = scene(5)
        cv2.ellipse(frame, (x, 110), (55, 80), 10, 0, 360, (170, 120, 100), -1)
        frames.append(frame)
    assert found([scene(5), *frames, scene(5)]) == []


def gif(path: Path, frames: Sequence[Frame]) -> list[Frame]:
    """The frames as a GIF of 12.5 frames per second and 64 dithered colours gives them back."""
    pictures = [Image.fromarray(frame).quantize(64) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80)
    with VideoReader(path) as video:
        return [frame.image for frame in video]


def test_a_gif_of_few_frames_per_second_has_no_cuts_but_real_ones(tmp_path: Path) -> None:
    def shot(seed: int) -> list[Frame]:
        """A head that moves by a tenth of the frame between two frames, before a wall."""
        frames = []
        for step in range(25):
            frame = scene(seed)
            x = round(SIZE / 2 + SIZE / 4 * np.sin(step * 0.45))
            head = scene(seed + 50, 100)[:, :80]
            frame[50:150, x - 40 : x + 40] = head
            frame[-1, step] = 255  # a GIF has no two equal frames
            frames.append(frame)
        return frames

    assert found(gif(tmp_path / "one.gif", shot(6))) == []
    assert found(gif(tmp_path / "two.gif", shot(6) + shot(7))) == [25]


@pytest.mark.real
def test_real_clips_joined_at_low_rate(clips: Path, tmp_path: Path) -> None:
    shots = []
    for name in ("address_a", "studio_b", "address_b", "studio_a"):
        with VideoReader(clips / f"{name}.mp4") as video:
            frames = [frame.image for frame in video.frames(0, 40)][::2]
        small = (cv2.resize(f, (256, 256), interpolation=cv2.INTER_AREA) for f in frames)
        shots += [np.asarray(f, np.uint8) for f in small]
    assert found(gif(tmp_path / "joined.gif", shots)) == [20, 40, 60]


def test_a_frame_of_another_size_begins_a_shot() -> None:
    assert found([scene(1), scene(1, 100), scene(1, 100)]) == [1]
    assert found([np.zeros((0, 0, 3), np.uint8), scene(1)]) == [1]


@pytest.mark.parametrize("killed_at", [0, 1, 4, 5, 6])
def test_restored_it_goes_on_as_if_never_stopped(killed_at: int) -> None:
    frames = [scene(shot) for shot in range(3) for _ in range(5)]
    first = BlockCutDetector()
    cuts = [first.update(frame) for frame in frames[:killed_at]]
    second = BlockCutDetector()
    second.restore(json.loads(json.dumps(first.state())))
    cuts += [second.update(frame) for frame in frames[killed_at:]]
    assert [n for n, cut in enumerate(cuts) if cut] == found(frames) == [5, 10]


@pytest.mark.parametrize(
    "change", [{"shape": 3}, {"before": [1]}, {"recent": None}, {"flashed": "x"}]
)
def test_a_damaged_state_is_refused(change: dict[str, object]) -> None:
    state = BlockCutDetector().state()
    with pytest.raises(ProjectError, match="damaged"):
        BlockCutDetector().restore(state | change)
