"""Delete faces by hand that are none, in a range of frames; and bring them back.

What was deleted is deleted again where the source is extracted again.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from faceswap.errors import NoFaceError
from faceswap.faces.crop_recovery import recover_rows
from faceswap.faces.deleted_faces import (
    SAME,
    FaceKey,
    delete_faces,
    deleted_faces,
    restore_faces,
    same_faces,
)
from faceswap.faces.face import Box, box_of
from faceswap.faces.finder import overlap
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_schema import FaceRow
from faceswap.faces.manual_exclusion import DELETED
from faceswap.project.by_hand import Mend, Place, mends_of, place_of, record_count, set_mends
from faceswap.project.project import Project

ChooseTracks = Callable[[Iterable[FaceRow]], Collection[int]]
"""From the faces of the first frame of a range to the tracks that are deleted in it."""


def track_in(box: Box | None) -> ChooseTracks:
    """Chooses the track of the face that lies best in a box; of all faces where there is none."""

    def choose(faces: Iterable[FaceRow]) -> list[int]:
        if box is None:
            return [face.track for face in faces]
        places = [(overlap(box_of(face.points), box), face.track) for face in faces]
        return [track for share, track in sorted(places)[-1:] if share >= SAME]

    return choose


def delete(project: Project, wanted: Mend, choose: ChooseTracks) -> int:
    """Delete the faces of the chosen tracks in the frames of ``wanted``; returns their number.

    Raises NoFaceError when there is none, ProjectError when the source is being extracted,
    OutputError when the project cannot be written.
    """
    source = wanted.source
    with project.lock_source(source), project.open_index() as index:
        place = replace(place_of(project, source), rows=index.key(source))
        inside = [f for f in index.faces(source) if wanted.first <= f.frame <= wanted.last]
        tracks = set(choose(face for face in inside if face.frame == wanted.first))
        faces = [(face.frame, face.track) for face in inside if face.track in tracks]
        if not faces:
            raise NoFaceError(
                f"There is no such face in frame {wanted.first} of {source.upper()}; give a frame "
                "and a box that show it."
            )
        numbers = {str(place.generation): sorted(tracks)}
        box = next(box_of(face.points) for face in inside if face.track in tracks)
        made = replace(wanted, delete=True, box=box if len(tracks) == 1 else None, tracks=numbers)
        known = mends_of(project.settings(), source)
        # First, so that what a kill leaves half done can be taken back.
        project.change_settings(lambda all_: set_mends(all_, source, [*known, made]))
        delete_faces(index, place.rows, faces, place.folder)
        record_count(project, index, source)
    return len(faces)


def undelete(project: Project, index: FaceIndex, last: Mend, earlier: Iterable[Mend]) -> None:
    """Bring back what ``last`` deleted, but not what ``earlier`` ones had deleted before it.

    Raises OutputError when a crop cannot be moved.
    """
    place = place_of(project, last.source)
    rows = index.key(last.source)
    gone = [mend for mend in earlier if mend.delete]
    faces = [
        key
        for key, _ in deleted_faces(index, rows)
        if _is_of(last, key, place) and not any(_is_of(mend, key, place) for mend in gone)
    ]
    restore_faces(index, rows, faces, place.folder)


def delete_again(index: FaceIndex, wanted: Mend, old: Place, place: Place) -> Mend:
    """Delete from a new extraction what ``wanted`` deleted from the old one; returns it anew.

    Where the old one did not find it either, its box in the first frame stands for it. Raises
    OutputError when a crop cannot be moved.
    """
    known = [item for item in deleted_faces(index, old.rows) if _is_of(wanted, item[0], old)]
    every = 1
    if not known and wanted.box is not None:
        known, every = [((wanted.first, 0), wanted.box)], 1 + wanted.last - wanted.first
    tracks = _delete_same(index, wanted, known, place, every)
    return replace(wanted, tracks={**wanted.tracks, str(place.generation): tracks})


def delete_recovered(project: Project, index: FaceIndex, source: str, every: int) -> None:
    """Delete again what was deleted before the index was lost, as far as it has crops.

    every: so many frames a crop stands for. Raises OutputError when a crop cannot be moved.
    """
    place = place_of(project, source)
    mends = [mend for mend in mends_of(project.settings(), source) if mend.delete]
    if not mends:
        return
    mark = project.extraction_record(source).footage
    rows = recover_rows(place.folder / DELETED, source, mark).faces
    known = [((face.frame, face.track), box_of(face.points)) for face in rows]
    for mend in mends:  # whose tracks have their numbers again
        _delete_same(index, mend, known, replace(place, rows=index.key(source)), every)


def _delete_same(
    index: FaceIndex, wanted: Mend, known: Iterable[tuple[FaceKey, Box]], place: Place, every: int
) -> list[int]:
    """Delete what lies where known faces lay, in the frames of ``wanted``; returns its tracks."""
    inside = [face for face in index.faces(place.rows) if wanted.first <= face.frame <= wanted.last]
    faces = same_faces(known, inside, every)
    delete_faces(index, place.rows, faces, place.folder)
    return sorted({track for _, track in faces})


def _is_of(mend: Mend, face: FaceKey, place: Place) -> bool:
    frame, track = face
    return mend.first <= frame <= mend.last and track in mend.numbers(place.generation)
