"""How the frames and the sound of an output video are encoded, and what its metadata adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from faceswap.io.provenance import SWAPPED, Provenance

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]
CodecName = Literal["auto", "h264", "h265", "av1", "vp9", "prores", "ffv1"]
AudioMode = Literal["auto", "copy", "aac", "none"]


@dataclass(frozen=True)
class Encoding:
    """How frames and sound are encoded.

    crf: quality on x264's scale, lower is better and larger; other encoders get what is about the
        same on theirs. 14 keeps unchanged parts of the picture at 42 dB or more, even in noisy
        footage; 0 is lossless where the codec can be.
    preset: x264's, from fast to small; other encoders get about the same.
    codec: auto takes H.264 for 8 bits, H.265 for more, and keeps ProRes, FFV1 and transparency
        where the container can.
    pixel_format: libav's name; "auto" keeps the footage's depth and chroma.
    hardware: try the encoder of the graphics card first.
    audio: copy copies all sound that the container can hold; auto makes AAC of what common players
        can't play; aac makes AAC of all of it; none leaves it out.
    deinterlace: make interlaced footage progressive.
    deterministic: bit-identical output for the same frames, which makes the encoder slower.
    """

    crf: float = 14
    preset: Preset = "veryfast"
    codec: CodecName = "auto"
    pixel_format: str = "auto"
    hardware: bool = False
    audio: AudioMode = "copy"
    deinterlace: bool = False
    deterministic: bool = False


@dataclass(frozen=True)
class OutputLabel:
    """What the metadata of an output says beside that of its footage.

    made: provenance, added to that of the footage (see ``faceswap.video.provenance``). The default
        is the strongest, that of a swap.
    metadata: further entries.
    """

    made: Provenance = SWAPPED
    metadata: Mapping[str, str] = field(default_factory=dict)
