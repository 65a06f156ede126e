"""Declare another lab task and say, as JSON, where it is seen. Run as a program: a registry is read
when the options are first imported."""

import json
import sys
from typing import TYPE_CHECKING

from faceswap.lab.task_registry import TASKS, LabTaskInfo, TaskInput

if TYPE_CHECKING:
    from faceswap.lab.framework.run import TaskFunction, TaskSettings

TASKS["weave"] = LabTaskInfo(
    "weave by a test",
    "repair",
    "declared_task:weave",
    (TaskInput("yarn", (".yarn",), folder=False),),
    "red wool",
    strength="turns of the yarn",
    can_restore=True,
    output_note="it was woven",
    former="knit",
)


def weave(settings: "TaskSettings") -> "TaskFunction":
    """The function of the task: a figure and no model."""
    import numpy as np

    from faceswap.lab.framework.run import finish

    block = np.full((40, 200, 3), 128, np.uint8)
    figures = {"turns": settings.strength}
    return (yield from finish(settings, "weave", [block], figures, "It is woven."))


def seen() -> dict[str, object]:
    """What options, the job and the window make of it."""
    from pathlib import Path
    from typing import get_args

    from PySide6.QtWidgets import QApplication

    from faceswap.jobs.lab import LabOptions, lab
    from faceswap.jobs.restore import RestoreOptions
    from faceswap.lab.framework.models import RepairConfig
    from gui.widgets.task_list import TaskList

    fields = LabOptions.model_fields
    job = lab(LabOptions(task="knit", output=Path(), strength=3))
    while True:
        try:
            next(job)
        except StopIteration as end:
            summary = end.value
            break
    app = QApplication.instance() or QApplication([])
    tasks = TaskList()
    tasks.select("weave")
    shown = tasks.currentItem()
    del app
    return {
        "choices": get_args(fields["task"].annotation),
        "help": [fields[name].description for name in ("task", "data", "strength")],
        "restore": RestoreOptions.model_fields["model"].description,
        "provenance": TASKS["weave"].provenance.text,
        "model": RepairConfig(use="knit").use,
        "figures": summary.figures,
        "written": sorted(path.name for path in Path().iterdir()),
        "item": [shown.text(), tasks.task],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(seen()))
