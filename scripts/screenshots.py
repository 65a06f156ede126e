"""Pictures of every page, taken from the real window on a project of rendered heads.

    python scripts/screenshots.py FOLDER                      makes the project first
    python scripts/screenshots.py FOLDER --project DIR        takes one that is there

Each page is taken in light and dark, at 1280 x 800 pixels and, at twice the scale, at
2560 x 1440; with --scale at that scale only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gui.models.app_context import AppContext, ProjectSession

PAGES = ("start", "footage", "faces", "train", "convert", "lab", "jobs")
SIZES = {1: (1280, 800), 2: (1280, 720)}
"""The window's width and height at each scale."""


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--project", type=Path, help="a trained project to show")
    parser.add_argument("--minutes", type=float, default=5, help="training of a project made here")
    parser.add_argument("--scale", type=int, choices=SIZES, help="device pixels per pixel")
    parser.add_argument("--data", type=Path, help="where the window keeps its records of jobs")
    given = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as temporary:
        project = given.project or make_project(Path(temporary), given.minutes)
        if given.scale is not None:
            os.environ["QT_SCALE_FACTOR"] = str(given.scale)
            data = given.data or Path(temporary)
            take(project.absolute(), given.folder, data, SIZES[given.scale])
            return
        for scale, (width, height) in SIZES.items():  # Qt reads the scale once, when it starts
            place = given.folder / f"{scale * width}x{scale * height}"
            again = [sys.executable, __file__, str(place), "--project", str(project)]
            again += ["--data", str(given.data or temporary)]
            subprocess.run([*again, "--scale", str(scale)], check=True)


def make_project(folder: Path, minutes: float) -> Path:
    """A project of the rendered sample, extracted, trained and converted."""
    clips, project = folder / "clips", folder / "Tom on Walter"
    common = ("--project", str(project))
    for arguments in (
        ("sample", str(clips)),
        ("extract", str(clips / "a.mp4"), "--side", "a", *common),
        ("extract", str(clips / "b.mp4"), "--side", "b", *common),
        ("train", "--minutes", str(minutes), "--preview-seconds", "20", *common),
    ):
        subprocess.run([sys.executable, "-m", "faceswap", *arguments], check=True)
    return project


def do_jobs(
    desk: "AppContext", session: "ProjectSession", digits: Path, wait: Callable[[float], None]
) -> None:
    """Convert the project and use the lab on digits, unless the jobs say that this was done."""
    from faceswap.jobs.convert import ConvertOptions
    from faceswap.jobs.lab import LabOptions

    project, done = session.folder, {job.record.command for job in desk.jobs.jobs}
    jobs = []
    if "lab" not in done:
        learn = LabOptions(task="denoise", output=digits, steps=600)
        jobs.append(desk.jobs.start("lab", learn, "Lab: denoise", None))
    if "convert" not in done:
        output = project / "out" / "swap.mp4"
        output.parent.mkdir(exist_ok=True)
        name = session.runs()[0]["name"]
        export = ConvertOptions(project=project, output=output, run=name, overwrite=True)
        jobs.append(desk.jobs.start("convert", export, "Export", project))
    for job in jobs:
        while job.running:
            wait(0.2)
        if job.state != "finished":
            raise SystemExit(job.message)


def take(project: Path, folder: Path, data: Path, size: tuple[int, int]) -> None:
    """Open the window on ``project`` and write a picture of each page.

    The project is converted first and the lab used on its digits, unless ``data`` says that this
    was done.
    """
    from PySide6.QtCore import QSettings

    from gui.app import make_app
    from gui.models.app_context import AppContext
    from gui.models.settings import Settings
    from gui.pages.footage import FootagePage
    from gui.pages.lab import LabPage
    from gui.pages.start import StartPage
    from gui.widgets import theme
    from gui.window import Window

    app = make_app(["faceswap"])
    store = QSettings(str(data / "settings.ini"), QSettings.Format.IniFormat)
    desk = AppContext(Settings(store, data))
    window = Window(desk)
    window.resize(*size)
    window.show()

    def wait(seconds: float) -> None:
        """Until nothing is asked for any more, and ``seconds`` longer."""
        session = desk.session
        end = time.monotonic() + seconds
        while time.monotonic() < end or desk.viewer.busy or (session and session.link.busy):
            app.processEvents()
            time.sleep(0.005)

    desk.open(project)
    wait(1)
    session = desk.session
    if session is None or not session.runs():
        raise SystemExit(f"{project} is no trained project.")
    digits = data.absolute() / "lab" / "denoise"
    do_jobs(desk, session, digits, wait)
    session.refresh()
    wait(0.5)
    window.banner.hide()
    start = window.page
    assert isinstance(start, StartPage)
    for side in ("a", "b"):
        start.take(side, Path(session.side(side)["video"]))
    folder.mkdir(parents=True, exist_ok=True)
    for name, scheme in (("light", theme.LIGHT), ("dark", theme.DARK)):
        theme.force(scheme)
        theme.apply(app)
        window.tint()
        for page in PAGES:
            window.go(page)
            wait(1)
            shown = window.page
            while not shown.is_ready:
                wait(0.1)
            if isinstance(shown, FootagePage):
                shown.timeline.go(shown.timeline.frames // 3)
            if isinstance(shown, LabPage):
                shown.form.set_values({"output": digits})
            wait(0.3)
            path = folder / f"{page}-{name}.png"
            window.grab().save(str(path))
            print(path)
    window.close()
    theme.force(None)


if __name__ == "__main__":
    main()
