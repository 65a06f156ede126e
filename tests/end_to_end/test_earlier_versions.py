"""What earlier versions wrote opens: projects, runs, lab models, options by their earlier names.

The files in ``support/earlier`` were written by the version of 2026-11-28, before the renaming.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from drawn_faces import draw, draw_project
from driving import finished
from lab_configs import CONFIGS
from small_runs import finish, notices, options

from faceswap.cli import run
from faceswap.commands import JOBS, options_of
from faceswap.events import Event, Notice, parse
from faceswap.faces.crops import FaceCrop, FaceRecord, read_crops, write_crop
from faceswap.faces.index import FaceIndex
from faceswap.jobs.lab import LabOptions, lab
from faceswap.lab.framework.models import KINDS, RepairConfig, build
from faceswap.lab.task_registry import former_names
from faceswap.project.project import Project
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.model.loading import newest_model
from faceswap.swap.training.options import TrainOptions
from faceswap.training.checkpoint import CheckpointFolder, read_checkpoint, write_checkpoint

EARLIER = Path(__file__).parents[1] / "support" / "earlier"


def test_a_project_opens(tmp_path: Path) -> None:
    (tmp_path / "project.toml").write_text((EARLIER / "project.toml").read_text())
    with closing(sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)) as db:
        db.executescript((EARLIER / "index.sql").read_text())
    image, _ = draw("a", 0.0, 0.5, 0)
    record = FaceRecord.from_json((EARLIER / "crop_record.json").read_text())
    folder = tmp_path / "faces" / "a"
    folder.mkdir(parents=True)
    write_crop(folder / "000000_0.png", image, record)
    project = Project.open(tmp_path)
    with project.open_index_read_only() as index:
        assert index.count("a") == (2, 1, 1)
        clip = index.clip("a")
        assert clip is not None
        assert clip.complete
    (crop,) = read_crops(project.crops_folder("a"))
    assert isinstance(crop, FaceCrop)
    assert np.array_equal(crop.image, image)
    assert crop.record.presence == record.presence


def test_a_run_goes_on_and_converts(tmp_path: Path) -> None:
    header = json.loads((EARLIER / "run_header.json").read_text())
    project = draw_project(tmp_path / "p", 14)
    _, summary = finish(options(project.folder, steps=2))
    new = read_checkpoint(summary.model)
    # The weights of the file have the names that they had.
    assert sorted(new.tensors) == header["tensors"]
    numbers = header["numbers"] | {"good": 2}
    write_checkpoint(summary.model, header["kind"], header["config"], numbers, new.tensors)
    events, summary = finish(options(project.folder, steps=4))
    assert summary.step == 4
    assert not [n for n in notices(events) if "damaged" in n]
    after = read_checkpoint(summary.model).metadata
    begun, was = after["notes"]["begun"], header["numbers"]["notes"]["begun"]
    assert was["changes"] == "exchange=0.3,rotation=7"
    assert (begun["augmentation"], begun["latent_swap"]) == ("rotation=7", 0.3)
    for name, value in was.items():
        if name in ("changes", "variant"):
            continue  # the variant is taken from the model itself
        assert begun[TrainOptions.renamed.get(name, name)] == value, name
    # What losses depend on is the same, so that their usual size is not learnt anew.
    assert after["learnt_from"] == header["numbers"]["learnt_from"]
    model, _, problems = newest_model(CheckpointFolder(project.runs_folder / "main").folder, "cpu")
    assert model.resolution == 64
    assert not problems


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_a_lab_model_is_the_same(kind: str) -> None:
    was = json.loads((EARLIER / "lab_configs.json").read_text())[kind]
    config = KINDS[kind][0].model_validate(was)
    assert config == CONFIGS[kind]
    torch.manual_seed(0)
    here = build(CONFIGS[kind]).state_dict()
    assert here.keys() == build(config).state_dict().keys()


def test_options_have_their_earlier_names_too() -> None:
    now = BlendOptions(mask_dilate=0.1, mask_type="landmarks")
    assert BlendOptions.model_validate({"grow": 0.1, "outline": "a"}) == now
    assert BlendOptions.model_validate({"grow": 0.1, "mask_outline": "a"}) == now
    for job in JOBS.values():
        model = options_of(job)
        fields = model.model_fields
        assert set(model.renamed.values()) <= set(fields)
        assert not set(model.renamed) & set(fields)
        for name, values in model.renamed_values.items():
            choices = get_args(fields[name].annotation)
            assert set(values.values()) <= set(choices)
            assert not set(values) & set(choices)
        for name, moved in model.moved_entries.items():
            assert {name, *moved.values()} <= set(fields)


def test_settings_of_an_extraction_have_their_present_names(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)) as db:
        db.executescript((EARLIER / "index.sql").read_text())
    with FaceIndex(tmp_path / "index.sqlite") as index:
        clip = index.clip("a")
    assert clip is not None
    assert clip.settings["landmarker"] == "builtin"
    assert "landmarks" not in clip.settings


def test_a_lab_run_of_a_task_with_another_name_goes_on(tmp_path: Path) -> None:
    def run_align(steps: int) -> list[Event]:
        return finished(lab(LabOptions(task="align", output=tmp_path, size=16, steps=steps)))[0]

    run_align(1)
    for name in ("align", "align.png", "align.json"):
        (tmp_path / name).rename(tmp_path / name.replace("align", "shift"))
    run_align(3)
    assert not (tmp_path / "align").exists()
    rows = (tmp_path / "shift" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] == 3


@pytest.mark.parametrize(("former", "task"), former_names().items())
def test_models_of_tasks_with_another_name_open(former: str, task: str) -> None:
    assert RepairConfig.model_validate({"use": former}).use == task


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--rate", "7"], "--rate is now called --learning-rate."),
        (["--rate=7"], "--rate is now called --learning-rate."),
        (["--no-pairs", "--rate=7"], "--no-pairs is now called --no-pair-matching."),
        (["--from", "x.safetensors", "--rate=7"], "--from is now called --init."),
    ],
)
def test_the_command_line_says_what_is_called_otherwise(
    given: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", "--project", str(tmp_path), *given, "--events", "jsonl"]) == 2
    lines: list[Any] = [parse(line) for line in capsys.readouterr().out.splitlines()]
    assert told in [line.message for line in lines if isinstance(line, Notice)]
    assert "--learning-rate: Input should be less than or equal to 1" in lines[-1].message


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["lab", "sound", "--size", "9"], ["sound is now called audio-denoise."]),
        (["lab", "--use=sound", "--size=9"], ["--use is now called --task.", "sound is now"]),
        (["convert", "--outline", "a"], ["--mask-type a is now called --mask-type landmarks."]),
        (["train", "--optimiser", "lion"], ["--optimiser is now called --optimizer."]),
        (
            ["train", "--changes", "cells=4+8,rotation=7", "--optimizer", "lion"],
            ["--augmentation cells=4+8 is now --warp-grid 4+8."],
        ),
        (["extract", "x", "--side", "a", "--landmarks", "fan"], ["--landmarks is now called"]),
    ],
)
def test_the_command_line_says_which_values_are_called_otherwise(
    given: list[str], told: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = [] if given[0] == "lab" else ["--project", str(tmp_path / "none")]
    assert run([*given, *project, "--events", "jsonl"]) in (1, 2)
    lines: list[Any] = [parse(line) for line in capsys.readouterr().out.splitlines()]
    said = " ".join(line.message for line in lines if isinstance(line, Notice))
    assert all(words in said for words in told)
    assert "Input should be" not in lines[-1].message
