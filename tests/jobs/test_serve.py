"""The command that serves: what it prints, and that it leaves nothing behind however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_clips import MakeClip

from faceswap.events import Finished
from faceswap.preview.protocol import (
    AnswerLine,
    FileFrameRequest,
    FrameAnswer,
    parse_server_line,
    request_line,
)

COMMAND = (sys.executable, "-m", "faceswap", "serve")

CLIENT = """
import subprocess, sys, time
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
server.stdin.write(sys.argv[1].encode() + b"\\n")
server.stdin.flush()
print(server.stdout.readline().decode(), flush=True)
time.sleep(600)
"""
"""A client that asks once and hangs."""


@pytest.fixture
def request_(make_clip: MakeClip) -> str:
    """A line that asks for a frame."""
    return request_line(1, FileFrameRequest(path=make_clip(frames=5)))


def test_a_script_can_use_it(request_: str, tmp_path: Path) -> None:
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    (exchange / "mine.txt").write_text("not the server's")
    done = subprocess.run(
        [*COMMAND, "--project", tmp_path / "none", "--exchange", exchange, "--events", "jsonl"],
        input=f"{request_}\n\nnonsense\n",
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    frame, bad, end = (parse_server_line(line) for line in done.stdout.splitlines())
    assert isinstance(frame, AnswerLine)
    assert isinstance(frame.answer, FrameAnswer)
    assert isinstance(bad, AnswerLine)
    assert bad.id is None
    assert isinstance(end, Finished)
    assert end.summary == {"answered": 2}
    assert [path.name for path in exchange.iterdir()] == ["mine.txt"]


def test_without_events_it_prints_answers_too(request_: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--project", tmp_path / "none", "--exchange", tmp_path / "x"],
        input=request_,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=True,
    )
    answer, end = done.stdout.splitlines()
    assert json.loads(answer)["answer"]["kind"] == "frame"
    assert end == "1 requests answered."


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_killed_client_leaves_nothing_behind(request_: str, tmp_path: Path) -> None:
    exchange = tmp_path / "exchange"
    server = [*COMMAND, "--project", str(tmp_path), "--exchange", str(exchange)]
    words = [sys.executable, "-c", CLIENT, request_, *server, "--events", "jsonl"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert "frame" in client.stdout.readline()
        assert len(list(exchange.iterdir())) == 1
        client.send_signal(signal.SIGKILL)
    end = time.monotonic() + 120
    while exchange.exists():
        assert time.monotonic() < end, "the server left its files"
        time.sleep(0.05)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [*COMMAND, "--project", tmp_path, "--exchange", tmp_path / "file" / "x"],
        input="",
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert "Cannot create" in done.stderr
