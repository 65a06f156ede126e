"""Preview servers that tests ask: the real and the fake one, in this process or in their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from fake_server import FakeServer

from faceswap.events import Event, Notice
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.handler import RequestHandler
from faceswap.preview.protocol import (
    AnswerLine,
    AnswerT,
    FailureAnswer,
    PictureFile,
    Request,
    ServerLine,
    parse_server_line,
    request_line,
)
from faceswap.preview.server import PreviewServer
from faceswap.preview.serving import serve_lines
from faceswap.types import UInt8Image

Kind = Literal["real", "real process", "fake", "fake process"]
KINDS: tuple[Kind, ...] = get_args(Kind)

PROGRAMS: dict[Kind, tuple[str, ...]] = {
    "real process": (sys.executable, "-m", "faceswap"),
    "fake process": (sys.executable, str(Path(__file__).with_name("fake_faceswap.py"))),
}


@dataclass
class AskedServer:
    """A server of a project, and the folder that its files come in.

    pid: the process that it runs in. answer: the lines that answer a line.
    """

    folder: Path
    exchange: Path
    pid: int
    answer: Callable[[str], Sequence[ServerLine | Event]]
    notices: list[str] = field(default_factory=list)

    def line(self, text: str) -> AnswerLine:
        """Send any line; the one that answers it."""
        answers = []
        for line in self.answer(text):
            if isinstance(line, AnswerLine):
                answers.append(line)
            elif isinstance(line, Notice):
                self.notices.append(line.message)
        (answer,) = answers
        return answer

    def ask(self, request: Request[AnswerT]) -> AnswerT:
        """Send a request; its answer, which must be no failure."""
        answer = self.line(request_line(1, request)).read()
        assert isinstance(answer, request.answer_type()), answer
        return answer

    def refusal(self, request: Request[AnswerT]) -> str:
        """Send a request that fails; the sentence that says why."""
        answer = self.line(request_line(1, request)).read()
        assert isinstance(answer, FailureAnswer), answer
        return answer.message


@contextmanager
def asked_server(kind: Kind, project: Path, exchange: Path) -> Iterator[AskedServer]:
    """A server of a kind for ``project``; ends with the block."""
    if kind in PROGRAMS:
        with _process(PROGRAMS[kind], project, exchange) as server:
            yield server
        return
    with ExitStack() as stack:
        folder = stack.enter_context(ExchangeFolder(exchange))
        handler: RequestHandler = FakeServer(project, folder)
        if kind == "real":
            handler = stack.enter_context(PreviewServer(project, folder, "cpu"))

        def answer(line: str) -> Sequence[Event]:
            return list(serve_lines(handler, folder, [line]))

        yield AskedServer(project, exchange, os.getpid(), answer)


@contextmanager
def real_server(project: Path, exchange: Path) -> Iterator[PreviewServer]:
    """The real server, whose handlers are called directly."""
    with ExchangeFolder(exchange) as folder, PreviewServer(project, folder, "cpu") as server:
        yield server


def pixels(picture: PictureFile) -> UInt8Image:
    """The pixels of a picture, uint8 RGB (H, W, 3)."""
    size = 3 * picture.width * picture.height
    data = np.frombuffer(picture.path.read_bytes()[-size:], np.uint8)
    return data.reshape(picture.height, picture.width, 3)


@contextmanager
def _process(program: Sequence[str], project: Path, exchange: Path) -> Iterator[AskedServer]:
    arguments = ["serve", "--project", str(project), "--exchange", str(exchange)]
    process = subprocess.Popen(
        [*program, *arguments, "--events", "jsonl"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Python on Windows reads and writes pipes in an encoding of their own.
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked, told = process.stdin, process.stdout

    def answer(line: str) -> Sequence[ServerLine]:
        # The notices of a request are all there once the next one is answered.
        asked.write(line.encode() + b"\n" + json.dumps({"id": -1}).encode() + b"\n")
        asked.flush()
        lines: list[ServerLine] = []
        while True:
            said = parse_server_line(told.readline())
            if isinstance(said, AnswerLine) and said.id == -1:
                return lines
            lines.append(said)

    with process:
        try:
            yield AskedServer(project, exchange, process.pid, answer)
        finally:
            asked.close()
            told.read()
            process.wait(timeout=60)
