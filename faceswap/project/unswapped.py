"""Faces that are left unswapped, said explicitly, by face, track or range of frames.

::

    [[unswapped]]
    source = "a"
    tracks = [3]     # all tracks where it is left out
    first = 100      # first and last frame, both included; the whole source where left out
    last = 120

That is another thing than leaving a crop out of training: a deleted crop leaves no hole in a film.
"""

from collections.abc import Callable, Sequence
from typing import Any

from faceswap.errors import OptionsError, ProjectError
from faceswap.project.project import Project
from faceswap.project.source_list import source_of


def spans_of(project: Project) -> list[dict[str, Any]]:
    """All spans that are left unswapped; raises ProjectError when they are damaged."""
    spans = project.settings().get("unswapped", [])
    for span in spans if isinstance(spans, list) else [None]:
        if (
            not isinstance(span, dict)
            or not isinstance(span.get("source"), str)
            or not isinstance(span.get("tracks", []), list)
            or not all(isinstance(span.get(key, 0), int) for key in ("first", "last"))
        ):
            raise ProjectError(
                "The unswapped faces in project.toml are damaged; correct or remove them."
            )
    return list(spans)


def leave_unswapped(
    project: Project,
    source: str,
    tracks: Sequence[int] = (),
    frames: tuple[int, int] | None = None,
) -> None:
    """Leave tracks of a source unswapped, all where none are given, in a range of frames or always.

    Raises ProjectError when there is no such source, OptionsError when the range is empty.
    """
    source_of(project, source)
    if frames is not None and frames[1] < frames[0]:
        raise OptionsError(f"Frames {frames[0]} to {frames[1]} are none; give the smaller first.")
    span: dict[str, Any] = {"source": source}
    if tracks:
        span["tracks"] = sorted(set(tracks))
    if frames is not None:
        span |= {"first": frames[0], "last": frames[1]}

    def change(settings: dict[str, Any]) -> None:
        settings.setdefault("unswapped", []).append(span)

    project.change_settings(change)


def swap_again(project: Project, source: str) -> int:
    """Swap all faces of a source again; returns how many spans were removed."""
    removed: list[dict[str, Any]] = []

    def change(settings: dict[str, Any]) -> None:
        spans = settings.get("unswapped", [])
        removed.extend(span for span in spans if span.get("source") == source)
        settings["unswapped"] = [span for span in spans if span.get("source") != source]

    project.change_settings(change)
    return len(removed)


def is_left(project: Project, source: str) -> Callable[[int, int], bool]:
    """A function of track and frame: whether that face of a source is left unswapped."""
    spans = [span for span in spans_of(project) if span["source"] == source]

    def left(track: int, frame: int) -> bool:
        return any(
            (not span.get("tracks") or track in span["tracks"])
            and span.get("first", 0) <= frame <= span.get("last", frame)
            for span in spans
        )

    return left
