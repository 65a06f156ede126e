"""Properties of a video: size, shape, orientation, timing, colour, tracks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from faceswap.io.orientation import UPRIGHT, Orientation

UNSPECIFIED = 2
"""H.273 code for an unspecified matrix, primaries or transfer."""

HDR_TRANSFERS = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}

Fields = Literal["", "tff", "bff"]
"""Which field of an interlaced picture comes first: top or bottom; "" for progressive ones."""

TrackKind = Literal["video", "audio", "subtitle", "data", "attachment", "unknown"]


@dataclass(frozen=True)
class Colour:
    """Colour tags of a YUV stream (ITU-T H.273 codes), 2 = unspecified.

    full_range: luma in 0 to 255 rather than 16 to 235.
    """

    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    full_range: bool = False

    @property
    def hdr(self) -> bool:
        """Whether the transfer is PQ or HLG; what detection and the network see is tone-mapped."""
        return self.transfer in HDR_TRANSFERS

    @property
    def range(self) -> ColorRange:
        """The range as PyAV's ColorRange."""
        return ColorRange.JPEG if self.full_range else ColorRange.MPEG

    def conversion(self, width: int, height: int) -> Colorspace:
        """Matrix for the conversion; untagged HD streams are taken as BT.709, as players do."""
        guess = Colorspace.ITU709 if width >= 1280 or height > 576 else Colorspace.ITU601
        return _MATRICES.get(self.matrix, guess)

    def standard(self) -> "Colour":
        """Colour tags to write RGB frames with: as here, but BT.709 for HDR."""
        if self.hdr:
            return Colour(1, ColorPrimaries.BT709, ColorTrc.BT709)
        return self


@dataclass(frozen=True)
class HdrMetadata:
    """Static metadata of HDR: ``mastering`` and ``light`` as libav's side data, b"" where unknown.

    mastering: the display that it was graded on (SMPTE ST 2086). light: brightest pixel and
    brightest mean of a frame (CTA-861.3).
    """

    mastering: bytes = b""
    light: bytes = b""


@dataclass(frozen=True)
class AudioInfo:
    """One audio stream: stream index, codec, sample rate in Hz, channels, language.

    codec: "unknown" where there is no decoder. start: first timestamp in ticks of time_base
    seconds; 0 where unknown.
    """

    index: int
    codec: str
    rate: int
    channels: int
    language: str | None
    start: int
    time_base: Fraction


@dataclass(frozen=True)
class TrackInfo:
    """A stream that is neither the footage nor sound: its index, kind, codec and title."""

    index: int
    kind: TrackKind
    codec: str
    title: str = ""

    def text(self) -> str:
        """A few words for a message, such as 'subtitle track (subrip)'."""
        names = {"video": "video track", "data": "data track", "subtitle": "subtitle track"}
        noun = names.get(self.kind, "attachment" if self.kind == "attachment" else "track")
        what = self.title or self.codec
        return f"{noun} ({what})" if what else noun


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video file.

    width, height: of the frames in pixels: upright (display matrix applied), pixels square.
    stored: width and height of the pictures as they are stored: neither turned nor stretched.
    turn: orientation that makes frames upright: transpose, flip x, flip y, in this order.
    time_base: seconds per tick of the presentation timestamps.
    rate: mean frames per second, measured where the file's own figure cannot be right.
    start: first timestamp in ticks; 0 where unknown.
    duration: seconds; 0 where unknown.
    frames: estimated number of frames; 0 where unknown.
    pixel_format: of the stored pictures, by libav's name.
    sample_aspect: width ÷ height of a stored pixel.
    still: a picture rather than a video.
    fields: which field comes first in interlaced pictures; "" for progressive ones.
    clock: seconds to add to the timestamps in the file, one value for each stretch between jumps
        of its clock (see ``faceswap.video.clock``).
    audio, tracks: the streams besides the footage; chapters: how many.
    bit_rate: of the stored pictures in bit/s, estimated; 0 where unknown.
    """

    path: Path
    width: int
    height: int
    turn: Orientation
    time_base: Fraction
    rate: Fraction
    start: int
    duration: float
    frames: int
    codec: str
    pixel_format: str
    colour: Colour
    sample_aspect: Fraction
    still: bool
    audio: tuple[AudioInfo, ...]
    metadata: Mapping[str, str]
    stored: tuple[int, int] = (0, 0)
    fields: Fields = ""
    hdr: HdrMetadata = HdrMetadata()
    clock: tuple[Fraction, ...] = ()
    tracks: tuple[TrackInfo, ...] = ()
    chapters: int = 0
    bit_rate: int = 0

    def as_frames(self) -> "VideoInfo":
        """These properties for a video of the upright 8-bit RGB frames: standard colours."""
        full_chroma = "444" in self.pixel_format
        rgb = self.pixel_format.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "pal", "gray"))
        return replace(
            self,
            turn=UPRIGHT,
            stored=(self.width, self.height),
            sample_aspect=Fraction(1),
            colour=Colour(1, 1, 1) if rgb else self.colour.standard(),
            pixel_format="yuv444p" if full_chroma else "yuv420p",
            fields="",
            hdr=HdrMetadata(),
        )


def display_size(stored: tuple[int, int], sample_aspect: Fraction) -> tuple[int, int]:
    """Width and height of a stored picture in square pixels; the shorter side is stretched."""
    width, height = stored
    if sample_aspect >= 1:
        return max(1, round(width * sample_aspect)), height
    return width, max(1, round(height / sample_aspect))
