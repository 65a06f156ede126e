"""Kills an extraction at every change that it makes to the disk, and tells what that left.

A program of its own: ``killed.py FOLDER JOB STEP`` writes one line of JSON. Each extraction runs
in a process forked from this one and is ended by SIGKILL just before its k-th change.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from driving import finished
from made_clips import write_clip
from standing_faces import stand_in

from faceswap.faces.crops import crop_files
from faceswap.faces.index import FaceIndex
from faceswap.faces.manual_exclusion import EXCLUDED, exclude
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.project import reextraction
from faceswap.project.project import Project

FRAMES = 5
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "test.commit")
BY_HAND = ("by hand.png", "notes.txt")


def look(project: Path) -> list[Any]:
    """What whoever opens the project finds: footage, rows, crops and excluded crops."""
    if not (project / "project.toml").is_file():
        return ["", False, [], [], [], []]
    opened = Project.open(project)
    with opened.open_index_read_only() as index, index.snapshot():
        clip = index.clip("a")
        complete = bool(clip and clip.complete)
        rows = [(f.frame, f.track, f.points.tobytes().hex(), f.crop) for f in index.faces("a")]
        frames = [(f.frame, f.pts, f.time, f.cut) for f in index.frames("a")]
    folder = opened.crops_folder("a")
    crops = [
        [
            (path.name, path.read_bytes().hex())
            for path in crop_files(place)
            if path.name not in BY_HAND
        ]
        for place in (folder, folder / EXCLUDED)
    ]
    return [opened.extraction_record("a").footage, complete, frames, rows, *crops]


def options(project: Path, clip: Path, **changes: Any) -> ExtractOptions:
    return ExtractOptions(inputs=(clip,), project=project, side="a", size=64).model_copy(
        update=changes
    )


def forked(work: Callable[[], object], kill_at: int = 0) -> tuple[int, int]:
    """Do ``work`` in a process of its own: how it ended, and how many changes it made."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        count = 0

        def hook(event: str, values: tuple[Any, ...]) -> None:
            nonlocal count
            if event == "open":
                if not isinstance(values[2], int) or not values[2] & (os.O_WRONLY | os.O_RDWR):
                    return
            elif event not in CHANGES:
                return
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:  # noqa: BLE001  (the parent tells of it)
            sys.stderr.write(f"{error!r}\n")
        os.write(writing, str(count).encode())
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), int(told or 0)


def noted_commits() -> None:
    """Make the moments before and after each commit known to audit hooks."""
    original = FaceIndex.transaction

    @contextmanager
    def noted(self: FaceIndex) -> Iterator[Any]:
        with original(self) as db:
            yield db
            sys.audit("test.commit")
        sys.audit("test.commit")

    mock.patch.object(FaceIndex, "transaction", noted).start()


def prepared(folder: Path) -> tuple[Path, Path]:
    """A project with curated faces, and another clip."""
    clip, other = write_clip(folder / "a.mp4", frames=FRAMES), folder / "other.mp4"
    write_clip(other, frames=FRAMES + 3)
    project = folder / "base"
    assert forked(lambda: finished(extract(options(project, clip))))[0] == 0
    faces = project / "faces" / "a"
    exclude(faces, ["000000_0.png", "000003_0.png"])
    (faces / "000002_0.png").unlink()
    shutil.copyfile(faces / "000001_0.png", faces / "by hand.png")
    (faces / EXCLUDED / "notes.txt").write_text("by hand")
    return clip, other


def run(folder: Path, job: str, step: int) -> dict[str, Any]:
    """Kill ``job`` at every ``step``-th of its changes; what was found then, and done again."""
    clip, other = prepared(folder)
    base = folder / "base"
    old = look(base)
    changed = {"redo": True, "every": 2} if job in ("redo", "other") else {}
    video = other if job == "other" else clip
    if job == "plain":
        base = folder / "none"
    elif job == "lost":
        (base / "index.sqlite").unlink()

    def copied(name: str) -> Path:
        if base.exists():
            shutil.copytree(base, folder / name)
        return folder / name

    def extracted(project: Path, kill_at: int = 0) -> tuple[int, int]:
        return forked(lambda: finished(extract(options(project, video, **changed))), kill_at)

    whole = copied("whole")
    code, total = extracted(whole)
    assert code == 0, code
    new = look(whole)
    found: list[str] = []
    after: list[str] = []
    left: set[str] = set()
    for at in range(1, total + 1, step):
        project = copied(f"{at}")
        code, _ = extracted(project, kill_at=at)
        assert code == -signal.SIGKILL, code
        found.append(_like(look(project), old, new) if project.exists() else "none")
        if at % 2:
            code, _ = extracted(project)
            after.append("new" if code == 0 and look(project) == new else f"not new ({code})")
            left |= names(project)
        shutil.rmtree(project)
    return {
        "curated": [name for name, _ in new[5]],
        "same": new == old,
        "found": found,
        "after": after,
        "left": sorted(left ^ names(whole)),
    }


def names(project: Path) -> set[str]:
    return {str(p.relative_to(project)) for p in project.rglob("*") if "index" not in p.name}


def _like(seen: list[Any], old: list[Any], new: list[Any]) -> str:
    """Which faces are ``seen``: all old ones, all new ones, or the first so many new ones."""
    if seen in (old, new):
        return "old" if seen == old else "new"
    if seen[4:] == old[4:]:
        return "old crops"
    if all(item in new[part] for part in range(2, 6) for item in seen[part]) and not seen[1]:
        return "some new"
    return "neither"


def no_power_cuts() -> None:
    """Spare the waiting for the disk: what the system was given outlives a killed process."""
    mock.patch.object(os, "fsync").start()
    mock.patch.object(reextraction, "fsync_files").start()


if __name__ == "__main__":
    no_power_cuts()
    stand_in(batch=2)
    noted_commits()
    sys.stdout.write(json.dumps(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
