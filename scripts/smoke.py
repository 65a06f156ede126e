"""Try the whole path on this Python and these packages, in a minute or two.

    python scripts/smoke.py

Renders a small sample and goes through landmarks, extraction, twenty steps of training,
conversion and evaluation, each by the command line of the faceswap that is installed, and looks
at what came out. Needs no test framework. One line a step; ends with 1 at the first that fails,
after the step's own output.
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
BATCH = 2  # faces a side: the model is the one that people train, and a step takes a second
SHOWN = ("numpy", "torch", "av", "opencv-python", "PySide6-Essentials")
# What a machine may lack without anything of this path failing.
NOT_OURS = ("free space", "graphics card")


class StepError(Exception):
    """A step that went wrong; its text is all there is to say."""


def main() -> int:
    """Run every step; 0 when all went well."""
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
    """The name of ``package`` with its version."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def steps_in(folder: Path) -> list[tuple[str, Callable[[], str]]]:
    """Title and work of every step; all files are made in ``folder``."""
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
    """What this Python prints for ``arguments``, run in ``folder``, where no checkout lies.

    Raises StepError, with all that was printed, when it does not end with 0.
    """
    command = [sys.executable, *arguments]
    # On a machine with other work, threads of so small steps spend their time on waiting.
    environment = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        said = f"{done.stdout}{done.stderr}"
        raise StepError(f"{' '.join(command)}\nended with {done.returncode}:\n{said}")
    return done.stdout


def healthy(events: str) -> str:
    """That doctor found nothing wrong in what it printed as lines of JSON."""
    summary = json.loads(events.splitlines()[-1])
    findings = summary["summary"]["findings"]
    wrong = [f for f in findings if f["level"] == "wrong" and f["title"] not in NOT_OURS]
    if wrong:
        lines = (f"{f['title']}: {f['value']} -> {f['advice']}" for f in wrong)
        raise StepError("doctor says that this is wrong:\n" + "\n".join(lines))
    return f"{len(findings)} findings, nothing wrong"


def frames(path: Path) -> int:
    """How many frames the video at ``path`` really holds."""
    from faceswap.video.reader import VideoReader

    with VideoReader(path) as video:
        return len(video.timestamps())


def found(path: Path, count: int) -> str:
    """That landmarks were found in all but a few of ``count`` frames."""
    import numpy as np

    with np.load(path) as data:
        points = data["points"]
    seen = int(np.isfinite(points).all(axis=(2, 3)).any(axis=1).sum())
    if len(points) != count or seen < 0.8 * count:
        raise StepError(f"Faces in {seen} of {len(points)} frames, of a video of {count}.")
    return f"a face in {seen} of {count} frames"


def changed(a: Path, out: Path) -> str:
    """That the swap differs from A in its middle and hardly at its corners."""
    import numpy as np

    from faceswap.video.reader import read_image

    change = np.abs(read_image(out).astype(float) - read_image(a)).mean(2)
    middle = change[SIZE // 3 : 2 * SIZE // 3, SIZE // 3 : 2 * SIZE // 3].mean()
    corner = change[: SIZE // 12, : SIZE // 12].mean()
    told = f"{middle:.1f} levels of change in the middle, {corner:.1f} in a corner"
    if middle < 2 or corner > 2:
        raise StepError(f"The swap is not where it should be: {told}.")
    return told


def finite(document: dict[str, Any]) -> str:
    """That every figure of an evaluation is a number."""
    figures: dict[str, float | None] = dict(document["values"])
    for name, row in document["rows"].items():  # each of a picture set against the truth
        figures |= {f"{name}, {key}": value for key, value in row.items()}
    bad = [name for name, value in figures.items() if value is None or not math.isfinite(value)]
    if bad or not figures:
        raise StepError(f"These figures are no numbers: {', '.join(bad) or 'there are none'}.")
    return f"{len(figures)} figures"


def at_least(count: int, least: int, what: str) -> str:
    """The ``count`` in words. Raises StepError where it is under ``least``."""
    if count < least:
        raise StepError(f"{count} {what}, and at least {least} were wanted.")
    return f"{count} {what}"


if __name__ == "__main__":
    sys.exit(main())
