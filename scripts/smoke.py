"""Smoke test of the whole pipeline on this Python and its packages, in a minute or two.

    python scripts/smoke.py

Renders a small sample, then runs landmarks, extraction, twenty steps of training, conversion and
evaluation by the command line of the installed faceswap, and checks the results. Needs no test
framework. Prints a line per step; exits with 1 at the first that fails, after its output.
"""

import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 0.8  # of each clip, at 25 frames a second: enough for pairs and for held-out curves
SIZE = 192  # pixels: the rendered face is some 100 wide, and every step takes seconds
STEPS = 20
BATCH = 2  # faces a side: the model has its real size, and a step takes a second
SHOWN = ("numpy", "torch", "av", "opencv-python", "PySide6-Essentials")
# Findings of doctor that do not matter here.
NOT_OURS = ("free space", "graphics card")


class StepError(Exception):
    """A failed step; its text is the message."""


def main() -> int:
    """Run all steps; returns the exit code."""
    began = time.monotonic()
    print(f"Python {platform.python_version()}, {', '.join(map(version, SHOWN))}", flush=True)
    with tempfile.TemporaryDirectory(prefix="faceswap-smoke-") as name:
        steps = steps_in(Path(name))
        for number, (title, step) in enumerate(steps, 1):
            start = time.monotonic()
            print(f"{number}/{len(steps)} {title:<10} ", end="", flush=True)
            try:
                result = step()
            except StepError as error:
                print(f"FAILED\n{error}\nThe smoke test failed at '{title}'.", flush=True)
                return 1
            print(f"{time.monotonic() - start:5.1f} s  {result}", flush=True)
    print(f"All {len(steps)} steps went well, in {time.monotonic() - began:.0f} s.")
    return 0


def version(package: str) -> str:
    """``package`` and its installed version."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def steps_in(folder: Path) -> list[tuple[str, Callable[[], str]]]:
    """Title and function of every step; all files are written to ``folder``."""
    a, b, truth = (folder / "sample" / f"{name}.mp4" for name in ("a", "b", "truth"))
    points, project, out = folder / "a.npz", folder / "p", folder / "out.mp4"
    figures = folder / "figures.json"

    def faceswap(*arguments: str | Path) -> str:
        return run(folder, "-m", "faceswap", *map(str, arguments))

    def doctor() -> str:
        return healthy(faceswap("doctor", "--events", "jsonl"))

    def window() -> str:
        run(folder, "-c", "import gui.app, gui.pages.train, pyqtgraph")
        return "gui can be imported"

    def sample() -> str:
        faceswap("sample", folder / "sample", "--seconds", str(SECONDS), "--size", str(SIZE))
        return f"{frames(a)} frames of {SIZE} pixels"

    def landmarks() -> str:
        faceswap("landmarks", a, "-o", points)
        return found(points, frames(a))

    def extract(side: str, video: Path) -> str:
        faceswap("extract", video, "--project", project, "--side", side)
        crops = list((project / "faces" / side).glob("*.png"))
        return at_least(len(crops), frames(video) // 2, "faces")

    def train() -> str:
        faceswap("train", "--project", project, "--steps", str(STEPS), "--batch", str(BATCH))
        return at_least(len(list((project / "model" / "main").glob("*.safetensors"))), 1, "saves")

    def convert() -> str:
        faceswap("convert", "--project", project, "-o", out)
        if frames(out) != frames(a):
            raise StepError(f"{frames(out)} frames were written of {frames(a)}.")
        return changed(a, out)

    def evaluate() -> str:
        faceswap("evaluate", a, b, out, "--truth", truth, "--json-file", figures)
        return finite(json.loads(figures.read_text(encoding="utf-8")))

    steps = [
        ("doctor", doctor),
        ("sample", sample),
        ("landmarks", landmarks),
        ("extract a", lambda: extract("a", a)),
        ("extract b", lambda: extract("b", b)),
        ("train", train),
        ("convert", convert),
        ("evaluate", evaluate),
    ]
    if importlib.util.find_spec("PySide6") is not None:
        steps.insert(1, ("window", window))
    return steps


def run(folder: Path, *arguments: str) -> str:
    """Run this Python with ``arguments`` in ``folder``, outside the checkout; returns its output.

    Raises StepError, with the output, for another exit code than 0.
    """
    command = [sys.executable, *arguments]
    # One thread: with such small steps, threads on a busy machine mostly wait for each other.
    environment = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}"
        raise StepError(f"{' '.join(command)}\nended with {done.returncode}:\n{said}")
    return done.stdout


def healthy(events: str) -> str:
    """Check that doctor, whose JSON lines are ``events``, found nothing wrong."""
    summary = json.loads(events.splitlines()[-1])
    findings = summary["summary"]["findings"]
    wrong = [f for f in findings if f["level"] == "wrong" and f["title"] not in NOT_OURS]
    if wrong:
        lines = (f"{f['title']}: {f['value']} -> {f['advice']}" for f in wrong)
        raise StepError("doctor found problems:\n" + "\n".join(lines))
    return f"{len(findings)} findings, nothing wrong"


def frames(path: Path) -> int:
    """Count the frames of the video at ``path`` by decoding."""
    from faceswap.video.reader import VideoReader

    with VideoReader(path) as video:
        return len(video.timestamps())


def found(path: Path, count: int) -> str:
    """Check that landmarks were found in 80 % or more of ``count`` frames."""
    import numpy as np

    with np.load(path) as data:
        points = data["points"]
    seen = int(np.isfinite(points).all(axis=(2, 3)).any(axis=1).sum())
    if len(points) != count or seen < 0.8 * count:
        raise StepError(f"Faces in {seen} of {len(points)} frames, of a video of {count}.")
    return f"a face in {seen} of {count} frames"


def changed(a: Path, out: Path) -> str:
    """Check that the swap differs from A in the middle and hardly in a corner."""
    import numpy as np

    from faceswap.video.reader import read_image

    change = np.abs(read_image(out).astype(float) - read_image(a)).mean(2)
    middle = change[SIZE // 3 : 2 * SIZE // 3, SIZE // 3 : 2 * SIZE // 3].mean()
    corner = change[: SIZE // 12, : SIZE // 12].mean()
    result = f"{middle:.1f} levels of change in the middle, {corner:.1f} in a corner"
    if middle < 2 or corner > 2:
        raise StepError(f"The swap is not where it should be: {result}.")
    return result


def finite(document: dict[str, Any]) -> str:
    """Check that every metric of an evaluation is a finite number."""
    figures: dict[str, float | None] = dict(document["values"])
    for name, row in document["rows"].items():  # each of a picture set against the truth
        figures |= {f"{name}, {key}": value for key, value in row.items()}
    bad = [name for name, value in figures.items() if value is None or not math.isfinite(value)]
    if bad or not figures:
        raise StepError(f"These figures are no numbers: {', '.join(bad) or 'there are none'}.")
    return f"{len(figures)} figures"


def at_least(count: int, least: int, what: str) -> str:
    """Describe ``count``; raises StepError when it is below ``least``."""
    if count < least:
        raise StepError(f"{count} {what}; at least {least} were expected.")
    return f"{count} {what}"


if __name__ == "__main__":
    sys.exit(main())
