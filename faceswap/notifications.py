"""Telling somebody who is not looking: a command that is run on trouble and at the end."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TypeVar

from faceswap.background import in_background
from faceswap.errors import OptionsError
from faceswap.events import Event, Notice, Summary
from faceswap.options import split_command

AnySummary = TypeVar("AnySummary", bound=Summary)

_LONGEST = 60.0  # seconds the command may take; then it is ended
_LAST = 5.0  # seconds that it is waited for at the end, to tell if it fails
_AGAIN = 3600.0  # seconds after which the same trouble is told once more


def with_notifications(
    job: Generator[Event, None, AnySummary], command: str | None, about: Mapping[str, str]
) -> Generator[Event, None, AnySummary]:
    """The events of ``job``; ``command`` is run when it is in trouble, and when it ends.

    about: what the command finds in its environment besides, by name. Nothing waits for it, and
    that it fails is told once. Raises OptionsError before anything else when there is no such
    command. Of several processes that train together, the first alone runs it.
    """
    if command is None or os.environ.get("RANK", "0") != "0":
        return (yield from job)
    messenger = CommandNotifier(command, about)
    try:
        summary = yield from _watched(job, messenger)
    except (GeneratorExit, KeyboardInterrupt):
        messenger.send("stopped", "It was stopped; what was done is kept.")
        raise
    except Exception as error:
        messenger.send("failed", str(error))
        raise
    messenger.send("done", summary.text())
    yield from in_background("notify", lambda _: messenger.wait(_LAST))
    if told := messenger.failure():
        yield told
    return summary


def _watched(
    job: Generator[Event, None, AnySummary], messenger: "CommandNotifier"
) -> Generator[Event, None, AnySummary]:
    try:
        while True:
            try:
                event = next(job)
            except StopIteration as end:
                summary: AnySummary = end.value
                return summary
            if isinstance(event, Notice) and event.trouble:
                messenger.send("trouble", event.message)
            yield event
            if told := messenger.failure():
                yield told
    finally:
        job.close()  # which saves, and may fail in that


class CommandNotifier:
    """Runs one command with messages; raises OptionsError when there is no such command."""

    def __init__(self, command: str, about: Mapping[str, str]) -> None:
        self._words = split_command(command)
        self._about = dict(about)
        program = shutil.which(self._words[0])
        if program is None:
            raise OptionsError(
                f"There is no command {self._words[0]!r} for --notify to run; give its full path."
            )
        if Path(program).suffix.lower() in (".bat", ".cmd"):
            # Windows hands these to its shell, which takes parts of a message for commands.
            raise OptionsError(f"--notify can't run the batch file {program}; name a program.")
        self._words[0] = program
        self._sent: dict[str, float] = {}
        self._threads: list[threading.Thread] = []
        self._failure: str | None = None
        self._told = False

    def send(self, event: str, text: str) -> None:
        """Run the command for ``event`` with ``text``, in a process that outlives this one."""
        now = time.monotonic()
        if now - self._sent.get(text, -_AGAIN) < _AGAIN:
            return
        self._sent[text] = now
        message = f"faceswap: {text}".replace("\0", "")
        names = {"EVENT": event, "MESSAGE": message, **self._about}
        variables = {f"FACESWAP_{name}": value for name, value in names.items()}
        try:
            # In a session of its own, so that Ctrl-C in the terminal is not meant for it.
            process = subprocess.Popen(
                [*self._words, message],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # on Windows the flags say so
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except (OSError, ValueError) as error:
            self._failure = f"it cannot be started ({error})"
            return
        thread = threading.Thread(target=self._watch, args=(process,), name="notify", daemon=True)
        thread.start()
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]

    def wait(self, seconds: float) -> None:
        """Wait for what was started, so long at most."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def failure(self) -> Notice | None:
        """That the command failed, the first time only."""
        if self._failure is None or self._told:
            return None
        self._told = True
        return Notice(message=f"--notify {self._words[0]} failed: {self._failure}.")

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            code = process.wait(_LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self._failure = f"it took longer than {_LONGEST:.0f} seconds and was ended"
            return
        if code:
            self._failure = f"it ended with the code {code}"
