"""Every use of the lab from its command to its figure, and what the parts of it promise."""

import inspect
import json
import math
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw
from driving import finished
from PIL import Image, ImageDraw, ImageFont
from pydantic import ValidationError

from faceswap.errors import CheckpointError, InputError, OptionsError
from faceswap.events import Event, Notice, Preview, Saved
from faceswap.faces.crops import write_crop
from faceswap.jobs.lab import LabOptions, LabSummary, lab
from faceswap.lab.framework.data import PictureSet, load_pictures
from faceswap.lab.framework.expressions import ATTRIBUTES
from faceswap.lab.framework.run import load_model, scaled_steps
from faceswap.lab.framework.training_task import GeometricAugmentation
from faceswap.lab.task_registry import TASKS, TaskName
from faceswap.lab.tasks.anomaly import heat_map, threshold
from faceswap.lab.tasks.audio import (
    inverse_spectrogram,
    snr,
    spectrogram,
    synthetic_sounds,
    with_noise,
)
from faceswap.lab.tasks.bottleneck import at_rate, jpeg
from faceswap.lab.tasks.captions import Captions
from faceswap.lab.tasks.classification import few_labelled
from faceswap.lab.tasks.generation import nearest_distance, relative_distance
from faceswap.lab.tasks.latent_space import attribute_vector, linear, spherical
from faceswap.lab.tasks.restoration import random_photo_augmentation
from faceswap.lab.tasks.search import CodeIndex, precision
from faceswap.lab.tasks.time_series import made_series, marked_spans


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey discs, bars and boxes, 40 of each, 16 × 16."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    for name in ("disc", "bar", "box"):
        (folder / name).mkdir()
        for number in range(40):
            page = Image.new("L", (16, 16))
            (x, y), r = rng.uniform(5, 11, 2), rng.uniform(2, 4)
            wide, tall = (r, r) if name != "bar" else (1.0, 5.0)
            draw = ImageDraw.Draw(page)
            shape = draw.ellipse if name == "disc" else draw.rectangle
            shape((x - wide, y - tall, x + wide, y + tall), fill=int(rng.integers(150, 255)))
            page.save(folder / name / f"{number:02}.png")
    return folder


def finish(options: LabOptions) -> tuple[list[Event], LabSummary]:
    return finished(lab(options))


def options(use: TaskName, shapes: Path, output: Path, **changes: Any) -> LabOptions:
    given: dict[str, Any] = {"data": [shapes], "steps": 2, "device": "cpu"}
    if TASKS[use].has_size:
        given["size"] = 16
    if use in ("time-series", "audio-denoise"):
        given["data"] = []
    if use == "translate":
        given["data"] = [shapes / "disc", shapes / "box", shapes / "disc"]
    return LabOptions(task=use, output=output, **(given | changes))


@pytest.mark.parametrize("use", TASKS)
def test_the_function_of_each_task_is_where_its_declaration_says(use: TaskName) -> None:
    function = resolve_name(TASKS[use].function)
    assert list(inspect.signature(function).parameters) == ["settings"]
    assert inspect.isgeneratorfunction(function)


@pytest.mark.parametrize("use", TASKS)
def test_every_use_ends_with_a_figure_numbers_and_a_sentence(
    use: TaskName, shapes: Path, tmp_path: Path
) -> None:
    events, summary = finish(options(use, shapes, tmp_path))
    with Image.open(summary.figure) as figure:
        assert min(figure.size) > 100
    told = json.loads(summary.numbers.read_text(encoding="utf-8"))
    assert told["sentence"] == summary.sentence
    assert told["figures"] == summary.figures
    assert summary.sentence.endswith(".")
    assert not [c for c in summary.sentence if not _drawn(c)]
    for value in _numbers(summary.figures):
        assert math.isfinite(value)
    assert len(json.dumps(summary.figures)) < 2500  # they are told in one event
    assert any(isinstance(e, Preview) and e.path == summary.figure for e in events)
    assert any(isinstance(e, Saved) and e.path == summary.numbers for e in events)
    runs = [p.parent for p in tmp_path.glob("*/metrics.jsonl")]
    assert runs
    for run in runs:
        assert list(run.glob("previews/*.png"))
        assert len(list(run.glob("step-*.safetensors"))) == 1


def _drawn(letter: str) -> bool:
    """Whether the figures' typeface knows it; else it shows a box."""
    font = ImageFont.load_default(15)
    return letter == " " or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [n for v in value.values() for n in _numbers(v)]
    if isinstance(value, list):
        return [n for v in value for n in _numbers(v)]
    return [value] if isinstance(value, (int, float)) else []


def test_a_run_goes_on_and_its_model_comes_back_identical(shapes: Path, tmp_path: Path) -> None:
    x = load_pictures(shapes, 16).floats()[:5]
    _, first = finish(options("reconstruct", shapes, tmp_path))
    folder = tmp_path / "reconstruct"
    model = load_model(folder, torch.device("cpu"), "lab-conv")
    with torch.no_grad():
        before = model(x)
    _, again = finish(options("reconstruct", shapes, tmp_path))  # nothing is left to train
    assert again.figures == first.figures
    with torch.no_grad():
        assert torch.equal(load_model(folder, torch.device("cpu"))(x), before)
    finish(options("reconstruct", shapes, tmp_path, steps=3))
    assert (folder / "step-000000003.safetensors").is_file()
    with pytest.raises(CheckpointError, match="another model than the one asked for"):
        finish(options("reconstruct", shapes, tmp_path, code=7))
    with pytest.raises(CheckpointError, match="other data, or with another --seed"):
        finish(options("reconstruct", shapes, tmp_path, seed=1))
    with pytest.raises(CheckpointError, match="'lab-conv', not 'lab-repair'"):
        load_model(folder, torch.device("cpu"), "lab-repair")


def test_training_lowers_the_error(shapes: Path, tmp_path: Path) -> None:
    _, little = finish(options("reconstruct", shapes, tmp_path / "a", steps=5))
    _, more = finish(options("reconstruct", shapes, tmp_path / "b", steps=80))
    assert more.figures["test MSE"] < 0.6 * little.figures["test MSE"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"use": "reconstruct", "code": 999}, OptionsError, "longer than a picture"),
        ({"use": "superres", "strength": 3}, OptionsError, "strengths 2 and 4"),
        ({"use": "align", "strength": 9}, OptionsError, "from 1 to"),
        ({"use": "translate", "one": True}, OptionsError, "two folders"),
    ],
)
def test_what_cannot_be_done_is_said(
    changes: dict[str, Any], error: type[Exception], words: str, shapes: Path, tmp_path: Path
) -> None:
    if changes.pop("one", False):
        changes["data"] = [shapes]
    with pytest.raises(error, match=words):
        finish(options(changes.pop("use"), shapes, tmp_path, **changes))


def test_labels_are_asked_for_where_they_are_needed(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one folder of pictures for each class"):
        finish(options("classify", shapes / "disc", tmp_path))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"task": "denoise", "latent_dim": 3}, "denoise has no --latent-dim"),
        ({"use": "vae", "strength": 3}, "vae has no --strength"),
        ({"use": "vae", "steps": 3, "minutes": 1}, "not both"),
        ({"use": "vae", "data": ["a", "b"]}, "takes 1 inputs at most"),
    ],
)
def test_options_that_would_do_nothing_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LabOptions(**given)


@pytest.mark.parametrize("use", ["generate", "interpolate"])
def test_pictures_without_classes_are_judged_by_the_nearest_true_one(
    use: TaskName, shapes: Path, tmp_path: Path
) -> None:
    _, summary = finish(options(use, shapes, tmp_path, data=[shapes / "disc"]))
    assert all(name.startswith("distance") for name in summary.figures)
    known = torch.rand(4, 1, 3, 3)
    near = nearest_distance(known, torch.cat([known[2:3], known[:1] + 0.1]))
    assert near.tolist() == pytest.approx([0, 0.01], abs=1e-4)
    dim = torch.full((1, 1, 3, 3), 0.01)
    assert float(relative_distance(known, dim)) > 2
    assert float(relative_distance(known, known[:1])) == pytest.approx(0, abs=1e-4)


def test_a_query_that_is_no_picture_is_refused_before_the_work(
    shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot be read as a picture"):
        finish(options("retrieve", shapes, tmp_path / "out", data=[shapes, tmp_path / "no.png"]))
    assert not (tmp_path / "out").exists()


def test_anomalies_in_other_pictures_than_the_normal_ones(shapes: Path, tmp_path: Path) -> None:
    data = [shapes / "disc", shapes / "bar"]
    _, summary = finish(options("anomaly", shapes, tmp_path, data=data, steps=60))
    each = json.loads(summary.numbers.read_text(encoding="utf-8"))["each"]
    assert len(each["scores"]) == 40
    assert summary.figures["alarms"] == len(each["alarms"]) > 20


def test_a_query_finds_its_own_picture(shapes: Path, tmp_path: Path) -> None:
    asked = shapes / "box" / "07.png"
    events, summary = finish(options("retrieve", shapes, tmp_path, data=[shapes, asked]))
    assert not any(isinstance(e, Notice) for e in events)
    (found,) = json.loads(summary.numbers.read_text(encoding="utf-8"))["each"]["found"]
    assert (len(found), found[0]) == (10, str(asked))
    index = CodeIndex.of(torch.eye(4))
    assert index.nearest(torch.tensor([[0.0, 2, 1, 0]]), 2).tolist() == [[1, 2]]
    labels = torch.tensor([0, 1, 1, 0])
    assert precision(labels, torch.tensor([1]), torch.tensor([[1, 2, 3]])) == pytest.approx(2 / 3)


def test_sharp_jitter_keeps_edges() -> None:
    x = (torch.arange(28).view(1, 1, 1, -1) // 2 % 2).float().expand(8, 1, 28, 28)
    still = GeometricAugmentation(sharp=True)(x, torch.Generator().manual_seed(0))
    assert torch.allclose(still, x, atol=1e-5)
    contrast = []
    for sharp in (False, True):
        bent = GeometricAugmentation(shift=0.05, sharp=sharp)(x, torch.Generator().manual_seed(0))
        assert 0 <= float(bent.min()) <= float(bent.max()) <= 1
        contrast.append(float((bent - 0.5).abs().mean()))
    assert contrast[1] > 1.01 * contrast[0]


def test_photographs_to_be_repaired_come_in_many_lights_and_sizes() -> None:
    x = torch.full((64, 3, 32, 32), 0.5)
    x[:, :, 12:20, 12:20] = 1.0
    y = random_photo_augmentation(x, torch.Generator().manual_seed(0))
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    corner = y[:, :, 0, 0]
    assert 0.3 < ((corner - 0.5).abs() < 1e-3).all(1).float().mean() < 0.7
    assert corner.std(0).min() > 0.05
    bright = (y > y.flatten(1).mean(1).view(-1, 1, 1, 1) + 0.05).float().mean((1, 2, 3))
    assert bright.max() > 2 * bright[bright > 0].min()


def test_large_pictures_have_fewer_steps() -> None:
    assert scaled_steps(3000, (1, 28, 28)) == 3000
    assert scaled_steps(3000, (3, 64, 64)) == 750
    assert scaled_steps(3000, (3, 256, 256)) == 600


def test_ways_between_codes() -> None:
    a, b = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    t = torch.tensor([0.0, 0.5, 1.0])
    assert linear(a, b, t)[:, 0].tolist() == [[3, 0], [1.5, 1.5], [0, 3]]
    round_trip = spherical(a, b, t)
    assert torch.allclose(round_trip.norm(dim=2), torch.full((3, 1), 3.0), atol=1e-4)
    assert torch.allclose(round_trip[[0, 2]], torch.stack([a, b]), atol=1e-4)


def test_attribute_vectors() -> None:
    codes = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 5.0]])
    assert attribute_vector(codes, torch.tensor([False, False, True])).tolist() == [3, 4]
    with pytest.raises(ValueError, match="with the attribute and without"):
        attribute_vector(codes, torch.ones(3, dtype=torch.bool))


@pytest.mark.parametrize(
    "use", [u for u, task in TASKS.items() if task.inputs[0].folder and u != "translate"]
)
def test_a_handful_of_pictures_is_enough_or_refused(
    use: TaskName, shapes: Path, tmp_path: Path
) -> None:
    for file in sorted(shapes.glob("*/*.png"))[::6]:
        target = tmp_path / "few" / file.parent.name / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    if use == "anomaly":
        with pytest.raises(InputError, match="too few pictures"):
            finish(options(use, tmp_path / "few", tmp_path / "out", steps=1))
        return
    _, summary = finish(options(use, tmp_path / "few", tmp_path / "out", steps=1))
    assert all(math.isfinite(value) for value in _numbers(summary.figures))


def test_a_faceset_s_attributes_are_read_off_its_crops(tmp_path: Path) -> None:
    for number in range(40):
        image, record = draw("ab"[number % 2], number % 5 / 2 - 1, number % 7 / 7, number)
        write_crop(tmp_path / f"{number:02}.png", image, record)
    events, summary = finish(options("attributes", tmp_path, tmp_path / "out"))
    # All drawn eyes are equally wide, and none looks up.
    assert {"open mouth", "smile", "turned to the right"} <= set(summary.figures) <= set(ATTRIBUTES)
    left_out = set(ATTRIBUTES) - set(summary.figures)
    said = [event.message for event in events if isinstance(event, Notice)]
    assert [any(name in message for message in said) for name in left_out] == [True] * len(left_out)


def test_pictures_without_colour_have_no_warmth(tmp_path: Path) -> None:
    for number in range(20):
        Image.new("RGB", (16, 16), (10 * number,) * 3).save(tmp_path / f"{number:02}.png")
    events, summary = finish(options("attributes", tmp_path, tmp_path / "out"))
    assert set(summary.figures) == {"brightness"}
    assert any("alike in warmth" in e.message for e in events if isinstance(e, Notice))


def test_few_labels_are_spread_over_the_classes() -> None:
    pictures = PictureSet(torch.zeros(90, 1, 8, 8, dtype=torch.uint8), torch.arange(90) % 9)
    chosen = few_labelled(pictures, 18, 0).labels
    assert chosen is not None
    assert chosen.bincount().tolist() == [2] * 9
    assert len(few_labelled(pictures, 90, 0)) == 90


def test_captions_say_what_is_measured() -> None:
    ink = torch.zeros(3, 1, 20, 20)
    for row in range(20):
        ink[0, 0, row, 14 - row // 2] = 1  # leans to the right
        ink[1, 0, row, 9:12] = 1
        ink[2, 0, row, 5 + row // 2] = 1
    assert Captions.slant(ink).round().tolist() == pytest.approx([27, 0, -27], abs=1)
    writer = Captions.fitted(ink, ("one", "two"))
    texts = writer.read(ink, torch.tensor([0, 1, 1]))
    words = [[writer.words[n - 1] for n in row if n] for row in texts.tolist()]
    assert words[0] == ["one", "right"] or words[0] == ["one", "thin", "right"]
    assert words[1][:2] == ["two", "thick"]
    assert words[2][-1] == "left"
    assert writer.numbers(1, 1, 0) == [2, 4, 0]


def test_rates_and_jpeg() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 2, (7, 20, 20, 3)).astype(np.uint8).repeat(1, 0) * 200
    size, again = jpeg(pictures, 95)
    small, _ = jpeg(pictures, 5)
    assert again.shape == pictures.shape
    assert 0 < small < size
    line = [(10.0, 0.5), (20.0, 0.3)]
    assert at_rate(line, 15) == pytest.approx(0.4)
    assert at_rate(line, 5) is None


def test_thresholds_and_heat() -> None:
    assert threshold(np.arange(101.0), 0.95) == 95
    heat = heat_map(torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.0, 0.2], [0.5, 1.0]]]]))
    assert heat[0, :, 0, 0].tolist() == [0, 0, 0]
    assert heat[0, :, 1, 1].tolist() == [1, 1, 1]
    assert heat[0, 1, 1, 0] == 0.5


def test_made_series_have_faults_in_the_second_half_only() -> None:
    readings, faults = made_series(0)
    assert readings.shape == (6000, 3)
    assert not faults[:3000].any()
    assert 0.2 < faults[3000:].mean() < 0.5
    spans = marked_spans(faults)
    assert spans[0] == (3150, 3229)
    assert sum(last - first + 1 for first, last in spans) == faults.sum()
    # No single reading gives a fault away.
    assert np.abs(readings[faults]).max() <= 1.1 * np.abs(readings[~faults]).max()


def test_spectrograms_give_the_sound_back() -> None:
    generator = torch.Generator().manual_seed(0)
    clean = synthetic_sounds(4, 1.0, generator)
    assert torch.allclose(inverse_spectrogram(spectrogram(clean), clean.shape[1]), clean, atol=1e-4)
    noisy = with_noise(clean, 5.0, generator)
    assert snr(noisy, clean) == pytest.approx(5.0, abs=0.5)


def test_translation_and_the_swap_are_one_kind_of_model() -> None:
    from faceswap.autoencoder.shared_encoder import SharedAutoencoder
    from faceswap.lab.framework.models import TranslatingConfig, translator
    from faceswap.swap.model.architectures import SwapModel
    from faceswap.swap.model.presets import SwapConfig

    assert type(translator(TranslatingConfig(size=16))) is SharedAutoencoder
    assert type(SwapModel(SwapConfig(resolution=64)).network) is SharedAutoencoder
