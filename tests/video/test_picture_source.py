"""Folders of numbered pictures, and animated GIF and WebP, are read as videos."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from made_clips import picture
from PIL import Image

from faceswap.errors import InputError
from faceswap.video.picture_source import is_film, numbered_pictures
from faceswap.video.reader import VideoReader, open_footage


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


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Path:
    values = {"RGB": (200, 30, 60), "CMYK": (10, 200, 150, 0), "RGBA": (200, 30, 60, 128)}
    Image.new(mode, size, values.get(mode, 128)).save(path)
    return path


def test_numbered_pictures_are_a_film_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(8, 21):  # without leading zeros
        Image.new("RGB", (40, 30), (10 * number, 0, 0)).save(tmp_path / f"shot {number}.png")
    (tmp_path / "notes.txt").write_text("x")
    with open_footage(tmp_path) as footage:
        assert not footage.info.still
        assert footage.info.frames == 13
        frames = list(footage.frames(2, 6, 2))
    assert [frame.index for frame in frames] == [2, 4]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [100, 120]
    assert frames[1].time == pytest.approx(4 / 25)


def test_photographs_are_stills_of_any_kind(tmp_path: Path) -> None:
    save(tmp_path / "cmyk.jpg", "CMYK")
    save(tmp_path / "alpha.png", "RGBA", (60, 20))
    Image.fromarray(np.full((20, 30), 30000, np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    footage = open_footage(tmp_path)
    frames = list(footage.frames())
    assert footage.info.still
    assert [frame.index for frame in frames] == [0, 2, 3]
    assert all(frame.image.dtype == np.uint8 and frame.image.shape[2] == 3 for frame in frames)
    assert footage.damage is not None
    assert "broken.png" in footage.damage
    assert {frame.time for frame in frames} == {0.0}


def test_a_picture_is_upright_by_its_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg", exif=exif)
    with open_footage(tmp_path / "a.jpg") as footage:
        assert (footage.info.width, footage.info.height) == (20, 40)
        assert len(list(footage.frames())) == 1


@pytest.mark.parametrize("name", ["%d", "a#b", "quote ' \" here", "line\nbreak", "x" * 240])
def test_any_name_will_do(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    save(folder / "a.png")
    with open_footage(folder) as footage:
        assert len(list(footage.frames())) == 1


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        open_footage(tmp_path)
    with pytest.raises(InputError, match="is missing"):
        open_footage(tmp_path / "none.png")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        open_footage(tmp_path / "a.png")


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (32, 32), (n * 80, 0, 0)) for n in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    with open_footage(tmp_path / "a.gif") as footage:
        assert not footage.info.still
        assert len(list(footage.frames())) == 3


def test_gaps_and_other_names_make_no_film() -> None:
    names = [Path(f"a{n}.png") for n in range(20)]
    assert is_film(names)
    assert not is_film(names[:5])
    assert not is_film([*names[:10], *names[11:]])
    assert not is_film([*names, Path("b20.png")])
