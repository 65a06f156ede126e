"""Carry what the user said of tracks over to a new extraction, whose tracks have other numbers."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.face import box_of
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import FaceRow
from faceswap.project.people import entries_of
from faceswap.project.project import Project

_MAX_DISTANCE = 0.5
"""Largest distance between the centres of two faces that are the same, in old face widths."""


def carry_over_people(project: Project, index: FaceIndex, source: str, rows: str) -> None:
    """Give the tracks in the staged ``rows`` of a source the people of those that they replace.

    What was decided of a track or left unswapped is then said of the new tracks that show most of
    it. Raises OutputError when the project cannot be written.
    """
    same = matching_tracks(index.faces(source), index.faces(rows))
    people = {row.track: row.person for row in index.tracks(source)}
    index.set_people(
        rows,
        {new: person for new, old in same.items() if (person := people.get(old)) is not None},
    )
    settings = project.settings()
    if not (entries_of(settings) or settings.get("unswapped")):
        return

    def change(settings: dict[str, Any]) -> None:
        new = defaultdict(list)
        for track, old in same.items():
            new[old].append(track)
        for entry in [*entries_of(settings), *settings.get("unswapped", [])]:
            _renumber(entry, source, new)

    project.change_settings(change)


def matching_tracks(old: Iterable[FaceRow], new: Iterable[FaceRow]) -> dict[int, int]:
    """The old track that each new one shows most of: by its number, where there is one."""
    places: dict[int, list[tuple[int, NDArray[np.float32], float]]] = defaultdict(list)
    for face in old:
        left, _, right, _ = box_of(face.points)
        places[face.frame].append((face.track, face.points.mean(0), right - left))
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for face in new:
        centre = face.points.mean(0)
        for track, place, width in places.get(face.frame, ()):
            if float(np.hypot(*(place - centre))) < _MAX_DISTANCE * width:
                votes[face.track][track] += 1
    return {track: counts.most_common(1)[0][0] for track, counts in votes.items()}


def _renumber(entry: dict[str, Any], source: str, new: dict[int, list[int]]) -> None:
    """Replace the tracks of a source in an entry of a person or of a span left unswapped."""
    tracks = entry.get("tracks", {})
    if isinstance(tracks, dict) and source in tracks:
        tracks[source] = sorted({n for old in tracks[source] for n in new.get(old, [])})
    elif isinstance(tracks, list) and entry.get("source") == source:
        entry["tracks"] = sorted({n for old in tracks for n in new.get(old, [])})
