"""A's footage in, the same footage with B's face out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from faceswap.events import Summary
from faceswap.options import Device, Options, Overwrite, ProjectFolder, Show

if TYPE_CHECKING:
    from faceswap.swap.swapper import Look


class LookOptions(Options):
    """How the swapped face is fitted into the frame."""

    color: Annotated[
        float,
        Show(common=True),
        Field(ge=0, le=1, description="How far the face's colours follow A's."),
    ] = 1.0
    light: Annotated[
        float,
        Field(ge=0, le=1, description="How far the face's smooth light and shade follow A's."),
    ] = 0.5
    grow: Annotated[
        float,
        Show(common=True),
        Field(
            ge=-0.3,
            le=0.3,
            description="Growth of the mask, as a share of the face's width; negative shrinks.",
        ),
    ] = 0.0
    feather: Annotated[
        float,
        Show(common=True),
        Field(ge=0, le=0.5, description="Width of the mask's soft edge, as a share of the face's."),
    ] = 0.12
    sharpen: Annotated[
        float, Show(common=True), Field(ge=0, le=3, description="How much fine detail is raised.")
    ] = 0.5
    opacity: Annotated[
        float, Field(ge=0, le=1, description="1 shows all of B, 0 leaves A as it is.")
    ] = 1.0
    steady: Annotated[
        float,
        Field(ge=0, le=0.99, description="How far colours are averaged over time."),
    ] = 0.9
    smooth: Annotated[
        float,
        Field(ge=0, le=1, description="How far the place of the face is smoothed over time."),
    ] = 1.0

    def look(self) -> "Look":
        """The part of these that the swapper takes."""
        from faceswap.swap.swapper import Look

        return Look(**self.model_dump(include=set(Look.__dataclass_fields__)))


class ConvertOptions(LookOptions):
    """Put B's face on A's footage with a trained model."""

    project: ProjectFolder
    output: Annotated[
        Path | None,
        Show(short="-o", common=True),
        Field(description="The video to write; by default out/RUN.mp4 in the project."),
    ] = None
    run: Annotated[str, Field(description="Which training run's model to use.")] = "main"
    quality: Annotated[
        int, Field(ge=0, le=40, description="x264's CRF: 0 is lossless, 18 looks lossless.")
    ] = 17
    batch: Annotated[int, Field(ge=1, le=256, description="Frames computed at a time.")] = 8
    device: Device = "auto"
    overwrite: Overwrite = False


class ConvertSummary(Summary):
    """What a conversion wrote."""

    output: Path
    frames: int
    swapped: int

    def text(self) -> str:
        """One sentence for a person."""
        return (
            f"{self.output}: {self.swapped} of {self.frames} frames swapped; labelled as "
            "synthetic in its metadata."
        )
