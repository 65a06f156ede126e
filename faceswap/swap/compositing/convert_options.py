"""Options of the conversion of footage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import BlendOptions
from faceswap.video.output_options import OutputOptions


class ConvertOptions(OutputOptions, BlendOptions):
    """Swap B's face onto A's footage with a trained model."""

    renamed: ClassVar[Mapping[str, str]] = {
        **BlendOptions.renamed,
        **OutputOptions.renamed,
        "name": "run",
    }

    project: ProjectFolder
    output: Annotated[
        Path | None,
        Presentation(short="-o", common=True),
        Field(
            description="The video to write; by default out/RUN.mp4 in the project. Also pictures, "
            "with a number in the name (out_%06d.png, .tif, .exr), or a GIF or WebP."
        ),
    ] = None
    run: Annotated[str, Field(description="The training run whose model to use.")] = "main"
    input: Annotated[
        Path | None,
        Presentation(common=True),
        Field(
            description="The footage to convert: a file of the project, or a new one, whose faces "
            "are extracted first and not trained on. By default A's."
        ),
    ] = None
    person: Annotated[
        str | None,
        Field(
            description="Number or name of the person to swap (see 'faceswap people'); by default "
            "the one that the run was trained on, or the one longest on screen."
        ),
    ] = None
    map: Annotated[
        tuple[str, ...],
        Presentation(several=True),
        Field(description="Several people, each by a run of its own: --map 1=main 2=other."),
    ] = ()
    begin: Annotated[
        str | None,
        Presentation(flag="--from"),
        Field(
            description="In point: where the part to convert begins, in seconds (12.5), h:mm:ss, "
            "as a timecode (00:01:30:12) or a frame (300f); by default that of 'faceswap sources'."
        ),
    ] = None
    end: Annotated[
        str | None,
        Presentation(flag="--to"),
        Field(description="Out point: the part ends before it; by default as the in point."),
    ] = None
    passes: Annotated[
        Path | None,
        Field(
            description="A folder to write face and mask of each frame to as 16-bit PNG, and their "
            "matrices as JSON, for compositing programs."
        ),
    ] = None
    picture_rate: Annotated[
        float,
        Field(
            gt=0, le=1000, description="Frames per second of A where it is a folder of pictures."
        ),
    ] = 25.0
    batch: Annotated[
        int, Field(ge=1, le=256, description="Frames per batch; fewer where frames are large.")
    ] = 8
    segment: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Frames that are finished at a time: what a crash takes back at most.",
        ),
    ] = 250
    device: Device = "auto"
    overwrite: Overwrite = False
