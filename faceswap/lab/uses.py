"""What the lab can do, by name; imports nothing heavy, so that front ends can show it at once."""

from dataclasses import dataclass
from typing import Literal

UseName = Literal[
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


@dataclass(frozen=True)
class Use:
    """text: what it does, in a few words. inputs: what it can be given, in order. strength: what
    that number means to it, empty where it means nothing. code: whether the length of the code
    can be chosen; size: whether the side of the pictures can.
    """

    text: str
    inputs: tuple[str, ...] = ("pictures",)
    strength: str = ""
    code: bool = True
    size: bool = True


USES: dict[UseName, Use] = {
    "reconstruct": Use("a convolutional autoencoder against PCA"),
    "codes": Use("codes of 2, 5, 16 and 32 numbers side by side", code=False),
    "rate": Use("bytes against error, beside JPEG"),
    "scatter": Use("pictures on a plane, beside PCA", code=False),
    "sequence": Use("an LSTM autoencoder, row by row"),
    "transformer": Use("a Transformer autoencoder over patches"),
    "stacked": Use("layer after layer, then all together, then with labels"),
    "restraint": Use("sparse, contractive and denoising codes", strength="weight of the penalties"),
    "denoise": Use("remove noise", strength="standard deviation of the noise", code=False),
    "occlusion": Use("look behind two white rows", code=False),
    "inpaint": Use("fill holes", code=False),
    "superres": Use("bring back detail", strength="2 or 4 times", code=False),
    "colourise": Use("colours from grey", code=False),
    "shift": Use("move a picture back to its place", strength="pixels"),
    "vae": Use("a variational autoencoder, measured in nats"),
    "generate": Use("pictures from random codes"),
    "caption": Use("pictures as a text says"),
    "interpolate": Use("from one picture to another"),
    "attributes": Use("edit strokes, or the smile and turn of faces", strength="the slider's end"),
    "retrieve": Use("find pictures like another", ("pictures", "query")),
    "anomaly": Use("find what does not belong", ("normal pictures", "pictures or a video")),
    "series": Use("find faults in a series of readings", ("CSV file",), size=False),
    "classify": Use("tell classes with few labels"),
    "translate": Use("A's pictures as if of B", ("A", "B", "truth")),
    "sound": Use("denoise sound", ("WAV file",), "dB of the test", code=False, size=False),
}
