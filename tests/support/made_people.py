"""A project with made-up tracks of people who are told apart easily, and no crops."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.index import FaceRow, FrameRow, TrackRow
from faceswap.project.grouping import group_people
from faceswap.project.project import Project
from faceswap.project.source_list import add_source

FRAMES = 50


def vectors_of(person: int, seed: int = 0, count: int = 4) -> NDArray[np.float16]:
    """Embeddings (count, 128), float16, of a person."""
    centre = np.random.default_rng(person).normal(size=128)
    noise = np.random.default_rng((person, seed)).normal(size=(count, 128)) * 0.2
    vectors = centre + noise
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / length, np.float16)


def fill(project: Project, source: str, people: list[int], *, seed: int = 0) -> None:
    """Rows of a source whose track n shows the n-th of ``people``; the first a frame longer."""
    points = np.linspace((0, 0), (40, 40), 68).astype(np.float32)
    with project.open_index() as index:
        index.reset_source(source, {})
        frames = [FrameRow(n, n, n / 25, cut=False) for n in range(FRAMES + 1)]
        faces, tracks = [], []
        for track, person in enumerate(people):
            last = FRAMES - (track > 0)
            place = points + np.array([100 * track, 0], np.float32)
            faces += [
                FaceRow(n, track, place, place[:13], 0.9, (0.0, 0.0, 0.0), None)
                for n in range(last + 1)
            ]
            count = last + 1
            vectors = vectors_of(person, seed)
            tracks.append(TrackRow(track, 0, last, count, count / 25, vectors))
        faces.sort(key=lambda face: (face.frame, face.track))
        index.add(source, frames, faces, {"next": FRAMES + 1}, complete=True, tracks=tracks)
    group_people(project)


def made_project(folder: Path, *sources: tuple[str, list[int]]) -> Project:
    """A project with a source for each (side, people), as ``fill`` makes them."""
    project = Project.open_or_create(folder / "p")
    for number, (side, people) in enumerate(sources):
        path = folder / f"{number}.mp4"
        path.write_bytes(bytes([number]) * 100)
        source = add_source(project, path, side)  # type: ignore[arg-type]
        fill(project, source.id, people, seed=number)
    return project
