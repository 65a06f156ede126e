"""Restore a picture or video with a model that the lab trained."""

from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from faceswap.background import BackgroundWorker, import_in_background, in_background
from faceswap.errors import InputError, OutputError
from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.io.file_types import PICTURE_SUFFIXES
from faceswap.lab.task_registry import TASKS
from faceswap.options import Device, Options, Overwrite, Presentation

if TYPE_CHECKING:
    import torch

    from faceswap.lab.restorer import Restorer


_RESTORING = ", ".join(name for name, task in TASKS.items() if task.can_restore)
_MASKED = ", ".join(name for name, task in TASKS.items() if task.needs_mask)


class RestoreOptions(Options):
    """Restore a picture or video: denoise, inpaint, enlarge or colorize it."""

    input: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="The picture or video to restore."),
    ]
    model: Annotated[
        Path,
        Presentation(common=True),
        Field(
            description=f"A model from the tasks {_RESTORING} of 'lab': its file or its folder, "
            "such as lab/denoise/denoise."
        ),
    ]
    output: Annotated[
        Path, Presentation(short="-o", common=True), Field(description="The file to write.")
    ]
    mask: Annotated[
        Path | None,
        Presentation(common=True),
        Field(description=f"For {_MASKED}: a picture that is white where the input has holes."),
    ] = None
    tile: Annotated[
        int,
        Field(
            ge=32,
            le=4096,
            description="Side of the tiles that are restored one by one, in pixels; unused by "
            f"{_MASKED}.",
        ),
    ] = 256
    overlap: Annotated[
        int, Field(ge=0, le=512, description="Overlap of neighboring tiles, in pixels.")
    ] = 32
    device: Device = "auto"
    overwrite: Overwrite = False


class RestoreSummary(Summary):
    """Result of a restoration."""

    output: Path
    frames: int

    def text(self) -> str:
        """One sentence for a person."""
        return f"{self.output}: {self.frames:,} frame{'s' * (self.frames != 1)} restored."


def restore(options: RestoreOptions) -> Generator[Event, None, RestoreSummary]:
    """Restore a picture or video with a model that the lab trained.

    Large pictures are restored in tiles; holes are filled at the resolution of the training. A
    video keeps its timestamps, sound and metadata. The output's metadata says that it was restored.

        faceswap restore old.png --model lab/denoise/denoise -o new.png
    """
    still = options.output.suffix.lower() in PICTURE_SUFFIXES
    if still:
        _check_picture(options)
    yield Progress(stage="restore", done=0)
    yield from import_in_background(
        "restore", "faceswap.lab.restorer", "faceswap.lab.framework.run"
    )
    from faceswap.device_support import RESTORATION
    from faceswap.devices import resolve_device
    from faceswap.video.probe import probe

    needed = () if options.mask is None else RESTORATION
    device = yield from resolve_device(options.device, needed)
    restorer = yield from in_background("restore", lambda _: _restorer(options, device), "models")
    info = probe(options.input)
    if info.still != still:
        kind, other = ("picture", ".png") if info.still else ("video", ".mp4")
        raise OutputError(
            f"{options.input.name} is a {kind}; give the output a {kind}'s name, such as "
            f"result{other}."
        )
    if still:
        return (yield from _picture(options, restorer))
    return (yield from _video(options, restorer))


def _restorer(options: RestoreOptions, device: "torch.device") -> "Restorer":
    from faceswap.io.pictures import read_picture
    from faceswap.lab.framework.run import load_model
    from faceswap.lab.restorer import Restorer

    model = load_model(options.model, device, "lab-repair")
    mask = None
    if options.mask is not None:
        mask = read_picture(options.mask, behind=0)
        if mask is None:
            raise InputError(f"The mask {options.mask} cannot be read; choose another picture.")
        mask = mask if mask.ndim == 2 else mask.max(2)
    return Restorer(model, device, options.tile, options.overlap, mask)


def _check_picture(options: RestoreOptions) -> None:
    from faceswap.io.provenance import check_picture_name

    check_picture_name(options.output)
    path = options.output.absolute()
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder {path.parent}; create it first.")
    if path.exists():
        if options.input.exists() and path.samefile(options.input):
            raise OutputError(f"{path} is the input; give the output another name.")
        if not options.overwrite:
            raise OutputError(f"{path} exists already; use --overwrite or another name.")


def _picture(
    options: RestoreOptions, restorer: "Restorer"
) -> Generator[Event, None, RestoreSummary]:
    from faceswap.io.provenance import picture_provenance, save_picture
    from faceswap.video.reader import read_image

    image = yield from in_background(
        "restore", lambda report: restorer.restore(read_image(options.input), report), "tiles"
    )
    made = TASKS[restorer.config.use].provenance.after(picture_provenance(options.input))
    suffix = options.output.suffix.lower()
    quality: dict[str, Any] = {"quality": 95} if suffix in (".jpg", ".jpeg", ".webp") else {}
    try:
        save_picture(image, options.output, made, **quality)
    except OSError as error:
        raise OutputError(f"Cannot write {options.output}: {error}.") from error
    yield Saved(what="picture", path=options.output)
    return RestoreSummary(output=options.output, frames=1)


def _video(options: RestoreOptions, restorer: "Restorer") -> Generator[Event, None, RestoreSummary]:
    from dataclasses import replace

    from faceswap.video.encoding import OutputLabel
    from faceswap.video.pixel_formats import PixelFormat, planar_format
    from faceswap.video.reader import VideoReader
    from faceswap.video.writer import VideoWriter

    label = OutputLabel(TASKS[restorer.config.use].provenance)
    path, overwrite, larger = options.output, options.overwrite, restorer.scale > 1
    with VideoReader(options.input) as video:
        info = video.info
        meter = Meter("restore", info.frames or None)
        wide, high = info.width * restorer.scale, info.height * restorer.scale
        like = replace(info, width=wide, height=high)
        if larger and PixelFormat.named(planar_format(info.pixel_format)).bits > 8:
            told = "has more than 8 bits; what is made larger has 8, in standard dynamic range."
            yield Notice(message=f"{options.input.name} {told}")
        with (
            VideoWriter(path, like, label=label, overwrite=overwrite)
            if larger
            else VideoWriter.over(path, video, label, overwrite=overwrite) as writer,
            BackgroundWorker(meter.progress) as paced,
        ):
            for told in writer.notices:
                yield Notice(message=told)
            for frame in video.footage():
                image = yield from paced(partial(restorer.restore, frame.image))
                if larger:
                    writer.write(image, frame.pts, frame.duration)
                else:
                    writer.write_over(frame, image)
                if progress := meter.add():
                    yield progress
            yield from in_background("restore", lambda _: writer.finish(), heartbeat=meter.progress)
        yield meter.finished()
    yield Saved(what="video", path=options.output)
    return RestoreSummary(output=options.output, frames=int(meter.done))
