"""Put the tracks of all sources into people, and keep to what the user has decided.

Source by source, so that people keep their numbers when sources are added: tracks that have no
person yet are grouped among themselves, then each group is matched to the people known so far or
becomes a new one.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from faceswap.background import ReportProgress, no_report
from faceswap.errors import InputError
from faceswap.faces.crops import read_crop
from faceswap.faces.embedding import EMBEDDING_DIM, Embedder, Vectors
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import TrackRow
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.faces.people_groups import gallery, group_tracks, match_person, spread
from faceswap.project.people import entries_of, pinned
from faceswap.project.project import Project

_CHUNK = 400
"""Tracks that are grouped at once: the time grows with their square."""
_FROM_CROPS = 8
"""Crops of a track from which its embeddings are computed where extraction has not."""
_BRIEF = 0.6
"""Seconds: briefer tracks tell too little to make a person of their own …"""
_BRIEF_LEAST = 0.4
"""… if anyone known is at least this much like them."""


def group_people(project: Project, report: ReportProgress = no_report) -> None:
    """Give all tracks that have no person yet one.

    Raises ProjectError and OutputError as opening the index to write does.
    """
    if not _has_new_tracks(project):
        return
    settings = project.settings()
    pins = pinned(settings)
    with project.open_index() as index:
        index.sum_up_tracks()
        sources = [source.id for source in project.sources() if index.clip(source.id)]
        rows = {source: index.tracks(source) for source in sources}
        for number, source in enumerate(sources):
            report(number, len(sources))
            rows[source] = _with_embeddings(project, index, source, rows[source])
        known = _People(entries_of(settings), pins, rows)
        for source in sources:
            index.set_people(source, known.assign(source, index.tracks_together(source)))


def _has_new_tracks(project: Project) -> bool:
    """Whether any track has no person yet, found without writing."""
    with project.open_index_read_only() as index:
        return index.has_new_tracks()


class _People:
    """The people known while grouping: their embeddings and tracks by person."""

    def __init__(
        self,
        entries: Iterable[Mapping[str, object]],
        pins: Mapping[tuple[str, int], int],
        rows: Mapping[str, Sequence[TrackRow]],
    ) -> None:
        self._rows = rows
        self._galleries: dict[int, Vectors] = {}
        self._tracks: dict[int, set[tuple[str, int]]] = {}
        self._pins = pins
        numbers = [int(str(entry["id"])) for entry in entries]
        for source, found in rows.items():
            for row in found:
                person = pins.get((source, row.track), row.person)
                if person is not None:
                    self._join(person, source, row)
        self._next = max([0, *numbers, *self._tracks]) + 1

    def _join(self, person: int, source: str, row: TrackRow) -> None:
        self._tracks.setdefault(person, set()).add((source, row.track))
        if len(row.embeddings):
            new = row.embeddings.astype(np.float32)
            known = self._galleries.get(person)
            self._galleries[person] = gallery([new] if known is None else [known, new])

    def assign(self, source: str, together: set[tuple[int, int]]) -> dict[int, int]:
        """The person of each track of a source that had none."""
        rows = {row.track: row for row in self._rows[source]}
        new = [
            row
            for row in self._rows[source]
            if row.person is None and (source, row.track) not in self._pins
        ]
        people: dict[int, int] = {}
        for start in range(0, len(new), _CHUNK):
            part = {r.track: r.embeddings.astype(np.float32) for r in new[start : start + _CHUNK]}
            seen = {track: vectors for track, vectors in part.items() if len(vectors)}
            for group in group_tracks(seen, together):
                person = self._person(source, [rows[track] for track in group], together)
                people |= dict.fromkeys(group, person)
                for track in group:
                    self._join(person, source, rows[track])
            for track in part.keys() - seen.keys():
                people[track] = self._most_seen(source)
                self._join(people[track], source, rows[track])
        return people

    def _person(
        self, source: str, group: Sequence[TrackRow], together: set[tuple[int, int]]
    ) -> int:
        """The known person that a group of tracks is of, or a new one."""
        vectors = spread([row.embeddings.astype(np.float32) for row in group])
        numbers = {row.track for row in group}
        beside = {b if a in numbers else a for a, b in together if (a in numbers) != (b in numbers)}
        barred = {
            person
            for person, tracks in self._tracks.items()
            if any((source, track) in tracks for track in beside)
        }
        brief = sum(row.seconds for row in group) < _BRIEF and all(row.seconds for row in group)
        found = match_person(vectors, self._galleries, barred)
        if found is None and brief:
            found = match_person(vectors, self._galleries, barred, _BRIEF_LEAST)
        if found is not None:
            return found
        self._next += 1
        return self._next - 1

    def _most_seen(self, source: str) -> int:
        """The person of most tracks of a source, for a track that nothing is known of."""
        counts = {
            person: sum(of == source for of, _ in tracks) for person, tracks in self._tracks.items()
        }
        best = max(counts, key=lambda person: counts[person], default=None)
        if best is not None and counts[best]:
            return best
        self._next += 1
        return self._next - 1


def _with_embeddings(
    project: Project, index: FaceIndex, source: str, rows: Sequence[TrackRow]
) -> list[TrackRow]:
    """The tracks of a source; those without embeddings get them from their crops."""
    bare = {row.track for row in rows if not len(row.embeddings)}
    names = index.crops_of_tracks(source, bare, _FROM_CROPS) if bare else {}
    if not names:
        return list(rows)
    folder, embedder = project.crops_folder(source), Embedder()
    filled = {}
    for row in rows:
        found = _embed_crops(embedder, folder, names.get(row.track, ()))
        if len(found):
            filled[row.track] = TrackRow(
                row.track,
                row.first,
                row.last,
                row.faces,
                row.seconds,
                found.astype(np.float16),
                row.person,
            )
    index.replace_tracks(source, filled.values())
    return [filled.get(row.track, row) for row in rows]


def _embed_crops(embedder: Embedder, folder: Path, names: Sequence[str]) -> Vectors:
    crops = []
    for name in names:
        paths = (folder / name, folder / EXCLUDED / name)
        path = next((path for path in paths if path.is_file()), None)
        if path is not None:
            try:
                crops.append(read_crop(path).image)
            except InputError:
                continue  # training tells about damaged crops
    return embedder.embed_crops(crops) if crops else np.zeros((0, EMBEDDING_DIM), np.float32)
