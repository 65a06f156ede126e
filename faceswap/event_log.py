"""A job's events in a file that stays small, and how another process reads it meanwhile.

Each line is an event as JSON. A log that has grown to ``LIMIT`` is thinned: its last ``TAIL``
bytes stay as they are, of what is older only what tells its course: the curves in evenly spaced
points, the last of everything else. A thinned log begins with a line that says how often that was
done and where its tail belongs, so that a reader goes on where it was.
"""

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from faceswap.errors import OutputError
from faceswap.events import Failed, Finished, Line, Metrics, Progress, Stopped, parse

LIMIT = 2 << 20
"""Bytes of a log: at twenty events a second it is thinned every few minutes, in some 0.1 s."""

TAIL = LIMIT // 8
"""Bytes at the end that stay as they are: a minute and more, in which a window looks again."""

HEAD = LIMIT // 4
"""Bytes that all that is older may take."""

POINTS = 2000
"""So many points of a curve are kept: more than a window is wide in pixels."""

LAST = 100
"""So many of the older notices, previews and saves are kept each."""

_AT_ONCE = 1 << 14
"""Bytes read in one go: some hundred events, which take a few milliseconds."""

_MARK = b'{"kind": "thinned"'
_MARK_SIZE = 128


@dataclass(frozen=True)
class _Mark:
    """A log that was thinned ``times`` times: the byte at ``offset`` in the file is the
    ``position``-th of all that was ever written."""

    times: int = 0
    position: int = 0
    offset: int = 0

    def line(self) -> bytes:
        """As the first line of the file."""
        said = {"kind": "thinned", **vars(self)}
        return json.dumps(said).encode().ljust(_MARK_SIZE - 1) + b"\n"


def _mark_of(begin: bytes) -> _Mark:
    """The mark in the first ``_MARK_SIZE`` bytes of a log; a new log has none."""
    if begin.startswith(_MARK):
        with suppress(ValueError, KeyError):
            said = json.loads(begin)
            return _Mark(said["times"], said["position"], said["offset"])
    return _Mark()


class EventLog:
    """Writes events to a new file; what cannot be written, as the disk is full, is left out.

    Raises OutputError when the file exists or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._torn = False
        self._thin_at = LIMIT
        try:
            with open(path, "xb"):
                pass
        except FileExistsError as error:
            raise OutputError(f"{path} exists already; name another file.") from error
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error

    def show(self, line: Line) -> None:
        """Add ``line``; of a log that could not be thinned for long, progress is left out."""
        data = line.model_dump_json().encode() + b"\n"
        size = self._size() + len(data)
        if size > self._thin_at:
            self._thin_at = LIMIT if self._thin() else size + LIMIT // 16
        if size > 2 * LIMIT and isinstance(line, Progress | Metrics):
            return
        if not self._append(data) and isinstance(line, Finished | Failed | Stopped):
            self._give_room()
            self._append(data)

    def close(self) -> None:
        """Nothing is held open."""

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _append(self, data: bytes) -> bool:
        """Opened each time, so that a failure leaves nothing behind that fails again."""
        data = b"\n" * self._torn + data
        try:
            with open(self._path, "ab", buffering=0) as file:
                self._torn = file.write(data) != len(data)
        except OSError:
            self._torn = True
        return not self._torn

    def _thin(self) -> bool:
        """Write the log anew, whole or not at all; whether that could be done."""
        part = self._path.with_suffix(".part")
        try:
            part.write_bytes(_rewritten(self._path.read_bytes(), TAIL, HEAD))
            os.replace(part, self._path)  # which Windows refuses while the log is being read
        except OSError:
            with suppress(OSError):
                part.unlink()
            return False
        return True

    def _give_room(self) -> None:
        """Shorten the log in place, on a full disk, so that it can say how the job ended."""
        with suppress(OSError), open(self._path, "r+b") as file:
            short = _rewritten(file.read(), TAIL // 16, 0)
            file.seek(0)
            file.write(short)
            file.truncate()


def _rewritten(data: bytes, tail: int, head: int) -> bytes:
    """A log (its bytes) with its last ``tail`` bytes, and ``head`` of all before."""
    mark = _mark_of(data[:_MARK_SIZE])
    # At the beginning of a line, and not within what was thinned before.
    start = max(mark.offset, data.find(b"\n", max(0, len(data) - tail - 1)) + 1)
    kept = b"".join(line + b"\n" for line in thinned(data[:start].split(b"\n"), head))
    position = mark.position + start - mark.offset
    new = _Mark(mark.times + 1, position, _MARK_SIZE + len(kept))
    return new.line() + kept + data[start:]


def thinned(lines: Sequence[bytes], size: int = HEAD) -> list[bytes]:
    """Those of ``lines``, in order, that tell the course of a job in ``size`` bytes.

    Of numbers at training steps ``POINTS`` evenly over the steps, of progress the last, ``LAST``
    of everything else; each fewer where that is too much. Lines that are no events are dropped.
    """
    kinds: dict[tuple[Any, ...], list[int]] = {}
    steps: dict[int, int] = {}
    for place, line in enumerate(lines):
        try:
            said = json.loads(line)
            kind = str(said["kind"])
            if kind == "metrics":
                steps[place] = int(said["step"])
                # What is measured now and then must not be lost among what is told always.
                kinds.setdefault((kind, *sorted(said["values"])), []).append(place)
            elif kind != "thinned":
                kinds.setdefault((kind,), []).append(place)
        except (ValueError, TypeError, KeyError):
            continue
    for less in range(POINTS.bit_length()):
        kept: list[int] = []
        for (kind, *_), places in kinds.items():
            if kind == "metrics":
                kept += _spread(places, steps, POINTS >> less)
            else:
                most = 1 if kind == "progress" else LAST >> less
                kept += places[-most:] if most else []
        if sum(len(lines[place]) + 1 for place in kept) <= size:
            return [lines[place] for place in sorted(kept)]
    return []


def _spread(places: Sequence[int], steps: dict[int, int], most: int) -> list[int]:
    """At most ``most`` of ``places``, evenly over their steps; the last stays.

    A run that went back to an earlier step has no points after it from before.
    """
    valid: list[int] = []
    for place in places:
        while valid and steps[valid[-1]] >= steps[place]:
            valid.pop()
        valid.append(place)
    if len(valid) <= most:
        return valid
    first, last = steps[valid[0]], steps[valid[-1]]
    parts = {(steps[place] - first) * most // (last - first + 1): place for place in valid}
    return list(parts.values())


@dataclass(frozen=True)
class LogChunk:
    """What was new. at_end: nothing more is there to be read now. again: ``lines`` are read from
    the beginning, as too much was thinned out since the last look. cut: a last line that is not,
    or not yet, whole.
    """

    lines: list[Line]
    at_end: bool
    again: bool = False
    cut: bytes = b""


class LogReader:
    """Reads a log while it is written, each line whole, however long it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = _Mark()
        self._place = 0

    def read_new(self) -> LogChunk:
        """Some of what is new: see ``Look``. A log that is not there has nothing."""
        try:
            with open(self._path, "rb") as file:
                again = self._follow(_mark_of(file.read(_MARK_SIZE)))
                file.seek(self._place)
                data = file.read(_AT_ONCE)
                if not data.endswith(b"\n"):
                    data += file.readline()
                at_end = not file.peek(1)
        except OSError:
            return LogChunk([], at_end=True)
        whole, newline, cut = data.rpartition(b"\n")
        self._place += len(whole) + len(newline)
        return LogChunk(events_in(whole.split(b"\n")), at_end, again, cut)

    def skip_to_tail(self, size: int) -> None:
        """Leave out all but the end: ``size`` bytes or more, whole lines, and one at least."""
        try:
            with open(self._path, "rb") as file:
                self._mark = _mark_of(file.read(_MARK_SIZE))
                end = file.seek(0, os.SEEK_END)
                self._place = end
                while self._place:
                    self._place = file.seek(max(0, end - size))
                    if self._place:
                        file.readline()
                        self._place = file.tell()
                    if b"\n" in file.read():
                        break
                    size *= 2  # the last line alone is longer
        except OSError:
            return

    def _follow(self, mark: _Mark) -> bool:
        """Find the place in a log that was thinned since; whether it must be read anew."""
        old, self._mark = self._mark, mark
        if mark == old:
            return False
        place = mark.offset + old.position + self._place - old.offset - mark.position
        begun = self._place > 0
        self._place = place if place >= mark.offset else 0
        return begun and self._place == 0


def events_in(lines: Iterable[bytes]) -> list[Line]:
    """The events of ``lines``; what is none, such as what a library prints, is left out."""
    events: list[Line] = []
    for line in lines:
        with suppress(ValidationError):
            events.append(parse(line))
    return events


def metrics_in(path: Path) -> list[Metrics]:
    """The numbers told so far, thinned as the log is; none where there is no log."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    told = events_in(line for line in lines if line.startswith(b'{"kind":"metrics"'))
    return [event for event in told if isinstance(event, Metrics)]
