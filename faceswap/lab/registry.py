"""What the lab can do, by name; imports nothing heavy, so that front ends can show it at once."""

from dataclasses import dataclass
from typing import Literal

from faceswap.io.file_types import PICTURES, VIDEOS

UseName = Literal[
    "family",
    "reconstruct",
    "codes",
    "rate",
    "scatter",
    "sequence",
    "transformer",
    "stacked",
    "restraint",
    "denoise",
    "occlusion",
    "inpaint",
    "superres",
    "colourise",
    "shift",
    "vae",
    "generate",
    "caption",
    "interpolate",
    "attributes",
    "retrieve",
    "anomaly",
    "series",
    "classify",
    "translate",
    "sound",
]


Group = Literal["repair", "find", "make", "compress"]

GROUPS: dict[Group, str] = {
    "repair": "Repair",
    "find": "Find and tell apart",
    "make": "Make and change",
    "compress": "Compress",
}


@dataclass(frozen=True)
class Input:
    """What a use can be given. files: the endings of files that will do; folder: whether a folder
    will."""

    name: str
    files: tuple[str, ...] = VIDEOS
    folder: bool = True


@dataclass(frozen=True)
class Use:
    """text: what it does, in a few words. inputs: what it can be given, in order; without: what it
    takes when nothing is. strength: what that number means to it, empty where it means nothing.
    code: whether the length of the code can be chosen; size: whether the side of the pictures can;
    told: whether a text can say what to make. repairs: whether ``restore`` can use its model on
    files, and masked: whether that must be shown where something is missing.
    """

    text: str
    group: Group
    inputs: tuple[Input, ...] = (Input("pictures"),)
    without: str = "bundled digits"
    strength: str = ""
    code: bool = True
    size: bool = True
    told: bool = False
    repairs: bool = False
    masked: bool = False

    @property
    def without_meaning(self) -> tuple[str, ...]:
        """The options that mean nothing to it."""
        taken = {
            "code": self.code,
            "size": self.size,
            "strength": bool(self.strength),
            "text": self.told,
        }
        return tuple(name for name, means in taken.items() if not means)


USES: dict[UseName, Use] = {
    "family": Use("autoencoders of every kind side by side", "compress"),
    "reconstruct": Use("a convolutional autoencoder against PCA", "compress"),
    "codes": Use("codes of 2, 5, 16 and 32 numbers side by side", "compress", code=False),
    "rate": Use("bytes against error, beside JPEG", "compress"),
    "scatter": Use("pictures on a plane, beside PCA", "compress", code=False),
    "sequence": Use("an LSTM autoencoder, row by row", "compress"),
    "transformer": Use("a Transformer autoencoder over patches", "compress"),
    "stacked": Use("layer after layer, then all together, then with labels", "compress"),
    "restraint": Use(
        "sparse, contractive and denoising codes", "compress", strength="weight of the penalties"
    ),
    "denoise": Use(
        "remove noise",
        "repair",
        strength="standard deviation of the noise",
        code=False,
        repairs=True,
    ),
    "occlusion": Use("look behind two white rows", "repair", code=False, repairs=True),
    "inpaint": Use("fill holes", "repair", code=False, repairs=True, masked=True),
    "superres": Use(
        "bring back detail", "repair", strength="2 or 4 times", code=False, repairs=True
    ),
    "colourise": Use("colours from grey", "repair", code=False, repairs=True),
    "shift": Use("move a picture back to its place", "repair", strength="pixels"),
    "vae": Use("a variational autoencoder, measured in nats", "compress"),
    "generate": Use("pictures from random codes", "make"),
    "caption": Use("pictures as a text says", "make", told=True),
    "interpolate": Use("from one picture to another", "make"),
    "attributes": Use(
        "edit strokes, or the smile and turn of faces", "make", strength="the slider's end"
    ),
    "retrieve": Use(
        "find pictures like another", "find", (Input("pictures"), Input("query", PICTURES))
    ),
    "anomaly": Use(
        "find what does not belong",
        "find",
        (Input("normal pictures"), Input("pictures or a video")),
    ),
    "series": Use(
        "find faults in a series of readings",
        "find",
        (Input("CSV file", (".csv",), folder=False),),
        "made-up sensors",
        size=False,
    ),
    "classify": Use("tell classes with few labels", "find"),
    "translate": Use(
        "A's pictures as if of B",
        "make",
        (Input("A"), Input("B"), Input("truth")),
        "digits by night",
    ),
    "sound": Use(
        "denoise sound",
        "repair",
        (Input("WAV file", (".wav",), folder=False),),
        "made-up sounds",
        "dB of the test",
        code=False,
        size=False,
    ),
}
