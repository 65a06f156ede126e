import dataclasses
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
from small_runs import contents, finish, notices, options

from faceswap import cli
from faceswap.devices import choose_precision
from faceswap.errors import CheckpointError, NoFaceError, OptionsError, ProjectError
from faceswap.events import Event, Metrics, Notice, Preview, Saved
from faceswap.faces.crops import write_crop
from faceswap.io.provenance import PREVIEWS, picture_provenance
from faceswap.jobs.train import TrainSummary, train
from faceswap.swap.model.loading import load_model
from faceswap.training import checkpoint as checkpoint_module
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.checkpoint_verification import FORMAT

CPU = torch.device("cpu")


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
    assert all(picture_provenance(p.path) == PREVIEWS for p in previews)
    assert previews[-1].path.parent == folder / "model" / "main" / "previews"
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert any("A has 40 faces" in n for n in notices)
    assert any(isinstance(e, Metrics) and "held-out SSIM" in e.values for e in events)
    model = load_model(summary.model)
    assert (model.preset, model.resolution) == ("quick", 64)


@pytest.mark.avx2
def test_it_trains_in_what_this_machine_is_best_at(tmp_path: Path) -> None:
    folder = draw_project(tmp_path, 12).folder
    events, summary = finish(options(folder, precision="auto", steps=2))
    model = load_model(summary.model)
    assert (
        read_checkpoint(summary.model).metadata["precision"]
        == choose_precision(model, CPU).precision
    )
    assert not [n for n in notices(events) if "bfloat16" in n or "device" in n]
    _, by_name = finish(options(folder, name="half", precision="bf16", steps=1))
    assert read_checkpoint(by_name.model).metadata["precision"] == "bf16"


def test_a_job_resumes_exactly(tmp_path: Path) -> None:
    folder = draw_project(tmp_path / "Ordner mit ö").folder
    finish(options(folder, name="whole", steps=6))
    job = train(options(folder, name="parts", steps=6, save_steps=3))
    for event in job:
        if isinstance(event, Saved):
            break
    job.close()
    checkpoint = read_checkpoint(newest_checkpoint(folder / "model" / "parts"))
    assert checkpoint.metadata["step"] == 3
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
    with pytest.raises(
        CheckpointError, match="'main' was started with --resolution 64, which can't"
    ):
        finish(options(folder, resolution=96))
    with pytest.raises(CheckpointError, match="start a new run with --run"):
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
    assert contents(run) == {"step-000000009.safetensors": b"damaged"}


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


def test_a_new_run_starts_from_another_and_leaves_the_frozen_part(
    trained: tuple[Path, list[Event], TrainSummary],
) -> None:
    folder, _, summary = trained
    events, second = finish(
        options(folder, name="second", start_from=summary.model, freeze="encoder")
    )
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert any("encoder, inters.both, decoders.a" in n for n in notices)
    first, now = (read_checkpoint(s.model).tensors_under("ema") for s in (summary, second))
    encoder = [name for name in first if name.startswith("network.encoder.")]
    assert encoder
    assert all(torch.equal(first[name], now[name]) for name in encoder)
    assert any(not torch.equal(first[name], now[name]) for name in first)


def test_crops_deleted_or_spoilt_while_it_trains_do_no_harm(tmp_path: Path) -> None:
    project = draw_project(tmp_path)
    job = train(options(project.folder, save_steps=1))
    for event in job:
        if isinstance(event, Saved):
            break
    for number, path in enumerate(sorted(project.crops_folder("a").iterdir())):
        if number < 20:
            path.unlink()
        elif number < 25:
            path.write_bytes(path.read_bytes()[:100])
    list(job)
    # Begun again, it says what is gone, and goes on with what is left: too little here.
    first = read_checkpoint(newest_checkpoint(project.runs_folder / "main")).metadata
    assert first["step"] == 4
    events, summary = finish(options(project.folder, steps=6))
    assert summary.step == 6
    assert any(n.startswith("A: 5 crops left out") for n in notices(events))
    for path in sorted(project.crops_folder("a").iterdir())[:10]:
        path.unlink()
    before = contents(project.runs_folder / "main")
    with pytest.raises(NoFaceError, match="A has 10 usable faces"):
        finish(options(project.folder, steps=8))
    assert contents(project.runs_folder / "main") == before


def test_crops_of_mixed_size_train(tmp_path: Path) -> None:
    project = draw_project(tmp_path)
    for number, side in enumerate((48, 200)):
        image, record = draw("b", 0.0, 0.5, 900 + number)
        scale = side / image.shape[0]
        scaled = dataclasses.replace(
            record, points=record.points * scale, forehead=record.forehead * scale
        )
        sized = cv2.resize(image, (side, side)).astype(np.uint8)
        write_crop(project.crops_folder("b") / f"{900 + number:06d}.png", sized, scaled)
    events, summary = finish(options(project.folder))
    assert summary.step == 4
    assert any("B has 42 faces" in n for n in notices(events))


def test_a_run_of_a_newer_version_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_project(tmp_path).folder
    monkeypatch.setattr(checkpoint_module, "FORMAT", FORMAT + 1)
    finish(options(folder))
    monkeypatch.undo()
    before = contents(folder / "model" / "main")
    with pytest.raises(CheckpointError, match="newer version of faceswap; update"):
        finish(options(folder, steps=6))
    assert contents(folder / "model" / "main") == before


def test_a_run_starts_from_the_folder_of_another(
    trained: tuple[Path, list[Event], TrainSummary],
) -> None:
    folder, _, summary = trained
    events, _ = finish(options(folder, name="third", steps=1, start_from=summary.model.parent))
    assert any("decoders.a, decoders.b" in n for n in notices(events))
    with pytest.raises(CheckpointError, match="no trained model"):
        finish(options(folder, name="fourth", steps=1, start_from=folder))


def test_faces_below_a_presence_are_left_out_as_asked(tmp_path: Path) -> None:
    project = draw_project(tmp_path)
    image, record = draw("a", 0.0, 0.5, 3)
    unsure = dataclasses.replace(record, presence=0.3)
    write_crop(project.crops_folder("a") / "000003.png", image, unsure)
    for name, least, told in (("strict", 0.5, True), ("lax", 0.2, False)):
        events, _ = finish(options(project.folder, name=name, steps=1, min_presence=least))
        assert any("left out as uncertain" in n for n in notices(events)) == told


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
    with pytest.raises(
        OptionsError, match=r"needs a training budget, .*; add --minutes or --steps"
    ):
        finish(options(folder, adversarial=0.1, steps=None))


def test_the_command_line_knows_auto(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--project", str(tmp_path / "none")]
    assert cli.run(["train", *where, "--batch", "auto", "--find-learning-rate"]) == 1
    assert "no project" in capsys.readouterr().err
    assert cli.run(["train", *where, "--batch", "4", "--compile", "off"]) == 1
    assert cli.run(["train", *where, "--batch", "some"]) == 2
    assert cli.run(["train", *where, "--batch", "0"]) == 2
