import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import finished
from made_clips import MakeClip
from PIL import Image

from faceswap.errors import InputError
from faceswap.events import Notice
from faceswap.lab.framework.data import load_pictures, load_query, split_data, split_places
from faceswap.lab.framework.idx import read_idx
from faceswap.lab.framework.run import TaskSettings
from faceswap.lab.framework.training_task import ClassificationLoss, PictureTask
from faceswap.lab.tasks.audio import read_wav, resampled, write_wav
from faceswap.lab.tasks.time_series import is_monotonic, read_series, time_series

SHARED = Path(__file__).parents[3] / "shared" / "mnist"


def idx(values: np.ndarray, magic: int | None = None) -> bytes:
    head = struct.pack(f">{1 + values.ndim}I", magic or 0x800 | values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


def picture(path: Path, size: tuple[int, int] = (20, 20), mode: str = "L", tone: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, tone if mode == "L" else (tone, 20, 200)).save(path)
    return path


def test_idx_plain_and_gzipped(tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4)
    plain, packed = tmp_path / "a", tmp_path / "a.gz"
    plain.write_bytes(idx(values))
    packed.write_bytes(gzip.compress(idx(values)))
    assert np.array_equal(read_idx(plain, 3), values)
    assert np.array_equal(read_idx(packed, 3), values)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00\x00", "no complete header"),
        (idx(np.zeros((2, 3, 4)))[:-1], "should hold 24 values and has 23"),
        (idx(np.zeros((2, 3, 4)), magic=0xD03), "magic number 0x00000d03"),
        (gzip.compress(idx(np.zeros((2, 3, 4))), mtime=0)[:-12], "cannot be read"),
    ],
)
def test_damaged_idx(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        load_pictures(tmp_path)


def test_mnist_folder_with_and_without_labels(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 28, 28))
    (tmp_path / "t-images-idx3-ubyte").write_bytes(idx(images))
    found = load_pictures(tmp_path)
    assert found.shape == (1, 28, 28)
    assert np.array_equal(found.images[:, 0], images)
    with pytest.raises(InputError, match="'classify' needs to know"):
        found.known_labels("classify")
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(idx(np.arange(30) % 10))
    assert load_pictures(tmp_path).known_labels("classify").tolist() == [n % 10 for n in range(30)]
    (tmp_path / "t-labels-idx1-ubyte").unlink()
    (tmp_path / "t-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(29) % 10)))
    with pytest.raises(InputError, match=r"29 labels, but .* 30 pictures"):
        load_pictures(tmp_path)


def test_idx_files_packed_and_unpacked_are_taken_once(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 28, 28))
    for name, data in (("images-idx3", images), ("labels-idx1", np.arange(30) % 3)):
        (tmp_path / f"t-{name}-ubyte").write_bytes(idx(data))
        (tmp_path / f"t-{name}-ubyte.gz").write_bytes(gzip.compress(idx(data)))
    (tmp_path / "t-images-idx3-ubyte-folder").mkdir()
    found = load_pictures(tmp_path)
    assert len(found) == 30
    assert found.known_labels("classify").tolist() == [n % 3 for n in range(30)]
    assert not found.notices


@pytest.mark.parametrize("name", ["t-labels.idx1-ubyte", "t-labels-idx1-ubyte.gz"])
def test_labels_are_found_by_other_spellings_of_their_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "t-images.idx3-ubyte").write_bytes(idx(np.zeros((30, 28, 28))))
    labels = idx(np.arange(30) % 3)
    (tmp_path / name).write_bytes(gzip.compress(labels) if name.endswith(".gz") else labels)
    assert load_pictures(tmp_path).known_labels("classify").tolist() == [n % 3 for n in range(30)]


def test_labels_of_some_files_only_are_said_to_be_of_no_use(tmp_path: Path) -> None:
    for part in ("t10k", "train"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(np.zeros((30, 28, 28))))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.arange(30) % 3))
    found = load_pictures(tmp_path)
    assert found.labels is None
    (said,) = found.notices
    assert "none match train-images-idx3-ubyte; there are only t10k-labels-idx1-ubyte" in said


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2**31, 2**31, 4), "should hold 18,446,744,073,709,551,616 values"),
        ((2**32 - 1, 2**32 - 1, 2**32 - 1), "should hold"),
        ((0, 28, 28), "no pictures"),
        ((20, 0, 28), "no pictures"),
    ],
)
def test_idx_headers_of_nothing_or_too_much(
    shape: tuple[int, int, int], words: str, tmp_path: Path
) -> None:
    (tmp_path / "t-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, *shape))
    labels = idx(np.zeros(shape[0])) if shape[0] < 100 else b""
    (tmp_path / "t-labels-idx1-ubyte").write_bytes(labels)
    with pytest.raises(InputError, match=words):
        load_pictures(tmp_path)


def test_idx_pictures_that_are_not_square_become_so(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 20, 28))
    (tmp_path / "t-images-idx3-ubyte").write_bytes(idx(images))
    found = load_pictures(tmp_path)
    assert np.array_equal(found.images[:, 0], images[:, :, 4:24])
    assert "28 × 20 pixels" in found.notices[0]
    assert load_pictures(tmp_path, 16).shape == (1, 16, 16)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/mnist is absent")
def test_real_digits_are_split_evenly_by_seed() -> None:
    digits = load_pictures(SHARED)
    parts = split_data(digits, 0)
    assert [len(p) for p in (parts.training, parts.validation, parts.test)] == [8000, 1000, 1000]
    assert torch.equal(parts.test.images, split_data(digits, 0).test.images)
    assert not torch.equal(parts.test.images, split_data(digits, 1).test.images)


@pytest.mark.parametrize("count", [10, 39, 200, 1000])
def test_films_are_split_by_stretches(count: int) -> None:
    parts = split_places(count, 3, film=True)
    assert sorted(torch.cat(parts).tolist()) == list(range(count))
    training, validation, test = (torch.sort(part)[0] for part in parts)
    assert 0.08 * count <= len(validation) <= 0.12 * count + 1
    assert 0.08 * count <= len(test) <= 0.12 * count + 1
    assert len(training) >= 0.75 * count
    # As few places as there are stretches have a neighbour that was learnt.
    near = (torch.diff(test) > 1).sum() + 1
    assert near <= max(1, min(4, count // 40))


def test_bundled_digits() -> None:
    digits = load_pictures(None)
    assert digits.shape == (1, 28, 28)
    assert len(digits) == 1797
    assert load_pictures(None, 32, 3).shape == (3, 32, 32)


def test_a_folder_of_classes_mixed_sizes_and_bad_files(tmp_path: Path) -> None:
    for number in range(6):
        picture(tmp_path / "cat" / f"{number}.png", (20 + number, 30))
    picture(tmp_path / "dog" / "0.png", mode="RGB")
    (tmp_path / "dog" / "1.png").write_text("no picture")
    (tmp_path / "dog" / "notes.txt").write_text("nor this")
    found = load_pictures(tmp_path, 16)
    assert found.shape == (3, 16, 16)
    assert found.classes == ("cat", "dog")
    assert found.labels is not None
    assert found.labels.tolist() == [0] * 6 + [1]
    said = " ".join(found.notices)
    assert "several sizes" in said
    assert "gray and some in color" in said
    assert "1.png" in said
    assert load_pictures(tmp_path, 16, 1).shape == (1, 16, 16)
    assert not found.film
    with pytest.raises(InputError, match="only 7 pictures; at least 10"):
        split_data(found, 0)


def test_more_classes_than_a_byte_counts(tmp_path: Path) -> None:
    for number in range(300):
        picture(tmp_path / f"c{number:03}" / "0.png", (8, 8), tone=number % 256)
    found = load_pictures(tmp_path, 8)
    assert found.known_labels("classify").tolist() == list(range(300))
    device = torch.device("cpu")
    task = PictureTask(found, found, ClassificationLoss(), device)
    batch = task.batch(64, torch.Generator().manual_seed(0), 0.0)
    shown = (batch.inputs.mean((1, 2, 3)) * 255).round().long()
    assert batch.labels.max() > 255
    assert torch.equal(batch.labels % 256, shown)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ([(16, 16)] * 3, None),
        ([(60, 30)] * 3, "60 × 30 pixels; their center square is scaled to 16 × 16"),
        ([(32, 32)] * 3, "32 × 32 pixels; they are scaled to 16 × 16"),
        ([(32, 32), (20, 20)], "several sizes; all are scaled to 16 × 16."),
        ([(60, 30), (20, 20)], "scaled to 16 × 16, cropped to the center square where needed."),
    ],
)
def test_what_is_done_to_the_size_is_said(
    sizes: list[tuple[int, int]], words: str | None, tmp_path: Path
) -> None:
    for number, size in enumerate(sizes):
        picture(tmp_path / f"{number}.png", size)
    said = load_pictures(tmp_path, 16).notices
    assert len(said) == (words is not None)
    assert words is None or words in said[0]
    asked = load_query(tmp_path / "0.png", (1, 16, 16))
    assert len(asked.notices) == (sizes[0] != (16, 16))


def test_frames_that_are_cut_are_said_to_be(make_clip: MakeClip) -> None:
    assert (
        "128 × 96 pixels; their center square" in load_pictures(make_clip(frames=5), 16).notices[0]
    )


def test_pictures_beside_the_folders_of_classes(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "cat" / f"{number}.png", (16, 16))
        picture(tmp_path / "dog" / f"{number}.png", (16, 16))
    picture(tmp_path / "overview.png", (16, 16))
    found = load_pictures(tmp_path, 16)
    assert found.classes == ("cat", "dog")
    assert len(found) == 6
    assert "1 picture beside the folders" in found.notices[0]
    for number in range(9):
        picture(tmp_path / f"{number}.png", (16, 16))
    found = load_pictures(tmp_path, 16)
    assert found.classes == ()
    assert len(found) == 10
    assert "6 pictures in the folders" in found.notices[0]


def test_large_pictures_are_made_small_one_by_one(tmp_path: Path) -> None:
    one = 1200 * 1200 * 3
    for number in range(12):
        picture(tmp_path / f"{number}.png", (1200, 1200), "RGB")
    tracemalloc.start()
    try:
        load_pictures(tmp_path, 16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one < peak < 4 * one


def test_a_large_folder_s_choice_is_even_and_said(tmp_path: Path) -> None:
    for number in range(9):
        picture(tmp_path / f"{number}.png", (16, 16), tone=number)
    found = load_pictures(tmp_path, 16, most=5)
    assert found.images[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8]
    assert found.notices == ("5 of 9 pictures are used.",)


def test_a_project_s_faces_are_its_two_sides(tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text("")
    for side in "ab":
        picture(tmp_path / "faces" / side / "0.png", mode="RGB")
    assert load_pictures(tmp_path, 16).classes == ("a", "b")


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no pictures in"):
        load_pictures(tmp_path)
    with pytest.raises(InputError, match="There is no folder"):
        load_pictures(tmp_path / "missing")
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(InputError, match="None of the 1 pictures"):
        load_pictures(tmp_path)
    with pytest.raises(InputError, match="cannot be read as a picture"):
        load_query(tmp_path / "a.png", (1, 16, 16))


def test_frames_of_a_video(make_clip: MakeClip) -> None:
    found = load_pictures(make_clip(frames=5), 16)
    assert found.images.shape == (5, 3, 16, 16)
    assert found.film


def test_series_files(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    for text in (
        "time,level\n0,1.5\n1,2.5\n",
        "\n time , level\n0,1.5\n\n1,2.5\n",
        "\ufefftime,level\n0,1.5\n1,2.5\n",
        '"time","level"\r\n"0","1.5"\r\n1,2.5\r\n',
        "time,level\n1970-01-01,1.5\n1970-01-01T00:00:01Z,2.5\n",
    ):
        path.write_text(text, encoding="utf-8", newline="")
        found = read_series(path)
        assert found.names == ("time", "level")
        assert found.values.tolist() == [[0, 1.5], [1, 2.5]]
    # Without names; a byte order mark is no part of the first number.
    path.write_text("\ufeff0,1.5\n1,2.5\n", encoding="utf-8")
    assert read_series(path).values.tolist() == [[0, 1.5], [1, 2.5]]
    assert read_series(path).names == ("sensor 1", "sensor 2")
    path.write_text("level,level\n0,1.5\n")
    assert read_series(path).names == ("sensor 1", "sensor 2")
    for text, words in (
        ("0,1\n0,x\n", "Line 2"),
        ("0,oops\n0,1\n", "Line 1"),
        ("t,a\nu,b\n0,1\n", "Line 2"),
        ("t,a\n0,\n", "Line 2"),
        ("0,1\n0\n", "all of the same length"),
        ("t\n0,1\n", "all of the same length"),
        ("t,a\n", "rows of readings"),
        ("", "rows of readings"),
        ("0,1\n0,nan\n", "not finite"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_series(path)


def test_what_never_turns_back_is_no_reading() -> None:
    n = np.arange(800.0)
    for column in (n, -n, np.floor(n / 50), n**2, np.where(n > 300, n + 1e6, n)):
        assert is_monotonic(column)
    latched = np.where(n > 500, 1.0, 0.0)
    for column in (np.sin(n), np.zeros(800), latched, n + 3 * np.sin(n)):
        assert not is_monotonic(column)


def test_times_in_a_series_are_no_readings(tmp_path: Path) -> None:
    level = np.sin(np.arange(700) / 5)
    level[600:640] = 0
    (tmp_path / "plain.csv").write_text("level\n" + "\n".join(f"{v:.6f}" for v in level))
    rows = [f"{n},2024-01-0{1 + n // 100},{v:.6f}" for n, v in enumerate(level)]
    (tmp_path / "timed.csv").write_text("time,date,level\n" + "\n".join(rows))
    results, said = [], []
    for name in ("plain", "timed"):
        settings = TaskSettings(tmp_path / name, (tmp_path / f"{name}.csv",), steps=20)
        events, result = finished(time_series(settings))
        results.append(result.figures)
        said += [event.message for event in events if isinstance(event, Notice)]
    assert results[0] == results[1]
    assert said == ["Left out, as it only rises or falls, like times: time, date."]
    (tmp_path / "times.csv").write_text("\n".join(str(n) for n in range(700)))
    with pytest.raises(InputError, match="times only"):
        list(time_series(TaskSettings(tmp_path / "times", (tmp_path / "times.csv",), steps=1)))


def test_wav_files(tmp_path: Path) -> None:
    sound = np.sin(np.arange(16000) / 20).astype(np.float32) * 0.5
    write_wav(tmp_path / "s.wav", sound, 16000)
    again, rate, channels = read_wav(tmp_path / "s.wav")
    assert (rate, channels) == (16000, 1)
    assert np.abs(again - sound).max() < 1e-4
    assert len(resampled(again, 16000, 8000)) == 8000
    (tmp_path / "bad.wav").write_bytes(b"RIFFxxxx")
    with pytest.raises(InputError, match="as a WAV file"):
        read_wav(tmp_path / "bad.wav")
