"""Registry of the lab's tasks; imports nothing heavy, for the command line and window to list."""

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
    "repair": "Restore",
    "find": "Search and classify",
    "make": "Generate and edit",
    "compress": "Compress",
}


@dataclass(frozen=True)
class TaskInput:
    """An input of a task. files: accepted file endings; folder: whether a folder is accepted."""

    name: str
    files: tuple[str, ...] = VIDEO_SUFFIXES
    folder: bool = True


@dataclass(frozen=True)
class LabTaskInfo:
    """Description of a task.

    text: what it does, in a few words. inputs: accepted inputs, in order; default_data: the
    data used when there are none. strength: meaning of ``--strength``, empty where it is ignored.
    has_latent_dim, has_size, takes_text: whether ``--latent-dim``, ``--size``, ``--text`` apply.
    can_restore: whether ``restore`` can apply its model to files; needs_mask: whether that then
    needs a mask. The function of each task is in ``lab.tasks``.
    """

    text: str
    group: Group
    inputs: tuple[TaskInput, ...] = (TaskInput("pictures"),)
    default_data: str = "bundled digits"
    strength: str = ""
    has_latent_dim: bool = True
    has_size: bool = True
    takes_text: bool = False
    can_restore: bool = False
    needs_mask: bool = False

    @property
    def ignored_options(self) -> tuple[str, ...]:
        """Names of the options that do not apply to the task."""
        applies = {
            "latent_dim": self.has_latent_dim,
            "size": self.has_size,
            "strength": bool(self.strength),
            "text": self.takes_text,
        }
        return tuple(name for name, used in applies.items() if not used)


TASKS: dict[TaskName, LabTaskInfo] = {
    "family": LabTaskInfo("compare autoencoder architectures", "compress"),
    "reconstruct": LabTaskInfo("compare a convolutional autoencoder with PCA", "compress"),
    "codes": LabTaskInfo(
        "compare latent codes of 2, 5, 16 and 32 dimensions", "compress", has_latent_dim=False
    ),
    "rate": LabTaskInfo("rate-distortion curve, compared with JPEG", "compress"),
    "scatter": LabTaskInfo("2-D code, compared with PCA", "compress", has_latent_dim=False),
    "sequence": LabTaskInfo("LSTM autoencoder over the rows of a picture", "compress"),
    "transformer": LabTaskInfo("Transformer autoencoder over patches", "compress"),
    "stacked": LabTaskInfo("layer-wise pre-training, fine-tuning, classification", "compress"),
    "restraint": LabTaskInfo(
        "compare sparse, contractive and denoising autoencoders",
        "compress",
        strength="factor for the weights of the penalties",
    ),
    "denoise": LabTaskInfo(
        "remove noise",
        "repair",
        strength="standard deviation of the noise",
        has_latent_dim=False,
        can_restore=True,
    ),
    "occlusion": LabTaskInfo(
        "restore two white rows at unknown positions",
        "repair",
        has_latent_dim=False,
        can_restore=True,
    ),
    "inpaint": LabTaskInfo(
        "fill holes (inpainting)", "repair", has_latent_dim=False, can_restore=True, needs_mask=True
    ),
    "superres": LabTaskInfo(
        "increase the resolution (super-resolution)",
        "repair",
        strength="factor, 2 or 4",
        has_latent_dim=False,
        can_restore=True,
    ),
    "colourise": LabTaskInfo(
        "colourise grey pictures", "repair", has_latent_dim=False, can_restore=True
    ),
    "shift": LabTaskInfo(
        "move shifted pictures back", "repair", strength="largest shift in pixels"
    ),
    "vae": LabTaskInfo("variational autoencoder (VAE), likelihood in nats", "compress"),
    "generate": LabTaskInfo("sample pictures from random codes", "make"),
    "caption": LabTaskInfo("generate pictures from a text", "make", takes_text=True),
    "interpolate": LabTaskInfo("interpolate between two pictures", "make"),
    "attributes": LabTaskInfo(
        "edit attributes: stroke width and slant, or smile and pose of faces",
        "make",
        strength="largest factor of the attribute vector",
    ),
    "retrieve": LabTaskInfo(
        "find similar pictures",
        "find",
        (TaskInput("pictures"), TaskInput("query", PICTURE_SUFFIXES)),
    ),
    "anomaly": LabTaskInfo(
        "find anomalies in pictures or a video",
        "find",
        (TaskInput("normal pictures"), TaskInput("pictures or a video")),
    ),
    "series": LabTaskInfo(
        "find anomalies in a time series",
        "find",
        (TaskInput("CSV file", (".csv",), folder=False),),
        "simulated sensors",
        has_size=False,
    ),
    "classify": LabTaskInfo("classify with few labels", "find"),
    "translate": LabTaskInfo(
        "translate pictures of A into the style of B",
        "make",
        (TaskInput("A"), TaskInput("B"), TaskInput("truth")),
        "digits at night and by day",
    ),
    "sound": LabTaskInfo(
        "denoise audio",
        "repair",
        (TaskInput("WAV file", (".wav",), folder=False),),
        "synthetic sounds",
        "signal-to-noise ratio of the noisy test sound in dB",
        has_latent_dim=False,
        has_size=False,
    ),
}
