"""Footage in, footage out: files of many kinds keep all but what a patch covers.

The few of each commit are drawn from all combinations; ``-m slow`` runs more of them.
"""

import random
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_clips import write_clip

from faceswap.video.encoding import Encoding
from faceswap.video.output_plan import plan_output
from faceswap.video.patch import Patch
from faceswap.video.planes import plane
from faceswap.video.quality import estimate_quality
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter

FRAMES = 12


@dataclass(frozen=True)
class Kind:
    """One kind of file, and the container that it goes to."""

    rotation: int
    rate: str
    size: tuple[int, int]
    pixel_format: str
    colour: tuple[int, int, int, int]
    tracks: int
    container: str
    out: str

    def name(self) -> str:
        """For the test's id."""
        size = f"{self.size[0]}x{self.size[1]}"
        tags = "".join(map(str, self.colour))
        parts = (self.rotation, self.rate, size, self.pixel_format, tags, self.tracks)
        return "-".join(map(str, (*parts, self.container[1:], self.out[1:])))


KINDS = [
    Kind(*values)
    for values in product(
        (0, 90, 180, -90),
        ("25", "30000/1001", "variable"),
        ((96, 64), (86, 66), (85, 63)),
        ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"),
        ((2, 2, 2, 0), (1, 1, 1, 1), (5, 5, 6, 2), (9, 9, 16, 1), (9, 9, 18, 1)),
        (0, 1, 2),
        (".mp4", ".mov", ".mkv", ".ts"),
        (".mp4", ".mov", ".mkv"),
    )
]


def possible(kind: Kind) -> bool:
    hdr = kind.colour[2] in (16, 18)
    deep = kind.pixel_format.endswith("10le")
    whole = kind.size[0] % 2 == 0 or "444" in kind.pixel_format
    turned = kind.container != ".ts" or kind.rotation == 0
    return (not hdr or deep) and whole and turned


POSSIBLE = [kind for kind in KINDS if possible(kind)]
DRAWN = random.Random(25).sample(POSSIBLE, 14)
MORE = random.Random(26).sample(POSSIBLE, 150)


def made(kind: Kind, folder: Path) -> Path:
    options: dict[str, Any] = {}
    if kind.rate == "variable":
        steps = np.random.default_rng(0).integers(2000, 8000, FRAMES - 1)
        options |= {"pts": [0, *np.cumsum(steps).tolist()], "time_base": Fraction(1, 90000)}
    else:
        rate = Fraction(kind.rate)
        options |= {"rate": rate, "time_base": 1 / rate}
    return write_clip(
        folder / f"in{kind.container}",
        width=kind.size[0],
        height=kind.size[1],
        frames=FRAMES,
        pixel_format=kind.pixel_format,
        colour=kind.colour,
        rotation=kind.rotation,
        tracks=kind.tracks,
        options={"crf": "12"},
        **options,
    )


def sounds(path: Path) -> list[list[bytes]]:
    with av.open(str(path)) as container:
        found: dict[int, list[bytes]] = {s.index: [] for s in container.streams.audio}
        for packet in container.demux():
            if packet.size and packet.stream.index in found:
                found[packet.stream.index].append(bytes(packet))
    return list(found.values())


def check(kind: Kind, folder: Path) -> None:
    path = made(kind, folder)
    video = VideoReader(path)
    plan = plan_output(folder / f"out{kind.out}", video.info, Encoding(audio="auto"))
    plan = plan.with_crf(estimate_quality(plan, video, fixed=False).crf)
    side = 24
    patch = Patch(
        10, 12, np.full((side, side, 3), 0.5, np.float32), np.ones((side, side), np.float32),
        np.eye(2, 3),
    )  # fmt: skip
    with VideoWriter.of_footage(plan) as writer:
        for one in video.footage():
            writer.write_footage(one, [patch])
    result = VideoReader(plan.path)
    a, b = video.info, result.info
    assert b.colour == a.colour
    even = a.stored[0] + a.stored[0] % 2, a.stored[1] + a.stored[1] % 2
    assert b.stored in (a.stored, even)
    assert b.turn == a.turn
    before = video.timestamps() * float(a.time_base)
    after = result.timestamps() * float(b.time_base)
    lead = after[0] - before[0] if kind.out == ".mkv" else 0.0
    assert len(before) == len(after) == FRAMES
    assert np.abs(before + lead - after).max() < 1.1e-3
    assert abs(lead) < 0.1
    if kind.container != ".ts":  # there each packet has a header, which others have once for all
        assert sounds(plan.path) == sounds(path)
    stored = patch.in_stored_pixels(a)
    for one, other in zip(video.footage(), result.footage(), strict=True):
        assert one.picture.format.name == other.picture.format.name
        for number in range(3):
            assert psnr_outside(stored, one.picture, other.picture, number) >= 40, (kind, number)


def psnr_outside(patch: Patch, one: av.VideoFrame, other: av.VideoFrame, number: int) -> float:
    """PSNR in dB of a plane, away from the patch."""
    before = plane(one, number)
    rows, columns = before.shape
    after = plane(other, number)[:rows, :columns]
    across, down = one.width // columns, one.height // rows
    mask = np.ones(before.shape, bool)
    height, width = patch.alpha.shape
    mask[
        max(0, patch.y - 8) // down : (patch.y + height + 8) // down,
        max(0, patch.x - 8) // across : (patch.x + width + 8) // across,
    ] = False
    top = (1 << max(component.bits for component in one.format.components)) - 1
    error = float(np.mean((before[mask].astype(float) - after[mask]) ** 2)) / top**2
    return float(-10 * np.log10(max(error, 1e-12)))


@pytest.mark.parametrize("kind", DRAWN, ids=Kind.name)
def test_all_but_the_patch_is_kept(kind: Kind, tmp_path: Path) -> None:
    check(kind, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MORE, ids=Kind.name)
def test_all_but_the_patch_is_kept_in_many_kinds(kind: Kind, tmp_path: Path) -> None:
    check(kind, tmp_path)
