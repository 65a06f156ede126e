"""How a swapped face is fitted into its frame; the options of every job that does it."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from faceswap.options import Options, Presentation


class BlendOptions(Options):
    """How the swapped face is fitted into the frame."""

    renamed: ClassVar[Mapping[str, str]] = {
        "color": "color_transfer",
        "light": "shading_transfer",
        "outline": "mask_outline",
        "grow": "mask_dilate",
        "feather": "mask_blur",
        "steady": "color_smoothing",
        "smooth": "alignment_smoothing",
    }

    color_transfer: Annotated[
        float,
        Presentation(common=True),
        Field(ge=0, le=1, description="How far the face's colours follow A's."),
    ] = 1.0
    shading_transfer: Annotated[
        float,
        Field(ge=0, le=1, description="How far the face's smooth light and shade follow A's."),
    ] = 1.0
    mask_outline: Annotated[
        Literal["a", "b"],
        Presentation(common=True),
        Field(
            description="Whose outline the swapped face has: b takes the form of B's jaw along, "
            "where the model has learnt it; a keeps within A's face."
        ),
    ] = "b"
    mask_dilate: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=-0.3,
            le=0.3,
            description="Growth of the mask, as a share of the face's width; negative shrinks.",
        ),
    ] = 0.0
    mask_blur: Annotated[
        float,
        Presentation(common=True),
        Field(ge=0, le=0.5, description="Width of the mask's soft edge, as a share of the face's."),
    ] = 0.1
    sharpen: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=0, le=4, description="How much the face's detail is raised where A's is stronger."
        ),
    ] = 2.3
    grain: Annotated[
        float,
        Presentation(common=True),
        Field(ge=0, le=1, description="How much of the frame's own fine grain stays on the face."),
    ] = 1.0
    opacity: Annotated[
        float, Field(ge=0, le=1, description="1 shows all of B, 0 leaves A as it is.")
    ] = 1.0
    color_smoothing: Annotated[
        float,
        Field(ge=0, le=0.99, description="How far colours are averaged over time."),
    ] = 0.9
    alignment_smoothing: Annotated[
        float,
        Field(ge=0, le=1, description="How far the place of the face is smoothed over time."),
    ] = 0.5
