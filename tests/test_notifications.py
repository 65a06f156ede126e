"""A command is run on trouble and at the end; it holds nothing up and breaks nothing."""

import shutil
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from drawn_faces import draw_project
from driving import finished
from pydantic import ValidationError
from small_runs import finish, notices, options

from faceswap import notifications
from faceswap.errors import OptionsError, OutputError, TrainingError
from faceswap.events import Event, Notice, Progress, Summary
from faceswap.jobs.swap import SwapOptions
from faceswap.notifications import with_notifications
from faceswap.options import split_command
from faceswap.swap.training.options import TrainOptions
from faceswap.training.checkpoint import read_checkpoint, write_checkpoint

WRITER = """
import os, sys
with open(sys.argv[1], "a") as file:
    file.write("|".join([os.environ[f"FACESWAP_{n}"] for n in ("EVENT", "RUN")] + sys.argv[2:]))
    file.write("\\n")
"""


@pytest.fixture
def writer(tmp_path: Path) -> tuple[str, Path]:
    """A command that writes down what it is told, and where to."""
    (tmp_path / "writer of notes.py").write_text(WRITER)
    note = tmp_path / "notes"
    return f"'{sys.executable}' '{tmp_path / 'writer of notes.py'}' '{note}'", note


class Toy(Summary):
    """Nothing."""

    def text(self) -> str:
        return "All is done."


def job(fails: Exception | None = None, troubles: int = 1) -> Generator[Event, None, Toy]:
    for _ in range(troubles):
        yield Notice(message="Training went wrong.", trouble=True)
    yield Notice(message="Few faces.")
    yield Progress(stage="toy", done=1)
    if fails is not None:
        raise fails
    return Toy()


def lines(note: Path, count: int) -> list[str]:
    """The notes, once there are so many; the commands run beside each other, in any order."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if note.is_file() and len(found := note.read_text().splitlines()) >= count:
            return sorted(found)
        time.sleep(0.01)
    raise AssertionError("the command was not run")


def test_trouble_and_the_end_are_told(writer: tuple[str, Path]) -> None:
    command, note = writer
    events, summary = finished(with_notifications(job(troubles=3), command, {"RUN": "main"}))
    assert summary.text() == "All is done."
    assert len(events) >= 5
    # The same trouble again is not told again.
    assert lines(note, 2) == [
        "done|main|faceswap: All is done.",
        "trouble|main|faceswap: Training went wrong.",
    ]


def test_failing_and_being_stopped_are_told(writer: tuple[str, Path]) -> None:
    command, note = writer
    with pytest.raises(TrainingError):
        finished(
            with_notifications(job(TrainingError("It diverged."), 0), command, {"RUN": "main"})
        )
    assert lines(note, 1) == ["failed|main|faceswap: It diverged."]
    stopped = with_notifications(job(troubles=0), command, {"RUN": "main"})
    next(stopped)
    stopped.close()
    assert lines(note, 2)[1].startswith("stopped|main|faceswap: Stopped; progress is kept.")


def test_a_command_that_fails_is_told_once_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fails = f"'{sys.executable}' -c 'raise SystemExit(3)'"
    events, summary = finished(with_notifications(job(), fails, {}))
    assert summary.text()
    told = [e.message for e in events if isinstance(e, Notice) and "--notify" in e.message]
    assert told == [f"--notify {sys.executable} failed: exit code 3."]
    monkeypatch.setattr(notifications, "_TIMEOUT", 0.2)
    sleeps = f"'{sys.executable}' -c 'import time; time.sleep(60)'"
    events, _ = finished(with_notifications(job(troubles=0), sleeps, {}))
    assert isinstance(events[-1], Notice)
    assert "took longer than 0 seconds and was killed" in events[-1].message


def test_without_a_command_or_as_a_follower_nothing_is_run(
    writer: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    command, note = writer
    finished(with_notifications(job(), None, {}))
    monkeypatch.setenv("RANK", "1")
    finished(with_notifications(job(), command, {}))
    assert not note.exists()


def test_what_cannot_be_run_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw_project(tmp_path / "p", 16).folder
    with pytest.raises(OptionsError, match="--notify: there is no command 'no-such-command'"):
        finish(options(folder, notify="no-such-command -x"))
    assert not (folder / "model").exists()
    for wrong in ("'no end", "", "  "):
        with pytest.raises(ValidationError):
            options(folder, notify=wrong)
    monkeypatch.setattr(shutil, "which", lambda _: "C:\\\\mail.bat")
    with pytest.raises(OptionsError, match="can't run the batch file"):
        finish(options(folder, notify="mail.bat"))
    assert "notify" in SwapOptions.model_fields


def test_words_are_parted_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert split_command("mail -s 'a b' you") == ["mail", "-s", "a b", "you"]
    monkeypatch.setattr("faceswap.options.os.name", "nt")
    assert split_command("\"C:\\Program Files\\mail.exe\" -s 'a b'") == [
        "C:\\Program Files\\mail.exe",
        "-s",
        "a b",
    ]


def test_a_run_tells_and_does_not_remember_the_command(
    tmp_path: Path, writer: tuple[str, Path]
) -> None:
    command, note = writer
    folder = draw_project(tmp_path / "p", 16).folder
    _, summary = finish(options(folder, steps=1, notify=command))
    (line,) = lines(note, 1)
    assert line.startswith("done|main|faceswap: Step 1")
    # A run's file that comes from elsewhere must not bring a command with it.
    was = read_checkpoint(summary.model)
    assert "notify" not in was.metadata["notes"]["begun"]
    was.metadata["notes"]["begun"]["notify"] = command
    write_checkpoint(was.path, was.kind, was.config, was.metadata, was.tensors)
    events, _ = finish(TrainOptions(project=folder, steps=2, device="cpu"))
    assert notices(events)
    assert len(lines(note, 1)) == 1


def test_a_disk_that_is_full_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from line_task import line_loop

    from faceswap.training.checkpoint import CheckpointFolder

    whole = CheckpointFolder.save
    failing = [True]

    def full(self: CheckpointFolder, *given: object, **named: object) -> Path:
        if failing.pop() if failing else False:
            raise OutputError("Cannot save: No space left on device.")
        return whole(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(CheckpointFolder, "save", full)
    told = [e for e in line_loop(tmp_path, steps=20, save_steps=10).run() if isinstance(e, Notice)]
    assert [(n.trouble, "No space left" in n.message) for n in told] == [(True, True)]
