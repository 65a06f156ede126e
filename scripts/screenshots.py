"""Screenshots of every page of the window, on a project of rendered heads.

    python scripts/screenshots.py FOLDER                      creates the project first
    python scripts/screenshots.py FOLDER --project DIR        uses an existing one

Each page is shown in light and dark, at 1280 x 800 pixels and, at twice the scale, at
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
    from gui.window import Window

PAGES = ("start", "footage", "people", "faces", "train", "convert", "lab", "jobs")
SIZES = {1: (1280, 800), 2: (1280, 720)}
"""The window's width and height at each scale."""


def main() -> None:
    """Parse the arguments and take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="output folder")
    parser.add_argument("--project", type=Path, help="a trained project to show")
    parser.add_argument(
        "--minutes", type=float, default=5, help="training time of a project created here"
    )
    parser.add_argument("--scale", type=int, choices=SIZES, help="device pixels per pixel")
    parser.add_argument("--data", type=Path, help="folder of the window's job records")
    given = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as temporary:
        project = given.project or make_project(Path(temporary), given.minutes)
        if given.scale is not None:
            os.environ["QT_SCALE_FACTOR"] = str(given.scale)
            data = given.data or Path(temporary)
            take(project.absolute(), given.folder, data, SIZES[given.scale])
            return
        for scale, (width, height) in SIZES.items():  # Qt reads the scale only at start-up
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
    context: "AppContext", session: "ProjectSession", digits: Path, wait: Callable[[float], None]
) -> None:
    """Convert the project and run a lab task on digits, unless these jobs were done before."""
    from faceswap.jobs.convert import ConvertOptions
    from faceswap.jobs.lab import LabOptions

    project, done = session.folder, {job.record.command for job in context.jobs.jobs}
    jobs = []
    if "lab" not in done:
        learn = LabOptions(task="denoise", output=digits, steps=600)
        jobs.append(context.jobs.start("lab", learn, "Lab: denoise", None))
    if "convert" not in done:
        output = project / "out" / "swap.mp4"
        output.parent.mkdir(exist_ok=True)
        name = session.runs()[0].name
        export = ConvertOptions(project=project, output=output, run=name, overwrite=True)
        jobs.append(context.jobs.start("convert", export, "Export", project))
    for job in jobs:
        while job.running:
            wait(0.2)
        if job.state != "finished":
            raise SystemExit(job.message)


def take(project: Path, folder: Path, data: Path, size: tuple[int, int]) -> None:
    """Open the window on ``project`` and save a screenshot of each page.

    The project is converted and a lab task run first, unless ``data`` has records of these jobs.
    """
    from PySide6.QtCore import QSettings

    from faceswap.options import SIDES
    from gui.app import make_app
    from gui.models.app_context import AppContext
    from gui.models.settings import Settings
    from gui.pages.start import StartPage
    from gui.widgets import theme
    from gui.window import Window

    app = make_app(["faceswap"])
    store = QSettings(str(data / "settings.ini"), QSettings.Format.IniFormat)
    context = AppContext(Settings(store, data))
    window = Window(context)
    window.resize(*size)
    window.show()

    def wait(seconds: float) -> None:
        """Run the event loop for ``seconds`` and until no request is pending."""
        session = context.session
        end = time.monotonic() + seconds
        while time.monotonic() < end or context.rpc.busy or (session and session.rpc.busy):
            app.processEvents()
            time.sleep(0.005)

    context.open(project)
    wait(1)
    session = context.session
    if session is None or not session.runs():
        raise SystemExit(f"{project} is not a trained project.")
    digits = data.absolute() / "lab" / "denoise"
    do_jobs(context, session, digits, wait)
    session.refresh()
    wait(0.5)
    window.banner.hide()
    start = window.page
    assert isinstance(start, StartPage)
    for side in SIDES:
        footage = session.side(side).footage
        if footage is not None:
            start.set_video(side, footage.path)
    folder.mkdir(parents=True, exist_ok=True)
    for name, scheme in (("light", theme.LIGHT), ("dark", theme.DARK)):
        theme.force(scheme)
        theme.apply(app)
        window.apply_theme()
        for page in PAGES:
            show(window, page, digits, wait)
            path = folder / f"{page}-{name}.png"
            window.grab().save(str(path))
            print(path)
    window.close()
    theme.force(None)


def show(window: "Window", name: str, digits: Path, wait: Callable[[float], None]) -> None:
    """Go to a page, and to what is worth a look there."""
    from gui.pages.footage import FootagePage
    from gui.pages.lab import LabPage

    window.go(name)
    wait(1)
    page = window.page
    while not page.is_ready:
        wait(0.1)
    if isinstance(page, FootagePage):
        page.timeline.go(page.timeline.frames // 3)
    if isinstance(page, LabPage):
        page.form.set_values({"output": digits})
    wait(0.3)


if __name__ == "__main__":
    main()
