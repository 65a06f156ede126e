"""What can be told of footage when it is opened, before any extraction."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import NoFaceError
from faceswap.faces.detect import make_detector
from faceswap.faces.extract_options import ExtractOptions
from faceswap.project.project import Project
from faceswap.project.source_list import find_source
from faceswap.types import UInt8Image
from faceswap.video.reader import VideoReader

FEWEST_FACES = 12
"""Fewest faces that training accepts, see ``swap/training/face_selection.py``."""
_COUNTED = 40
"""Most pictures whose faces are counted beforehand."""
_LOOKED_AT = (0.0, 1.0, 2.0)
"""Seconds of a video at which its first frames are looked at."""
_CROP_BYTES = 150_000
"""Of a crop at 256 px, as PNG."""


def check_inputs(options: ExtractOptions, inputs: Sequence[VideoReader]) -> list[str]:
    """Warnings about files before they are extracted; looks at new ones only.

    Raises NoFaceError when B would have less than 12 faces even with all that the project has.
    """
    known = 0
    new = list(inputs)
    if (options.project / "project.toml").is_file():
        project = Project.open(options.project)
        new = [one for one in inputs if find_source(project, one.path) is None]
        known = _faces_of(project, options.side)
    notices = [notice for notice in [space_notice(options, new)] if notice]
    if options.side == "b" and new and not options.redo:
        check_count(new, known, options)
    return notices


def _faces_of(project: Project, side: str) -> int:
    with project.open_index_read_only() as index:
        return sum(index.count(s.id)[1] for s in project.sources() if side in s.sides)


def check_count(
    inputs: Sequence[VideoReader], known: int, options: ExtractOptions | None = None
) -> None:
    """Raise NoFaceError when B's files can't give 12 faces; known: faces that there are already.

    A few pictures are searched; of videos the frames are counted.
    """
    frames = [one.info.frames for one in inputs]
    if known >= FEWEST_FACES or not all(frames):
        return
    count = sum(frames)
    if all(one.info.still for one in inputs) and count <= _COUNTED:
        detector = make_detector(options.detector if options else "centerface")
        pictures = (frame.image for one in inputs for frame in one.frames())
        count = sum(bool(detector.detect(picture)) for picture in pictures)
    if known + count < FEWEST_FACES:
        names = ", ".join(one.path.name for one in inputs)
        found = "one face" if known + count == 1 else f"{known + count or 'no'} faces"
        raise NoFaceError(
            f"B has {found} in {names}, and at least {FEWEST_FACES} are needed; give more pictures "
            "or a video of B, all in one command."
        )


def space_notice(options: ExtractOptions, inputs: Sequence[VideoReader]) -> str | None:
    """What to tell when the crops may not fit on the disk; None when they should."""
    folder = next(p for p in (options.project, *options.project.absolute().parents) if p.exists())
    crops = sum(one.info.frames for one in inputs) // options.every
    share = min(1.0, options.size / 256) ** 2
    wanted, free = round(crops * _CROP_BYTES * share), shutil.disk_usage(folder).free
    if wanted < free:
        return None
    return (
        f"The crops may take {wanted / 2**30:.1f} GiB, and {folder} has {free / 2**30:.1f} GiB "
        "left; free some space, or save fewer crops with --every or smaller ones with --size."
    )


def first_faces(footage: VideoReader, detector: str = "centerface") -> list[int]:
    """Number of faces in frames of the first seconds of a video."""
    finder = make_detector(detector)
    return [len(finder.detect(image)) for image in _first_frames(footage)]


def _first_frames(footage: VideoReader) -> list[UInt8Image]:
    rate, total = footage.info.rate, footage.info.frames
    places = [round(seconds * rate) for seconds in _LOOKED_AT]
    images = []
    for place in places:
        if place == 0 or place < total:
            images += [frame.image for frame in footage.frames(place, place + 1)]
    return images


def no_face_notice(path: Path) -> str:
    """What to tell of footage without a face in its first seconds."""
    return (
        f"No face was found in the first seconds of {path.name}; is it the right file, upright and "
        "well lit?"
    )


def several_faces_notice(path: Path, count: int) -> str:
    """What to tell of footage that shows several faces at once."""
    return (
        f"{path.name} shows {count} faces at once. All are followed; 'faceswap people' lists who "
        "they are, and without a choice the one longest on screen is taken."
    )
