"""The finished segments of an output, in a folder beside it until it is finished.

::

    out.mp4.unfinished/
        render.json                     what the output is made of, and its quality
        000003-1f2e….json               a finished segment, once its file is synced to disk
        000003-1f2e….pictures           its encoded pictures; a folder of those of an animation
        partial.mp4                     what was done when it was last stopped, to look at

A segment has in its name the key of all that it depends on, so that segments of other settings are
neither used nor lost: they are there again when the settings are.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from faceswap.io.atomic import file_lock, make_folder, remove_partial_files, write_atomically
from faceswap.video.partial_output import LONGEST, remove_abandoned
from faceswap.video.segments import Segment

_FACTS = "render.json"
_LOCK = ".lock"
_ENDING = ".unfinished"


class FoundQuality(BaseModel):
    """A quality that was found by trials; see ``Estimate``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crf: float
    size: int
    fidelity: float


class FinishedFile(BaseModel):
    """The finished output, by which it is known again: size in bytes and time of change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    changed_ns: int
    frames: int
    swapped: int


class RenderFacts(BaseModel):
    """What an output is made of.

    aspects: by their names for a person. quality: None where there is none to be found. finished:
    the output, from just before it gets its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    aspects: dict[str, str]
    quality: FoundQuality | None = None
    finished: FinishedFile | None = None


class SegmentJournal:
    """The folder of unfinished ``output``; it exists from ``locked`` on."""

    def __init__(self, output: Path) -> None:
        self._output = output.absolute()
        self.folder = self._output.with_name(_folder_name(self._output.name))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock; it is removed afterwards if nothing in it is finished.

        Raises ProjectError when another process holds it, OutputError when the folder cannot be
        written.
        """
        make_folder(self.folder)
        busy = f"{self._output} is already being written; wait for that or stop it."
        held = False
        try:
            with file_lock(self.folder / _LOCK, 0, busy):
                held = True
                self.remove_leftovers()
                yield
        finally:
            if held and not self.segment_files() and not self.partial.exists():
                shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def partial(self) -> Path:
        """The video of what was done when the work was stopped."""
        return self.folder / f"partial{self._output.suffix}"

    def facts(self) -> RenderFacts | None:
        """What the segments of the last process were made of; None where nothing is known."""
        with suppress(OSError, ValidationError):
            return RenderFacts.model_validate_json((self.folder / _FACTS).read_bytes())
        return None

    def write_facts(self, facts: RenderFacts) -> None:
        """Store ``facts``. Raises OutputError."""
        write_atomically(self.folder / _FACTS, facts.model_dump_json(indent=1).encode())

    def note_finished(self, complete: Path, frames: int, swapped: int) -> None:
        """Store that ``complete`` is about to become the output. Raises OutputError."""
        facts, state = self.facts(), complete.stat()
        if facts is not None:
            told = FinishedFile(
                size=state.st_size, changed_ns=state.st_mtime_ns, frames=frames, swapped=swapped
            )
            self.write_facts(facts.model_copy(update={"finished": told}))

    def finished(self) -> FinishedFile | None:
        """The output, if a process was killed after it was finished, but before it ended."""
        facts = self.facts()
        if facts is None or facts.finished is None or not self._output.is_file():
            return None
        state, told = self._output.stat(), facts.finished
        same = (state.st_size, state.st_mtime_ns) == (told.size, told.changed_ns)
        return told if same else None

    def finish_removal(self) -> None:
        """Remove the folder of an output that was finished before the process was killed.

        Raises ProjectError when another process holds its lock.
        """
        with self.locked():
            self.remove()

    def segment_files(self) -> Mapping[int, list[str]]:
        """Keys of the finished segments, by number."""
        found: dict[int, list[str]] = {}
        for path in sorted(self.folder.glob("[0-9]*-*.json")):
            number, _, key = path.stem.partition("-")
            found.setdefault(int(number), []).append(key)
        return found

    def segment(self, number: int, key: str) -> Segment | None:
        """The finished segment, or None."""
        with suppress(OSError, ValidationError):
            return Segment.model_validate_json(self._entry(number, key).read_bytes())
        return None

    def data(self, number: int, key: str) -> Path:
        """Where the pictures of a segment are."""
        return self._entry(number, key).with_suffix(".pictures")

    def size(self) -> int:
        """Bytes of the finished segments, of any settings."""
        return sum(path.stat().st_size for path in self.folder.glob("*.pictures"))

    def add(self, segment: Segment) -> None:
        """Store that a segment is finished. Raises OutputError."""
        write_atomically(
            self._entry(segment.number, segment.key), segment.model_dump_json().encode()
        )

    def forget(self, segment: Segment) -> None:
        """Forget a damaged segment."""
        self._entry(segment.number, segment.key).unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what is not finished; nobody may be making segments."""
        remove_partial_files(self.folder)
        remove_abandoned(self.folder)
        for data in self.folder.glob("*.pictures"):
            if not data.with_suffix(".json").exists():
                _remove(data)

    def remove(self) -> None:
        """Remove all, as the output is finished."""
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                _remove(path)

    def _entry(self, number: int, key: str) -> Path:
        return self.folder / f"{number:06d}-{key}.json"


def _folder_name(output: str) -> str:
    """``output`` and an ending; a name that is too long for one is told by its hash."""
    if len(f"{output}{_ENDING}".encode()) <= LONGEST:
        return f"{output}{_ENDING}"
    end = f".{hashlib.sha256(output.encode()).hexdigest()[:8]}{_ENDING}"
    return output.encode()[: LONGEST - len(end)].decode("utf-8", "ignore") + end


def _remove(path: Path) -> None:
    with suppress(OSError):  # open in a player, on Windows
        shutil.rmtree(path) if path.is_dir() else path.unlink()
