"""Options of face extraction."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from faceswap.options import Device, Options, Presentation, ProjectFolder, Side

DetectorName = Annotated[
    Literal["centerface", "sfd", "blazeface", "yunet", "retinaface", "scrfd"],
    Field(
        description="Face detector. centerface works offline; the others are downloaded at first "
        "use."
    ),
]

LandmarkerName = Annotated[
    Literal["builtin", "fan"],
    Field(
        description="Landmarker. builtin works offline and is fast; fan is downloaded at first use "
        "and is slow without a GPU."
    ),
]


class ExtractOptions(Options):
    """Detect, track and align the faces of one video and save them as crops."""

    renamed: ClassVar[Mapping[str, str]] = {"landmarks": "landmarker"}

    video: Annotated[
        Path, Presentation(positional=True, common=True), Field(description="The video to read.")
    ]
    project: Annotated[ProjectFolder, Field(description="The project folder; created if missing.")]
    side: Annotated[
        Side,
        Presentation(common=True),
        Field(description="a: the footage to change; b: the face to put on it."),
    ]
    every: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, description="Save crops of every N-th frame only; all frames are tracked."),
    ] = 1
    size: Annotated[
        int,
        Field(
            ge=64,
            le=1024,
            multiple_of=16,
            description="Maximum side of a crop, in pixels; smaller faces are not enlarged.",
        ),
    ] = 1024
    min_face: Annotated[
        int, Field(ge=0, description="Leave out faces narrower than this many pixels.")
    ] = 0
    max_faces: Annotated[
        int,
        Presentation(common=True),
        Field(ge=1, le=16, description="Maximum number of faces per frame, largest first."),
    ] = 1
    detector: DetectorName = "centerface"
    detect_every: Annotated[
        int, Field(ge=1, description="Run the detector every N frames, and when a face is lost.")
    ] = 25
    landmarker: LandmarkerName = "builtin"
    device: Device = "auto"
    redo: Annotated[
        bool,
        Field(
            description="Extract all faces of this side again. The old crops stay in use until all "
            "new ones are there. With the same video, excluded or deleted faces are excluded again."
        ),
    ] = False
