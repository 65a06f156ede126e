"""Where the faces to be swapped are, calm over time."""

from collections import defaultdict

from faceswap.faces.align import crop_matrix, face_similarity
from faceswap.faces.index import FaceIndex, FaceRow
from faceswap.swap.swapper import Placed


def placed_faces(
    index: FaceIndex, side: str, resolution: int, smooth: float
) -> tuple[dict[int, list[Placed]], set[int]]:
    """The faces of every frame that has some, placed for a model, and the frames after a cut.

    resolution: side of the model's crops. smooth: how far the place of a face is smoothed over
    time, 0 to 1; each shot of each track by itself.
    """
    cuts = {row.frame for row in index.frames(side) if row.cut}
    tracks: dict[int, list[FaceRow]] = defaultdict(list)
    for face in index.faces(side):
        tracks[face.track].append(face)
    placed: dict[int, list[Placed]] = defaultdict(list)
    for track, faces in tracks.items():
        for face in faces:
            matrix = crop_matrix(face_similarity(face.points), resolution)
            placed[face.frame].append(Placed(track, face.points, face.forehead, matrix))
    return dict(placed), cuts
