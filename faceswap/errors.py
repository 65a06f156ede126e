"""Everything this package raises on purpose.

::

    FaceswapError
    ├── OptionsError        options that contradict each other; exit code 2
    ├── InputError          a file that is missing, unreadable or not what it should be
    │   └── NoFaceError     footage without the faces the job needs
    ├── OutputError         a place that cannot be written: exists, no permission, no space
    ├── ProjectError        a project folder that is missing, damaged, locked or newer
    │   └── DamagedIndexError   its index, which can be made anew from the crops
    ├── CheckpointError     a model file that is damaged or of another architecture
    │   └── NewerCheckpointError   one made by a newer version
    ├── TrainingError       training that cannot go on
    └── AssetError          weights that are missing, damaged or cannot be downloaded

Each message is one sentence that says what is wrong, followed where possible by one that
says what to do. Only the front ends turn an error into an exit code or a dialog.
"""


class FaceswapError(Exception):
    """Root of the tree; its text is meant for the user."""


class OptionsError(FaceswapError):
    """Options that are out of range or contradict each other."""


class InputError(FaceswapError):
    """A file that is missing, unreadable, truncated or not what it should be."""


class NoFaceError(InputError):
    """Footage without the faces the job needs."""


class OutputError(FaceswapError):
    """A place that cannot be written: it exists, or there is no permission or no space."""


class ProjectError(FaceswapError):
    """A project folder that is missing, damaged, locked or made by a newer version."""


class DamagedIndexError(ProjectError):
    """An index that cannot be read; it can be made anew from the crops."""


class CheckpointError(FaceswapError):
    """A model file that is damaged or of another architecture."""


class NewerCheckpointError(CheckpointError):
    """A model file made by a newer version, which must not be passed over for an older one."""


class TrainingError(FaceswapError):
    """Training that cannot go on."""


class AssetError(FaceswapError):
    """Weights that are missing, damaged or cannot be downloaded."""
