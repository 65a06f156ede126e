"""Folders of numbered pictures, and animated GIF and WebP, are read as videos."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_clips import picture
from PIL import Image

from faceswap.errors import InputError
from faceswap.video.picture_source import numbered_pictures
from faceswap.video.reader import VideoReader


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(picture(number, 64, 48)).save(folder / name)
    return folder


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    names = [f"shot {number}.png" for number in (1, 2, 10, 11, 100)]
    folder = pictures(tmp_path / "shots", names)
    (folder / "notes.txt").write_text("not a picture")
    assert [path.name for path in numbered_pictures(folder)] == names
    video = VideoReader(folder, picture_rate=Fraction(24))
    assert (video.info.frames, video.info.rate, video.info.still) == (5, Fraction(24), False)
    frames = list(video)
    assert [frame.pts for frame in frames] == list(range(5))
    assert frames[2].time == pytest.approx(2 / 24)
    for number, frame in enumerate(frames):
        assert np.array_equal(frame.image, picture(number, 64, 48))
    assert np.array_equal(next(video.frames(3)).image, picture(3, 64, 48))


def test_pictures_of_16_bits_keep_them(tmp_path: Path) -> None:
    from faceswap.io.provenance import DRAWN
    from faceswap.video.picture_files import encode_png

    deep = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), np.uint16)
    (tmp_path / "1.png").write_bytes(encode_png(deep, DRAWN))
    video = VideoReader(tmp_path)
    stored = next(video.footage()).picture
    assert stored.format.name == "gbrp16le"
    assert np.array_equal(stored.to_ndarray(), deep)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_keep_their_times(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    images = [Image.fromarray(picture(number, 64, 48)) for number in range(4)]
    durations = [40, 80, 40, 120]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, lossless=True)
    video = VideoReader(path)
    frames = list(video)
    assert [round(frame.time * 1000) for frame in frames] == [0, 40, 120, 160]
    assert video.info.frames == 4
    for number, frame in enumerate(frames):
        off = np.abs(frame.image.astype(int) - picture(number, 64, 48)).mean()
        assert off < (0.1 if suffix == ".webp" else 8)
    assert [frame.index for frame in video.frames(2)] == [2, 3]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no pictures"):
        VideoReader(tmp_path)
