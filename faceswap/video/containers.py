"""What the containers of videos can hold, and what common players play in them."""

import io
from dataclasses import dataclass

import av
import av.error
from av.stream import Stream


@dataclass(frozen=True)
class Container:
    """One kind of file.

    format: libav's name. codecs: of pictures that we write to it, the default first. played: codecs
    of sound that common players (QuickTime, phones, browsers) play from it; none: players of such
    files play all. sound: what other sound is encoded to.
    """

    suffix: str
    format: str
    codecs: tuple[str, ...]
    played: tuple[str, ...] = ()
    sound: str = "aac"


_QUICKTIME = ("aac", "mp3", "mp3float", "ac3", "eac3", "alac")

CONTAINERS = {
    one.suffix: one
    for one in (
        Container(".mp4", "mp4", ("h264", "h265", "av1", "vp9"), _QUICKTIME),
        Container(".m4v", "ipod", ("h264", "h265"), _QUICKTIME),
        Container(".mov", "mov", ("h264", "h265", "prores"), _QUICKTIME),
        Container(".mkv", "matroska", ("h264", "h265", "av1", "vp9", "prores", "ffv1")),
        Container(".webm", "webm", ("vp9", "av1"), sound="libopus"),
    )
}
SUFFIXES = tuple(CONTAINERS)


def can_hold(container: Container, stream: Stream) -> bool:
    """Whether ``stream`` can be copied into such a file; tried out on a header in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=container.format) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (ValueError, TypeError, av.error.FFmpegError):
        return False
    return True
