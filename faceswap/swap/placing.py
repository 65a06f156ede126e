"""Where the faces to be swapped are, calm over time."""

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator

from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.index import FaceIndex, FaceRow
from faceswap.faces.smooth import smooth
from faceswap.swap.swapper import Placed
from faceswap.swap.tone import ANCHOR_EVERY


def placed_faces(
    index: FaceIndex, side: str, resolution: int, strength: float
) -> tuple[dict[int, list[Placed]], set[int]]:
    """The faces of every frame that has some, placed for a model, and the frames after a cut.

    resolution: side of the model's crops. strength: how far the place of a face is smoothed
    over time, 0 (off) to 1.
    """
    cuts = {row.frame for row in index.frames(side) if row.cut}
    tracks: dict[int, list[FaceRow]] = defaultdict(list)
    for face in index.faces(side):
        tracks[face.track].append(face)
    placed: dict[int, list[Placed]] = defaultdict(list)
    shots = [0, *sorted(cuts)]
    for faces in tracks.values():
        for stretch in unbroken(faces, cuts):
            calm = smooth([face_similarity(face.points) for face in stretch], strength)
            shot = shots[bisect(shots, stretch[0].frame) - 1]
            for number, (face, similarity) in enumerate(zip(stretch, calm, strict=True)):
                placed[face.frame].append(
                    Placed(
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


def unbroken(faces: Iterable[FaceRow], cuts: set[int]) -> Iterator[list[FaceRow]]:
    """The faces of one track in stretches without a missing frame or a cut."""
    stretch: list[FaceRow] = []
    for face in faces:
        if stretch and (face.frame != stretch[-1].frame + 1 or face.frame in cuts):
            yield stretch
            stretch = []
        stretch.append(face)
    if stretch:
        yield stretch
