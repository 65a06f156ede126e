"""The line to the process that answers questions about one project.

It runs ``faceswap preview --project DIR --serve``: frames, faces, swapped frames and numbers
all come from there, so that neither decoding nor computing happens in the window's process.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from PySide6.QtCore import QObject, QProcess, QTemporaryDir, Signal

from faceswap.events import Answer, Failed, Notice, parse
from gui.runner import COMMAND

Values = dict[str, Any]
Done = Callable[[Values], None]
Sorry = Callable[[str], None]


@dataclass
class _Question:
    do: str
    values: Values
    done: Done
    sorry: Sorry | None
    channel: str | None


_leaving: dict[QProcess, QTemporaryDir] = {}
"""Processes that were asked to end and have not yet, and the folders of their answers."""


PATIENCE_MS = 1500
"""Milliseconds that a process has to end by itself."""


def wait_for_the_leaving() -> None:
    """Wait for processes that were asked to end; those that do not in time are ended."""
    for process in list(_leaving):
        if not process.waitForFinished(PATIENCE_MS):
            process.kill()
            process.waitForFinished(20 * PATIENCE_MS)  # on a busy machine; it can't refuse
        _gone(process)


def _gone(process: QProcess) -> None:
    if process in _leaving and process.state() == QProcess.ProcessState.NotRunning:
        _leaving.pop(process).remove()
        process.deleteLater()


class Link(QObject):
    """Asks questions and hands the answers on, in the order asked.

    Questions on one channel supersede each other: while one is under way only the newest of
    those that follow is kept, so that a slider or a scrubber never builds up a queue.

    trouble: a question failed that nobody else hears of, or there is something to be told.
    """

    trouble = Signal(str)

    def __init__(
        self, project: Path, program: Sequence[str] = COMMAND, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._project, self._program = project, tuple(program)
        self._process: QProcess | None = None
        self._folder: QTemporaryDir | None = None
        self._number = 0
        self._asked: dict[int, _Question] = {}
        self._waiting: dict[str, _Question] = {}
        self._said = b""
        self._last_words = ""
        self._closed = False

    def ask(
        self,
        do: str,
        done: Done,
        *,
        sorry: Sorry | None = None,
        channel: str | None = None,
        **values: Any,
    ) -> None:
        """Ask ``do``; ``done`` gets the answer's values, ``sorry`` the sentence if it fails.

        Without ``sorry`` a failure goes to ``trouble``.
        """
        if self._closed:
            return  # a page asks a moment later than the project was left
        question = _Question(do, values, done, sorry, channel)
        if channel is not None and any(q.channel == channel for q in self._asked.values()):
            self._waiting[channel] = question
            return
        self._send(question)

    @property
    def busy(self) -> bool:
        """Whether an answer is outstanding."""
        return bool(self._asked)

    def close(self) -> None:
        """End the process, without waiting for it; no question is answered any more."""
        self._closed = True
        self._asked.clear()
        self._waiting.clear()
        process, self._process = self._process, None
        if process is not None:
            process.setParent(None)
            assert self._folder is not None
            _leaving[process] = self._folder
            process.finished.connect(lambda: _gone(process))
            process.errorOccurred.connect(lambda _: _gone(process))
            process.closeWriteChannel()
            process.terminate()
            _gone(process)

    def _send(self, question: _Question) -> None:
        if self._process is None:
            self._process = self._start()
        self._number += 1
        self._asked[self._number] = question
        into = str(self._long_answer(self._number))
        asked = {"id": self._number, "do": question.do, "into": into, **question.values}
        text = json.dumps(asked)
        self._process.write(text.encode() + b"\n")

    def _long_answer(self, number: int) -> Path:
        """The file of the answer to question ``number``, if it is one that grows with the clip."""
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
        process.readyReadStandardError.connect(self._listen)
        process.finished.connect(self._ended)
        process.errorOccurred.connect(self._not_started)
        self._said, self._last_words = b"", ""
        self._folder = QTemporaryDir()
        process.start()
        return process

    def _listen(self) -> None:
        if self._process is not None:
            said = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            self._last_words = (self._last_words + said)[-4000:]

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._said = (
            self._said + bytes(self._process.readAllStandardOutput().data())
        ).split(b"\n")
        for text in lines:
            try:
                line = parse(text)
            except ValidationError:
                continue
            if isinstance(line, Answer):
                self._answer(line)
            elif isinstance(line, Notice):
                self.trouble.emit(line.message)
            elif isinstance(line, Failed):
                self._last_words = line.message

    def _answer(self, answer: Answer) -> None:
        question = self._asked.pop(answer.id, None)
        if question is None:
            return
        follower = self._waiting.pop(question.channel, None) if question.channel else None
        if follower is not None:
            self._send(follower)
        if answer.error:
            self._fail(question, answer.error)
            return
        try:
            values = answer.values if answer.path is None else self._read_long(answer.id)
        except (OSError, ValueError) as error:
            said = self.tr("The answer cannot be read: %1.")
            self._fail(question, said.replace("%1", str(error)))
        else:
            question.done(values)

    def _read_long(self, number: int) -> Values:
        path = self._long_answer(number)
        values: Values = json.loads(path.read_bytes())
        path.unlink()
        return values

    def _fail(self, question: _Question, sentence: str) -> None:
        if question.sorry is not None:
            question.sorry(sentence)
        else:
            self.trouble.emit(sentence)

    def _not_started(self, error: QProcess.ProcessError) -> None:
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
        lost = [*self._asked.values(), *self._waiting.values()]
        self._asked.clear()
        self._waiting.clear()
        sentence = self.tr("The preview process ended; it starts again with the next picture.")
        if self._last_words:
            sentence += " " + self._last_words.strip().splitlines()[-1]
        for question in lost:
            self._fail(question, sentence)
