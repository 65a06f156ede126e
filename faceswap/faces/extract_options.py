"""What can be chosen when faces are extracted."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from faceswap.options import Device, Options, Presentation, ProjectFolder, Side

DetectorName = Annotated[
    Literal["centerface", "sfd", "blazeface", "yunet", "retinaface", "scrfd"],
    Field(
        description="What finds faces. centerface works offline; the others are downloaded "
        "at first use."
    ),
]

LandmarksName = Annotated[
    Literal["builtin", "fan"],
    Field(
        description="What finds the landmarks. builtin works offline and is fast; fan is "
        "downloaded at first use and is slow without a GPU."
    ),
]


class ExtractOptions(Options):
    """Find, track, align and cut out the faces of one clip."""

    video: Annotated[
        Path, Presentation(positional=True, common=True), Field(description="The footage to read.")
    ]
    project: ProjectFolder
    side: Annotated[
        Side,
        Presentation(common=True),
        Field(description="a: the footage to be changed; b: the face to be put on it."),
    ]
    every: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, description="Cut out the faces of every N-th frame."),
    ] = 1
    size: Annotated[
        int,
        Field(
            ge=64,
            le=1024,
            multiple_of=16,
            description="Largest side of a crop, in pixels; a face that is smaller in the footage "
            "is kept at the size that it has there.",
        ),
    ] = 1024
    min_face: Annotated[
        int, Field(ge=0, description="Leave out faces less wide than this many pixels.")
    ] = 0
    max_faces: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, le=16, description="Follow at most so many faces at once, largest first."),
    ] = 1
    detector: DetectorName = "centerface"
    detect_every: Annotated[
        int, Field(ge=1, description="Look for new faces every N frames, besides lost ones.")
    ] = 25
    landmarks: LandmarksName = "builtin"
    device: Device = "auto"
    redo: Annotated[
        bool,
        Field(
            description="Extract this side anew. The old faces stay in use until all new ones are "
            "there; of the same footage, faces that were excluded or deleted are then excluded."
        ),
    ] = False
