"""What the lab can do, by name; imports nothing heavy, so that front ends can show it at once."""

from dataclasses import dataclass
from typing import Literal

from faceswap.io.file_types import PICTURE_SUFFIXES, VIDEO_SUFFIXES

TaskName = Literal[
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
class TaskInput:
    """What a use can be given. files: the endings of files that will do; folder: whether a folder
    will."""

    name: str
    files: tuple[str, ...] = VIDEO_SUFFIXES
    folder: bool = True


@dataclass(frozen=True)
class LabTaskInfo:
    """text: what it does, in a few words. inputs: what it can be given, in order; without: what it
    takes when nothing is. strength: what that number means to it, empty where it means nothing.
    code: whether the length of the code can be chosen; size: whether the side of the pictures can;
    told: whether a text can say what to make. repairs: whether ``restore`` can use its model on
    files, and masked: whether that must be shown where something is missing.
    """

    text: str
    group: Group
    inputs: tuple[TaskInput, ...] = (TaskInput("pictures"),)
    without: str = "bundled digits"
    strength: str = ""
    code: bool = True
    size: bool = True
    told: bool = False
    repairs: bool = False
    masked: bool = False

    @property
    def ignored_options(self) -> tuple[str, ...]:
        """The options that mean nothing to it."""
        taken = {
            "latent_dim": self.code,
            "size": self.size,
            "strength": bool(self.strength),
            "text": self.told,
        }
        return tuple(name for name, means in taken.items() if not means)


TASKS: dict[TaskName, LabTaskInfo] = {
    "family": LabTaskInfo("autoencoders of every kind side by side", "compress"),
    "reconstruct": LabTaskInfo("a convolutional autoencoder against PCA", "compress"),
    "codes": LabTaskInfo("codes of 2, 5, 16 and 32 numbers side by side", "compress", code=False),
    "rate": LabTaskInfo("bytes against error, beside JPEG", "compress"),
    "scatter": LabTaskInfo("pictures on a plane, beside PCA", "compress", code=False),
    "sequence": LabTaskInfo("an LSTM autoencoder, row by row", "compress"),
    "transformer": LabTaskInfo("a Transformer autoencoder over patches", "compress"),
    "stacked": LabTaskInfo("layer after layer, then all together, then with labels", "compress"),
    "restraint": LabTaskInfo(
        "sparse, contractive and denoising codes", "compress", strength="weight of the penalties"
    ),
    "denoise": LabTaskInfo(
        "remove noise",
        "repair",
        strength="standard deviation of the noise",
        code=False,
        repairs=True,
    ),
    "occlusion": LabTaskInfo("look behind two white rows", "repair", code=False, repairs=True),
    "inpaint": LabTaskInfo("fill holes", "repair", code=False, repairs=True, masked=True),
    "superres": LabTaskInfo(
        "bring back detail", "repair", strength="2 or 4 times", code=False, repairs=True
    ),
    "colourise": LabTaskInfo("colours from grey", "repair", code=False, repairs=True),
    "shift": LabTaskInfo("move a picture back to its place", "repair", strength="pixels"),
    "vae": LabTaskInfo("a variational autoencoder, measured in nats", "compress"),
    "generate": LabTaskInfo("pictures from random codes", "make"),
    "caption": LabTaskInfo("pictures as a text says", "make", told=True),
    "interpolate": LabTaskInfo("from one picture to another", "make"),
    "attributes": LabTaskInfo(
        "edit strokes, or the smile and turn of faces", "make", strength="the slider's end"
    ),
    "retrieve": LabTaskInfo(
        "find pictures like another",
        "find",
        (TaskInput("pictures"), TaskInput("query", PICTURE_SUFFIXES)),
    ),
    "anomaly": LabTaskInfo(
        "find what does not belong",
        "find",
        (TaskInput("normal pictures"), TaskInput("pictures or a video")),
    ),
    "series": LabTaskInfo(
        "find faults in a series of readings",
        "find",
        (TaskInput("CSV file", (".csv",), folder=False),),
        "made-up sensors",
        size=False,
    ),
    "classify": LabTaskInfo("tell classes with few labels", "find"),
    "translate": LabTaskInfo(
        "A's pictures as if of B",
        "make",
        (TaskInput("A"), TaskInput("B"), TaskInput("truth")),
        "digits by night",
    ),
    "sound": LabTaskInfo(
        "denoise sound",
        "repair",
        (TaskInput("WAV file", (".wav",), folder=False),),
        "made-up sounds",
        "dB of the test",
        code=False,
        size=False,
    ),
}
