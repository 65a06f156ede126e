"""The record of a queue: how each of its jobs ended, one line of JSON for each attempt."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from faceswap.errors import OutputError


class Attempt(BaseModel):
    """How a job ended. key: of its command and options. message: what its end said."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job: str
    key: str
    result: Literal["done", "failed"]
    message: str
    begun: datetime
    seconds: float


class QueueRecord:
    """Reads and extends the record beside the queue file ``queue``.

    A line that a killed process did not finish is passed over.
    """

    def __init__(self, queue: Path) -> None:
        self.path = queue.with_name(f"{queue.name}.record.jsonl")

    def done(self) -> set[tuple[str, str]]:
        """Names and keys of the jobs that were done. Raises OutputError."""
        return {(one.job, one.key) for one in self.attempts() if one.result == "done"}

    def attempts(self) -> list[Attempt]:
        """All attempts, in order. Raises OutputError when the file cannot be read."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(f"Cannot read {self.path}: {error.strerror}.") from error
        found = []
        for line in lines:
            with suppress(ValidationError):
                found.append(Attempt.model_validate_json(line))
        return found

    def add(self, attempt: Attempt) -> None:
        """Append an attempt, synced to disk. Raises OutputError."""
        try:
            with open(self.path, "ab+") as file:
                file.seek(0, os.SEEK_END)
                torn = file.tell() > 0 and not _ends_with_newline(self.path)
                file.write(b"\n" * torn + attempt.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error.strerror}.") from error


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
