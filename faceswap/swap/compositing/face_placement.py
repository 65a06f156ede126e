"""Smoothed alignments of the faces to swap, by frame."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from faceswap.background import ReportProgress, no_report
from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.index import FaceIndex, FaceRow
from faceswap.faces.smoothing import smooth
from faceswap.swap.compositing.color_smoothing import ANCHOR_EVERY
from faceswap.swap.compositing.swapper import AlignedFace
from faceswap.types import Matrix


def place_faces(
    index: FaceIndex,
    source: str,
    resolution: int,
    strength: float,
    report: ReportProgress = no_report,
    keep: Callable[[int, int], bool] | None = None,
) -> tuple[dict[int, list[AlignedFace]], set[int]]:
    """Smoothed, aligned faces by frame, and the set of first frames after a cut.

    resolution: side of the model's crops. strength: of alignment smoothing, 0 (off) to 1. report:
    progress, called for each face. keep: whether a face, by track and frame, is swapped at all.
    """
    cuts = {row.frame for row in index.frames(source) if row.cut}
    tracks: dict[int, list[FaceRow]] = defaultdict(list)
    total = 2 * index.count(source)[1]  # each face is read, then aligned
    done = 0
    for face in index.faces(source):
        report(done, total)
        tracks[face.track].append(face)
        done += 1
    placed: dict[int, list[AlignedFace]] = defaultdict(list)
    shots = [0, *sorted(cuts)]
    for faces in tracks.values():
        for stretch in split_into_shots(faces, cuts):
            smoothed = smooth(_similarities(stretch, report, done, total), strength)
            done += len(stretch)
            shot = shots[bisect(shots, stretch[0].frame) - 1]
            for number, (face, similarity) in enumerate(zip(stretch, smoothed, strict=True)):
                if keep is not None and not keep(face.track, face.frame):
                    continue
                placed[face.frame].append(
                    AlignedFace(
                        face.track,
                        face.points,
                        face.forehead,
                        crop_matrix(similarity, resolution),
                        face.frame,
                        shot,
                        number % ANCHOR_EVERY == 0,
                    )
                )
    return dict(placed), cuts


def _similarities(
    faces: Iterable[FaceRow], report: ReportProgress, done: int, total: int
) -> Iterator[Matrix]:
    for number, face in enumerate(faces, done):
        report(number, total)
        yield face_similarity(face.points)


def split_into_shots(faces: Iterable[FaceRow], cuts: set[int]) -> Iterator[list[FaceRow]]:
    """Split the faces of one track at missing frames and cuts."""
    stretch: list[FaceRow] = []
    for face in faces:
        if stretch and (face.frame != stretch[-1].frame + 1 or face.frame in cuts):
            yield stretch
            stretch = []
        stretch.append(face)
    if stretch:
        yield stretch
