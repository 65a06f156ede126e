"""What the lab's uses say, write and measure is so, whatever they are given."""

import itertools
import json
import math
import re
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import finished
from PIL import Image
from torch import nn

from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.errors import InputError, OptionsError
from faceswap.events import Event, Notice
from faceswap.jobs.lab import LabOptions, LabSummary, lab
from faceswap.lab.framework.data import PictureSet
from faceswap.lab.framework.run import load_model
from faceswap.lab.framework.training_task import LabBatch
from faceswap.lab.task_registry import TASKS, TaskName
from faceswap.lab.tasks.audio import read_wav, write_wav
from faceswap.lab.tasks.captions import Captions
from faceswap.lab.tasks.regularisation import measure_regularity, regularisers
from faceswap.lab.tasks.translation import matched_truth, moments

CPU = torch.device("cpu")


def run(**given: Any) -> tuple[list[Event], LabSummary]:
    """All events of a use, and what it found."""
    settings: dict[str, Any] = {"steps": 1, "device": "cpu"} | given
    return finished(lab(LabOptions(**settings)))


def said(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def spots(folder: Path, count: int, channels: int = 1, seed: int = 0) -> Path:
    """A folder of ``count`` pictures, 16 × 16, each with a light rectangle of its own."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        page = np.zeros((16, 16, channels), np.uint8)
        x, y, w, h = rng.integers(2, 8, 4)
        page[y : y + h, x : x + w] = rng.integers(100, 255, channels)
        Image.fromarray(page[..., 0] if channels == 1 else page).save(folder / f"{number:03}.png")
    return folder


def numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [n for one in inner for n in numbers(one)]
    return [value] if isinstance(value, int | float) else []


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of 30 pictures."""
    folder = tmp_path_factory.mktemp("classes")
    for number, name in enumerate(("first", "second")):
        spots(folder / name, 30, seed=number)
    return folder


def test_every_picture_asked_for_is_found_in_its_own_folder(classes: Path, tmp_path: Path) -> None:
    files = sorted((classes / "second").iterdir())
    data = [classes, classes / "second"]
    _, summary = run(use="retrieve", data=data, output=tmp_path, size=16, steps=30)
    assert summary.figures["indexed"] == 60
    found = json.loads(summary.numbers.read_text(encoding="utf-8"))["each"]["found"]
    assert [row[0] for row in found] == [str(file) for file in files]
    assert summary.figures["MSE of the first found"] == 0
    _, summary = run(use="retrieve", data=[classes, files[3]], output=tmp_path, size=16, steps=30)
    assert "second/003.png" in summary.sentence


def test_what_is_found_without_labels_is_measured(classes: Path, tmp_path: Path) -> None:
    data = [classes / "first"]
    _, summary = run(use="retrieve", data=data, output=tmp_path, size=16, steps=200)
    near, far = (summary.figures[f"MSE of {name}"] for name in ("the first found", "any other"))
    assert 0 < near < far
    assert f"{near:.4f}" in summary.sentence


def test_how_far_a_code_moves_is_measured_in_the_input_s_own_unit(tmp_path: Path) -> None:
    model = DenseAutoencoder(DenseConfig(size=4, widths=(16,)))
    assert isinstance(model.encoders[0], nn.Linear)
    with torch.no_grad():
        model.encoders[0].weight.copy_(0.5 * torch.eye(16))
    found = measure_regularity(model, torch.rand(40, 1, 4, 4), 0)
    assert found["slope"] == pytest.approx(2.0)  # √(16 · 0.5²)
    _, summary = run(use="regularization", output=tmp_path, size=16)
    slope = {name: row["slope"] for name, row in summary.figures.items()}
    assert f"moves {slope['contractive'] / slope['none']:.2f} times" in summary.sentence
    deep = slope["deep, contractive"] / slope["deep"]
    assert f"of a deep encoder {deep:.2f} times" in summary.sentence


def test_the_penalty_of_a_deep_encoder_is_drawn_with_its_batch() -> None:
    torch.manual_seed(0)
    model = DenseAutoencoder(DenseConfig(size=4, widths=(12, 6)))
    x, labels = torch.rand(5, 1, 4, 4), torch.zeros(5)
    kind = regularisers(1.0, 6)["deep, contractive"]
    assert kind.dice == 6
    assert kind.penalty is not None
    batches = [LabBatch(x, x, labels, torch.randn(5, 6), 0.5) for _ in range(2)]
    first, again, other = (
        kind.penalty(model, batches[n], model.encode(x)).item() for n in (0, 0, 1)
    )
    assert first == again != other > 0


def test_truths_are_told_by_their_names(tmp_path: Path) -> None:
    a, b = spots(tmp_path / "a", 20, 3), spots(tmp_path / "b", 20, 3, seed=1)
    truth = tmp_path / "truth"
    truth.mkdir()
    for file in a.iterdir():
        (truth / file.name).write_bytes(file.read_bytes())
    (a / "003.png").write_bytes(b"broken")
    (truth / "007.png").write_bytes(b"broken")
    events, summary = run(use="translate", data=[a, b, truth], output=tmp_path / "o", size=16)
    # The truth is A itself; a single picture that is compared with another costs tens of dB.
    assert summary.figures["PSNR of A as it is"] == pytest.approx(100)
    assert [("003.png" in m, "007.png" in m) for m in said(events) if "cannot be read" in m] == [
        (True, False),
        (False, True),
    ]


def test_pictures_without_a_truth_are_not_measured() -> None:
    def files(*names: str, folder: str = "f") -> PictureSet:
        paths = tuple(Path(folder) / name for name in names)
        return PictureSet(torch.zeros(len(names), 3, 8, 8, dtype=torch.uint8), files=paths)

    assert matched_truth(files("1.png", "2.png", "4.png"), files("1.jpg", "3.jpg", "4.jpg")) == {
        0: 0,
        2: 2,
    }
    film = PictureSet(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    assert matched_truth(film, files("x.png", "y.png")) == {0: 0, 1: 1}
    with pytest.raises(InputError, match="each of A's needs its own"):
        matched_truth(film, files("x.png"))
    with pytest.raises(InputError, match="has the name"):
        matched_truth(files("1.png"), files("2.png"))
    with pytest.raises(InputError, match="The truth has 2 pictures of the name 1"):
        matched_truth(files("1.png"), files("1.png", "1.jpg"))


def test_b_s_colours_are_those_of_its_pictures_not_of_their_mean() -> None:
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    images[::2] = 255
    mean, colour, spread = moments(PictureSet(images))
    assert torch.allclose(mean, torch.full((3, 8, 8), 0.5))
    assert colour.flatten().tolist() == pytest.approx([0.5] * 3)
    assert spread.flatten().tolist() == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("size", [36, 44, 52])
def test_sizes_that_cannot_be_halved_are_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="multiple of 8"):
        run(use="translate", output=tmp_path, size=size)


@pytest.mark.parametrize("use", ["vae", "interpolate", "generate", "text-to-image"])
def test_small_pictures_need_no_code_to_be_given(
    use: TaskName, classes: Path, tmp_path: Path
) -> None:
    _, summary = run(use=use, data=[classes], output=tmp_path, size=8)
    assert all(math.isfinite(value) for value in numbers(summary.figures))


@pytest.mark.parametrize("use", ["vae", "anomaly", "lstm", "transformer", "stacked"])
def test_codes_longer_than_the_picture_are_refused(
    use: TaskName, classes: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionsError, match="which has 256"):
        run(use=use, data=[classes], output=tmp_path, size=16, code=257)


def test_a_layer_s_run_is_a_model_that_can_be_loaded(classes: Path, tmp_path: Path) -> None:
    run(use="stacked", data=[classes], output=tmp_path, size=16)
    model = load_model(tmp_path / "layer-2", CPU, "lab-dense")
    assert model(torch.rand(2, 1, 16, 16)).shape == (2, 1, 16, 16)


def test_rare_and_missing_classes_do_not_stop_the_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    spots(data / "many", 40)
    spots(data / "more", 40, seed=1)
    spots(data / "few", 4, seed=2)
    events, summary = run(use="anomaly", data=[data], output=tmp_path / "o", size=16)
    assert set(summary.figures["classes"]) == {"many", "more"}
    assert any("those of 'few'" in message for message in said(events))
    assert all(math.isfinite(value) for value in numbers(summary.figures))


@pytest.mark.parametrize("use", ["anomaly", "text-to-image"])
def test_labels_may_begin_at_one(use: TaskName, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (80, 16, 16), np.uint8)
    labels = (np.arange(80) % 2 + 1).astype(np.uint8)
    for name, values in (("images-idx3", images), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
        (tmp_path / f"train-{name}-ubyte").write_bytes(head + values.tobytes())
    events, summary = run(use=use, data=[tmp_path], output=tmp_path / "o", size=16)
    assert not said(events)
    if use == "anomaly":
        assert set(summary.figures["classes"]) == {"1", "2"}
    else:
        assert 0 <= summary.figures["right class"] <= 1


@pytest.mark.parametrize("use", ["reconstruct", "latent-sizes", "rate-distortion", "latent-map"])
def test_pictures_that_are_all_alike_are_no_trouble(use: TaskName, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / "d" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16), 128).save(tmp_path / "d" / "ab"[number % 2] / f"{number}.png")
    _, summary = run(use=use, data=[tmp_path / "d"], output=tmp_path / "o", size=16)
    assert all(math.isfinite(value) for value in numbers(summary.figures))
    if use == "latent-sizes":
        errors = [row["test MSE"] for row in summary.figures["codes"]]
        falls = all(b < a for a, b in itertools.pairwise(errors))
        assert ("the error falls" in summary.sentence) is falls


def test_a_class_may_be_called_as_another_word_of_captions() -> None:
    writer = Captions(("left", "thin"), (0.1, 0.2), (-5.0, 5.0))
    assert writer.text(0, 0, -1) == "left left"
    assert writer.numbers(0, 0, -1) == [1, 0, 5]
    assert writer.numbers(1, 1, 1) == [2, 4, 6]
    x = torch.zeros(1, 1, 20, 20)
    for row in range(20):
        x[0, 0, row, 5 + row // 2] = 1  # leans to the left, and is thin
    assert writer.read(x, torch.tensor([1])).tolist() == [writer.numbers(1, -1, -1)]


def test_what_is_odd_is_named(classes: Path, tmp_path: Path) -> None:
    data = [classes / "first", classes / "second"]
    _, summary = run(use="anomaly", data=data, output=tmp_path, size=16)
    each = json.loads(summary.numbers.read_text(encoding="utf-8"))["each"]
    told = {row["picture"]: row["error"] for row in each["scores"]}
    assert list(told) == [str(file) for file in sorted(data[1].iterdir())]
    assert set(each["alarms"]) == {
        name for name, error in told.items() if error > summary.figures["limit"] + 1e-6
    }
    odd = Path(max(told, key=lambda name: told[name]))
    assert f"number {int(odd.stem) + 1} ({odd.name})" in summary.sentence


def test_sounds_are_written_whole(tmp_path: Path) -> None:
    loud = tmp_path / "loud.wav"
    tone = np.sin(np.arange(44100) / 20)
    with wave.open(str(loud), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes((np.stack([tone, tone], 1) * 32767).astype("<i2").tobytes())
    events, _ = run(use="audio-denoise", data=[loud], output=tmp_path / "o")
    assert any("44,100 Hz and 2 channels" in message for message in said(events))
    peaks = []
    for name in ("noisy", "cleaned", "true"):
        heard, rate, channels = read_wav(tmp_path / "o" / f"{name}.wav")
        assert (rate, channels) == (8000, 1)
        assert b"generated for faceswap's lab" in (tmp_path / "o" / f"{name}.wav").read_bytes()
        assert np.sum(np.abs(heard) > 0.9999) <= 1
        peaks.append(float(np.abs(heard).max()))
    assert max(peaks) > 0.9  # no quieter than need be
    cleaned = tmp_path / "o" / "loud.cleaned.wav"
    assert TASKS["audio-denoise"].provenance.text.encode() in cleaned.read_bytes()
    heard, _, _ = read_wav(cleaned)
    assert np.sum(np.abs(heard) > 0.9999) <= 1
    write_wav(loud, heard, 8000)
    events, _ = run(use="audio-denoise", data=[loud], output=tmp_path / "o")
    assert not said(events)


@pytest.mark.parametrize("use", ["latent-sizes", "rate-distortion", "classify", "stacked"])
def test_the_numbers_names_hold_no_values(use: TaskName, classes: Path, tmp_path: Path) -> None:
    _, summary = run(use=use, data=[classes], output=tmp_path, size=16)

    def names(value: Any) -> list[str]:
        if isinstance(value, list):
            return [name for one in value for name in names(one)]
        if isinstance(value, dict):
            return [*value, *(name for one in value.values() for name in names(one))]
        return []

    assert not [name for name in names(summary.figures) if re.search(r"\d", name)]


def test_sentences_say_what_was_done(classes: Path, tmp_path: Path) -> None:
    _, summary = run(use="text-to-image", data=[classes], output=tmp_path / "c", size=16)
    assert summary.sentence.endswith("of which there are 48.")
    _, summary = run(use="rate-distortion", data=[classes], output=tmp_path / "r", size=16)
    assert "the autoencoder's error stays above" in summary.sentence
    _, summary = run(use="generate", data=[classes], output=tmp_path / "g", size=16)
    assert "Below" not in summary.sentence
