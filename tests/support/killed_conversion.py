"""Kills a conversion at random moments, runs it again, and tells whether that shows.

A program of its own: ``killed_conversion.py FOLDER PROJECT MOMENTS OPTIONS`` writes one line of
JSON; OPTIONS is JSON too. Each conversion runs in a process forked from this one, which has
imported all that it needs but computed nothing.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from driving import finished
from small_swaps import contents

from faceswap.jobs.convert import ConvertOptions, convert


def forked(work: Callable[[], object]) -> int:
    """Number of a process that does ``work`` and ends."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:  # noqa: BLE001  (the parent tells of it)
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    os._exit(code)


def ended(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run(folder: Path, options: dict[str, Any], moments: int) -> dict[str, Any]:
    """Kill a conversion at ``moments``; what each left, and how the result differs."""
    suffix = options.pop("suffix", ".mp4")

    def converted(name: str) -> int:
        given = ConvertOptions(output=folder / f"{name}{suffix}", **options)
        return forked(lambda: finished(convert(given)))

    begun = time.monotonic()
    assert ended(converted("whole")) == 0
    seconds = time.monotonic() - begun
    whole = contents(folder / f"whole{suffix}")
    chance = random.Random(0)
    found: list[int] = []
    wrong: list[str] = []
    for number in range(moments):
        pid = converted(str(number))
        time.sleep(seconds * (number + chance.random()) / moments)
        os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        left = folder / f"{number}{suffix}.unfinished"
        found.append(len(list(left.glob("0*.json"))) if code else -1)
        if code and ended(converted(str(number))) != 0:
            wrong.append(f"{number}: failed when it was run again")
        elif contents(folder / f"{number}{suffix}") != whole:
            wrong.append(f"{number}: is not the same")
        (folder / f"{number}{suffix}").unlink(missing_ok=True)
    rest = sorted(p.name for p in folder.iterdir())
    return {"frames": len(whole["frames"]), "segments": found, "wrong": wrong, "rest": rest}


if __name__ == "__main__":
    import faceswap.swap.compositing.film  # noqa: F401  (before it forks)

    # What the system was given outlives a killed process: spare the waiting for the disk.
    mock.patch.object(os, "fsync").start()
    place = Path(sys.argv[1])
    place.mkdir(exist_ok=True)
    told = run(place, {"project": sys.argv[2], **json.loads(sys.argv[4])}, int(sys.argv[3]))
    sys.stdout.write(json.dumps(told))
