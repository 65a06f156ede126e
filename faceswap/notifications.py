"""The ``--notify`` command: run on training problems and at the end of a job."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from faceswap.background import in_background
from faceswap.driver import forward
from faceswap.errors import OptionsError
from faceswap.events import Event, Notice, Summary
from faceswap.options import split_command

AnySummary = TypeVar("AnySummary", bound=Summary)

_TIMEOUT = 60.0  # seconds the command may take before it is killed
_FINAL_WAIT = 5.0  # seconds to wait at the end, to report a failure
_REPEAT_AFTER = 3600.0  # seconds before the same message is sent again


def with_notifications(
    job: Generator[Event, None, AnySummary], command: str | None, about: Mapping[str, str]
) -> Generator[Event, None, AnySummary]:
    """Yield the events of ``job``; run ``command`` when it has a problem and when it ends.

    about: further environment variables FACESWAP_NAME of the command. The job does not wait for
    the command; its failure is reported once, as a Notice. Raises OptionsError before the job
    starts when there is no such command. With torchrun only the main process (rank 0) runs it.
    """
    if command is None or os.environ.get("RANK", "0") != "0":
        return (yield from job)
    notifier = CommandNotifier(command, about)
    try:
        summary = yield from forward(job, notifier.watch)
    except (GeneratorExit, KeyboardInterrupt):
        notifier.send("stopped", "Stopped; progress is kept.")
        raise
    except Exception as error:
        notifier.send("failed", str(error))
        raise
    notifier.send("done", summary.text())
    yield from in_background("notify", lambda _: notifier.wait(_FINAL_WAIT))
    if failure := notifier.failure():
        yield failure
    return summary


class CommandNotifier:
    """Runs the notification command; raises OptionsError when there is no such command."""

    def __init__(self, command: str, about: Mapping[str, str]) -> None:
        self._words = split_command(command)
        self._about = dict(about)
        program = shutil.which(self._words[0])
        if program is None:
            raise OptionsError(
                f"--notify: there is no command {self._words[0]!r}; give its full path."
            )
        if Path(program).suffix.lower() in (".bat", ".cmd"):
            # Windows runs these in its shell, which could execute parts of a message.
            raise OptionsError(f"--notify can't run the batch file {program}; give an executable.")
        self._words[0] = program
        self._sent: dict[str, float] = {}
        self._threads: list[threading.Thread] = []
        self._failure: str | None = None
        self._reported = False

    def send(self, event: str, text: str) -> None:
        """Start the command for ``event`` with ``text``; its process may outlive this one."""
        now = time.monotonic()
        if now - self._sent.get(text, -_REPEAT_AFTER) < _REPEAT_AFTER:
            return
        self._sent[text] = now
        message = f"faceswap: {text}".replace("\0", "")
        names = {"EVENT": event, "MESSAGE": message, **self._about}
        variables = {f"FACESWAP_{name}": value for name, value in names.items()}
        try:
            # In its own session, so that Ctrl-C in the terminal does not reach it.
            process = subprocess.Popen(
                [*self._words, message],
                env=os.environ | variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # POSIX; on Windows the flag below
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except (OSError, ValueError) as error:
            self._failure = f"it cannot be started ({error})"
            return
        thread = threading.Thread(target=self._watch, args=(process,), name="notify", daemon=True)
        thread.start()
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]

    def watch(self, event: Event) -> Iterator[Event]:
        """Run the command if ``event`` is trouble; ``event``, and a failure of the command."""
        if isinstance(event, Notice) and event.trouble:
            self.send("trouble", event.message)
        yield event
        if failure := self.failure():
            yield failure

    def wait(self, seconds: float) -> None:
        """Wait up to ``seconds`` for the started commands."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def failure(self) -> Notice | None:
        """A Notice that the command failed; None if it did not, or was reported before."""
        if self._failure is None or self._reported:
            return None
        self._reported = True
        return Notice(message=f"--notify {self._words[0]} failed: {self._failure}.")

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        try:
            code = process.wait(_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self._failure = f"it took longer than {_TIMEOUT:.0f} seconds and was killed"
            return
        if code:
            self._failure = f"exit code {code}"
