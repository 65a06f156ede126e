"""No job is silent or deaf while it prepares, measures or ends, however long that takes."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw_project
from gates import Gate, heard
from line_task import Line, line_loop
from made_clips import MakeClip
from PIL import Image
from safetensors.torch import save_file
from small_runs import options as small
from torch import Tensor, nn

from faceswap import background
from faceswap.background import ProgressReporter
from faceswap.errors import FaceswapError
from faceswap.events import Event, Notice
from faceswap.faces.index import FaceRow
from faceswap.jobs import convert as convert_job
from faceswap.jobs import doctor as doctor_job
from faceswap.jobs import evaluate as evaluate_job
from faceswap.jobs import extract as extract_job
from faceswap.jobs import landmarks as landmarks_job
from faceswap.jobs import pretrain as pretrain_job
from faceswap.jobs import restore as restore_job
from faceswap.jobs import train as train_job
from faceswap.jobs.convert import ConvertOptions
from faceswap.jobs.doctor import DoctorOptions
from faceswap.jobs.evaluate import EvaluateOptions
from faceswap.jobs.extract import ExtractOptions
from faceswap.jobs.lab import LabOptions, lab
from faceswap.jobs.landmarks import LandmarksOptions
from faceswap.jobs.models import ModelsOptions, models
from faceswap.jobs.pretrain import PretrainOptions
from faceswap.jobs.preview import PreviewOptions, preview
from faceswap.jobs.restore import RestoreOptions
from faceswap.lab.framework import data as lab_data
from faceswap.lab.tasks import regularisation
from faceswap.preview import session
from faceswap.project import frame_pass, source_extraction
from faceswap.swap.compositing import face_placement
from faceswap.swap.evaluation import evaluator
from faceswap.swap.model import loading
from faceswap.swap.training import face_selection, pair_sampler, swap_run, task
from faceswap.swap.training import model_stats as stats
from faceswap.training import checkpoint, compilation, metrics_log
from faceswap.training import loop as loop_module
from faceswap.training import model_evaluation as looks_module
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.video import compare


class EnoughError(FaceswapError):
    """All that a test wanted to see was seen."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "HEARTBEAT_SECONDS", 0.01)


Job = Generator[Event, None, Any]


def training(folder: Path, clip: Path) -> Job:
    return train_job.train(small(draw_project(folder / "p", 16).folder))


def pretraining(folder: Path, clip: Path) -> Job:
    faces = draw_project(folder / "p", 16).crops_folder("a")
    return pretrain_job.pretrain(
        PretrainOptions(folders=[faces], output=folder / "m.safetensors", steps=1, device="cpu")
    )


def extracting(folder: Path, clip: Path) -> Job:
    return extract_job.extract(ExtractOptions(inputs=(clip,), project=folder / "p", side="a"))


def converting(folder: Path, clip: Path) -> Job:
    project = draw_project(folder / "p", 1)
    project.set_video("a", clip)
    return convert_job.convert(ConvertOptions(project=project.folder))


def evaluating(folder: Path, clip: Path) -> Job:
    return evaluate_job.evaluate(EvaluateOptions(a=clip, b=clip, swapped=clip))


def finding(folder: Path, clip: Path) -> Job:
    return landmarks_job.landmarks(LandmarksOptions(footage=clip, output=folder / "o.npz"))


def restoring(folder: Path, clip: Path) -> Job:
    return restore_job.restore(RestoreOptions(input=clip, model=folder, output=folder / "o.mp4"))


def previewing(folder: Path, clip: Path) -> Job:
    project = draw_project(folder / "p", 1)
    return preview(PreviewOptions(project=project.folder, output=folder / "o.png"))


def looking(folder: Path, clip: Path) -> Job:
    return lab(LabOptions(task="denoise", data=pictures(folder / "in"), output=folder / "out"))


def comparing(folder: Path, clip: Path) -> Job:
    return lab(LabOptions(task="restraint", output=folder / "out"))


def pictures(folder: Path, count: int = 12) -> list[Path]:
    folder.mkdir()
    for number in range(count):
        Image.fromarray(np.full((16, 16, 3), number, np.uint8)).save(folder / f"{number}.png")
    return [folder]


@pytest.mark.parametrize(
    ("begin", "place", "name"),
    [
        (training, face_selection, "_prepare"),
        (training, pair_sampler, "match_faces"),
        (training, task, "_tones"),
        (training, swap_run, "initial_model"),
        (pretraining, face_selection, "_prepare"),
        (pretraining, pretrain_job, "_model"),
        (extracting, frame_pass, "make_tracker"),
        (extracting, source_extraction, "finish_reextraction"),
        (extracting, source_extraction, "begin_extraction"),
        (converting, loading, "newest_weights"),
        (evaluating, evaluator, "new_tracker"),
        (finding, landmarks_job, "_finder"),
        (restoring, restore_job, "_restorer"),
        (previewing, session, "PreviewSession"),
        (looking, lab_data, "read_picture"),
        (comparing, regularisation, "split_data"),
        (lambda *_: doctor_job.doctor(DoctorOptions()), doctor_job, "_speed"),
        (lambda *_: models(ModelsOptions()), stats, "preset_stats"),
    ],
)
def test_a_job_is_heard_of_while_it_prepares(
    begin: Callable[[Path, Path], Job],
    place: Any,
    name: str,
    tmp_path: Path,
    make_clip: MakeClip,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate(1)

    def blocked(*_: Any, **__: Any) -> Any:
        gate.arrive()
        raise EnoughError

    monkeypatch.setattr(place, name, blocked)
    job = begin(tmp_path, make_clip(frames=3))
    if begin.__name__ == "<lambda>" and place is doctor_job:
        heard(job, gate)  # which tells of a check that fails, and goes on
    else:
        with pytest.raises(EnoughError):
            heard(job, gate)
    assert gate.passed == 1


@pytest.mark.parametrize(
    ("begin", "place", "name"),
    [(training, face_selection, "_prepare"), (looking, lab_data, "read_picture")],
)
def test_closing_a_job_ends_its_reading(
    begin: Callable[[Path, Path], Job],
    place: Any,
    name: str,
    tmp_path: Path,
    make_clip: MakeClip,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gate = Gate(10**9)
    whole = getattr(place, name)
    abandon = ProgressReporter.cancel

    def slowly(*given: Any) -> Any:
        gate.arrive()
        return whole(*given)

    def closed(report: ProgressReporter) -> None:
        abandon(report)
        gate.open()

    monkeypatch.setattr(place, name, slowly)
    job = begin(tmp_path, make_clip(frames=3))
    for _ in job:
        gate.hear()
        if gate.passed >= 2:
            break
    monkeypatch.setattr(ProgressReporter, "cancel", closed)
    job.close()
    assert not background.any_left_running()
    assert gate.passed <= 4  # of 12 and of 32


def test_faces_are_placed_and_sound_is_hashed_by_parts(make_clip: MakeClip) -> None:
    class Index:
        """An index of one long take."""

        def frames(self, side: str) -> list[Any]:
            return []

        def count(self, side: str) -> tuple[int, int, int]:
            return 60, 60, 1

        def faces(self, side: str) -> list[FaceRow]:
            points = np.random.default_rng(0).random((68, 2), np.float32)
            top = np.zeros((13, 2), np.float32)
            return [FaceRow(n, 0, points, top, 1.0, (0.0, 0.0, 0.0), None) for n in range(60)]

    told: list[tuple[float, float | None]] = []

    def report(done: float, total: float | None = None, /) -> None:
        told.append((done, total))

    face_placement.place_faces(Index(), "a", 64, 0.5, report)  # type: ignore[arg-type]
    assert told == [(n, 120) for n in range(120)]
    told.clear()
    compare.audio_digests(make_clip(frames=12), report)
    assert len(told) > 5


class Slow(Line):
    """A task whose parts wait to be heard of."""

    def __init__(self, gates: dict[str, Gate]) -> None:
        super().__init__()
        self.gates = gates

    def losses(self, model: nn.Module, batch: Any) -> dict[str, Tensor]:
        self.gates["step"].arrive()
        return super().losses(model, batch)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        self.gates["measure"].arrive()
        return super().evaluate(model)

    def preview(self, model: nn.Module, path: Path) -> None:
        self.gates["preview"].arrive()
        super().preview(model, path)


def test_training_is_heard_of_whatever_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_module, "_LONG", 0.0)
    names = ("step", "measure", "preview", "save", "compile")
    gates = {name: Gate(2) for name in names} | {name: Gate(1) for name in ("board", "curves")}
    board, curves = metrics_log._tensorboard, metrics_log.read_metrics

    def slow_board(*given: Any) -> Any:
        gates["board"].arrive()
        return board(*given)

    def slow_curves(path: Path) -> Any:
        gates["curves"].arrive()
        return curves(path)

    monkeypatch.setattr(metrics_log, "_tensorboard", slow_board)
    monkeypatch.setattr(looks_module, "read_metrics", slow_curves)
    write = save_file

    def save(*given: Any, **named: Any) -> None:
        gates["save"].arrive()
        write(*given, **named)

    class Compiled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            gates["compile"].arrive()
            return super().forward(x)

    def compiled(model: nn.Module) -> nn.Module:
        assert isinstance(model, nn.Linear)
        made = Compiled(3, 4, bias=False)
        made.weight = model.weight
        return made

    monkeypatch.setattr(checkpoint, "save_file", save)
    monkeypatch.setattr(compilation, "compile_model", compiled)
    loop = line_loop(
        tmp_path,
        Slow(gates),
        steps=4,
        compile="on",
        save_steps=2,
        measure="likeness",
        preview_seconds=1e-9,
    )
    for _ in loop.run():
        for gate in gates.values():
            gate.hear()
    assert loop.state.step == 4
    assert all(gates[name].passed >= 2 for name in names)
    assert gates["board"].passed == gates["curves"].passed == 1


def test_going_back_is_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, newest = Gate(1), CheckpointFolder.newest

    def slowly(*given: Any, **named: Any) -> Any:
        gate.arrive()
        return newest(*given, **named)

    monkeypatch.setattr(CheckpointFolder, "newest", slowly)
    task = Line()
    task.disturb = lambda call, x: {"loss": x["loss"] * (float("nan") if 41 <= call <= 60 else 1)}
    events, _ = heard(line_loop(tmp_path, task, save_steps=20).run(), gate)
    assert any(isinstance(e, Notice) and "back to step 40" in e.message for e in events)
    assert gate.passed == 1


def test_a_slow_step_that_is_closed_is_taken_whole(tmp_path: Path) -> None:
    gates = {name: Gate(10**9) for name in ("step", "measure", "preview")}
    task = Slow(gates)
    loop = line_loop(tmp_path, task)
    run = loop.run()
    next(run)  # a sign of life while the first step is under way
    assert loop.state.step == 0
    abandon = ProgressReporter.cancel

    def cancel(reporter: ProgressReporter) -> None:
        abandon(reporter)
        gates["step"].open()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProgressReporter, "cancel", cancel)
        run.close()
    assert loop.state.step == 1
    assert checkpoint.newest_checkpoint(tmp_path).name == "step-000000001.safetensors"
    assert torch.isfinite(loop.state.norm)
