"""Event log of bounded size (JSON Lines) that other processes can follow while it is written.

A log that has grown to ``LIMIT`` is thinned out: the last ``TAIL`` bytes are kept, of older events
only curves in evenly spaced points and the last few of each other kind. A thinned log starts with
a header that says how often it was thinned and where its tail belongs, so that readers keep their
position.
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
from faceswap.io.atomic import partial_file

LIMIT = 2 << 20
"""Maximum bytes of a log: at 20 events/s it is thinned every few minutes, in about 0.1 s."""

TAIL = LIMIT // 8
"""Bytes kept at the end: over a minute of events, more than the window's polling interval."""

HEAD = LIMIT // 4
"""Maximum bytes of the events before the tail."""

POINTS = 2000
"""Points kept of a curve: more than a window's width in pixels."""

LAST = 100
"""Older notices, previews and saves kept, each."""

_CHUNK = 1 << 14
"""Bytes per read: about 100 events, which take a few milliseconds to parse."""

_HEADER_PREFIX = b'{"kind": "thinned"'
_HEADER_SIZE = 128


@dataclass(frozen=True)
class _Header:
    """Header of a log thinned ``times`` times: the byte at ``offset`` in the file is the
    ``position``-th of all bytes ever written."""

    times: int = 0
    position: int = 0
    offset: int = 0

    def line(self) -> bytes:
        """The header as the first line of the file."""
        entry = {"kind": "thinned", **vars(self)}
        return json.dumps(entry).encode().ljust(_HEADER_SIZE - 1) + b"\n"


def _parse_header(begin: bytes) -> _Header:
    """Parse the header from the first ``_HEADER_SIZE`` bytes of a log; a new log has none."""
    if begin.startswith(_HEADER_PREFIX):
        with suppress(ValueError, KeyError):
            entry = json.loads(begin)
            return _Header(entry["times"], entry["position"], entry["offset"])
    return _Header()


class EventLog:
    """Writes events to a new file; drops those that can't be written (disk full).

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
        """Append ``line``; drops progress and metrics while the log is too large to be thinned."""
        data = line.model_dump_json().encode() + b"\n"
        size = self._size() + len(data)
        if size > self._thin_at:
            self._thin_at = LIMIT if self._thin() else size + LIMIT // 16
        if size > 2 * LIMIT and isinstance(line, Progress | Metrics):
            return
        if not self._append(data) and isinstance(line, Finished | Failed | Stopped):
            self._truncate()
            self._append(data)

    def close(self) -> None:
        """Do nothing: the file is not kept open."""

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _append(self, data: bytes) -> bool:
        """Append bytes; the file is opened each time, as a failed one may fail again on close."""
        data = b"\n" * self._torn + data
        try:
            with open(self._path, "ab", buffering=0) as file:
                self._torn = file.write(data) != len(data)
        except OSError:
            self._torn = True
        return not self._torn

    def _thin(self) -> bool:
        """Rewrite the log atomically, thinned; returns whether that succeeded."""
        try:
            with partial_file(self._path) as part:  # Windows: tried for a second while read
                part.write_bytes(_thin_bytes(self._path.read_bytes(), TAIL, HEAD))
        except OSError:
            return False
        return True

    def _truncate(self) -> None:
        """Truncate the log in place on a full disk, to make room for the final event."""
        with suppress(OSError), open(self._path, "r+b") as file:
            short = _thin_bytes(file.read(), TAIL // 16, 0)
            file.seek(0)
            file.write(short)
            file.truncate()


def _thin_bytes(data: bytes, tail: int, head: int) -> bytes:
    """Thin the log ``data``: the last ``tail`` bytes, and up to ``head`` bytes of older events."""
    header = _parse_header(data[:_HEADER_SIZE])
    # At the start of a line, and not before the previous tail.
    start = max(header.offset, data.find(b"\n", max(0, len(data) - tail - 1)) + 1)
    kept = b"".join(line + b"\n" for line in thinned(data[:start].split(b"\n"), head))
    position = header.position + start - header.offset
    new = _Header(header.times + 1, position, _HEADER_SIZE + len(kept))
    return new.line() + kept + data[start:]


def thinned(lines: Sequence[bytes], size: int = HEAD) -> list[bytes]:
    """Thin out ``lines`` to ``size`` bytes, in order.

    Keeps ``POINTS`` metrics evenly spaced over the training steps, the last progress and ``LAST``
    of each other kind; fewer where these don't fit. Drops lines that are not events.
    """
    kinds: dict[tuple[Any, ...], list[int]] = {}
    steps: dict[int, int] = {}
    for index, line in enumerate(lines):
        try:
            entry = json.loads(line)
            kind = str(entry["kind"])
            if kind == "metrics":
                steps[index] = int(entry["step"])
                # By set of values, so that rare metrics are not lost among frequent ones.
                kinds.setdefault((kind, *sorted(entry["values"])), []).append(index)
            elif kind != "thinned":
                kinds.setdefault((kind,), []).append(index)
        except (ValueError, TypeError, KeyError):
            continue
    for halvings in range(POINTS.bit_length()):
        kept: list[int] = []
        for (kind, *_), indices in kinds.items():
            if kind == "metrics":
                kept += _evenly_spaced(indices, steps, POINTS >> halvings)
            else:
                most = 1 if kind == "progress" else LAST >> halvings
                kept += indices[-most:] if most else []
        if sum(len(lines[index]) + 1 for index in kept) <= size:
            return [lines[index] for index in sorted(kept)]
    return []


def _evenly_spaced(indices: Sequence[int], steps: dict[int, int], most: int) -> list[int]:
    """At most ``most`` of ``indices``, evenly spaced over their steps; keeps the last.

    Where a run was rolled back, drops the points after that step from before.
    """
    valid: list[int] = []
    for index in indices:
        while valid and steps[valid[-1]] >= steps[index]:
            valid.pop()
        valid.append(index)
    if len(valid) <= most:
        return valid
    first, last = steps[valid[0]], steps[valid[-1]]
    parts = {(steps[index] - first) * most // (last - first + 1): index for index in valid}
    return list(parts.values())


@dataclass(frozen=True)
class LogChunk:
    """Newly read events. at_end: there is no more to read now. restarted: ``lines`` start at the
    beginning of the log, as the reader's position was thinned out. partial_line: an incomplete
    last line.
    """

    lines: list[Line]
    at_end: bool
    restarted: bool = False
    partial_line: bytes = b""


class LogReader:
    """Follows a log while it is written; reads whole lines of any length."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header = _Header()
        self._position = 0

    def read_new(self) -> LogChunk:
        """Read the next chunk of new events; an empty chunk where there is no log."""
        try:
            with open(self._path, "rb") as file:
                again = self._follow(_parse_header(file.read(_HEADER_SIZE)))
                file.seek(self._position)
                data = file.read(_CHUNK)
                if not data.endswith(b"\n"):
                    data += file.readline()
                at_end = not file.peek(1)
        except OSError:
            return LogChunk([], at_end=True)
        whole, newline, cut = data.rpartition(b"\n")
        self._position += len(whole) + len(newline)
        return LogChunk(events_in(whole.split(b"\n")), at_end, again, cut)

    def skip_to_tail(self, size: int) -> None:
        """Skip to the last ``size`` bytes or more: whole lines, at least one."""
        try:
            with open(self._path, "rb") as file:
                self._header = _parse_header(file.read(_HEADER_SIZE))
                end = file.seek(0, os.SEEK_END)
                self._position = end
                while self._position:
                    self._position = file.seek(max(0, end - size))
                    if self._position:
                        file.readline()
                        self._position = file.tell()
                    if b"\n" in file.read():
                        break
                    size *= 2  # the last line is longer
        except OSError:
            return

    def _follow(self, header: _Header) -> bool:
        """Adjust the position to a log thinned since; returns whether to read from the start."""
        old, self._header = self._header, header
        if header == old:
            return False
        position = header.offset + old.position + self._position - old.offset - header.position
        had_read = self._position > 0
        self._position = position if position >= header.offset else 0
        return had_read and self._position == 0


def events_in(lines: Iterable[bytes]) -> list[Line]:
    """Parse ``lines``; skips lines that are not events, such as output of libraries."""
    events: list[Line] = []
    for line in lines:
        with suppress(ValidationError):
            events.append(parse(line))
    return events


def metrics_in(path: Path) -> list[Metrics]:
    """Metrics in the log at ``path``, thinned as it is; empty where there is no log."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return []
    metrics = events_in(line for line in lines if line.startswith(b'{"kind":"metrics"'))
    return [event for event in metrics if isinstance(event, Metrics)]
