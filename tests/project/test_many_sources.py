"""A project of many sources stays quick: 200,000 faces in 1,000 sources (made-up records)."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from faceswap.faces.index import TrackRow
from faceswap.project.grouping import group_people
from faceswap.project.people import chosen_person, people_of
from faceswap.project.project import Project
from faceswap.project.settings_file import NAME

SOURCES, TRACKS, FACES, PEOPLE = 1000, 4, 50, 20


def made_up(folder: Path) -> Project:
    """A project of 4,000 tracks of 50 faces each, of 20 people who are told apart easily."""
    entries = {
        f"a{n}": {"path": f"/{n}.mp4", "fingerprint": f"f{n}", "kind": "video", "sides": "a"}
        for n in range(SOURCES)
    }
    (folder / NAME).write_text(tomli_w.dumps({"format": 2, "sources": entries}))
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(PEOPLE, 128))
    project = Project.open(folder)
    points, forehead = bytes(68 * 8), bytes(13 * 8)
    with project.open_index() as index:
        db = index.connection
        db.execute("BEGIN")
        for n, name in enumerate(entries):
            db.execute("INSERT INTO clips VALUES (?, '{}', '{}', 1)", (name,))
            rows = [
                (name, frame, track, points, forehead, 0.9, 0.0, 0.0, 0.0, None)
                for track in range(TRACKS)
                for frame in range(FACES)
            ]
            db.executemany("INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            for track in range(TRACKS):
                vectors = centres[(n + track) % PEOPLE] + 0.2 * rng.normal(size=(4, 128))
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                row = TrackRow(track, 0, FACES - 1, FACES, 2.0, vectors.astype(np.float16))
                values = "INSERT INTO tracks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                db.execute(values, row.values(name))
        db.execute("COMMIT")
    return project


@pytest.mark.slow
def test_two_hundred_thousand_faces_are_grouped_listed_and_chosen_from(tmp_path: Path) -> None:
    project = made_up(tmp_path)
    group_people(project)
    tracemalloc.start()
    begun = time.process_time()
    with project.open_index_read_only() as index:
        people = people_of(project, index)
        counts = [index.track_counts(source.id) for source in project.sources()]
        some = {source.id for source in project.sources()[:10]}
        shown = [person for person in people if some & set(person.tracks)]
    seconds = time.process_time() - begun
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(people) == PEOPLE
    assert sum(person.faces for person in people) == SOURCES * TRACKS * FACES
    assert sum(faces for faces, _ in counts) == SOURCES * TRACKS * FACES
    assert chosen_person(shown, some) is not None
    assert most < 64 * 2**20
    # With memory traced and on any machine; 'scripts/benchmark.py people' tells the time itself.
    assert seconds < 20
