"""How one picture is read: upright, in 8 bits, without what its maker hid."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import Image

from faceswap.io.pictures import read_picture

RAMP = np.linspace(0, 1, 400).reshape(20, 20)


def read(path: Path, behind: int = 255) -> NDArray[np.uint8]:
    found = read_picture(path, behind)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("g.png", (RAMP * 65535).astype(np.uint16)),
        ("g.tif", (RAMP * 65535).astype(np.uint16)),
        ("g.tif", (RAMP * 65535).astype(np.int32)),
        ("g.tif", RAMP.astype(np.float32)),
        ("g.tif", (RAMP * 255).astype(np.float32)),
        ("g.tif", (RAMP * 3e6).astype(np.int32)),
    ],
    ids=["16 bits png", "16 bits tif", "32 bits", "fractions", "floats", "large numbers"],
)
def test_grey_of_more_than_eight_bits(
    name: str, values: NDArray[np.generic], tmp_path: Path
) -> None:
    Image.fromarray(values).save(tmp_path / name)
    found = read(tmp_path / name)
    assert found.dtype == np.uint8
    assert np.abs(found - RAMP * 255).max() <= 1


def test_dark_grey_of_sixteen_bits_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 20), 300, np.uint16)).save(tmp_path / "g.png")
    assert read(tmp_path / "g.png").max() == 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_the_camera_s_orientation(suffix: str, orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:12, :20], upright[:12, 20:], upright[12:, :20] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    page = Image.fromarray(np.ascontiguousarray(stored))
    exif = page.getexif()
    exif[0x0112] = orientation
    page.save(tmp_path / f"p{suffix}", exif=exif)
    found = read(tmp_path / f"p{suffix}").astype(int)
    assert found.shape == upright.shape
    assert np.abs(found - upright).mean() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_colour_under_transparency_is_hidden(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    if mode == "L":  # one grey stands for transparent
        values = np.full((20, 20), 90, np.uint8)
        values[:10] = 200
        Image.fromarray(values).save(path, transparency=90)
    else:
        page = np.full((20, 20, 4), (90, 90, 90, 0), np.uint8)
        page[:10] = (200, 200, 200, 255)
        Image.fromarray(page).convert(mode).save(path)
    for behind in (0, 255):
        found = read(path, behind)
        assert found.ndim == (3 if mode in ("RGBA", "P") else 2)
        assert abs(int(found[5, 5].max()) - 200) <= 1
        assert found[15, 5].max() == behind


def test_what_is_no_picture_or_larger_than_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.png").write_text("text")
    (tmp_path / "folder.png").mkdir()
    Image.new("L", (300, 300)).save(tmp_path / "large.png")
    whole = (tmp_path / "large.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    for name in ("t.png", "folder.png", "cut.png", "none.png"):
        assert read_picture(tmp_path / name) is None
    # Pillow warns above its limit, and refuses above twice that.
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 60_000)
    assert read(tmp_path / "large.png").shape == (300, 300)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 40_000)
    assert read_picture(tmp_path / "large.png") is None


def test_damaged_exif_does_not_spoil_the_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.update({0x010F: "Maker", 0x0112: 6, 0x011A: 72.0, 0x0132: "2020:01:01 00:00:00"})
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0x9003: "2020:01:01 00:00:00"})
    path = tmp_path / "p.jpg"
    Image.new("RGB", (24, 16), (200, 10, 10)).save(path, exif=exif)
    whole = path.read_bytes()
    first = whole.index(b"Exif") + 6
    last = first + len(exif.tobytes()) - 6
    generator = np.random.default_rng(0)
    for _ in range(400):
        spoilt = bytearray(whole)
        for place in generator.integers(first, last, 4):
            spoilt[place] = generator.integers(256)
        path.write_bytes(spoilt)
        assert sorted(read(path).shape) == [3, 16, 24]
