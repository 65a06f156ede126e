"""Show what of A's faces may be swapped: what hides them, by track, and drawn on the footage."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from faceswap.background import (
    BackgroundWorker,
    ProgressReporter,
    import_in_background,
    in_background,
)
from faceswap.events import Event, Meter, Notice, Progress, Saved, Summary
from faceswap.options import Device, Overwrite, Presentation, ProjectFolder
from faceswap.swap.compositing.options import MaskOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faceswap.project.project import Project
    from faceswap.swap.compositing.original_mask import OriginalMask, OriginalMasks
    from faceswap.swap.compositing.swapper import AlignedFace
    from faceswap.video.reader import Footage, VideoReader

_SPANS = 20
_HIDDEN = 0.4
"""A face is called hidden where less of it is seen; training leaves such faces out."""


class MasksOptions(MaskOptions):
    """Show what of a source's faces may be swapped, and what hides the rest."""

    project: ProjectFolder
    source: Annotated[
        str,
        Presentation(common=True),
        Field(description="The source, as 'faceswap sources' lists it."),
    ] = "a"
    draw: Annotated[
        Path | None,
        Presentation(common=True),
        Field(description="Write the footage as a video, faces tinted by what they show."),
    ] = None
    device: Device = "auto"
    overwrite: Overwrite = False


class TrackMasks(BaseModel):
    """What is seen of the face of one track. hidden: ranges of frames in which most is hidden, the
    first 20."""

    model_config = ConfigDict(frozen=True)

    track: int
    faces: int
    seen: float
    least: float
    least_frame: int
    hidden: list[tuple[int, int]]


class MasksSummary(Summary):
    """What is seen of each track's face."""

    tracks: list[TrackMasks]

    def text(self) -> str:
        """A table."""
        lines = [f"{'track':>5}{'faces':>9}{'seen':>7}{'least':>7}  hidden in frames"]
        for track in self.tracks:
            spans = ", ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in track.hidden)
            lines.append(
                f"{track.track:>5}{track.faces:>9,}{track.seen:>7.0%}{track.least:>7.0%}"
                f"  {spans or '-'}"
            )
        return "\n".join(lines)


def masks(options: MasksOptions) -> Generator[Event, None, MasksSummary]:
    """Show what of a source's faces may be swapped, and what hides the rest.

    Prints, for each track, how much of the face is seen and the frames in which hair, hands or
    other things hide most of it. With --draw, writes the footage with skin, hair, brows, eyes,
    mouth, glasses and things in front in colors of their own and a line around what is swapped.

        faceswap masks --project P --draw masks.mp4
    """
    from faceswap.project.project import Project

    project = Project.open(options.project)
    _check(options)
    yield Progress(stage="masks", done=0)
    yield from import_in_background(
        "masks",
        "faceswap.video.writer",
        "faceswap.swap.compositing.original_mask",
        "faceswap.swap.compositing.face_placement",
    )
    from faceswap.devices import pick_device
    from faceswap.faces.segmenter import Segmenter
    from faceswap.swap.compositing.original_mask import OriginalMasks
    from faceswap.video.reader import open_footage

    made = OriginalMasks(Segmenter(pick_device(options.device)), options)
    faces = yield from in_background(
        "masks", lambda report: _faces(options, project, report), "faces"
    )
    seen: dict[int, list[tuple[int, float]]] = {}
    with open_footage(project.video(options.source)) as video:
        yield from _frames(options, video, faces, made, seen)
        if video.damage:
            yield Notice(message=video.damage)
    return MasksSummary(tracks=[_track(number, found) for number, found in sorted(seen.items())])


def _check(options: MasksOptions) -> None:
    from faceswap.errors import OutputError

    path = options.draw
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise OutputError(f"There is no folder {path.absolute().parent}; create it first.")
    if path.exists() and not options.overwrite:
        raise OutputError(f"{path} exists already; use --overwrite or another name.")


def _faces(
    options: MasksOptions, project: "Project", report: ProgressReporter
) -> "Mapping[int, Sequence[AlignedFace]]":
    """Aligned faces by frame."""
    from faceswap.errors import NoFaceError
    from faceswap.faces.segmenter import SEGMENT_SIZE
    from faceswap.swap.compositing.face_placement import place_faces

    with project.open_index_read_only() as index, index.snapshot():
        strength = options.alignment_smoothing
        places, _ = place_faces(index, options.source, SEGMENT_SIZE, strength, report)
    if not places:
        raise NoFaceError(
            f"There are no faces of a source {options.source!r} in {project.folder}; see 'faceswap "
            "sources' for those it has, or extract it first."
        )
    return places


def _frames(
    options: MasksOptions,
    video: "VideoReader",
    faces: "Mapping[int, Sequence[AlignedFace]]",
    masks: "OriginalMasks",
    seen: dict[int, list[tuple[int, float]]],
) -> Generator[Event, None, None]:
    """Segment the faces of all frames; adds to ``seen``, by track: frame and share."""
    from faceswap.io.provenance import DRAWN
    from faceswap.video.encoding import OutputLabel
    from faceswap.video.writer import VideoWriter

    meter = Meter("masks", total=video.info.frames or None)
    with ExitStack() as stack:
        paced = stack.enter_context(BackgroundWorker(meter.progress))
        writer = None
        if options.draw is not None:
            writer = stack.enter_context(
                VideoWriter.over(
                    options.draw, video, OutputLabel(DRAWN), overwrite=options.overwrite
                )
            )
            for told in writer.notices:
                yield Notice(message=told)
        for frame in video.footage():
            there = faces.get(frame.index, ())
            made = yield from paced(partial(masks.of, frame.image, there))
            for face, mask in zip(there, made, strict=True):
                seen.setdefault(face.track, []).append((frame.index, mask.seen))
            if writer is not None:
                writer.write_over(frame, _drawn(frame, made))
            progress = meter.add()
            if progress:
                yield progress
        if writer is not None:
            drawn = writer
            yield from in_background("masks", lambda _: drawn.finish(), heartbeat=meter.progress)
    yield meter.progress()
    if options.draw is not None:
        yield Saved(what="masks", path=options.draw)


def _drawn(frame: "Footage", masks: "Sequence[OriginalMask]") -> "NDArray[np.uint8]":
    from faceswap.swap.compositing.original_mask import draw_mask

    image = frame.image.copy()
    for mask in masks:
        draw_mask(image, mask)
    return image


def _track(number: int, found: Sequence[tuple[int, float]]) -> TrackMasks:
    least_frame, least = min(found, key=lambda one: one[1])
    return TrackMasks(
        track=number,
        faces=len(found),
        seen=sum(share for _, share in found) / len(found),
        least=least,
        least_frame=least_frame,
        hidden=list(islice(_spans(frame for frame, share in found if share < _HIDDEN), _SPANS)),
    )


def _spans(frames: Iterator[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    first = last = None
    for frame in frames:
        if last is not None and frame == last + 1:
            last = frame
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = frame
    if first is not None and last is not None:
        yield first, last
