"""Rate, batch, losses and the end of a run are changed while it trains, and stay so."""

import json
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import pytest
from drawn_faces import draw_project
from driving import finished
from line_task import Line, line_loop, resumed
from pydantic import ValidationError
from small_runs import finish, options
from torch import Tensor

from faceswap.errors import CheckpointError, InputError, OptionsError, OutputError
from faceswap.events import Event, Metrics, Notice
from faceswap.jobs.train import train
from faceswap.jobs.tune import TuneOptions, tune
from faceswap.swap.training.options import TUNABLE, TrainOptions, apply_tuning
from faceswap.swap.training.task import SwapTask
from faceswap.training import checkpoint
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.live_tuning import (
    Inbox,
    TuningChange,
    clear_request,
    parse_request,
    request_change,
    take_request,
)


def test_a_request_is_taken_once_and_not_lost(tmp_path: Path) -> None:
    assert take_request(tmp_path) == ""
    request_change(tmp_path, {"rate": 1e-3})
    request_change(tmp_path, {"batch": 4, "rate": 2e-3})
    assert parse_request(take_request(tmp_path)) == {"rate": 2e-3, "batch": 4}
    # What was taken and not done is taken again; what comes meanwhile waits.
    request_change(tmp_path, {"batch": 8})
    assert parse_request(take_request(tmp_path)) == {"rate": 2e-3, "batch": 4}
    clear_request(tmp_path)
    assert parse_request(take_request(tmp_path)) == {"batch": 8}
    clear_request(tmp_path)
    assert take_request(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    for damaged in ("{", "[1]"):
        with pytest.raises(InputError, match="cannot be read"):
            parse_request(damaged)
    with pytest.raises(OutputError, match="Cannot write"):
        request_change(tmp_path / "none", {})


class Tuned(Line):
    """Losses are scaled by what was asked for last. asks: requests by the call they come in."""

    def __init__(self, folder: Path, asks: dict[int, dict[str, Any]]) -> None:
        super().__init__()
        self.scale, self._folder, self._asks = 1.0, folder, asks

    def losses(self, model: Any, batch: Any) -> dict[str, Tensor]:
        found = super().losses(model, batch)
        if self.calls in self._asks:
            request_change(self._folder, self._asks[self.calls])
        return {"loss": self.scale * found["loss"]}

    def tuned(self, values: Any, config: Any) -> TuningChange:
        if values.get("scale") == 0:
            raise OptionsError("Nothing would be learnt.")
        self.scale = values.get("scale", self.scale)
        known = {
            k: v
            for k, v in values.items()
            if k in ("learning_rate", "batch_size", "minutes", "steps")
        }
        if known.keys() & {"minutes", "steps"}:
            known = {"minutes": None, "steps": None, "endless": False} | known
        return TuningChange(replace(config, **known), {"scale": self.scale}, values, f"{values}")


def tuned_loop(folder: Path, asks: dict[int, dict[str, Any]], **changes: Any) -> Any:
    folder.mkdir(exist_ok=True)
    task = Tuned(folder, asks)
    again = any(folder.glob("step-*"))
    loop = (resumed if again else line_loop)(folder, task, losses={"scale": 1.0}, **changes)
    loop._inbox = Inbox(folder, loop.place.group, task.tuned)
    return loop


def tuned(folder: Path, asks: dict[int, dict[str, Any]], **changes: Any) -> tuple[Any, list[Event]]:
    loop = tuned_loop(folder, asks, **changes)
    return loop, list(loop.run())


def test_a_change_is_made_at_the_next_report_and_saved(tmp_path: Path) -> None:
    loop, events = tuned(
        tmp_path, {25: {"learning_rate": 0.01, "batch_size": 4}}, steps=60, warmup=1
    )
    assert loop.task.sizes == [8] * 40 + [4] * 20
    rates = {
        e.step: e.values["rate"] for e in events if isinstance(e, Metrics) if "rate" in e.values
    }
    _, before = tuned(tmp_path / "plain", {}, steps=60, warmup=1)
    usual = {
        e.step: e.values["rate"] for e in before if isinstance(e, Metrics) if "rate" in e.values
    }
    assert rates[40] == usual[40]
    assert rates[60] == pytest.approx(usual[60] / 5)
    assert [e.message for e in events if isinstance(e, Notice)] == [
        "From step 40 on: {'learning_rate': 0.01, 'batch_size': 4}."
    ]
    # In a save at once, so that a run that is killed does not forget it; then it is done with.
    assert read_checkpoint(tmp_path / "step-000000040.safetensors").metadata["notes"]["begun"] == {
        "learning_rate": 0.01,
        "batch_size": 4,
    }
    assert take_request(tmp_path) == ""


def test_other_losses_are_learnt_anew(tmp_path: Path) -> None:
    loop, events = tuned(tmp_path, {45: {"scale": 1e3}}, steps=200, learning_rate=1e-4, warmup=1)
    assert loop.state.learnt_from == 60
    assert loop.state.skipped == 0
    assert len([e for e in events if isinstance(e, Notice)]) == 1
    losses = {
        e.step: e.values["loss"] for e in events if isinstance(e, Metrics) if "loss" in e.values
    }
    assert losses[80] > 500 * losses[60]


def test_the_end_is_moved_while_it_trains(tmp_path: Path) -> None:
    loop, events = tuned(tmp_path, {25: {"steps": 80}, 45: {"steps": 70}}, steps=60)
    assert loop.state.step == 70
    told = [e.message for e in events if isinstance(e, Notice)]
    assert told[0] == "Training now ends at step 80, not at step 60, counted from its start."
    assert told[2] == "Training now ends at step 70, not at step 80, counted from its start."
    assert loop.state.notes["stretch"]["steps"] == 70


def test_what_cannot_be_is_told_and_training_goes_on(tmp_path: Path) -> None:
    loop, events = tuned(tmp_path, {5: {"scale": 0}}, steps=40)
    assert loop.state.step == 40
    assert [e.message for e in events if isinstance(e, Notice)] == [
        "The requested change was not made. Nothing would be learnt."
    ]
    assert take_request(tmp_path) == ""
    (tmp_path / "tune.json").write_text("{")
    _, events = tuned(tmp_path, {}, steps=60)
    assert "cannot be read" in next(e.message for e in events if isinstance(e, Notice))


def test_what_was_done_is_asked_for_until_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = checkpoint.write_checkpoint, [True]

    def save(*given: Any, **named: Any) -> None:
        if full[0]:
            raise OutputError("The disk is full.")
        write(*given, **named)

    monkeypatch.setattr(checkpoint, "write_checkpoint", save)
    loop = tuned_loop(tmp_path, {5: {"batch_size": 2}}, steps=60)
    said: list[str] = []
    for event in loop.run():
        said += [event.message] if isinstance(event, Notice) else []
        if loop.state.step == 40 and full[0]:
            assert json.loads(take_request(tmp_path)) == {
                "batch_size": 2
            }  # a kill would lose nothing
            full[0] = False
            loop.save()
    assert sum("From step" in n for n in said) == 1  # and it is done once
    assert take_request(tmp_path) == ""


def test_a_run_that_did_not_train_takes_it_when_it_goes_on(tmp_path: Path) -> None:
    tuned(tmp_path, {}, steps=20)
    request_change(tmp_path, {"batch_size": 2})
    loop, _ = tuned(tmp_path, {}, steps=30)
    assert loop.task.sizes == [2] * 10


def test_only_what_can_be_is_changed() -> None:
    now = TrainOptions(project=Path("p"), minutes=5, steps=9, loss_weights="mse=1")
    changed = apply_tuning(now, {"rate": 0.1, "minutes": 7})
    assert (changed.learning_rate, changed.minutes, changed.steps) == (0.1, 7, None)
    assert changed.loss_weights == "mse=1"
    assert apply_tuning(now, {"losses": ""}).loss_weights == ""
    for values, words in (
        ({"seed": 3}, "seed can't be changed"),
        ({"learning_rate": 2}, "--learning-rate: Input should be less"),
        ({"loss_weights": "hinge=1"}, "--loss-weights: there is no 'hinge'"),
    ):
        with pytest.raises(OptionsError, match=words):
            apply_tuning(now, values)
    # Declared once: the command takes exactly these, as 'train' has them, but no batch "auto",
    # which is sought only at the start of a run.
    assert set(TuneOptions.model_fields) == {"project", "run", *TUNABLE}
    for name in set(TUNABLE) - {"batch"}:
        mine, theirs = TuneOptions.model_fields[name], TrainOptions.model_fields[name]
        assert _plain(mine.annotation) == _plain(theirs.annotation)


def _plain(annotation: Any) -> set[Any]:
    """The types of an option that may be absent, without bounds and None."""
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    return {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds}


def test_the_command_is_heeded_by_a_run_of_faces(tmp_path: Path) -> None:
    project = draw_project(tmp_path / "p", 16).folder
    with pytest.raises(CheckpointError, match="no run 'main'"):
        finished(tune(TuneOptions(project=project, learning_rate=1e-3)))
    tasks: list[SwapTask] = []
    whole = SwapTask.__init__

    def seen(self: SwapTask, *given: Any, **named: Any) -> None:
        tasks.append(self)
        whole(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SwapTask, "__init__", seen)
        job = train(options(project, steps=40, warp=0.05))
        told: list[str] = []
        for event in job:
            if isinstance(event, Notice):
                told.append(event.message)
            if isinstance(event, Metrics) and event.step == 20 and "rate" in event.values:
                asked = TuneOptions(
                    project=project, learning_rate=5e-4, batch=1, loss_weights="mse=1", steps=21
                )
                _, summary = finished(tune(asked))
    assert summary.text().startswith(
        "Requested for the run 'main': --learning-rate 0.0005, --batch 1, --loss-weights mse=1, "
        "--steps 21. It says"
    )
    assert (
        "From step 20 on: --learning-rate 0.0005, --batch 1, --loss-weights mse=1, --steps 21."
        in told
    )
    numbers = read_checkpoint(newest_checkpoint(project / "model" / "main")).metadata
    assert numbers["step"] == 21
    begun = numbers["notes"]["begun"]
    assert (begun["learning_rate"], begun["batch"], begun["loss_weights"]) == (5e-4, 1, "mse=1")
    assert begun["warp"] == 0.05
    assert numbers["learnt_from"] == 20
    assert tasks[0].objective.mse == 1
    assert tasks[0].objective.warp == 0.05
    # Gone on with, the run is as it was asked to be.
    _, summary_again = finish(TrainOptions(project=project, steps=22, device="cpu"))
    numbers = read_checkpoint(summary_again.model).metadata
    assert numbers["notes"]["begun"]["loss_weights"] == "mse=1"
    assert numbers["learnt_from"] == 20


def test_what_a_run_can_never_do_is_refused(tmp_path: Path) -> None:
    project = draw_project(tmp_path / "p", 1).folder
    with pytest.raises(
        OptionsError, match="There is nothing to change; give one of --learning-rate, --batch"
    ):
        finished(tune(TuneOptions(project=project)))
    with pytest.raises(ValidationError, match="batch"):  # sought only at the start of a run
        TuneOptions.model_validate({"project": project, "batch": "auto"})
    with pytest.raises(ValidationError, match="there is no 'hinge'"):
        TuneOptions(project=project, loss_weights="hinge=1")
