"""What outputs say about how they were made: the words, in every kind of file that holds them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceswap.errors import OutputError
from faceswap.io.provenance import (
    ALTERED,
    COMPOSITE,
    DRAWN,
    FIGURE,
    GENERATED,
    SWAPPED,
    SWAPPED_PICTURE,
    Provenance,
    check_picture_name,
    picture_provenance,
    save_picture,
)
from faceswap.lab.framework.figure import write_png
from faceswap.lab.task_registry import TASKS
from faceswap.lab.tasks.audio import read_wav, write_wav

PAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
FACE_CLAIM = "a face in this"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"])
@pytest.mark.parametrize("made", [SWAPPED_PICTURE, DRAWN, Provenance('5 < 6 & "7"', ALTERED)])
def test_pictures_carry_it(suffix: str, made: Provenance, tmp_path: Path) -> None:
    path = tmp_path / f"größe{suffix}"
    save_picture(PAGE, path, made)
    assert picture_provenance(path) == made
    with Image.open(path) as page:
        assert page.size == (60, 40)
        if suffix in (".png", ".tif", ".tiff"):
            assert np.array_equal(np.asarray(page), PAGE)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".ppm", ".jp2", ".tga", ".ico"])
def test_what_cannot_say_how_it_was_made_is_not_written(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    with pytest.raises(ValueError, match="cannot store how it was made"):
        save_picture(PAGE, path, DRAWN)
    with pytest.raises(OutputError, match="cannot store how it was made"):
        check_picture_name(path)
    assert not list(tmp_path.iterdir())


def test_grey_pictures_and_options_of_the_format(tmp_path: Path) -> None:
    save_picture(PAGE[..., 0], tmp_path / "grey.part", FIGURE, "PNG", compress_level=1)
    with Image.open(tmp_path / "grey.part") as page:
        assert page.mode == "L"
    sizes = []
    for quality in (20, 95):
        save_picture(PAGE, tmp_path / "x.jpg", DRAWN, quality=quality)
        sizes.append((tmp_path / "x.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"x\.txt does not have the suffix of a picture"):
        save_picture(PAGE, tmp_path / "x.txt", DRAWN)
    with pytest.raises(OSError, match="No such file"):
        save_picture(PAGE, tmp_path / "none" / "x.png", DRAWN)
    path = tmp_path / "x.png"
    path.write_bytes(b"mine")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        save_picture(PAGE, path, DRAWN)
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_foreign_words_are_read(tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"no picture")
    assert picture_provenance(tmp_path / "no.png") is None
    assert picture_provenance(tmp_path / "none.png") is None
    Image.fromarray(PAGE).save(tmp_path / "plain.png")
    assert picture_provenance(tmp_path / "plain.png") is None
    packet = f"<x><Iptc4xmpExt:DigitalSourceType>{COMPOSITE}</Iptc4xmpExt:DigitalSourceType></x>"
    Image.fromarray(PAGE).save(tmp_path / "x.webp", xmp=packet.encode())
    assert picture_provenance(tmp_path / "x.webp") == Provenance("", COMPOSITE)


@pytest.mark.parametrize("use", [name for name, task in TASKS.items() if task.output_note])
def test_no_repair_claims_a_swap(use: str) -> None:
    made = TASKS[use].provenance
    assert FACE_CLAIM in SWAPPED.text
    assert FACE_CLAIM not in made.text
    assert made.text.startswith("Repaired with faceswap: ")
    assert made.code == (ALTERED if use in ("denoise", "audio-denoise") else GENERATED)


def test_steps_add_up() -> None:
    first = Provenance("Shot in Rome.", "http://x/digitalCapture")
    assert DRAWN.after(None) == DRAWN
    assert DRAWN.after(first) == Provenance(f"{DRAWN.text} Shot in Rome.", first.code)
    assert TASKS["denoise"].provenance.after(first).code == ALTERED
    swapped = SWAPPED.after(TASKS["denoise"].provenance)
    assert swapped.code == COMPOSITE
    assert SWAPPED.after(swapped) == swapped
    assert TASKS["denoise"].provenance.after(swapped) == swapped  # told already
    assert TASKS["inpaint"].provenance.after(swapped).code == COMPOSITE


def test_the_lab_s_figures_and_sounds_carry_it(tmp_path: Path) -> None:
    write_png(tmp_path / "f" / "figure.png", PAGE)
    assert picture_provenance(tmp_path / "f" / "figure.png") == FIGURE
    sound = np.asarray(np.sin(np.arange(4000) / 9) / 2, np.float32)
    for words in ("", "even", "odd", "größer"):
        path = tmp_path / "s.wav"
        write_wav(path, sound, 8000, words)
        heard, rate, channels = read_wav(path)
        assert (rate, channels) == (8000, 1)
        np.testing.assert_allclose(heard, sound, atol=1e-4)
        data = path.read_bytes()
        assert int.from_bytes(data[4:8], "little") == len(data) - 8
        assert (b"INFOICMT" in data) == bool(words)
        assert words.encode() in data
