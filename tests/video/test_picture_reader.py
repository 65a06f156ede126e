"""Folders of pictures and single pictures are read as footage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceswap.errors import InputError
from faceswap.video.picture_reader import PictureReader, is_film, open_footage
from faceswap.video.reader import VideoReader


def save(path: Path, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Path:
    values = {"RGB": (200, 30, 60), "CMYK": (10, 200, 150, 0), "RGBA": (200, 30, 60, 128)}
    Image.new(mode, size, values.get(mode, 128)).save(path)
    return path


def test_numbered_pictures_are_a_film_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(8, 21):  # without leading zeros
        save(tmp_path / f"shot {number}.png", size=(40 + number, 30))
    (tmp_path / "notes.txt").write_text("x")
    with open_footage(tmp_path) as footage:
        assert not footage.info.still
        assert footage.info.frames == 13
        frames = list(footage.frames(2, 6, 2))
    assert [frame.index for frame in frames] == [2, 4]
    assert [frame.image.shape[1] for frame in frames] == [50, 52]
    assert frames[1].time == pytest.approx(4 / 25)


def test_photographs_are_stills_of_any_kind(tmp_path: Path) -> None:
    save(tmp_path / "cmyk.jpg", "CMYK")
    save(tmp_path / "alpha.png", "RGBA", (60, 20))
    Image.fromarray(np.full((20, 30), 30000, np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    footage = PictureReader(tmp_path)
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
        PictureReader(tmp_path)
    with pytest.raises(InputError, match="is missing"):
        PictureReader(tmp_path / "none.png")
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="cannot be read"):
        PictureReader(tmp_path / "a.png")


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (32, 32), (n * 80, 0, 0)) for n in range(3)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    with open_footage(tmp_path / "a.gif") as footage:
        assert isinstance(footage, VideoReader)
        assert len(list(footage.frames())) == 3


def test_gaps_and_other_names_make_no_film() -> None:
    names = [Path(f"a{n}.png") for n in range(20)]
    assert is_film(names)
    assert not is_film(names[:5])
    assert not is_film([*names[:10], *names[11:]])
    assert not is_film([*names, Path("b20.png")])
