"""The exceptions of this package.

::

    FaceswapError
    ├── OptionsError        options that contradict each other; exit code 2
    ├── InputError          a file that is missing, unreadable or not what it should be
    │   └── NoFaceError     footage without the faces the job needs
    ├── OutputError         an output that cannot be written: exists, no permission, disk full
    ├── ProjectError        a project folder that is missing, damaged, locked or newer
    │   └── DamagedIndexError   its index; can be rebuilt from the crops
    ├── CheckpointError     a model file that is damaged or of another architecture
    │   └── NewerCheckpointError   one written by a newer version
    ├── TrainingError       training that cannot continue
    ├── FarmError           a cluster that cannot be used, or has no usable worker left
    └── AssetError          weights that are missing, damaged or cannot be downloaded

Each message is one sentence for the user: what is wrong and, where possible, what to do. Only
the front ends turn an error into an exit code or a dialog.
"""


class FaceswapError(Exception):
    """Base class of all errors; the text is meant for the user."""


class OptionsError(FaceswapError):
    """Options that are out of range or contradict each other."""


class InputError(FaceswapError):
    """A file that is missing, unreadable, truncated or not what it should be."""


class NoFaceError(InputError):
    """Footage without the faces the job needs."""


class OutputError(FaceswapError):
    """An output that cannot be written: it exists, no permission, or the disk is full."""


class ProjectError(FaceswapError):
    """A project folder that is missing, damaged, locked or written by a newer version."""


class DamagedIndexError(ProjectError):
    """An index that cannot be read; it can be rebuilt from the crops."""


class CheckpointError(FaceswapError):
    """A model file that is damaged or of another architecture."""


class NewerCheckpointError(CheckpointError):
    """A model file written by a newer version; never skipped in favour of an older one."""


class TrainingError(FaceswapError):
    """Training that cannot continue."""


class FarmError(FaceswapError):
    """A cluster that cannot be used, or has no usable worker left."""


class AssetError(FaceswapError):
    """Weights that are missing, damaged or cannot be downloaded."""
