"""Every command is made from its job's options model; exit codes are as documented."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, field_validator

from faceswap import cli
from faceswap.commands import JOBS, options_of
from faceswap.errors import InputError
from faceswap.events import Event, Failed, Finished, Notice, Progress, Summary, parse
from faceswap.options import Options, Presentation


class ToyOptions(Options):
    """Options of a job that only tests know."""

    path: Annotated[Path, Presentation(positional=True), Field(description="What to read.")]
    size: Annotated[
        int, Presentation(short="-s", common=True), Field(ge=2, description="How large.")
    ] = 4
    fail: Annotated[str, Field(description="How to fail.")] = ""
    wood: Annotated[str, Presentation(flag="--of"), Field(description="What it is of.")] = "oak"

    @field_validator("wood")
    @classmethod
    def _check_wood(cls, wood: str) -> str:
        if wood == "stone":
            raise ValueError("stone is no wood")
        return wood


class ToySummary(Summary):
    """What the toy made."""

    size: int

    def text(self) -> str:
        return f"made {self.size}"


closed: list[bool] = []


def toy(options: ToyOptions) -> Generator[Event, None, ToySummary]:
    """Make a toy."""
    try:
        yield Progress(stage="toy", done=1, total=2)
        if options.fail == "input":
            raise InputError("No such toy; take another.")
        if options.fail == "defect":
            raise ZeroDivisionError("oops")
        if options.fail == "stop":
            os.kill(os.getpid(), signal.SIGTERM)
        yield Notice(message="[odd] markup", frame=3)
        return ToySummary(size=options.size)
    finally:
        closed.append(True)


@pytest.fixture(autouse=True)
def only_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    closed.clear()
    monkeypatch.setattr(cli, "JOBS", {"toy": toy, "shelf toy": toy})


@pytest.mark.parametrize("command", [["toy"], ["shelf", "toy"]])
def test_events_come_as_lines_of_json(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*command, "a b.mp4", "-s", "7", "--events", "jsonl"]) == 0
    lines = [parse(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.kind for line in lines] == ["progress", "notice", "finished"]
    assert lines[-1] == Finished(summary={"size": 7}, text="made 7")


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["toy", "x"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == "made 4"
    assert "frame 3: [odd] markup" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["toy", "x", "--fail", "input"], 1, "No such toy; take another."),
        (["toy", "x", "--fail", "defect"], 1, "ZeroDivisionError: oops"),
        (["toy", "x", "--size", "1"], 2, "--size"),
        (["toy", "x", "--size", "many"], 2, "--size"),
        (["toy", "x", "--of", "stone"], 2, "--of: stone is no wood."),
        (["toy", "x", "--wood", "oak"], 2, "--wood"),
        (["toy"], 2, "--path"),
        (["toy", "x", "y"], 2, "y"),
        (["toy", "x", "--unheard-of"], 2, "--unheard-of"),
        (["unheard-of"], 2, "unheard-of"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_an_exit_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_of_several_processes_the_first_alone_tells_what_went_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    for events in ("text", "jsonl"):
        assert cli.run(["toy", "x", "--events", events]) == 0
        said = capsys.readouterr()
        assert said.out + said.err == ""
        assert cli.run(["toy", "x", "--fail", "input", "--events", events]) == 1
        said = capsys.readouterr()
        assert "No such toy; take another." in said.out + said.err


def test_events_go_to_a_log_instead(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "ä log.jsonl"
    assert cli.run(["toy", "x", "--log", str(log)]) == 0
    said = capsys.readouterr()
    assert said.out + said.err == ""
    lines = [parse(line) for line in log.read_bytes().splitlines()]
    assert [line.kind for line in lines] == ["progress", "notice", "finished"]
    assert cli.run(["toy", "x", "--log", str(log), "--events", "jsonl"]) == 1
    (failed,) = (parse(line) for line in capsys.readouterr().out.splitlines())
    assert isinstance(failed, Failed)
    assert "exists already; name another file" in failed.message
    assert closed == [True]  # it did not begin
    bad = tmp_path / "bad.jsonl"
    assert cli.run(["toy", "x", "--size", "1", "--log", str(bad)]) == 2
    assert isinstance(parse(bad.read_bytes()), Failed)
    monkeypatch.setenv("RANK", "1")
    assert cli.run(["toy", "x", "--log", str(tmp_path / "second.jsonl")]) == 0
    assert not (tmp_path / "second.jsonl").exists()


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["toy", "x", "--fail", "input", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_being_asked_to_stop_cleans_up_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["toy", "x", "--fail", "stop", "--events", "jsonl"]) == 130
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"kind": "stopped"}
    assert closed == [True]


BREAK = """
import os, signal, sys
signal.SIGBREAK = signal.SIGUSR1
from faceswap import cli
from faceswap.events import Progress, Summary
from faceswap.options import Options
from faceswap.training.signals import defer_signals

class ToyOptions(Options):
    pass

def toy(options: ToyOptions):
    with defer_signals():
        os.kill(os.getpid(), signal.SIGBREAK)
        yield Progress(stage="what must be whole is", done=1)
    yield Progress(stage="never", done=2)

toy.__annotations__ |= {"return": None}
cli.JOBS = {"toy": toy}
sys.exit(cli.run(["toy", "--events", "jsonl"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="has a signal in the place of Windows' own")
def test_ctrl_break_stops_like_ctrl_c() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BREAK], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("stage", line["kind"]) for line in said] == [
        "what must be whole is",
        "stopped",
    ]


def test_help_teaches_the_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    said = capsys.readouterr().out
    assert "faceswap swap A.mp4 B.mp4 -o out.mp4" in said
    assert "consent" in said
    assert cli.run(["toy", "--help"]) == 0
    said = capsys.readouterr().out
    assert "Make a toy." in said
    assert "How large." in said


def test_help_shows_the_common_options_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["toy", "--help"]) == 0
    said = capsys.readouterr().out
    order = ["What to read.", "How large.", "More options", "How to fail.", "--of"]
    assert list(map(said.index, order)) == sorted(map(said.index, order))


@pytest.mark.parametrize("name", JOBS)
def test_every_job_is_described_from_end_to_end(name: str) -> None:
    model = options_of(JOBS[name])
    assert JOBS[name].__doc__
    for field_name, field in model.model_fields.items():
        assert field.description, f"{name}: {field_name} has no help"
        assert field.description.endswith("."), f"{name}: {field_name}: {field.description}"


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "faceswap", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().count(".") == 2
