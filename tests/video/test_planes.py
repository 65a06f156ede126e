"""A patch changes what it covers, at the footage's own depth; nothing else changes by a bit."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_clips import interlaced
from made_clips import MakeClip

from faceswap.types import Weights
from faceswap.video.encoding import Encoding
from faceswap.video.info import VideoInfo
from faceswap.video.output_plan import plan_output
from faceswap.video.patch import Patch
from faceswap.video.planes import plane
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter

SIDE = 33
PLACE = 21, 17  # odd: not aligned to blocks of chroma


def oval() -> Weights:
    """Weights of an oval with a soft edge, 0 along its border."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    return np.asarray(np.clip((15 - np.hypot(x, y)) / 5, 0, 1), np.float32)


def patch(colour: tuple[float, float, float], place: tuple[int, int] = PLACE) -> Patch:
    face = np.full((SIDE, SIDE, 3), colour, np.float32)
    return Patch(place[0], place[1], face, oval(), np.eye(2, 3))


FFV1 = Encoding(codec="ffv1")


def converted(path: Path, out: Path, one: Patch, encoding: Encoding = FFV1) -> VideoReader:
    """``path`` encoded with the patch in each picture."""
    video = VideoReader(path)
    plan = plan_output(out, video.info, encoding)
    with VideoWriter.of_footage(plan) as writer:
        for footage in video.footage():
            writer.write_footage(footage, [one])
    return VideoReader(out)


def touched(info: VideoInfo, one: Patch) -> Any:
    """Where the patch has weight, in stored pixels, grown by a block of chroma: bool (H, W)."""
    stored = one.in_stored_pixels(info)
    mask = np.zeros((info.stored[1], info.stored[0]), bool)
    rows, columns = np.nonzero(stored.alpha > 0)
    for down in (-3, 0, 3):
        for across in (-3, 0, 3):
            mask[
                np.clip(rows + stored.y + down, 0, mask.shape[0] - 1),
                np.clip(columns + stored.x + across, 0, mask.shape[1] - 1),
            ] = True
    return mask


FORMATS = [
    ("libx264", "yuv420p", (1, 1, 1, 1)),
    ("libx264", "yuv420p", (5, 5, 6, 2)),
    ("libx264", "yuv420p10le", (1, 1, 1, 1)),
    ("libx264", "yuv422p10le", (1, 1, 1, 1)),
    ("libx265", "yuv420p10le", (9, 9, 16, 1)),
    ("libx265", "yuv420p10le", (9, 9, 18, 1)),
    ("ffv1", "yuv444p12le", (1, 1, 1, 1)),
    ("ffv1", "yuva444p10le", (1, 1, 1, 1)),
    ("ffv1", "bgr0", (2, 2, 2, 0)),
    ("ffv1", "gbrp12le", (2, 2, 2, 0)),
]


@pytest.mark.parametrize(("codec", "pixel_format", "colour"), FORMATS)
@pytest.mark.parametrize("rotation", [0, 90])
def test_pixels_outside_a_patch_are_equal_and_those_inside_are_its(
    make_clip: MakeClip,
    tmp_path: Path,
    codec: str,
    pixel_format: str,
    colour: tuple[int, int, int, int],
    rotation: int,
) -> None:
    options = {"x265-params": "log-level=error"} if codec == "libx265" else {}
    path = make_clip(
        suffix=".mkv",
        codec=codec,
        pixel_format=pixel_format,
        colour=colour,
        rotation=rotation,
        frames=2,
        tracks=0,
        options=options,
    )
    wanted = (0.7, 0.45, 0.35)
    made = converted(path, tmp_path / "o.mkv", patch(wanted))
    video = VideoReader(path)
    assert made.info.colour == video.info.colour or pixel_format in ("bgr0", "gbrp12le")
    assert made.info.turn == video.info.turn
    mask = touched(video.info, patch(wanted))
    for before, after in zip(video.footage(), made.footage(), strict=True):
        assert before.picture.format.name == after.picture.format.name
        for number in range(len(before.picture.planes)):
            a, b = plane(before.picture, number), plane(after.picture, number)
            step = mask.shape[0] // a.shape[0], mask.shape[1] // a.shape[1]
            outside = ~mask[:: step[0], :: step[1]]
            assert np.array_equal(a[outside], b[outside]), number
        shown = after.image[PLACE[1] + 12 : PLACE[1] + 21, PLACE[0] + 12 : PLACE[0] + 21]
        assert np.abs(shown.reshape(-1, 3).mean(0) - np.array(wanted) * 255).max() < 3


def test_the_rim_is_mixed_in_light(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(suffix=".mkv", codec="ffv1", pixel_format="gbrp12le", frames=1, tracks=0)
    weights = np.full((SIDE, SIDE), 0.25, np.float32)
    white = Patch(PLACE[0], PLACE[1], np.ones((SIDE, SIDE, 3), np.float32), weights, np.eye(2, 3))
    made = converted(path, tmp_path / "o.mkv", white)
    before, after = (next(VideoReader(p).footage()).picture for p in (path, made.path))
    there = np.s_[PLACE[1] : PLACE[1] + SIDE, PLACE[0] : PLACE[0] + SIDE]
    for number in range(3):
        light, got = (plane(picture, number)[there] / 4095 for picture in (before, after))
        assert np.abs(got - (0.75 * light**2.4 + 0.25) ** (1 / 2.4)).max() < 1e-3


def test_a_patch_that_equals_the_frame_changes_nothing(make_clip: MakeClip, tmp_path: Path) -> None:
    """Whatever space and depth: what the network saw comes back where it was."""
    for colour in ((1, 1, 1, 1), (9, 9, 16, 1), (9, 9, 18, 1)):
        path = make_clip(
            suffix=".mkv", codec="ffv1", pixel_format="yuv444p10le", colour=colour, frames=1,
            tracks=0,
        )  # fmt: skip
        seen = next(VideoReader(path).footage())
        part = np.asarray(seen.image[17:50, 21:54] / np.float32(255), np.float32)
        # Brighter than the brightest that the network sees can't come back.
        known = ((part > 0.03) & (part < 0.97)).all(2)
        assert known.mean() > 0.1
        weights = np.where(known, oval(), np.float32(0)).astype(np.float32)
        made = converted(
            path,
            tmp_path / f"{colour[2]}.mkv",
            Patch(21, 17, part, weights, np.eye(2, 3)),
        )
        after = next(made.footage())
        errors = [
            np.abs(plane(seen.picture, n).astype(int) - plane(after.picture, n)) for n in range(3)
        ]
        # Half a level of 8 bits, and what a tone curve makes of it.
        assert np.mean(errors) < 2, colour
        assert np.percentile(errors, 99) <= 16, colour


def test_each_field_of_an_interlaced_picture_gets_its_own_chroma(tmp_path: Path) -> None:
    path = interlaced(tmp_path)
    video = VideoReader(path)
    face = np.zeros((SIDE, SIDE, 3), np.float32)
    face[0::2] = (1, 0, 0)  # the patch begins in an odd row: this is the bottom field
    face[1::2] = (0, 0, 1)
    full = Patch(PLACE[0], PLACE[1], face, np.ones((SIDE, SIDE), np.float32), np.eye(2, 3))
    plan = plan_output(tmp_path / "o.mkv", video.info, Encoding(codec="ffv1"))
    with VideoWriter.of_footage(plan) as writer:
        for footage in video.footage(0, 1):
            writer.write_footage(footage, [full])
    red = plane(next(VideoReader(plan.path).footage()).picture, 2)
    rows = red[12:22, 13:24].astype(float).mean(1)
    assert (rows[1::2] > 200).all()  # rows 13, 15 … of chroma belong to the bottom field
    assert (rows[0::2] < 140).all()


def test_pixels_that_are_not_square_get_a_patch_of_square_ones(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    path = make_clip(aspect=Fraction(4, 3), frames=2, tracks=0)
    video = VideoReader(path)
    assert (video.info.width, video.info.height) == (171, 96)
    assert next(video.frames()).image.shape == (96, 171, 3)
    made = converted(path, tmp_path / "o.mp4", patch((1, 0, 0), (90, 40)), Encoding(crf=0))
    assert made.info.sample_aspect == Fraction(4, 3)
    before, after = next(video.frames()).image, next(made.frames()).image
    change = np.abs(after.astype(int) - before).sum(2) > 120
    rows, columns = np.flatnonzero(change.any(1)), np.flatnonzero(change.any(0))
    assert np.ptp(columns) == pytest.approx(np.ptp(rows), abs=3)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(90 + SIDE // 2, abs=1)
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(40 + SIDE // 2, abs=1)
