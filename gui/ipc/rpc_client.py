"""Client of the preview server of one project.

The server is ``faceswap preview --project DIR --serve``: frames, faces, swaps and metrics come
from it, so neither decoding nor computing happens in the window's process.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QObject, QProcess, QTemporaryDir, Signal

from faceswap.events import Answer, Failed, Notice, parse
from gui.ipc.job_runner import COMMAND

Values = dict[str, Any]
OnResult = Callable[[Values], None]
OnError = Callable[[str], None]


@dataclass
class _Request:
    method: str
    values: Values
    on_result: OnResult
    on_error: OnError | None
    channel: str | None


_ending: dict[QProcess, QTemporaryDir] = {}
"""Servers that were asked to exit and have not yet, with their folders of large answers."""


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
        _ending.pop(process).remove()
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
        self._folder: QTemporaryDir | None = None
        self._number = 0
        self._pending: dict[int, _Request] = {}
        self._queued: dict[str, _Request] = {}
        self._buffer = b""
        self._stderr_tail = ""
        self._closed = False

    def request(
        self,
        method: str,
        on_result: OnResult,
        *,
        on_error: OnError | None = None,
        channel: str | None = None,
        **values: Any,
    ) -> None:
        """Call ``method`` with ``values``; ``on_result`` gets the result, ``on_error`` the message.

        Without ``on_error`` a failure goes to ``warning``.
        """
        if self._closed:
            return  # a page may send a late request after the project was closed
        request = _Request(method, values, on_result, on_error, channel)
        if channel is not None and any(q.channel == channel for q in self._pending.values()):
            self._queued[channel] = request
            return
        self._send(request)

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
            assert self._folder is not None
            _ending[process] = self._folder
            process.finished.connect(lambda: _forget_ended(process))
            process.errorOccurred.connect(lambda _: _forget_ended(process))
            process.closeWriteChannel()
            process.terminate()
            _forget_ended(process)

    def _send(self, request: _Request) -> None:
        if self._process is None:
            self._process = self._start()
        self._number += 1
        self._pending[self._number] = request
        into = str(self._answer_file(self._number))
        line = {"id": self._number, "do": request.method, "into": into, **request.values}
        text = json.dumps(line)
        self._process.write(text.encode() + b"\n")

    def _answer_file(self, number: int) -> Path:
        """The file for a large answer to request ``number``; small answers come in the event."""
        assert self._folder is not None
        return Path(self._folder.filePath(f"{number}.json"))

    def _start(self) -> QProcess:
        process = QProcess(self)
        process.setProgram(self._program[0])
        process.setArguments(
            [*self._program[1:], "preview", "--serve", "--project", str(self._project)]
        )
        process.setArguments([*process.arguments(), "--events", "jsonl", "--debug"])
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_stderr)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._start_failed)
        self._buffer, self._stderr_tail = b"", ""
        self._folder = QTemporaryDir()
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
                line = parse(text)
            except ValidationError:
                continue
            if isinstance(line, Answer):
                self._answer(line)
            elif isinstance(line, Notice):
                self.warning.emit(line.message)
            elif isinstance(line, Failed):
                self._stderr_tail = line.message

    def _answer(self, answer: Answer) -> None:
        request = self._pending.pop(answer.id, None)
        if request is None:
            return
        queued = self._queued.pop(request.channel, None) if request.channel else None
        if queued is not None:
            self._send(queued)
        if answer.error:
            self._fail(request, answer.error)
            return
        try:
            values = answer.values if answer.path is None else self._read_answer_file(answer.id)
        except (OSError, ValueError) as error:
            message = self.tr("The preview server's answer cannot be read: %1.")
            self._fail(request, message.replace("%1", str(error)))
        else:
            request.on_result(values)

    def _read_answer_file(self, number: int) -> Values:
        path = self._answer_file(number)
        values: Values = json.loads(path.read_bytes())
        path.unlink()
        return values

    def _fail(self, request: _Request, sentence: str) -> None:
        if request.on_error is not None:
            request.on_error(sentence)
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
        assert self._folder is not None
        self._folder.remove()
        lost = [*self._pending.values(), *self._queued.values()]
        self._pending.clear()
        self._queued.clear()
        sentence = self.tr("The preview server ended; it restarts with the next picture.")
        if self._stderr_tail:
            sentence += " " + self._stderr_tail.strip().splitlines()[-1]
        for request in lost:
            self._fail(request, sentence)
