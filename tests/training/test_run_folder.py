"""Snapshots, going back to one, and what a run takes of the disk."""

import json
import os
import shutil
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from drawn_faces import draw_project
from driving import finished
from line_task import Line, line_loop, resumed
from pydantic import ValidationError

from faceswap.errors import CheckpointError, OptionsError, OutputError, ProjectError
from faceswap.events import Event, Metrics, Notice, Saved
from faceswap.jobs.runs import RunsOptions, RunsSummary, runs
from faceswap.project.project import Project
from faceswap.training import checkpoint_saver, run_folder
from faceswap.training.checkpoint import read_checkpoint
from faceswap.training.run_folder import RunFolder
from faceswap.training.run_lock import lock_run
from faceswap.training.snapshots import (
    SnapshotSchedule,
    bytes_per_day,
    disk_space_warning,
    format_bytes,
    keep_snapshot,
)
from faceswap.training.state import LoopConfig
from faceswap.training.training_budget import TrainingBudget


def steps_in(folder: Path) -> list[int]:
    return sorted(int(p.stem.removeprefix("step-")) for p in folder.glob("step-*.safetensors"))


def rows(path: Path) -> list[int]:
    return [json.loads(row)["step"] for row in path.read_text().splitlines()]


class Clocked(Line):
    """Each step takes a quarter of an hour."""

    now = 0.0

    def losses(self, model: Any, batch: Any) -> Any:
        self.now += 900
        return super().losses(model, batch)


def test_snapshots_come_by_hours_of_training_and_by_steps_and_stay(tmp_path: Path) -> None:
    kept: list[Path] = []
    for steps in (10, 24):  # stopped after two hours and a half
        task = Clocked()
        changes: dict[str, Any] = {
            "steps": steps,
            "snapshot_hours": 1.0,
            "snapshot_steps": 11,
            "keep_checkpoints": 1,
        }
        loop = (resumed if kept else line_loop)(tmp_path, task, save_seconds=1e9, **changes)
        loop.clock = partial(getattr, task, "now")
        kept += [e.path for e in loop.run() if isinstance(e, Saved) and e.what == "snapshot"]
    assert steps_in(tmp_path / "snapshots") == [4, 8, 11, 12, 16, 20, 22, 24]
    assert [p.name for p in kept] == sorted(p.name for p in (tmp_path / "snapshots").iterdir())
    assert steps_in(tmp_path) == [20, 24]  # the first of these was the last seen to do well
    numbers = read_checkpoint(kept[1]).metadata
    assert (numbers["step"], numbers["seconds"]) == (8, 7200)


def test_a_snapshot_shares_its_place_or_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(line_loop(tmp_path, steps=2).run())
    save = tmp_path / "step-000000002.safetensors"
    once = keep_snapshot(save)
    assert once.samefile(save)
    assert keep_snapshot(save) == once
    assert [p.name for p in once.parent.iterdir()] == [once.name]
    once.unlink()

    def no_links(*_: Any) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    copy = keep_snapshot(save)
    assert not copy.samefile(save)
    assert copy.read_bytes() == save.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="Cannot keep a snapshot: No space left"):
        keep_snapshot(save)


def test_a_snapshot_that_cannot_be_kept_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> Path:
        raise OutputError("Cannot keep a snapshot: No space left on device.")

    monkeypatch.setattr(checkpoint_saver, "keep_snapshot", full)
    loop = line_loop(tmp_path, steps=4, snapshot_steps=2)
    told = [e for e in loop.run() if isinstance(e, Notice)]
    assert [(n.message, n.trouble) for n in told if n.trouble] == [
        ("Cannot keep a snapshot: No space left on device. Training goes on.", True)
    ] * 2
    assert loop.state.step == 4


def test_they_come_where_they_would_have_without_a_stop() -> None:
    config = LoopConfig(snapshot_hours=2.0, snapshot_steps=100)
    times = SnapshotSchedule(config, 100, 7000.0)
    asked = [(100, 7000.0), (150, 7100.0), (199, 7201.0), (200, 7300.0)]
    assert [times.due(*at) for at in asked] == [False, False, True, True]
    times.mark_made(200, 7300.0)
    assert not times.due(200, 7300.0)
    assert not SnapshotSchedule(LoopConfig(), 0, 0.0).due(10**6, 1e9)


class Disk(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_that_will_not_hold_a_day_is_told_once_there_is_a_save_to_go_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = LoopConfig(keep_checkpoints=3, snapshot_hours=1.0)
    previews = 100_000_000
    assert bytes_per_day(config, 10**9, speed=1.0) == 30 * 10**9 + previews
    assert bytes_per_day(LoopConfig(snapshot_steps=8640), 10**9, speed=1.0) == 16 * 10**9 + previews
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(1, 0, 10**9))
    assert disk_space_warning(tmp_path, LoopConfig(), 10**6, 1.0) == ""
    said = disk_space_warning(tmp_path, config, 10**9, 1.0)
    assert said.startswith("A day of this training takes 30.1 GB of the disk, and 1.0 GB are free")
    assert [format_bytes(n) for n in (999, 1234, 10**7, 2.5e9, 3e12)] == [
        *("999 bytes", "1.2 kB", "10.0 MB", "2.5 GB", "3.0 TB")
    ]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(1, 0, 10**6))
    for steps in (20, 40):  # told after the first save, and at the start of a run that goes on
        loop = (line_loop if steps == 20 else resumed)(tmp_path, steps=steps, save_steps=10)
        told = [e.message for e in loop.run() if isinstance(e, Notice)]
        assert len(told) == 1
        assert "1.0 MB are free" in told[0]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of 60 steps in a project, saved and shown every 10, measured best at 30."""
    folder = draw_project(tmp_path / "p", 1).runs_folder / "main"
    task = Line()
    scores = {10: 0.2, 20: 0.3, 30: 0.9, 40: 0.5, 50: 0.5, 60: 0.6}
    loop = line_loop(
        folder,
        task,
        save_steps=10,
        snapshot_steps=20,
        keep_checkpoints=2,
        measure="likeness",
        report_steps=10,
        preview_seconds=1e-9,
    )
    monkeypatch.setattr(task, "evaluate", lambda _: {"likeness": scores.get(loop.state.step, 0.1)})
    list(loop.run())
    assert steps_in(folder) == [30, 50, 60]
    assert steps_in(folder / "snapshots") == [20, 40, 60]
    return folder


def asked(folder: Path, **changes: Any) -> tuple[list[Event], RunsSummary]:
    return finished(runs(RunsOptions(project=folder.parents[1], **changes)))


def bytes_on_disk(folder: Path) -> int:
    """What all files take, those with several names once."""
    found = [path.stat() for path in folder.rglob("*") if path.is_file()]
    return sum({stat.st_ino: stat.st_size for stat in found}.values())


def test_the_table_shows_what_a_run_is_and_takes(run: Path) -> None:
    _, summary = asked(run)
    (facts,) = summary.runs
    assert (facts.name, facts.step, facts.quality, facts.left) == ("main", 60, 0.9, "")
    assert (facts.saves, facts.snapshots) == ([30, 50, 60], [20, 40, 60])
    size = (run / "step-000000060.safetensors").stat().st_size
    # The snapshot of step 60 shares its place with the save.
    assert facts.disk["saves"] == pytest.approx(3 * size, rel=0.01)
    assert facts.disk["snapshots"] == pytest.approx(2 * size, rel=0.01)
    assert facts.disk["previews"] == 60 * len(b"picture")
    assert facts.disk["set aside"] == 0
    text = summary.text()
    assert "snapshots of the steps 20, 40, 60" in text
    assert "0.900" in text


def test_what_is_left_to_train_is_shown(tmp_path: Path) -> None:
    folder = draw_project(tmp_path / "p", 1).runs_folder / "two words"
    loop = line_loop(folder, steps=3)
    list(loop.run())
    loop.state.notes["stretch"] = TrainingBudget(first=0, since=0, minutes=60).model_dump()
    loop.state.seconds = 1200
    loop.save()
    assert "left to train: 40 of 60 minutes" in asked(folder)[1].text()


def test_rolling_back_sets_aside_what_is_newer_and_training_goes_on_from_there(run: Path) -> None:
    events, summary = asked(run, roll_back="20")
    assert [e.message for e in events if isinstance(e, Notice)] == [
        "The run 'main' is at step 20; newer checkpoints are in aside/."
    ]
    assert summary.runs[0].step == 20
    assert steps_in(run) == [20]
    assert steps_in(run / "aside" / "1") == [30, 50, 60]
    assert steps_in(run / "snapshots") == [20]
    assert steps_in(run / "aside" / "1" / "snapshots") == [40, 60]
    assert max(rows(run / "metrics.jsonl")) == 20
    assert max(rows(run / "aside" / "1" / "metrics.jsonl")) == 60
    assert len(list((run / "previews").iterdir())) == 20
    assert len(list((run / "aside" / "1" / "previews").iterdir())) == 40
    whole = read_checkpoint(run / "aside" / "1" / "step-000000060.safetensors").tensors
    again = resumed(run, steps=60, save_steps=30)
    assert again.state.step == 20
    list(again.run())
    now = read_checkpoint(run / "step-000000060.safetensors").tensors
    assert all((now[name] == value).all() for name, value in whole.items())


def test_what_was_kept_for_good_is_not_written_over(run: Path) -> None:
    kept = (run / "snapshots" / "step-000000040.safetensors").read_bytes()
    asked(run, roll_back="20")
    list(resumed(run, steps=60, learning_rate=0.01, snapshot_steps=20).run())
    assert steps_in(run / "snapshots") == [20, 40, 60]
    other = (run / "snapshots" / "step-000000040.safetensors").read_bytes()
    assert other != kept
    assert (run / "aside/1/snapshots/step-000000040.safetensors").read_bytes() == kept
    for path in (run / "aside" / "1").glob("*.safetensors"):
        path.unlink()
    asked(run, roll_back="20")
    asked(run, roll_back="40")
    assert (run / "snapshots" / "step-000000040.safetensors").read_bytes() == other


def test_a_snapshot_that_a_stop_came_before_is_made_when_it_goes_on(tmp_path: Path) -> None:
    loop = line_loop(tmp_path, steps=60, snapshot_steps=20)
    with closing(loop.run()) as events:
        for event in events:
            if isinstance(event, Metrics) and event.step == 20:
                break
    assert steps_in(tmp_path) == [20]
    assert not (tmp_path / "snapshots").exists()
    list(resumed(tmp_path, steps=60, snapshot_steps=20).run())
    assert steps_in(tmp_path / "snapshots") == [20, 40, 60]


def test_what_went_wrong_is_no_snapshot_and_the_last_step_is_saved(tmp_path: Path) -> None:
    task = Line()
    task.disturb = lambda call, x: {"loss": x["loss"] * (float("nan") if 61 <= call <= 81 else 1)}
    loop = line_loop(tmp_path, task, steps=60, save_steps=20, snapshot_steps=20)
    task.disturb = lambda call, x: {"loss": x["loss"] * (float("nan") if 46 <= call <= 65 else 1)}
    list(loop.run())
    assert loop.state.step == 60
    assert steps_in(tmp_path / "snapshots") == [20, 40, 60]
    assert loop.checkpoints.path(60).is_file()


def test_it_goes_forward_again_and_to_the_best(run: Path) -> None:
    asked(run, roll_back="best")
    assert steps_in(run) == [30]
    _, summary = asked(run, roll_back="50")
    assert summary.runs[0].step == 50
    assert max(rows(run / "metrics.jsonl")) == 50
    assert steps_in(run) == [30, 50]
    with pytest.raises(CheckpointError, match="checkpoint of step 7; there are 20, 30, 40, 50, 60"):
        asked(run, roll_back="7")


def test_a_run_that_trains_and_a_damaged_save_are_left_alone(run: Path) -> None:
    with lock_run(run), pytest.raises(ProjectError, match="trained already"):
        asked(run, roll_back="20")
    save = run / "snapshots" / "step-000000020.safetensors"
    save.write_bytes(save.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        asked(run, roll_back="20")
    assert steps_in(run) == [30, 50, 60]
    assert not (run / "aside").exists()


def test_cleaning_frees_what_nobody_needs(run: Path) -> None:
    asked(run, roll_back="40")
    (run / "step-000000099.damaged").write_bytes(b"x" * 1000)
    list(resumed(run, steps=50, save_steps=5, keep_checkpoints=9, measure="likeness").run())
    assert steps_in(run) == [30, 40, 45, 50]
    before = bytes_on_disk(run)
    _, summary = asked(run, clean=True)
    # The best one, the last that was seen to do well, and the newest.
    assert steps_in(run) == [30, 40, 50]
    assert steps_in(run / "snapshots") == [20, 40]
    assert [p.name for p in (run / "aside" / "1").iterdir()] == ["snapshots"]
    assert steps_in(run / "aside" / "1" / "snapshots") == [60]
    assert not list(run.glob("*.damaged"))
    assert len(list((run / "previews").iterdir())) == run_folder.PREVIEWS_KEPT
    assert summary.freed == before - bytes_on_disk(run)
    assert f"{format_bytes(summary.freed)} were freed." in summary.text()


def test_the_newest_that_can_be_read_is_never_cleaned_away(run: Path) -> None:
    newest = run / "step-000000060.safetensors"
    copy = newest.read_bytes()
    newest.unlink()  # not the snapshot's place
    newest.write_bytes(copy[:-100])
    asked(run, clean=True)
    assert {30, 50, 60} == set(steps_in(run))
    with lock_run(run):
        events, _ = asked(run, clean=True)
    assert any(
        "is training; its checkpoints stay" in e.message for e in events if isinstance(e, Notice)
    )


def test_one_snapshot_is_removed_by_name(run: Path) -> None:
    _, summary = asked(run, remove_snapshot=40)
    assert steps_in(run / "snapshots") == [20, 60]
    assert summary.freed > 0
    assert asked(run, remove_snapshot=60)[1].freed == 0  # its place is the save's as well
    with pytest.raises(CheckpointError, match="no snapshot of step 40; there are 20"):
        asked(run, remove_snapshot=40)


def test_of_several_runs_one_is_to_be_named(run: Path) -> None:
    (run.parent / "other").mkdir()
    assert [facts.name for facts in asked(run)[1].runs] == ["main", "other"]
    assert "nothing on the disk" in asked(run, name="other")[1].text()
    with pytest.raises(OptionsError, match=r"several runs \(main, other\); choose one with --run"):
        asked(run, roll_back="20")
    with pytest.raises(CheckpointError, match="no run 'none'"):
        asked(run, name="none")
    with pytest.raises(CheckpointError, match="No checkpoint of the run 'other' was measured"):
        asked(run, name="other", roll_back="best")
    with pytest.raises(ValidationError):
        RunsOptions(project=run, roll_back="yesterday")
    empty = Project.open_or_create(run.parents[2] / "empty").folder
    assert finished(runs(RunsOptions(project=empty)))[1].runs == []
    with pytest.raises(CheckpointError, match="no run yet"):
        finished(runs(RunsOptions(project=empty, roll_back="best")))
    assert RunFolder(run).best() == run / "step-000000030.safetensors"
