"""Run one job in a process of its own, whose events are passed on."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from pydantic import ValidationError

from faceswap.events import Event, Failed, Finished, Line, Progress, Stopped, parse
from faceswap.queue.queue_file import QueuedJob
from faceswap.queue.queue_run import Outcome

COMMAND = (sys.executable, "-m", "faceswap")

_HEARTBEAT = 0.25  # seconds
_GRACE = 60.0  # seconds that a job has to stop: it may finish a video of what is done
_TOLD = 300  # characters of the error output of a process that did not say why it ended


def run_in_process(
    job: QueuedJob, folder: Path, command: Sequence[str] = COMMAND
) -> Generator[Event, None, Outcome]:
    """Run ``job`` with ``folder`` as its working folder.

    When it is closed, the process is asked to stop, and killed if it does not.
    """
    with tempfile.TemporaryFile() as errors:
        try:
            process = _started([*command, *job.arguments, "--events", "jsonl"], folder, errors)
        except OSError as error:
            return Outcome(False, f"{command[0]} cannot be started: {error.strerror}.")
        lines: SimpleQueue[bytes | None] = SimpleQueue()
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        last: Line | None = None
        try:
            while True:
                try:
                    line = lines.get(timeout=_HEARTBEAT)
                except Empty:
                    yield Progress(stage=job.name, done=0)
                    continue
                if line is None:
                    break
                event = _parsed(line)
                if isinstance(event, Finished | Failed | Stopped):
                    last = event
                elif event is not None:
                    yield event
        finally:
            _end(process)
            reader.join()
            process.stdout.close()
        return _outcome(process.returncode, last, errors)


def _started(words: list[str], folder: Path, errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    # Ctrl-C in a terminal reaches all of a group: it is for the queue, which asks its job.
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        **apart,
    )


def _read(pipe: IO[bytes], lines: "SimpleQueue[bytes | None]") -> None:
    for line in pipe:
        lines.put(line)
    lines.put(None)


def _parsed(line: bytes) -> Line | None:
    try:
        return parse(line)
    except ValidationError:
        return None  # output of a library


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        if sys.platform == "win32":
            process.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _outcome(code: int, last: Line | None, errors: IO[bytes]) -> Outcome:
    if isinstance(last, Finished):
        return Outcome(code == 0, last.text)
    if isinstance(last, Failed):
        return Outcome(False, last.message)
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - 4 * _TOLD))
    told = " ".join(errors.read().decode("utf-8", "replace").split())[-_TOLD:]
    ended = f"ended by signal {-code}" if code < 0 else f"ended with the exit code {code}"
    return Outcome(False, f"The process {ended}{f': {told}' if told else ''}.")
