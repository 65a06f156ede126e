"""In and out points: which part of the footage is converted."""

from dataclasses import dataclass
from fractions import Fraction

from faceswap.errors import InputError
from faceswap.video.info import VideoInfo


@dataclass(frozen=True)
class Span:
    """A part of a video, in seconds of its timestamps: from ``start`` until before ``stop``.

    None: from the beginning, to the end. A part with a start begins at 0 in the output.
    """

    start: Fraction | None = None
    stop: Fraction | None = None

    @property
    def origin(self) -> Fraction:
        """What is subtracted from all timestamps."""
        return self.start or Fraction(0)

    def contains(self, time: Fraction) -> bool:
        """Whether what begins at ``time`` belongs to the part."""
        if self.start is not None and time < self.start:
            return False
        return self.stop is None or time < self.stop


WHOLE = Span()


def parse_span(begin: str | None, end: str | None, info: VideoInfo) -> Span:
    """The part between a person's in and out points; see ``parse_point``.

    Raises InputError where it is empty or begins after the end of the video.
    """
    first = info.start * info.time_base
    start = None if begin is None else first + parse_point(begin, info.rate)
    stop = None if end is None else first + parse_point(end, info.rate)
    length = Fraction(info.duration) if info.duration and len(info.clock) < 2 else None
    if start is not None and length is not None and start - first >= length:
        raise InputError(
            f"The in point {begin} is after the end of {info.path.name}, which has "
            f"{info.duration:.2f} s."
        )
    if stop is not None and stop <= (first if start is None else start):
        raise InputError(f"The out point {end} must be after the in point.")
    return Span(start, stop)


def parse_point(text: str, rate: Fraction) -> Fraction:
    """Seconds from the first frame that a person's in or out point means.

    text: seconds ("12.5", "12.5s"), minutes and hours ("1:02", "1:02:03.5"), a timecode
    ("01:02:03:04", with ";" before the frames too) or a frame number ("300f"). rate: frames per
    second. Raises InputError for anything else.
    """
    plain = text.strip().lower().replace(";", ":")
    try:
        if plain.endswith("f"):
            return int(plain[:-1]) / rate
        parts = plain.removesuffix("s").split(":")
        numbers = [Fraction(part) for part in parts]
        if not 1 <= len(parts) <= 4 or any(number < 0 for number in numbers):
            raise ValueError(text)
        frames = numbers.pop() if len(parts) == 4 else Fraction(0)
        seconds = Fraction(0)
        for number in numbers:
            seconds = seconds * 60 + number
        return seconds + frames / rate
    except (ValueError, ZeroDivisionError):
        raise InputError(
            f"{text!r} is no point in a video; give seconds (12.5), h:mm:ss (0:01:30), a timecode "
            "(00:01:30:12) or a frame (300f)."
        ) from None
