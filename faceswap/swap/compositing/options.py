"""Options of compositing, shared by all jobs that put a swapped face into a frame."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from faceswap.options import Options, Presentation, help_list

ColorMode = Literal["gains", "reinhard", "mkl", "histogram", "transport", "off"]
"""How colours are moved; see ``color.py`` and ``color_modes.py``."""

BlendMode = Literal["alpha", "pyramid", "poisson"]
"""How the face's edge is blended; see ``blend.py`` and ``membrane.py``."""


class MaskOptions(Options):
    """Options of the mask of a swapped face, before any model is asked."""

    keep_glasses: Annotated[
        bool,
        Field(
            description="Keep A's glasses in front of the swapped face, where A's faces are "
            "segmented."
        ),
    ] = True
    mask_dilate: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=-0.3,
            le=0.3,
            description="Mask erode/dilate, as a share of the face's width; negative erodes.",
        ),
    ] = 0.0
    mask_top: Annotated[
        float,
        Field(
            ge=-0.3,
            le=0.3,
            description="Mask erode/dilate at the forehead, added to that all around.",
        ),
    ] = 0.0
    mask_bottom: Annotated[
        float,
        Field(
            ge=-0.3,
            le=0.3,
            description="Mask erode/dilate at the chin, added to that all around.",
        ),
    ] = 0.0
    mask_left: Annotated[
        float,
        Field(
            ge=-0.3,
            le=0.3,
            description="Mask erode/dilate at the left of the picture, added to that all around.",
        ),
    ] = 0.0
    mask_right: Annotated[
        float,
        Field(
            ge=-0.3,
            le=0.3,
            description="Mask erode/dilate at the right of the picture, added to that all around.",
        ),
    ] = 0.0
    mask_blur: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=0,
            le=0.5,
            description="Mask blur: width of the mask's soft edge, as a share of the face's width.",
        ),
    ] = 0.15
    mask_smoothing: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Temporal mask smoothing: weight of each earlier frame relative to the "
            "next in what is seen of a face, where the picture has not changed; 0 is off.",
        ),
    ] = 0.9
    alignment_smoothing: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Alignment smoothing: smooths position, size and angle of the face over "
            "time, against jitter; 0 is off.",
        ),
    ] = 0.5


class BlendOptions(MaskOptions):
    """Options of compositing: mask, colour transfer, sharpening and smoothing over time."""

    renamed: ClassVar[Mapping[str, str]] = {
        "color": "color_transfer",
        "light": "shading_transfer",
        "outline": "mask_type",
        "mask_outline": "mask_type",
        "grow": "mask_dilate",
        "feather": "mask_blur",
        "steady": "color_smoothing",
        "smooth": "alignment_smoothing",
    }

    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "mask_type": {"a": "landmarks", "b": "learned"}
    }

    color_transfer: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=0,
            le=1,
            description="Color transfer: shift of the face's skin tone to A's; 0 keeps B's.",
        ),
    ] = 1.0
    color_mode: Annotated[
        ColorMode,
        Presentation(choices_in_help=True),
        Field(
            description=help_list(
                "Color mode, how the face's colors are moved to those of A's skin",
                {
                    "gains": "a gain for each channel of light: black stays black, and a beard or "
                    "make-up on either face does no harm",
                    "reinhard": "mean and deviation in CIE Lab",
                    "mkl": "mean and covariance of RGB (Monge-Kantorovitch, linear)",
                    "histogram": "the histogram of each channel",
                    "transport": "the whole distribution of colors (sliced optimal transport)",
                    "off": "colors as the model makes them",
                },
            )
        ),
    ] = "gains"
    shading_transfer: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Shading transfer: how much of A's smooth light and shadow the face takes.",
        ),
    ] = 1.0
    mask_type: Annotated[
        Literal["all", "segmented", "learned", "landmarks"],
        Presentation(common=True),
        Field(
            description="Mask type: landmarks is the outline of A's landmarks; segmented is that "
            "without A's hair, hands and other things in front, and without B's hair; learned is "
            "the mask that the model learned, with the shape of B's jaw (landmarks where it "
            "learned none); all is learned and segmented together."
        ),
    ] = "all"
    blend_mode: Annotated[
        BlendMode,
        Presentation(choices_in_help=True),
        Field(
            description=help_list(
                "Blend mode, how the face's edge is blended into the frame",
                {
                    "alpha": "face and frame are mixed by the mask, in light",
                    "pyramid": "fine detail changes over within a few pixels, broad tones across "
                    "the mask's whole edge (Laplacian pyramid)",
                    "poisson": "the face's tones are bent to meet the frame's skin along the edge, "
                    "smoothed over time",
                },
            )
        ),
    ] = "alpha"
    sharpen: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=0,
            le=4,
            description="Sharpening: raises lids, lips and brows where they are softer than A's, "
            "at most fourfold, and softens them where A is blurred. 0 is off, 1 adds the "
            "difference to A once; more makes up for what the model does not produce.",
        ),
    ] = 2.3
    grain: Annotated[
        float,
        Presentation(common=True),
        Field(
            ge=0,
            le=1,
            description="How much of A's pores, noise and film grain is added to the face.",
        ),
    ] = 1.0
    opacity: Annotated[
        float,
        Field(ge=0, le=1, description="Opacity of the swapped face; 0 leaves A unchanged."),
    ] = 1.0
    keep_mouth: Annotated[
        bool,
        Field(description="Keep A's lips, teeth and tongue as they were filmed."),
    ] = False
    face_scale: Annotated[
        float,
        Field(
            ge=0.5,
            le=1.5,
            description="Face scale: size of the swapped face relative to A's. Where it is "
            "smaller, A's own face shows around it.",
        ),
    ] = 1.0
    face_offset_x: Annotated[
        float,
        Field(
            ge=-0.25,
            le=0.25,
            description="Face offset to the right of an upright face, as seen, as a share of its "
            "crop's side; negative moves it to the left.",
        ),
    ] = 0.0
    face_offset_y: Annotated[
        float,
        Field(
            ge=-0.25,
            le=0.25,
            description="Face offset downwards, as a share of its crop's side; negative moves it "
            "up.",
        ),
    ] = 0.0
    color_smoothing: Annotated[
        float,
        Field(
            ge=0,
            le=0.99,
            description="Temporal color smoothing: weight of earlier frames in the average of the "
            "color transfer, against flicker; 0 is off.",
        ),
    ] = 0.9
