"""Add faces to an extracted source where none was found: from a box, or by another detector.

Where a new face lies on a known one, the known one stays. What was added is done again when the
source is extracted again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from faceswap.background import ReportProgress, no_report
from faceswap.errors import NoFaceError, OptionsError, OutputError
from faceswap.faces.added_faces import add_faces, boxes_between, remove_tracks
from faceswap.faces.crop_writer import CropSettings, CropWriter
from faceswap.faces.deleted_faces import SAME, deleted_faces, restore_faces
from faceswap.faces.extract_options import ExtractOptions
from faceswap.faces.face import Box, Detection
from faceswap.faces.finder import overlap
from faceswap.faces.index import FaceIndex, FaceRow, FrameRow
from faceswap.faces.landmarks import make_landmarker
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.faces.track_rows import TrackRows
from faceswap.faces.tracking import TrackedFrame, Tracker
from faceswap.project.by_hand import Mend, Place, mends_of, place_of, record_count, set_mends
from faceswap.project.deleting import delete_again, undelete
from faceswap.project.frame_pass import make_tracker
from faceswap.project.people import pinned
from faceswap.project.project import Project
from faceswap.types import UInt8Image
from faceswap.video.reader import VideoReader

_DETECT_EVERY = 5
"""Frames between two detections where a range is detected anew."""


def mend(
    project: Project, footage: VideoReader, wanted: Mend, report: ReportProgress = no_report
) -> int:
    """Add the faces of ``wanted`` to its source; returns their number.

    Raises NoFaceError when there is none that was not known, OptionsError when the source is not
    extracted there, ProjectError when it is being extracted.
    """
    with project.lock_source(wanted.source), project.open_index() as index:
        place = replace(place_of(project, wanted.source), rows=index.key(wanted.source))
        known = mends_of(project.settings(), wanted.source)
        made, count = _add(project, index, footage, wanted, place, report)
        project.change_settings(lambda all_: set_mends(all_, wanted.source, [*known, made]))
        record_count(project, index, wanted.source)
    return count


def unmend(project: Project, source: str) -> Mend:
    """Take back what was last done to a source by hand.

    Raises OptionsError when nothing was, OutputError when a crop cannot be moved or removed.
    """
    with project.lock_source(source), project.open_index() as index:
        known = mends_of(project.settings(), source)
        if not known:
            raise OptionsError(f"Nothing was added to or deleted from {source.upper()} by hand.")
        last, place, names = known[-1], place_of(project, source), list[str]()
        if last.delete:
            undelete(project, index, last, known[:-1])
        else:
            names = remove_tracks(index, index.key(source), last.numbers(place.generation))
        project.change_settings(lambda all_: set_mends(all_, source, known[:-1]))
        record_count(project, index, source)
    for name in names:
        for path in (place.folder / name, place.folder / EXCLUDED / name):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise OutputError(f"Cannot remove {path}: {error.strerror or error}.") from error
    return last


def mend_again(
    project: Project,
    index: FaceIndex,
    footage: VideoReader,
    place: Place,
    report: ReportProgress = no_report,
) -> list[str]:
    """Do to a new extraction what was done by hand, too; returns what to tell."""
    known = mends_of(project.settings(), place.source)
    old = replace(place_of(project, place.source), rows=index.key(place.source))
    gone = [face for face, _ in deleted_faces(index, place.rows)]
    restore_faces(index, place.rows, gone, place.folder)  # of a stopped attempt
    told, done = [], []
    for number, wanted in enumerate(known):
        report(number, len(known))
        if wanted.delete:  # what is not found again needs no deletion
            done.append(delete_again(index, wanted, old, place))
            continue
        remove_tracks(index, place.rows, wanted.numbers(place.generation))  # of a stopped attempt
        try:
            made, _ = _add(project, index, footage, wanted, place)
        except (NoFaceError, OptionsError):
            made = wanted
            told.append(
                f"What was added by hand from frame {wanted.first} on was not needed or not found "
                "again."
            )
        done.append(made)
    if known:
        project.change_settings(lambda all_: set_mends(all_, place.source, done))
    return told


def _add(
    project: Project,
    index: FaceIndex,
    footage: VideoReader,
    wanted: Mend,
    place: Place,
    report: ReportProgress = no_report,
) -> tuple[Mend, int]:
    """Add faces to the rows of a place; returns the mend with their tracks, and their number."""
    frames = {row.frame: row for row in index.frames(place.rows)}
    if wanted.first not in frames or wanted.last not in frames:
        raise OptionsError(
            f"{place.source.upper()} is extracted up to frame {max(frames, default=-1)}; choose "
            "frames of these."
        )
    base = _next_track(index, place, project.settings())
    known: dict[int, list[Box]] = defaultdict(list)
    for number, box in boxes_between(index, place.rows, wanted.first, wanted.last):
        known[number].append(box)
    options = _options(project, place.source, wanted)
    shot = max((n for n, row in frames.items() if row.cut and n <= wanted.first), default=0)
    clip = index.clip_of(place.rows)
    mark = clip.footage if clip is not None else None
    cropping = CropSettings(place.folder, place.source, options.size, options.every, mark)
    tracker = _tracker(options, wanted)
    seconds = 0.0 if footage.info.still else float(1 / footage.info.rate)
    tracks, faces = TrackRows(seconds), list[FaceRow]()
    with CropWriter(cropping, shot) as crops:
        for frame in footage.frames(wanted.first):
            if frame.index > wanted.last:
                break
            report(frame.index - wanted.first, wanted.last + 1 - wanted.first)
            seen = _without(tracker.update(frame.image), known[frame.index], base)
            if wanted.box is not None and not seen.faces:
                break  # what was drawn is followed as far as it goes
            row = frames.get(frame.index, FrameRow(frame.index, frame.pts, frame.time, cut=False))
            faces += [crops.write(frame.image, row, face) for face in seen.faces]
            tracks.add(row, seen)
        crops.wait()
    if not faces:
        raise NoFaceError(
            "No face was found there that was not known already; draw the box closely around a "
            "face, or try another detector."
        )
    rows = list(tracks.changed())
    add_faces(index, place.rows, faces, rows)
    numbers = {**wanted.tracks, str(place.generation): [row.track for row in rows]}
    return replace(wanted, tracks=numbers), len(faces)


class _Drawn:
    """The detector that finds what was drawn, in the first frame it is asked for."""

    name = "drawn"

    def __init__(self, box: Box) -> None:
        self._boxes = [box]

    def detect(self, frame: UInt8Image) -> list[Detection]:
        return [Detection(self._boxes.pop(), 1.0)] if self._boxes else []


def _tracker(settings: ExtractOptions, wanted: Mend) -> Tracker:
    if wanted.box is None:
        made = make_tracker(settings, still=False)
        assert isinstance(made, Tracker)
        return made
    from faceswap.faces.embedding import Embedder

    landmarker = make_landmarker(settings.landmarker, settings.device)
    return Tracker(landmarker, _Drawn(wanted.box), embedder=Embedder())


def _without(seen: TrackedFrame, known: Sequence[Box], base: int) -> TrackedFrame:
    """Only the faces that lie on no known one, with track numbers from ``base`` on."""
    new = [f for f in seen.faces if all(overlap(f.box, box) < SAME for box in known)]
    return replace(
        seen,
        faces=tuple(replace(face, track=base + face.track) for face in new),
        embeddings={base + track: vector for track, vector in seen.embeddings.items()},
    )


def _options(project: Project, source: str, wanted: Mend) -> ExtractOptions:
    """The options that the source was extracted with, with the detector that is wanted."""
    stored: Mapping[str, Any] = project.extraction_record(source).settings
    names = ("every", "size", "min_face", "max_faces", "landmarker")
    known = {name: stored[name] for name in names if name in stored}
    return ExtractOptions.model_validate(
        {
            **known,
            "inputs": (project.folder,),
            "project": project.folder,
            "side": "a",
            "detector": wanted.detector,
            "detect_every": _DETECT_EVERY,
        }
    )


def _next_track(index: FaceIndex, place: Place, settings: Mapping[str, Any]) -> int:
    """A number above all that tracks of the source ever had: what was decided names them."""
    used = [row.track for row in index.tracks(place.rows)]
    used += [track for source, track in pinned(settings) if source == place.source]
    used += [
        n for one in mends_of(settings, place.source) for ns in one.tracks.values() for n in ns
    ]
    return 1 + max(used, default=-1)
