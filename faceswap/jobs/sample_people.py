"""Render a labeled data set of people who do not exist."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from faceswap.background import BackgroundWorker, import_in_background, in_background
from faceswap.events import Event, Meter, Progress, Saved, Summary
from faceswap.options import Options, Presentation

if TYPE_CHECKING:
    from faceswap.synthetic.people_dataset import PeopleDataset


class SamplePeopleOptions(Options):
    """Render a labeled data set of people who do not exist."""

    folder: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(
            description="Folder for pictures, masks, people.csv and README.md; created if missing. "
            "A rendering that was stopped is resumed, a finished one extended to --count."
        ),
    ]
    count: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, le=1_000_000, description="Number of pictures, or of clips with --clips."),
    ] = 1000
    size: Annotated[
        int,
        Presentation(common=True),
        Field(ge=64, le=1024, description="Width and height in pixels."),
    ] = 256
    seed: Annotated[
        int,
        Presentation(common=True),
        Field(ge=0, le=2**31, description="Random seed; each gives other people."),
    ] = 1
    clips: Annotated[
        bool,
        Presentation(common=True),
        Field(description="Render short clips of people talking instead of single pictures."),
    ] = False
    frames: Annotated[
        int, Field(ge=2, le=1000, description="Pictures of each clip, 12.5 a second.")
    ] = 12
    variations: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Pictures of each person, in other light, pose, expression, clothes and "
            "hair, to learn identities from.",
        ),
    ] = 1
    file: Annotated[
        Literal["png", "jpg"], Field(description="Format of the pictures; masks are PNG.")
    ] = "png"
    workers: Annotated[
        int, Field(ge=0, le=256, description="Rendering processes; 0 is one per CPU core.")
    ] = 0

    @model_validator(mode="after")
    def _check(self) -> "SamplePeopleOptions":
        if self.clips and self.variations > 1:
            raise ValueError("clips have one picture series of each person; leave out --variations")
        return self


class SamplePeopleSummary(Summary):
    """Result of a rendering. rendered: items rendered now; total: items of the data set."""

    folder: Path
    rendered: int
    total: int
    clips: bool
    seconds: float

    def text(self) -> str:
        """What was rendered, and where it is."""
        what = "clips" if self.clips else "pictures"
        now = "" if self.rendered == self.total else f"{self.rendered} now, "
        return (
            f"{self.folder} holds {self.total} {what} of rendered people ({now}"
            f"{self.seconds:.0f} s); see README.md there."
        )


def sample_people(options: SamplePeopleOptions) -> Generator[Event, None, SamplePeopleSummary]:
    """Render a labeled data set of people who do not exist.

    Writes pictures with exact masks (skin, hair, brows, beard, eyes, lips, mouth, glasses, cloth,
    things in front), 81 exact points and about 50 attributes of each, free for every use. The same
    options give the same bytes, with any number of workers.

        faceswap sample people FOLDER --count 5000 --size 256
    """
    yield Progress(stage="render", done=0, total=options.count, unit="pictures")
    yield from import_in_background("render", "faceswap.synthetic.people_dataset")
    import time

    from faceswap.synthetic.people_dataset import DatasetSettings, PeopleDataset

    settings = DatasetSettings(
        options.seed,
        options.size,
        options.variations,
        options.frames if options.clips else 0,
        options.file,
    )
    started = time.monotonic()
    dataset = yield from in_background(
        "render", lambda _: PeopleDataset(options.folder, settings), "pictures"
    )
    before = dataset.done
    if before < options.count:
        yield from _render(options, dataset)
    yield from in_background("render", lambda _: dataset.finish(), "pictures")
    for what, name in (("table", "people.csv"), ("card", "README.md")):
        yield Saved(what=what, path=options.folder / name)
    return SamplePeopleSummary(
        folder=options.folder,
        rendered=dataset.done - before,
        total=dataset.done,
        clips=options.clips,
        seconds=time.monotonic() - started,
    )


def _render(options: SamplePeopleOptions, dataset: "PeopleDataset") -> Generator[Event, None, None]:
    """Render and write what the data set lacks."""
    import os

    from faceswap.synthetic.people_dataset import rendered_items

    unit = "clips" if options.clips else "pictures"
    meter = Meter("render", options.count, unit, start=dataset.done)
    workers = min(options.workers or os.cpu_count() or 1, options.count - dataset.done)
    items = rendered_items(dataset.settings, dataset.done, options.count, workers)

    def write_next() -> bool:
        item = next(items, None)
        if item is not None:
            dataset.add(item)
        return item is not None

    with BackgroundWorker(meter.progress) as paced:
        try:
            while (yield from paced(write_next)):
                if event := meter.add():
                    yield event
        finally:
            items.close()
    yield meter.finished()
