"""Kills an extraction at random moments, runs it again, and tells whether that shows.

A program of its own: ``killed_extraction.py FOLDER CLIP MOMENTS`` writes one line of JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

from driving import finished
from killed import look
from killed_conversion import ended, forked

from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.project import reextraction


def run(folder: Path, clip: Path, moments: int) -> dict[str, Any]:
    """Kill an extraction at ``moments``; how many frames each had, and what differs afterwards."""

    def extracted(name: str) -> int:
        given = ExtractOptions(inputs=(clip,), project=folder / name, side="a", size=64)
        return forked(lambda: finished(extract(given)))

    begun = time.monotonic()
    assert ended(extracted("whole")) == 0
    seconds = time.monotonic() - begun
    whole = look(folder / "whole")
    chance = random.Random(0)
    found: list[int] = []
    wrong: list[str] = []
    for number in range(moments):
        project = folder / str(number)
        pid = extracted(str(number))
        time.sleep(seconds * (number + chance.random()) / moments)
        os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        found.append(len(look(project)[2]) if code and project.exists() else -1)
        if code and ended(extracted(str(number))) != 0:
            wrong.append(f"{number}: failed when it was run again")
        elif look(project) != whole:
            wrong.append(f"{number}: is not the same")
    return {"frames": len(whole[2]), "faces": len(whole[3]), "found": found, "wrong": wrong}


if __name__ == "__main__":
    import faceswap.faces.finder
    import faceswap.project.source_extraction  # noqa: F401  (before it forks)

    mock.patch.object(os, "fsync").start()
    mock.patch.object(reextraction, "fsync_files").start()
    place = Path(sys.argv[1])
    place.mkdir(exist_ok=True)
    sys.stdout.write(json.dumps(run(place, Path(sys.argv[2]), int(sys.argv[3]))))
