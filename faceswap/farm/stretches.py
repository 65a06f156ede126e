"""Which segments are to be made, by whom, and which again because a worker was lost."""

from dataclasses import dataclass, field

from faceswap.video.segments import Segment

_TRIES = 3
"""How often a segment may fail, each time with another worker or process."""


@dataclass(frozen=True)
class Stretch:
    """Segments from ``number`` to before ``end``, or to the end of the film.

    rest: all that is left, in place of stretches before; before: then the segment before them, by
    which their first frame is found.
    """

    number: int
    end: int | None
    rest: bool = False
    before: Segment | None = None


@dataclass
class StretchPlan:
    """The segments of a film that are left to be made, each a stretch of its own.

    count: how many segments the film has; the last one is made to the end of the film, wherever
    that is.
    """

    count: int
    made: dict[int, Segment]
    _waiting: list[Stretch] = field(default_factory=list)
    _tries: dict[int, int] = field(default_factory=dict)
    _void_from: int | None = None
    _empty: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._waiting = [
            Stretch(number, number + 1 if number + 1 < self.count else None)
            for number in range(self.count)
            if number not in self.made
        ]

    @property
    def waiting(self) -> int:
        """How many stretches nobody makes yet."""
        return len(self._waiting)

    def take(self) -> Stretch | None:
        """The next stretch to make, or None while there is none."""
        return self._waiting.pop(0) if self._waiting else None

    def give_back(self, stretch: Stretch) -> None:
        """That the worker of a stretch was lost: it is the next one."""
        if not self._is_void(stretch):
            self._waiting.insert(0, stretch)

    def failed(self, stretch: Stretch) -> bool:
        """That a stretch failed; whether it is to be tried again by another worker."""
        self._tries[stretch.number] = self._tries.get(stretch.number, 0) + 1
        self.give_back(stretch)
        return self._tries[stretch.number] < _TRIES

    def add(self, stretch: Stretch, segments: tuple[Segment, ...]) -> None:
        """What came of a stretch."""
        if self._is_void(stretch):
            return
        self.made |= {segment.number: segment for segment in segments}
        if not segments:
            self._empty.add(stretch.number)

    def only_rest(self, number: int, before: Segment | None) -> None:
        """Have all from ``number`` on made one after another by one worker."""
        self._void_from = number
        self.made = {n: segment for n, segment in self.made.items() if n < number}
        self._empty.clear()
        self._waiting = [Stretch(number, None, rest=True, before=before)]

    def is_empty(self, number: int) -> bool:
        """Whether a worker found no frame for a segment: the film ended before."""
        return number in self._empty

    def is_rest(self, number: int) -> bool:
        """Whether a segment is the first of the rest that one worker makes."""
        return number == self._void_from

    def _is_void(self, stretch: Stretch) -> bool:
        return (
            self._void_from is not None and stretch.number >= self._void_from and not stretch.rest
        )
