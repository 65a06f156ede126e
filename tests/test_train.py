import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from drawn_faces import draw, draw_project
from pydantic import ValidationError

from faceswap import cli
from faceswap.errors import CheckpointError, NoFaceError, OptionsError, ProjectError
from faceswap.events import Event, Metrics, Notice, Preview, Saved
from faceswap.faces.crops import write_crop
from faceswap.jobs.train import LEARNING, TrainOptions, TrainSummary, loss_weights, train
from faceswap.swap.model import SwapModel
from faceswap.training import batchfinder
from faceswap.training import checkpoint as checkpoint_module
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint


def options(project: Path, **changes: Any) -> TrainOptions:
    small: dict[str, Any] = {
        "steps": 4,
        "batch": 2,
        "resolution": 64,
        "precision": "fp32",
        "device": "cpu",
    }
    return TrainOptions(project=project, **(small | changes))


def finish(given: TrainOptions) -> tuple[list[Event], TrainSummary]:
    events: list[Event] = []
    job = train(given)
    while True:
        try:
            events.append(next(job))
        except StopIteration as end:
            return events, end.value


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event], TrainSummary]:
    folder = draw_project(tmp_path_factory.mktemp("trained")).folder
    return (folder, *finish(options(folder)))


def test_a_run_leaves_model_preview_and_records(
    trained: tuple[Path, list[Event], TrainSummary],
) -> None:
    folder, events, summary = trained
    assert summary.step == 4
    assert summary.model == folder / "model" / "main" / "step-000000004.safetensors"
    assert "Step 4" in summary.text()
    assert summary.ssim is not None
    previews = [e for e in events if isinstance(e, Preview)]
    assert all(p.path.is_file() for p in previews)
    assert previews[-1].path.parent == folder / "model" / "main" / "previews"
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert any("A has 40 faces" in n for n in notices)
    assert any(isinstance(e, Metrics) and "held-out SSIM" in e.values for e in events)
    model = SwapModel.load(summary.model)
    assert (model.preset, model.resolution) == ("quick", 64)


def test_a_job_resumes_exactly(tmp_path: Path) -> None:
    folder = draw_project(tmp_path / "Ordner mit ö").folder
    finish(options(folder, name="whole", steps=6))
    job = train(options(folder, name="parts", steps=6, save_steps=3))
    for event in job:
        if isinstance(event, Saved):
            break
    job.close()
    checkpoint = read_checkpoint(newest_checkpoint(folder / "model" / "parts"))
    assert checkpoint.numbers["step"] == 3
    finish(options(folder, name="parts", steps=6))
    a, b = (
        read_checkpoint(newest_checkpoint(folder / "model" / name)).tensors
        for name in ("whole", "parts")
    )
    assert a.keys() == b.keys()
    for name, tensor in a.items():
        assert torch.equal(tensor, b[name]), name


def test_another_preset_or_resolution_needs_another_name(
    trained: tuple[Path, list[Event], TrainSummary],
) -> None:
    folder, _, summary = trained
    before = summary.model.read_bytes()
    with pytest.raises(CheckpointError, match="'main' is a quick 64 px model, and quick 96 px"):
        finish(options(folder, resolution=96))
    with pytest.raises(CheckpointError, match="begin a new run by 'faceswap train --name'"):
        finish(options(folder, preset="df"))
    assert summary.model.read_bytes() == before


def test_a_damaged_newest_save_falls_back_with_a_notice(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    finish(options(folder, save_steps=2))
    newest = newest_checkpoint(folder / "model" / "main")
    newest.write_bytes(newest.read_bytes()[:1000])
    events, summary = finish(options(folder, steps=3))
    assert summary.step == 3
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert any("step-000000004" in n and "damaged" in n for n in notices)
    assert newest.with_suffix(".damaged").exists()


def test_when_no_save_can_be_read_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    run = folder / "model" / "main"
    run.mkdir(parents=True)
    (run / "step-000000009.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="can be read"):
        finish(options(folder))
    assert [p.name for p in run.iterdir()] == ["step-000000009.safetensors"]


def test_no_project_and_no_faces(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no project"):
        finish(options(tmp_path / "none"))
    project = draw_project(tmp_path / "p", 3)
    with pytest.raises(NoFaceError, match="A has 3 usable faces"):
        finish(options(project.folder))
    assert not (project.folder / "model" / "main").exists()


def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    with pytest.raises(OptionsError, match="multiple of 32"):
        finish(options(folder, resolution=100))
    for wrong in (
        {"name": "../up"},
        {"name": ""},
        {"batch": 0},
        {"minutes": 0},
        {"rate": -1},
        {"losses": "hinge=1"},
    ):
        with pytest.raises(ValidationError):
            options(folder, **wrong)
    assert not (folder / "model").exists()


def test_importing_the_job_loads_nothing_heavy() -> None:
    code = (
        "import sys, faceswap.jobs.train, faceswap.jobs.models; "
        "print([m for m in ('torch', 'cv2', 'av', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_loss_weights_are_read_from_a_text() -> None:
    assert loss_weights("") == {}
    assert loss_weights(" dssim=1, l1=0.5 ") == {"dssim": 1.0, "l1": 0.5}
    for wrong, reason in (("l1", "is no weight"), ("l1=-1", "negative"), ("x=1", "no loss 'x'")):
        with pytest.raises(ValueError, match=reason):
            loss_weights(wrong)


def test_a_new_run_starts_from_another_and_leaves_the_frozen_part(
    trained: tuple[Path, list[Event], TrainSummary],
) -> None:
    folder, _, summary = trained
    events, second = finish(
        options(folder, name="second", start_from=summary.model, freeze="encoder")
    )
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert any("encoder, inters.both, decoders.a" in n for n in notices)
    first, now = (read_checkpoint(s.model).part("ema") for s in (summary, second))
    encoder = [name for name in first if name.startswith("network.encoder.")]
    assert encoder
    assert all(torch.equal(first[name], now[name]) for name in encoder)
    assert any(not torch.equal(first[name], now[name]) for name in first)


def notices(events: list[Event]) -> list[str]:
    return [e.message for e in events if isinstance(e, Notice)]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_crops_deleted_or_spoilt_while_it_trains_do_no_harm(tmp_path: Path) -> None:
    project = draw_project(tmp_path)
    job = train(options(project.folder, save_steps=1))
    for event in job:
        if isinstance(event, Saved):
            break
    for number, path in enumerate(sorted(project.faces("a").iterdir())):
        if number < 20:
            path.unlink()
        elif number < 25:
            path.write_bytes(path.read_bytes()[:100])
    list(job)
    # Begun again, it says what is gone, and goes on with what is left: too little here.
    first = read_checkpoint(newest_checkpoint(project.model / "main")).numbers
    assert first["step"] == 4
    events, summary = finish(options(project.folder, steps=6))
    assert summary.step == 6
    assert any(n.startswith("A: 5 crops left out") for n in notices(events))
    for path in sorted(project.faces("a").iterdir())[:10]:
        path.unlink()
    before = contents(project.model / "main")
    with pytest.raises(NoFaceError, match="A has 10 usable faces"):
        finish(options(project.folder, steps=8))
    assert contents(project.model / "main") == before


def test_crops_of_mixed_size_train(tmp_path: Path) -> None:
    project = draw_project(tmp_path)
    for number, side in enumerate((48, 200)):
        image, record = draw("b", 0.0, 0.5, 900 + number)
        scale = side / image.shape[0]
        scaled = dataclasses.replace(
            record, points=record.points * scale, forehead=record.forehead * scale
        )
        sized = cv2.resize(image, (side, side)).astype(np.uint8)
        write_crop(project.faces("b") / f"{900 + number:06d}.png", sized, scaled)
    events, summary = finish(options(project.folder))
    assert summary.step == 4
    assert any("B has 42 faces" in n for n in notices(events))


def test_a_run_of_a_newer_version_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_project(tmp_path).folder
    monkeypatch.setattr(checkpoint_module, "FORMAT", 2)
    finish(options(folder))
    monkeypatch.undo()
    before = contents(folder / "model" / "main")
    with pytest.raises(CheckpointError, match="newer version of faceswap; update"):
        finish(options(folder, steps=6))
    assert contents(folder / "model" / "main") == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimiser": "lion"}, "trained with AdamW, not Lion; an optimiser can't be changed"),
        ({"seed": 8}, "begun with --seed 7, and --seed 8 was asked for, which can't be changed"),
        ({"start_from": Path("other.safetensors")}, "begun with no --start-from, and --start-from"),
        ({"fresh": True}, "begun with no --fresh, and --fresh was asked for"),
        ({"preset": "classic"}, "is a quick 64 px model, and classic 64 px was asked for"),
        ({"resolution": 96}, "is a quick 64 px model, and quick 96 px was asked for"),
    ],
)
def test_what_cannot_change_on_resume_is_named(
    change: dict[str, Any], words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "begun"
    if not folder.exists():
        finish(options(draw_project(folder).folder, steps=2, seed=7))
    run = folder / "model" / "main"
    before = contents(run)
    with pytest.raises(CheckpointError, match=re.escape(words)) as caught:
        finish(options(folder, steps=3, **change))
    assert "--name" in str(caught.value)
    assert contents(run) == before


def test_what_may_change_on_resume_may(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    finish(options(folder, steps=2, seed=7, precision="auto"))
    changed = {"batch": 3, "rate": 1e-4, "losses": "mse=1", "freeze": "encoder", "warp": 0.05}
    changed["pairs"] = False
    _, summary = finish(options(folder, steps=4, precision="fp32", **changed))
    numbers = read_checkpoint(summary.model).numbers
    assert numbers["step"] == 4
    assert numbers["precision"] == "fp32"
    # The seed it was begun with stays its own.
    assert numbers["notes"]["begun"]["seed"] == 7


def test_the_same_command_begins_and_goes_on(
    trained: tuple[Path, list[Event], TrainSummary],
) -> None:
    folder, _, summary = trained
    for steps in (2, 3):
        _, done = finish(options(folder, name="again", steps=steps, start_from=summary.model))
        assert done.step == steps


def test_a_rate_that_was_found_stays_and_changes_nothing_else(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    events, summary = finish(options(folder, name="found", find_rate=True, steps=3))
    found = read_checkpoint(summary.model)
    rate = found.numbers["notes"]["found"]["rate"]
    assert any(f"learning rate is {rate:.2g}" in n for n in notices(events))
    _, named = finish(options(folder, name="named", rate=rate, steps=3))
    assert rate != LEARNING["quick"][0]
    tensors = read_checkpoint(named.model).tensors
    assert tensors.keys() == found.tensors.keys()
    assert [k for k, v in tensors.items() if not torch.equal(v, found.tensors[k])] == []
    # Gone on with, it neither searches again nor forgets.
    rates = []
    for again in (True, False):
        step = 5 if again else 7
        events, _ = finish(options(folder, name="found", find_rate=again, steps=step))
        assert not any("learning rate of" in n for n in notices(events))
        _, _ = finish(options(folder, name="named", rate=rate, steps=step))
        rates.append(step)
    one, two = (
        read_checkpoint(newest_checkpoint(folder / "model" / name)).tensors
        for name in ("found", "named")
    )
    assert [k for k, v in one.items() if not torch.equal(v, two[k])] == []


def test_the_batch_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = draw_project(tmp_path).folder
    searched = []

    def search(trial: Any, *_: Any) -> Any:
        searched.append(trial(2))
        yield 2
        return 3

    monkeypatch.setattr(batchfinder, "fastest_batch", search)
    for steps in (2, 3):
        events, summary = finish(options(folder, batch="auto", steps=steps))
        assert any("takes 3 faces at a time" in n for n in notices(events)) == (steps == 2)
    assert len(searched) == 1
    assert read_checkpoint(summary.model).numbers["notes"]["found"] == {"batch": 3}
    with pytest.raises(ValidationError):
        options(folder, batch="many")


def test_a_late_judge_of_texture_resumes_exactly(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    late: dict[str, Any] = {"adversarial": 0.1, "adversarial_begin": 0.2, "steps": 6}
    finish(options(folder, name="whole", **late))
    job = train(options(folder, name="parts", save_steps=3, **late))
    for event in job:
        if isinstance(event, Saved):
            break
    job.close()
    finish(options(folder, name="parts", **late))
    a, b = (
        read_checkpoint(newest_checkpoint(folder / "model" / name)).tensors
        for name in ("whole", "parts")
    )
    assert any(name.startswith("companion/optimiser/") for name in a)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []
    with pytest.raises(OptionsError, match="this one has no end; add --minutes or --steps"):
        finish(options(folder, adversarial=0.1, steps=None))


def test_the_command_line_knows_auto(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--project", str(tmp_path / "none")]
    assert cli.run(["train", *where, "--batch", "auto", "--find-rate"]) == 1
    assert "no project" in capsys.readouterr().err
    assert cli.run(["train", *where, "--batch", "4", "--compile", "off"]) == 1
    assert cli.run(["train", *where, "--batch", "some"]) == 2
    assert cli.run(["train", *where, "--batch", "0"]) == 2
