"""Group tracks into people by embeddings, and by what tracks themselves say.

One track is one person, two faces of one frame are two people. Groups grow by average linkage
(Sokal and Michener 1958), most alike first, as long as no two of their tracks share a frame.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

SAME_PERSON = 0.61
"""Likeness from which two groups of tracks are of one person; set in ``assets/embedder.md``."""
_BEST = 0.25
"""Share of the pairs of faces, the most alike ones, that the likeness of two tracks is the mean
of: those in the same pose tell most."""
_GALLERY = 64
"""Faces that are kept of a person to compare with."""


def likeness(one: Vectors, other: Vectors) -> float:
    """Likeness of two sets of embeddings (N, 128) and (M, 128): mean cosine of the best pairs."""
    cosines = (one @ other.T).ravel()
    count = max(1, round(_BEST * cosines.size))
    return float(np.partition(cosines, cosines.size - count)[-count:].mean())


def spread(vectors: Sequence[Vectors]) -> Vectors:
    """The embeddings of several tracks (N, 128), or 64 of more, spread evenly."""
    stacked = np.concatenate(vectors)
    return stacked if len(stacked) <= _GALLERY else gallery([stacked])


def gallery(vectors: Sequence[Vectors]) -> Vectors:
    """64 of the embeddings of several tracks (64, 128), spread evenly; few are repeated."""
    stacked = np.concatenate(vectors)
    return stacked[np.linspace(0, len(stacked) - 1, _GALLERY).round().astype(np.intp)]


def group_tracks(
    tracks: Mapping[int, Vectors],
    apart: Collection[tuple[int, int]],
    least: float = SAME_PERSON,
    count: int = 1,
) -> list[list[int]]:
    """Groups of tracks of one person each, largest first.

    tracks: embeddings (K, 128) by track; apart: pairs of tracks that share a frame. Stops where
    no two groups are at least so much alike, or at ``count`` groups.
    """
    names = list(tracks)
    if not names:
        return []
    places = {name: place for place, name in enumerate(names)}
    alike = np.full((len(names), len(names)), -1.0, np.float32)
    for row, one in enumerate(names):
        for column in range(row):
            alike[row, column] = alike[column, row] = likeness(tracks[one], tracks[names[column]])
    barred = np.zeros(alike.shape, np.bool_)
    for one, other in apart:
        if one in places and other in places:
            barred[places[one], places[other]] = barred[places[other], places[one]] = True
    groups = [[name] for name in names]
    while sum(map(bool, groups)) > count:
        allowed = np.where(barred, -1.0, alike)
        best = int(allowed.argmax())
        row, column = divmod(best, len(names))
        if allowed[row, column] < least:
            break
        one, other = len(groups[row]), len(groups[column])
        merged = (one * alike[row] + other * alike[column]) / (one + other)
        alike[row] = alike[:, row] = merged
        barred[row] = barred[:, row] = barred[row] | barred[column]
        groups[row] += groups[column]
        groups[column] = []
        alike[column] = alike[:, column] = -1.0
        alike[row, row] = -1.0
    return sorted((sorted(group) for group in groups if group), key=len, reverse=True)


def match_person(
    vectors: Vectors,
    people: Mapping[int, Vectors],
    barred: Collection[int],
    least: float = SAME_PERSON,
) -> int | None:
    """Which known person a group of tracks is of, None for nobody.

    vectors: embeddings (N, 128) of the group. people: galleries (64, 128) by person. barred: those
    who share a frame with the group.
    """
    known = [person for person in people if person not in barred]
    if not known:
        return None
    cosines = np.stack([people[person] for person in known]) @ vectors.T
    flat = cosines.reshape(len(known), -1)
    count = max(1, round(_BEST * flat.shape[1]))
    scores = np.partition(flat, flat.shape[1] - count, axis=1)[:, -count:].mean(1)
    best = int(scores.argmax())
    return known[best] if scores[best] >= least else None
