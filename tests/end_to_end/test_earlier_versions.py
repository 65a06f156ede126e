"""What earlier versions wrote opens: projects, runs, lab models, options by their earlier names.

The files in ``support/earlier`` were written by the version of 2026-11-28, before the renaming.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw, draw_project
from lab_configs import CONFIGS
from small_runs import finish, notices, options

from faceswap.cli import run
from faceswap.commands import JOBS, options_of
from faceswap.events import Notice, parse
from faceswap.faces.crops import FaceCrop, FaceRecord, read_crops, write_crop
from faceswap.lab.framework.models import KINDS, build
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
    for name, value in was.items():
        if name == "variant":
            continue  # taken from the model itself
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
    earlier = BlendOptions.model_validate({"grow": 0.1, "outline": "a"})
    assert earlier == BlendOptions(mask_dilate=0.1, mask_outline="a")
    for job in JOBS.values():
        model = options_of(job)
        assert set(model.renamed.values()) <= set(model.model_fields)
        assert not set(model.renamed) & set(model.model_fields)


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
