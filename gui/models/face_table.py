"""Table of all faces of a side, stored by column, for sorting, filtering and folding."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.preview.protocol import FacesAnswer

LOW_PRESENCE = 0.6
"""Presence below which a face is listed as low."""

SIDE_YAW = 35.0
"""Degrees of yaw beyond which a face counts as a side view."""

_FOLDS: tuple[tuple[str, float], ...] = (
    ("time", 2.0),
    ("yaw", 6.0),
    ("pitch", 6.0),
    ("mouth", 0.06),
    ("lids", 0.05),
)
"""Faces of a track are near-duplicates where none of these differs by about so much."""

_EMPTY = ("excluded",)


@dataclass(frozen=True)
class FacePart:
    """The faces of one source. values: float32 (N, columns)."""

    source: str
    names: list[str]
    columns: tuple[str, ...]
    values: NDArray[np.float32]
    folder: Path
    excluded_folder: Path

    @classmethod
    def read(cls, source: str, answer: FacesAnswer) -> "FacePart":
        """Read the files of an answer. Raises OSError or ValueError when they cannot be read."""
        names = os.fsdecode(answer.names.read_bytes()).split("\n") if answer.count else []
        values = np.load(answer.values, allow_pickle=False)
        if not len(names) == len(values) == answer.count:
            raise ValueError("a crop's file name has more than one line")
        return cls(source, names, answer.columns, values, answer.folder, answer.excluded_folder)


class FaceTableModel:
    """A side's faces, of all its sources one after the other; empty without any."""

    def __init__(self, parts: Sequence[FacePart] = ()) -> None:
        self.parts = tuple(parts)
        self.names: list[str] = [name for part in parts for name in part.names]
        self._columns = parts[0].columns if parts else _EMPTY
        shape = (0, len(self._columns))
        self._values = np.concatenate([np.zeros(shape, np.float32), *(p.values for p in parts)])
        lengths = [len(part.names) for part in parts]
        self._starts = np.cumsum([0, *lengths])
        self._part_of = np.repeat(np.arange(len(parts)), lengths)
        self.excluded: NDArray[np.bool_] = self.column("excluded") > 0.5
        self._items: dict[str, dict[str, int]] = {}
        self._measured = np.zeros(len(self.names), np.bool_)
        if "brightness" in self._columns:
            self._measured = ~np.isnan(self.column("brightness"))

    def path(self, item: int) -> Path:
        """The current path of a face's crop."""
        part = self.parts[int(self._part_of[item])]
        folder: Path = part.excluded_folder if self.excluded[item] else part.folder
        return folder / self.names[item]

    def paths(self) -> list[str]:
        """The paths of all crops, as strings: 50,000 Path objects are slow to create."""
        found: list[str] = []
        for number, part in enumerate(self.parts):
            inside, outside = f"{part.folder}/", f"{part.excluded_folder}/"
            out = self.excluded[self._starts[number] : self._starts[number + 1]].tolist()
            found += [
                (outside if gone else inside) + name
                for name, gone in zip(part.names, out, strict=True)
            ]
        return found

    def place(self, item: int) -> tuple[str, int, int]:
        """Source, frame and track of a face."""
        frame, track = (int(self.column(name)[item]) for name in ("frame", "track"))
        return self.parts[self._part_of[item]].source, frame, track

    def by_source(self, items: Iterable[int]) -> dict[str, list[str]]:
        """Names of faces by their source."""
        found: dict[str, list[str]] = {}
        for item in items:
            source = self.parts[self._part_of[item]].source
            found.setdefault(source, []).append(self.names[item])
        return found

    def set_excluded(self, source: str, names: Sequence[str], out: bool) -> list[int]:
        """Mark faces of a source as excluded or restored; returns their row numbers."""
        known = self._items_of(source)
        items = [known[name] for name in names if name in known]
        self.excluded[items] = out
        return items

    def set_people(self, people: Mapping[tuple[str, int], int]) -> None:
        """Set the person of each face by its source and track."""
        column = self.column("person")
        for number, part in enumerate(self.parts):
            own = {track: who for (source, track), who in people.items() if source == part.source}
            rows = slice(self._starts[number], self._starts[number + 1])
            column[rows] = looked_up(self.column("track")[rows], own)

    def set_likeness(self, source: str, tracks: Mapping[int, float], item: int) -> None:
        """Set how much the faces of a source are like ``item``: as their tracks are, and its pose.

        The likeness of a track tells people apart; within it, faces in the same pose come first.
        """
        if "likeness" not in self._columns:
            self._columns = (*self._columns, "likeness")
            self._values = np.column_stack([self._values, np.zeros(len(self.names), np.float32)])
        names = [name for name, _ in _FOLDS[1:]]
        widths = np.array([width for _, width in _FOLDS[1:]], np.float32)
        own = np.stack([self.column(name) for name in names], 1) / widths
        apart = np.nan_to_num(np.linalg.norm(own - own[item], axis=1), nan=100.0)
        number = [part.source for part in self.parts].index(source)
        rows = slice(self._starts[number], self._starts[number + 1])
        looks = looked_up(self.column("track")[rows], tracks)
        self.column("likeness")[rows] = apart[rows] / 1000 - np.nan_to_num(looks, nan=-1.0)

    def order(
        self,
        sort: str,
        shown: str,
        *,
        person: int | None = None,
        source: str | None = None,
        track: tuple[str, int] | None = None,
    ) -> NDArray[np.int64]:
        """Row numbers of the faces that pass the filters, sorted; unknown values last."""
        if not self.names:
            return np.zeros(0, np.int64)
        keep = self._filter(shown)
        if person is not None:
            keep &= self.column("person") == person
        for wanted in (source, track[0] if track else None):
            if wanted is not None:
                keep &= self._part_of == [part.source for part in self.parts].index(wanted)
        if track is not None:
            keep &= self.column("track") == track[1]
        items = np.flatnonzero(keep)
        keys = self.column(sort if sort in self._columns else "time")[items]
        if sort == "time":
            return items[np.lexsort((self.column("track")[items], keys, self._part_of[items]))]
        return items[np.argsort(keys, kind="stable")]

    def folds(self) -> NDArray[np.int64]:
        """For each face the number of its fold: near-duplicates of one track share it."""
        key = self._part_of.astype(np.int64)
        for name, width in (("track", 1.0), *_FOLDS):
            cells = np.nan_to_num(np.floor(self.column(name) / width), nan=-1.0).astype(np.int64)
            cells -= cells.min(initial=0)
            key = key * (int(cells.max(initial=0)) + 1) + cells
        _, fold = np.unique(key, return_inverse=True)
        return np.asarray(fold, np.int64)

    def unmeasured(self, count: int) -> tuple[str, list[str]]:
        """A source, and its first faces, ``count`` at most, that are not measured yet."""
        for number, part in enumerate(self.parts):
            start, end = self._starts[number], self._starts[number + 1]
            items = start + np.flatnonzero(~self._measured[start:end])[:count]
            if len(items):
                return part.source, [self.names[item] for item in items]
        return "", []

    def unmeasured_count(self) -> int:
        """The number of faces not measured yet."""
        return int((~self._measured).sum())

    def set_measurements(
        self,
        source: str,
        names: list[str],
        blur: Sequence[float | None],
        brightness: Sequence[float | None],
    ) -> None:
        """Store blur and brightness of ``names`` of a source; None is unknown."""
        known = self._items_of(source)
        items = [known[name] for name in names]
        self.column("blur")[items] = np.array(blur, np.float32)
        self.column("brightness")[items] = np.array(brightness, np.float32)
        self._measured[items] = True

    def column(self, name: str) -> NDArray[np.float32]:
        """The values of a column, to read or change."""
        return self._values[:, self._columns.index(name)]

    def seconds(self) -> NDArray[np.float32]:
        """How long each face is on screen: the time to the next crop of its source."""
        found = np.zeros(len(self.names), np.float32)
        for number in range(len(self.parts)):
            rows = slice(self._starts[number], self._starts[number + 1])
            times = np.unique(self.column("time")[rows])
            found[rows] = np.median(np.diff(times)) if len(times) > 1 else 0.04
        return found

    def _items_of(self, source: str) -> dict[str, int]:
        """Row numbers of a source's faces by name."""
        if source not in self._items:
            numbers = [n for n, part in enumerate(self.parts) if part.source == source]
            self._items[source] = {
                name: int(self._starts[n]) + place
                for n in numbers
                for place, name in enumerate(self.parts[n].names)
            }
        return self._items[source]

    def _filter(self, shown: str) -> NDArray[np.bool_]:
        yaw = np.abs(self.column("yaw"))
        match shown:
            case "in":
                return ~self.excluded
            case "out":
                return self.excluded.copy()
            case "low presence":
                return self.column("presence") < LOW_PRESENCE
            case "side":
                return yaw > SIDE_YAW
            case "frontal":
                return yaw < SIDE_YAW / 2
        return np.ones(len(self.names), np.bool_)


def looked_up(tracks: NDArray[np.float32], known: Mapping[int, float]) -> NDArray[np.float32]:
    """The value of each track; NaN where there is none."""
    if not known:
        return np.full(len(tracks), np.nan, np.float32)
    numbers = np.array(sorted(known), np.float32)
    values = np.array([known[int(number)] for number in numbers], np.float32)
    places = np.searchsorted(numbers, tracks).clip(max=len(numbers) - 1)
    return np.where(numbers[places] == tracks, values[places], np.float32(np.nan))
