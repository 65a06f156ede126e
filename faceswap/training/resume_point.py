"""Where a run stands before it is trained: at its newest valid checkpoint, or at its start."""

from collections.abc import Sequence
from pathlib import Path

from faceswap.training.checkpoint import Checkpoint, CheckpointFolder


class ResumePoint:
    """Where a run stands.

    checkpoint: to resume from; None at the start, and once it was taken. problems: sentences about
    newer checkpoints that are damaged. step, seconds: of training so far.
    """

    def __init__(self, checkpoint: Checkpoint | None, problems: Sequence[str] = ()) -> None:
        numbers = {} if checkpoint is None else checkpoint.metadata
        self.checkpoint, self.problems = checkpoint, tuple(problems)
        self.step = int(numbers.get("step", 0))
        self.seconds = float(numbers.get("seconds", 0.0))
        self._taken = False

    def take(self) -> Checkpoint | None:
        """The checkpoint, which is not kept: it maps a file that later saves delete.

        Raises ValueError the second time, when the run no longer stands here.
        """
        if self._taken:
            raise ValueError("A resume point serves one session; find that of the next one.")
        self._taken = True
        checkpoint, self.checkpoint = self.checkpoint, None
        return checkpoint


def find_resume_point(folder: Path, *, leads: bool = True) -> ResumePoint:
    """Where the run in ``folder`` stands; newer, damaged checkpoints are renamed ``.damaged``.

    leads: whether this is the main process, which alone changes files. Raises CheckpointError when
    there are checkpoints and none is valid.
    """
    return ResumePoint(*CheckpointFolder(folder).load_for_resume(leads=leads))
