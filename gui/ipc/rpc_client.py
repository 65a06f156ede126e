"""Client of the preview server of one project.

The server is ``faceswap serve``: frames, faces, swaps and metrics come from it, so neither decoding
nor computing happens in the window's process.
"""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from pydantic import ValidationError
from PySide6.QtCore import QObject, QProcess, Signal

from faceswap.events import Failed, Notice
from faceswap.preview.protocol import (
    AnswerLine,
    AnswerT,
    AnyAnswer,
    FailureAnswer,
    Request,
    parse_server_line,
    request_line,
)
from gui.ipc.job_runner import COMMAND

OnError = Callable[[str], None]


@dataclass(frozen=True)
class _Sent(Generic[AnswerT]):
    """A request and who wants its answer."""

    request: Request[AnswerT]
    on_answer: Callable[[AnswerT], None]
    on_error: OnError | None
    channel: str | None

    def deliver(self, answer: AnyAnswer) -> None:
        """Pass on the answer, whose files are deleted then."""
        try:
            if not isinstance(answer, self.request.answer_type()):
                raise TypeError(f"{self.request} was answered with {answer}")
            self.on_answer(answer)
        finally:
            _delete(answer.files())


def _delete(files: Sequence[Path]) -> None:
    for path in files:
        with suppress(OSError):  # what remains goes with the folder
            path.unlink()


_ending: dict[QProcess, Path] = {}
"""Servers that were asked to exit and have not yet, with their exchange folders."""


END_TIMEOUT_MS = 1500
"""Milliseconds that a server has to exit by itself before it is killed."""


def wait_for_ending_processes() -> None:
    """Wait for servers that were asked to exit; kill those that do not in time."""
    for process in list(_ending):
        if not process.waitForFinished(END_TIMEOUT_MS):
            process.kill()
            process.waitForFinished(20 * END_TIMEOUT_MS)  # a kill may be slow on a busy machine
        _forget_ended(process)


def _forget_ended(process: QProcess) -> None:
    if process in _ending and process.state() == QProcess.ProcessState.NotRunning:
        shutil.rmtree(_ending.pop(process), ignore_errors=True)
        process.deleteLater()


class RpcClient(QObject):
    """Send requests to a preview server and pass on the answers, in order.

    Requests on one channel supersede each other: while one is pending, only the newest of those
    that follow is kept, so dragging a slider or scrubbing never builds up a queue.

    warning: the server sent a notice, or a request without ``on_error`` failed.
    """

    warning = Signal(str)

    def __init__(
        self, project: Path, program: Sequence[str] = COMMAND, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._project, self._program = project, tuple(program)
        self._process: QProcess | None = None
        self._exchange = Path()
        self._number = 0
        self._pending: dict[int, _Sent[Any]] = {}
        self._queued: dict[str, _Sent[Any]] = {}
        self._buffer = b""
        self._stderr_tail = ""
        self._closed = False

    def send(
        self,
        request: Request[AnswerT],
        on_answer: Callable[[AnswerT], None],
        *,
        on_error: OnError | None = None,
        channel: str | None = None,
    ) -> None:
        """Send ``request``; ``on_answer`` gets the answer, ``on_error`` a sentence on failure.

        Files of the answer exist until ``on_answer`` returns. Without ``on_error`` a failure goes
        to ``warning``.
        """
        if self._closed:
            return  # a page may send a late request after the project was closed
        sent = _Sent(request, on_answer, on_error, channel)
        if channel is not None and any(q.channel == channel for q in self._pending.values()):
            self._queued[channel] = sent
            return
        self._send(sent)

    @property
    def busy(self) -> bool:
        """Whether any request is pending."""
        return bool(self._pending)

    def close(self) -> None:
        """Ask the server to exit without waiting; drop all pending requests."""
        self._closed = True
        self._pending.clear()
        self._queued.clear()
        process, self._process = self._process, None
        if process is not None:
            process.setParent(None)
            _ending[process] = self._exchange
            process.finished.connect(lambda: _forget_ended(process))
            process.errorOccurred.connect(lambda _: _forget_ended(process))
            process.closeWriteChannel()
            process.terminate()
            _forget_ended(process)

    def _send(self, sent: _Sent[Any]) -> None:
        if self._process is None:
            self._process = self._start()
        self._number += 1
        self._pending[self._number] = sent
        self._process.write(request_line(self._number, sent.request).encode() + b"\n")

    def _start(self) -> QProcess:
        process = QProcess(self)
        process.setProgram(self._program[0])
        # The server creates it, and removes it even where this process is killed.
        self._exchange = Path(tempfile.gettempdir()) / f"faceswap-{uuid.uuid4().hex}"
        folders = ["--project", str(self._project), "--exchange", str(self._exchange)]
        process.setArguments(
            [*self._program[1:], "serve", *folders, "--events", "jsonl", "--debug"]
        )
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_stderr)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._start_failed)
        self._buffer, self._stderr_tail = b"", ""
        process.start()
        return process

    def _read_stderr(self) -> None:
        if self._process is not None:
            text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            self._stderr_tail = (self._stderr_tail + text)[-4000:]

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._buffer = (
            self._buffer + bytes(self._process.readAllStandardOutput().data())
        ).split(b"\n")
        for text in lines:
            try:
                line = parse_server_line(text)
            except ValidationError:
                continue
            if isinstance(line, AnswerLine):
                self._answer(line)
            elif isinstance(line, Notice):
                self.warning.emit(line.message)
            elif isinstance(line, Failed):
                self._stderr_tail = line.message

    def _answer(self, line: AnswerLine) -> None:
        sent = self._pending.pop(line.id, None) if line.id is not None else None
        if sent is None:
            return
        queued = self._queued.pop(sent.channel, None) if sent.channel else None
        if queued is not None:
            self._send(queued)
        try:
            answer = line.read()
        except (OSError, ValueError) as error:
            message = self.tr("The preview server's answer cannot be read: %1.")
            self._fail(sent, message.replace("%1", str(error)))
            return
        finally:
            _delete([line.file] if line.file else [])
        if isinstance(answer, FailureAnswer):
            self._fail(sent, answer.message)
        else:
            sent.deliver(answer)

    def _fail(self, sent: _Sent[Any], sentence: str) -> None:
        if sent.on_error is not None:
            sent.on_error(sentence)
        else:
            self.warning.emit(sentence)

    def _start_failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._ended()

    def _ended(self) -> None:
        if self._process is None:
            return
        self._read()
        self._process.deleteLater()
        self._process = None
        shutil.rmtree(self._exchange, ignore_errors=True)
        lost = [*self._pending.values(), *self._queued.values()]
        self._pending.clear()
        self._queued.clear()
        sentence = self.tr("The preview server ended; it restarts with the next picture.")
        if self._stderr_tail:
            sentence += " " + self._stderr_tail.strip().splitlines()[-1]
        for sent in lost:
            self._fail(sent, sentence)
