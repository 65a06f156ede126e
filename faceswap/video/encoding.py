"""How the frames of an output video are encoded, and what its metadata adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from faceswap.io.provenance import SWAPPED, Provenance

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded.

    crf: constant rate factor of x264; lower is better and larger. 14 keeps unchanged parts of the
        picture at 42 dB or more, even in noisy footage.
    preset: x264's, from fast to small.
    audio: whether the sound is copied.
    deterministic: bit-identical output for the same frames, which makes the encoder slower.
    """

    crf: float = 14
    preset: Preset = "veryfast"
    audio: bool = True
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
