"""What was added by hand where no face was found: in ``project.toml``, so that it stays.

::

    [[by_hand]]
    source = "a"
    first = 120                        # frames, both included
    last = 160
    box = [310.0, 80.0, 420.0, 220.0]  # around the face in the first of them; none: detected anew
    detector = "sfd"                   # by which, where there is no box
    tracks = { 1 = [7], 2 = [9] }      # those it became, by the number of the extraction
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faceswap.errors import ProjectError

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mend:
    """Faces added to a source in a range of frames; tracks: those it became, by generation."""

    source: str
    first: int
    last: int
    box: Box | None = None
    detector: str = "centerface"
    tracks: Mapping[str, list[int]] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """As it is stored."""
        known = {"source": self.source, "first": self.first, "last": self.last}
        shown = {"box": list(self.box)} if self.box else {"detector": self.detector}
        return {**known, **shown, "tracks": dict(self.tracks)}

    def numbers(self, generation: int) -> list[int]:
        """The tracks that it became in an extraction."""
        return list(self.tracks.get(str(generation), []))


def mends_of(settings: Mapping[str, Any], source: str) -> list[Mend]:
    """What was added to a source by hand, in order; raises ProjectError when it is damaged."""
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
            )
            for entry in entries
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProjectError(
            "The faces added by hand in project.toml are damaged; correct or remove them."
        ) from error
    return [mend for mend in mends if mend.source == source]


def set_mends(settings: dict[str, Any], source: str, mends: list[Mend]) -> None:
    """Set what was added to a source by hand, in ``settings``."""
    others = [entry for entry in settings.get("by_hand", []) if entry.get("source") != source]
    settings["by_hand"] = [*others, *(mend.entry() for mend in mends)]


def _box(values: Any) -> Box:
    left, top, right, bottom = map(float, values)
    return left, top, right, bottom
