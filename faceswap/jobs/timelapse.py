"""Make a time-lapse video of a training run's previews."""

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from faceswap.background import import_in_background, in_background
from faceswap.errors import InputError
from faceswap.events import Event, Meter, Saved, Summary
from faceswap.options import Options, Overwrite, Presentation, ProjectFolder


class TimelapseOptions(Options):
    """Make a time-lapse video of a training run's previews."""

    renamed: ClassVar[Mapping[str, str]] = {"name": "run", "rate": "fps"}

    project: ProjectFolder
    output: Annotated[
        Path, Presentation(short="-o", common=True), Field(description="The video to write.")
    ]
    run: Annotated[str, Field(description="Name of the run.")] = "main"
    fps: Annotated[int, Field(ge=1, le=60, description="Previews per second.")] = 10
    overwrite: Overwrite = False


class TimelapseSummary(Summary):
    """Result of a time-lapse."""

    output: Path
    pictures: int

    def text(self) -> str:
        """One sentence for a person."""
        return f"{self.output}: {self.pictures} previews."


def timelapse(options: TimelapseOptions) -> Generator[Event, None, TimelapseSummary]:
    """Make a time-lapse video of a training run's previews.

    Reads the preview pictures that 'train' wrote; 'runs --clean' deletes all but the last ten.

        faceswap timelapse --project P -o timelapse.mp4
    """
    yield from import_in_background(
        "timelapse", "faceswap.project.project", "faceswap.video.writer"
    )
    import dataclasses

    import numpy as np
    from PIL import Image

    from faceswap.io.provenance import PREVIEWS
    from faceswap.project.project import Project
    from faceswap.video.encoding import OutputLabel
    from faceswap.video.generated_audio import generated_video_info
    from faceswap.video.writer import VideoWriter

    folder = Project.open(options.project).runs_folder / options.run / "previews"
    files = sorted(folder.glob("step-*.png"))
    if not files:
        raise InputError(
            f"There are no previews in {folder}; train first, or choose another run with --run."
        )
    with Image.open(files[-1]) as last:
        width, height = (side - side % 2 for side in last.size)
    sound = generated_video_info(folder, width, height, len(files), options.fps)
    silent = dataclasses.replace(sound, audio=())
    meter = Meter("timelapse", total=len(files), unit="previews")
    label = OutputLabel(PREVIEWS)
    with VideoWriter(options.output, silent, label=label, overwrite=options.overwrite) as writer:
        for number, path in enumerate(files):
            with Image.open(path) as picture:
                # Sizes differ only if the run's resolution changed.
                scaled = picture.convert("RGB").resize((width, height))
            writer.write(np.asarray(scaled), number, 1)
            if progress := meter.add():
                yield progress
        yield from in_background("timelapse", lambda _: writer.finish(), heartbeat=meter.progress)
    yield meter.progress()
    yield Saved(what="time-lapse", path=options.output)
    return TimelapseSummary(output=options.output, pictures=len(files))
