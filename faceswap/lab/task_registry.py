"""The lab's tasks: the only place where each is declared.

Imports nothing heavy, for the command line and the window to list them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from faceswap.io.file_types import PICTURE_SUFFIXES, VIDEO_SUFFIXES

if TYPE_CHECKING:
    from faceswap.io.provenance import Provenance

Group = Literal["repair", "find", "make", "compress"]

GROUPS: dict[Group, str] = {
    "repair": "Restore",
    "find": "Search and classify",
    "make": "Generate and edit",
    "compress": "Compress",
}


@dataclass(frozen=True)
class TaskInput:
    """An input of a task.

    files: accepted file endings; folder: whether a folder is accepted; note: more about it.
    """

    name: str
    files: tuple[str, ...] = VIDEO_SUFFIXES
    folder: bool = True
    note: str = ""

    def text(self) -> str:
        """Name and note."""
        return f"{self.name} ({self.note})" if self.note else self.name


_PICTURES = (TaskInput("pictures"),)


@dataclass(frozen=True)
class LabTaskInfo:
    """Declaration of a task; command, help, window and folders are derived from it.

    text: what it does, in a few words. function: "module:function" of the function from
    ``TaskSettings`` to a ``TaskFunction``, imported when the task runs. inputs: accepted inputs, in
    order; default_data: the data used when there are none. strength: meaning of ``--strength``,
    empty where it is ignored. text_help: meaning of ``--text``, likewise. has_latent_dim,
    has_size: whether ``--latent-dim``, ``--size`` apply. can_restore: whether ``restore`` can apply
    its model to files; needs_mask: whether that then needs a mask. output_note: what its output
    says was done to it; generative: whether that has content that a network made up. former: name
    that the task had.
    """

    text: str
    group: Group
    function: str
    inputs: tuple[TaskInput, ...] = _PICTURES
    default_data: str = "bundled digits"
    strength: str = ""
    text_help: str = ""
    has_latent_dim: bool = True
    has_size: bool = True
    can_restore: bool = False
    needs_mask: bool = False
    output_note: str = ""
    generative: bool = True
    former: str = ""

    @property
    def provenance(self) -> "Provenance":
        """What files that were restored by the task say of how they were made."""
        from faceswap.io.provenance import restored

        return restored(self.output_note, generated=self.generative)

    @property
    def ignored_options(self) -> tuple[str, ...]:
        """Names of the options that do not apply to the task."""
        applies = {
            "latent_dim": self.has_latent_dim,
            "size": self.has_size,
            "strength": bool(self.strength),
            "text": bool(self.text_help),
        }
        return tuple(name for name, used in applies.items() if not used)


TaskName = str
"""Name of a task: a key of ``TASKS``."""

TASKS: dict[TaskName, LabTaskInfo] = {
    "architectures": LabTaskInfo(
        "compare autoencoder architectures",
        "compress",
        "faceswap.lab.tasks.comparison:compare_architectures",
        former="family",
    ),
    "reconstruct": LabTaskInfo(
        "compare a convolutional autoencoder with PCA",
        "compress",
        "faceswap.lab.tasks.bottleneck:reconstruct",
    ),
    "latent-sizes": LabTaskInfo(
        "compare latent codes of 2, 5, 16 and 32 dimensions",
        "compress",
        "faceswap.lab.tasks.bottleneck:compare_codes",
        has_latent_dim=False,
        former="codes",
    ),
    "rate-distortion": LabTaskInfo(
        "rate-distortion curve, compared with JPEG",
        "compress",
        "faceswap.lab.tasks.bottleneck:rate",
        former="rate",
    ),
    "latent-map": LabTaskInfo(
        "map of a 2-D latent space, compared with PCA",
        "compress",
        "faceswap.lab.tasks.bottleneck:scatter",
        has_latent_dim=False,
        former="scatter",
    ),
    "lstm": LabTaskInfo(
        "LSTM autoencoder over the rows of a picture",
        "compress",
        "faceswap.lab.tasks.bottleneck:sequence",
        former="sequence",
    ),
    "transformer": LabTaskInfo(
        "Transformer autoencoder over patches",
        "compress",
        "faceswap.lab.tasks.bottleneck:transformer",
    ),
    "stacked": LabTaskInfo(
        "layer-wise pre-training, fine-tuning, classification",
        "compress",
        "faceswap.lab.tasks.classification:stacked",
    ),
    "regularization": LabTaskInfo(
        "compare sparse, contractive and denoising autoencoders",
        "compress",
        "faceswap.lab.tasks.regularisation:compare_regularisers",
        strength="factor for the weights of the penalties",
        former="restraint",
    ),
    "denoise": LabTaskInfo(
        "remove noise",
        "repair",
        "faceswap.lab.tasks.restoration:denoise",
        strength="standard deviation of the noise",
        has_latent_dim=False,
        can_restore=True,
        output_note="a neural network removed noise",
        generative=False,
    ),
    "blind-inpaint": LabTaskInfo(
        "restore two white rows at unknown positions",
        "repair",
        "faceswap.lab.tasks.restoration:occlusion",
        has_latent_dim=False,
        can_restore=True,
        output_note="a neural network filled in occluded parts",
        former="occlusion",
    ),
    "inpaint": LabTaskInfo(
        "fill holes (inpainting)",
        "repair",
        "faceswap.lab.tasks.restoration:inpaint",
        has_latent_dim=False,
        can_restore=True,
        needs_mask=True,
        output_note="a neural network filled in missing parts",
    ),
    "superres": LabTaskInfo(
        "increase the resolution (super-resolution)",
        "repair",
        "faceswap.lab.tasks.restoration:superres",
        strength="factor, 2 or 4",
        has_latent_dim=False,
        can_restore=True,
        output_note="it was enlarged, and a neural network generated the fine detail",
    ),
    "colorize": LabTaskInfo(
        "colorize gray pictures",
        "repair",
        "faceswap.lab.tasks.restoration:colourise",
        has_latent_dim=False,
        can_restore=True,
        output_note="a neural network generated the colors",
        former="colourise",
    ),
    "align": LabTaskInfo(
        "move shifted pictures back (alignment)",
        "repair",
        "faceswap.lab.tasks.restoration:shift",
        strength="largest shift in pixels",
        former="shift",
    ),
    "vae": LabTaskInfo(
        "variational autoencoder (VAE), likelihood in nats",
        "compress",
        "faceswap.lab.tasks.generation:vae",
    ),
    "generate": LabTaskInfo(
        "sample pictures from random codes", "make", "faceswap.lab.tasks.generation:generate"
    ),
    "text-to-image": LabTaskInfo(
        "generate pictures from a text",
        "make",
        "faceswap.lab.tasks.generation:caption",
        text_help="what to generate, a class and how, such as 'thick 7 left'",
        former="caption",
    ),
    "interpolate": LabTaskInfo(
        "interpolate between two pictures", "make", "faceswap.lab.tasks.latent_space:interpolate"
    ),
    "attributes": LabTaskInfo(
        "edit attributes: stroke width and slant, or smile and pose of faces",
        "make",
        "faceswap.lab.tasks.latent_space:attributes",
        strength="largest factor of the attribute vector",
    ),
    "retrieve": LabTaskInfo(
        "find similar pictures",
        "find",
        "faceswap.lab.tasks.search:retrieve",
        (TaskInput("pictures"), TaskInput("query picture", PICTURE_SUFFIXES)),
    ),
    "anomaly": LabTaskInfo(
        "find anomalies in pictures or a video",
        "find",
        "faceswap.lab.tasks.anomaly:anomaly",
        (TaskInput("normal pictures"), TaskInput("pictures or a video")),
    ),
    "time-series": LabTaskInfo(
        "find anomalies in a time series",
        "find",
        "faceswap.lab.tasks.time_series:time_series",
        (TaskInput("CSV file", (".csv",), folder=False),),
        "simulated sensors",
        has_size=False,
        former="series",
    ),
    "classify": LabTaskInfo(
        "classify with few labels", "find", "faceswap.lab.tasks.classification:classify"
    ),
    "translate": LabTaskInfo(
        "translate pictures of A into the style of B",
        "make",
        "faceswap.lab.tasks.translation:translate",
        (
            TaskInput("A"),
            TaskInput("B"),
            TaskInput("truth", note="where known, with the file names of A"),
        ),
        "digits at night and by day",
    ),
    "audio-denoise": LabTaskInfo(
        "denoise audio",
        "repair",
        "faceswap.lab.tasks.audio:denoise_audio",
        (TaskInput("WAV file", (".wav",), folder=False),),
        "synthetic sounds",
        "signal-to-noise ratio of the noisy test sound in dB",
        has_latent_dim=False,
        has_size=False,
        output_note="a neural network removed noise from this sound",
        generative=False,
        former="sound",
    ),
}


def former_names() -> dict[str, str]:
    """Former names of tasks, in runs and scripts of earlier versions, and the current ones."""
    return {task.former: name for name, task in TASKS.items() if task.former}


def task_path(folder: Path, name: str) -> Path:
    """``folder``/``name``, or what an earlier version wrote there under the task's former name.

    name: of a task, with anything after it, such as "align.png".
    """
    path = folder / name
    for former, task in former_names().items():
        rest = name.removeprefix(task)
        if rest != name and not rest[:1].isalnum() and not path.exists():
            earlier = folder / f"{former}{rest}"
            return earlier if earlier.exists() else path
    return path
