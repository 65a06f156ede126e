import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_faces import draw_project
from pydantic import ValidationError

from faceswap.errors import CheckpointError, NoFaceError, OptionsError, ProjectError
from faceswap.events import Event, Metrics, Notice, Preview, Saved
from faceswap.jobs.train import TrainOptions, TrainSummary, loss_weights, train
from faceswap.swap.model import SwapModel
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
    with pytest.raises(CheckpointError, match="begin a new run with --name"):
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
    assert any("encoder, inters.both taken over" in n for n in notices)
    first, now = (read_checkpoint(s.model).part("ema") for s in (summary, second))
    encoder = [name for name in first if name.startswith("network.encoder.")]
    assert encoder
    assert all(torch.equal(first[name], now[name]) for name in encoder)
    assert any(not torch.equal(first[name], now[name]) for name in first)
