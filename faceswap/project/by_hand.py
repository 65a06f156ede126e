"""What was added or deleted by hand: in ``project.toml``, so that it stays.

::

    [[by_hand]]
    source = "a"
    first = 120                        # frames, both included
    last = 160
    box = [310.0, 80.0, 420.0, 220.0]  # around the face in the first of them; none: detected anew
    detector = "sfd"                   # by which, where there is no box
    tracks = { 1 = [7], 2 = [9] }      # those it became, by the number of the extraction

    [[by_hand]]
    source = "a"
    first = 30
    last = 30
    box = [12.0, 8.0, 40.0, 42.0]      # where it was in the first of them
    delete = true                      # the faces of these tracks in these frames are none
    tracks = { 1 = [3] }
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceswap.errors import ProjectError
from faceswap.faces.index import FaceIndex
from faceswap.project.project import Project

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mend:
    """Faces added to a source in a range of frames, or deleted from it.

    tracks: those that they became or were of, by generation.
    """

    source: str
    first: int
    last: int
    box: Box | None = None
    detector: str = "centerface"
    tracks: Mapping[str, list[int]] = field(default_factory=dict)
    delete: bool = False

    def entry(self) -> dict[str, Any]:
        """As it is stored."""
        known = {"source": self.source, "first": self.first, "last": self.last}
        shown: dict[str, Any] = {"box": list(self.box)} if self.box else {}
        if self.delete:
            shown["delete"] = True
        elif not self.box:
            shown["detector"] = self.detector
        return {**known, **shown, "tracks": dict(self.tracks)}

    def numbers(self, generation: int) -> list[int]:
        """The tracks that it became in an extraction."""
        return list(self.tracks.get(str(generation), []))


@dataclass(frozen=True)
class Place:
    """Where faces are added: the rows of an extraction, its number and its folder of crops."""

    source: str
    rows: str
    generation: int
    folder: Path


def place_of(project: Project, source: str) -> Place:
    """The extraction of a source that is in use."""
    return Place(
        source,
        project.index_key(source),
        project.generation(source),
        project.crops_folder(source),
    )


def record_count(project: Project, index: FaceIndex, source: str) -> None:
    """Record the number of faces: a rebuilt index is complete when it has so many."""
    if project.extraction_record(source).faces is not None:
        project.update_source(source, {"faces": index.count(source)[1]})


def mends_of(settings: Mapping[str, Any], source: str) -> list[Mend]:
    """What was done to a source by hand, in order; raises ProjectError when it is damaged."""
    entries = settings.get("by_hand", [])
    try:
        mends = [
            Mend(
                str(entry["source"]),
                int(entry["first"]),
                int(entry["last"]),
                _box(entry["box"]) if "box" in entry else None,
                str(entry.get("detector", "centerface")),
                {str(name): list(map(int, n)) for name, n in entry["tracks"].items()},
                bool(entry.get("delete", False)),
            )
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProjectError(
            "What was done by hand is damaged in project.toml; correct or remove it."
        ) from error
    return [mend for mend in mends if mend.source == source]


def set_mends(settings: dict[str, Any], source: str, mends: list[Mend]) -> None:
    """Set what was done to a source by hand, in ``settings``."""
    others = [entry for entry in settings.get("by_hand", []) if entry.get("source") != source]
    settings["by_hand"] = [*others, *(mend.entry() for mend in mends)]


def _box(values: Any) -> Box:
    left, top, right, bottom = map(float, values)
    return left, top, right, bottom
