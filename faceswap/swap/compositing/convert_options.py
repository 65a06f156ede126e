"""Options of the conversion of footage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, model_validator

from faceswap.options import (
    Device,
    Overwrite,
    Presentation,
    ProjectFolder,
    RayAddress,
    WorkersPerNode,
)
from faceswap.swap.compositing.options import BlendOptions
from faceswap.video.output_options import OutputOptions


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str | Path) else value


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
        list[Path] | None,
        BeforeValidator(_several),
        Presentation(common=True, several=True),
        Field(
            description="The footage to convert: a file of the project, or a new one, whose faces "
            "are extracted first and not trained on. By default A's. Several, or a pattern such as "
            "'films/*.mp4', with --out-dir.",
        ),
    ] = None
    out_dir: Annotated[
        Path | None,
        Field(
            description="A folder for the outputs of several inputs, each of the name of its "
            "footage; those that are there already are left."
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
    mask_video: Annotated[
        Path | None,
        Field(
            description="A mask of your own: a video with as many frames as the footage, or a "
            "picture, white where faces may be swapped and black where not."
        ),
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
    ] = 500
    cache: Annotated[
        float,
        Field(
            ge=0,
            le=10_000,
            description="Gigabytes of the model's results that the project may keep, so that other "
            "blend options do not run it again; 0 keeps none.",
        ),
    ] = 2.0
    device: Device = "auto"
    overwrite: Overwrite = False
    ray: RayAddress = None
    workers_per_node: WorkersPerNode = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.input is not None and not self.input:
            raise ValueError("--input names no footage")
        if self.out_dir is not None and self.output is not None:
            raise ValueError("--output names one video and --out-dir a folder; give one of them")
        if self.out_dir is not None and self.input is None:
            raise ValueError("--out-dir is for footage that --input names")
        if self.out_dir is None and len(self.input or ()) > 1:
            raise ValueError("several inputs need --out-dir, a folder for their outputs")
        if self.out_dir is not None and self.passes is not None:
            raise ValueError("--passes is for one output; convert that one apart")
        if self.workers_per_node is not None and self.ray is None:
            raise ValueError("--workers-per-node is for a farm; give --ray, too")
        return self
