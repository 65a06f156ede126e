"""Jobs as processes: however a job ends, the window reports it and keeps running."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from stand_in import FAKE, Wait

from faceswap.errors import OutputError
from faceswap.events import Finished, Metrics, Notice
from faceswap.jobs.extract import ExtractOptions
from faceswap.options import arguments_of
from faceswap.swap.training.options import TrainOptions
from gui.ipc import job_runner, processes
from gui.ipc.job_runner import Job
from gui.models.app_context import AppContext
from gui.models.job_list import JobListModel


def start(
    context: AppContext, behaviour: str, monkeypatch: pytest.MonkeyPatch, project: Path
) -> Job:
    monkeypatch.setenv("FAKE_JOB", behaviour)
    return context.jobs.start("train", TrainOptions(project=project, steps=100), "Train", project)


def test_only_options_that_were_set_become_arguments(tmp_path: Path) -> None:
    options = ExtractOptions(
        inputs=(Path("a b.mp4"),), project=tmp_path, side="b", every=3, redo=True
    )
    plain = options.model_copy(update={"redo": False})
    assert "redo" not in " ".join(arguments_of(plain))
    assert arguments_of(options) == [
        *("--inputs", "a b.mp4", "--project", str(tmp_path)),
        *("--side", "b", "--every", "3", "--redo"),
    ]
    off = TrainOptions(project=tmp_path, balanced_sampling=False)
    assert arguments_of(off)[-1] == "--no-balanced-sampling"
    again = TrainOptions(project=tmp_path, warp=0.1, random_flip=False, init=Path("m.safetensors"))
    assert arguments_of(again)[2:] == [
        *("--warp", "0.1", "--no-random-flip", "--init", "m.safetensors"),
    ]


@pytest.mark.skipif(os.name == "nt", reason="another shell")
def test_the_command_line_can_be_pasted(tmp_path: Path) -> None:
    assert (
        job_runner.command_line(["faceswap", "extract", "a b.mp4"]) == "faceswap extract 'a b.mp4'"
    )


def test_a_job_passes_on_its_events_and_its_outcome(
    context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(context, "finish", monkeypatch, project)
    seen: list[object] = []
    job.event_received.connect(seen.append)
    wait(lambda: not job.running)
    assert job.state == "finished"
    assert job.message == "All done."
    assert [line.frame for line in seen if isinstance(line, Notice)] == [7]
    assert [line.step for line in seen if isinstance(line, Metrics)] == list(range(1, 20))
    assert job.command_line() == f"faceswap train --project '{project}' --steps 100"


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("fail", "It cannot be done; do another thing."),
        ("crash", "ended from outside"),
        ("kill", "memory ran out"),
    ],
)
def test_a_failed_job_has_a_message_and_details(
    behaviour: str,
    said: str,
    context: AppContext,
    wait: Wait,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = start(context, behaviour, monkeypatch, project)
    wait(lambda: not job.running)
    assert job.state == "failed"
    assert said in job.message
    details = {"fail": "Traceback", "crash": "Segmentation fault", "kill": ""}
    assert details[behaviour] in job.details()


def test_a_result_of_a_mebibyte_is_read_to_its_end(
    context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(context, "long", monkeypatch, project)
    wait(lambda: not job.running)
    later = JobListModel(context.settings.jobs, FAKE).jobs[0]
    for seen in (job, later):
        assert (seen.state, seen.message) == ("finished", "Long.")
        assert isinstance(seen.outcome, Finished)
        assert len(str(seen.outcome.summary["long"])) == 1 << 20


def test_a_truncated_result_is_reported(
    context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(context, "cut", monkeypatch, project)
    wait(lambda: not job.running)
    later = JobListModel(context.settings.jobs, FAKE).jobs[0]
    for seen in (job, later):
        assert seen.state == "failed"
        assert "ended in the middle of a message" in seen.message
        assert seen.details().startswith('{"kind":"finished"')
        assert len(seen.details()) < 9000
    log = job.folder / "events.jsonl"
    whole = Finished(summary={}, text="Whole.").model_dump_json()
    log.write_text(log.read_text().rpartition("\n")[0] + "\n" + whole)  # without its last byte
    assert JobListModel(context.settings.jobs, FAKE).jobs[0].message == "Whole."


def test_a_log_stays_small_while_the_window_is_closed(
    context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_LOG", "65536")
    job = start(context, "burst", monkeypatch, project)
    context.jobs.close()
    wait(lambda: not processes.alive(job.record.process))
    assert job.events.stat().st_size < 65536
    found = JobListModel(context.settings.jobs, FAKE).jobs[0]
    assert (found.state, found.message) == ("finished", "All done.")
    assert found.progress is not None
    assert [notice.message for notice in found.notices] == ["Something odd."]
    steps = [told.step for told in found.metrics() if "loss" in told.values]
    assert len(steps) > 300
    assert (steps[0] < 500, steps[-1]) == (True, 20_019)
    assert max(b - a for a, b in itertools.pairwise(steps)) < 500
    while job.poll(alive=False):
        pass
    assert job.state == "finished"
    assert len(job.notices) == 1


@pytest.mark.parametrize("behaviour", ["hang", "stubborn"])
def test_stop_is_requested_first_and_forced_later(
    behaviour: str, context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "GRACE_SECONDS", 0.5)
    job = start(context, behaviour, monkeypatch, project)
    wait(lambda: job.progress is not None)
    job.stop()
    wait(lambda: not job.running)
    assert job.state == "stopped"
    assert not processes.alive(job.record.process)


def test_a_job_keeps_running_without_the_window_and_is_found_again(
    context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(context, "hang", monkeypatch, project)
    wait(lambda: job.progress is not None)
    context.jobs.close()
    later = JobListModel(context.settings.jobs, FAKE)
    found = later.jobs[0]
    assert found.running
    assert found.record == job.record
    done = found.progress.done if found.progress else 0
    wait(lambda: found.progress is not None and found.progress.done > done)
    found.stop()
    wait(lambda: not found.running)
    later.close()
    assert JobListModel(context.settings.jobs, FAKE).jobs[0].state == "stopped"


def test_a_job_is_run_again_with_the_same_options(
    context: AppContext, wait: Wait, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start(context, "fail", monkeypatch, project)
    wait(lambda: not job.running)
    monkeypatch.setenv("FAKE_JOB", "finish")
    again = context.jobs.retry(job)
    wait(lambda: not again.running)
    assert again.record.arguments == job.record.arguments
    assert again.state == "finished"
    context.jobs.forget(job)
    assert context.jobs.jobs == [again]
    assert not job.folder.exists()


def test_a_job_that_cannot_be_recorded_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: Wait
) -> None:
    begun: list[processes.Process] = []
    begin, write = processes.start, Path.write_text

    def started(*given: Any) -> processes.Process:
        begun.append(begin(*given))
        return begun[-1]

    def full(path: Path, *given: Any, **named: Any) -> int:
        if path.name == "record.json":
            raise OSError(28, "No space left on device")
        return write(path, *given, **named)

    monkeypatch.setenv("FAKE_JOB", "hang")
    monkeypatch.setattr(processes, "start", started)
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        job_runner.start(tmp_path / "1", "train", TrainOptions(project=tmp_path), "T", None, FAKE)
    wait(lambda: not processes.alive(begun[0]))


def test_a_job_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    options = TrainOptions(project=tmp_path)
    with pytest.raises(OutputError, match="Cannot start"):
        job_runner.start(tmp_path / "1", "train", options, "T", None, (str(tmp_path / "none"),))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        job_runner.start(tmp_path / "file" / "1", "train", options, "T", None, FAKE)
