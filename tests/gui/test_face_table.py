"""Sorting of a side's faces by likeness: who a face is first, then how it looks."""

from pathlib import Path

import numpy as np

from gui.models.face_table import FacePart, FaceTableModel

COLUMNS = ("frame", "track", "time", "yaw", "pitch", "mouth", "lids", "person", "excluded")


def part(source: str, tracks: list[int], yaw: list[float]) -> FacePart:
    values = np.zeros((len(tracks), len(COLUMNS)), np.float32)
    values[:, COLUMNS.index("frame")] = np.arange(len(tracks))
    values[:, COLUMNS.index("track")], values[:, COLUMNS.index("yaw")] = tracks, yaw
    names = [f"{n:06}_{track}.png" for n, track in enumerate(tracks)]
    return FacePart(source, names, COLUMNS, values, Path(source), Path(source) / "excluded")


def test_tracks_of_the_same_person_come_first_and_alike_poses_within_them() -> None:
    table = FaceTableModel(
        [part("a", [0, 1, 0, 1, 2], [0, 0, 40, 5, 0]), part("a2", [0, 0, 1], [30, 2, 0])]
    )
    chosen = 0  # of track 0 of a; track 0 of a2 shows the same person, the others do not
    table.set_likeness("a", {0: 0.95, 1: 0.1, 2: -0.2}, chosen)
    table.set_likeness("a2", {0: 0.9}, chosen)  # track 1 has no embedding
    order = table.order("likeness", "all").tolist()
    assert order == [0, 2, 6, 5, 1, 3, 4, 7]
    assert table.order("likeness", "all", source="a2").tolist() == [6, 5, 7]


def test_another_chosen_face_forgets_the_likeness_before() -> None:
    table = FaceTableModel([part("a", [0, 1], [0, 0]), part("b", [0, 1], [0, 0])])
    for source, tracks in (("a", {0: 0.9, 1: 0.0}), ("b", {0: 0.8, 1: 0.1})):
        table.set_likeness(source, tracks, 0)
    assert table.order("likeness", "all").tolist() == [0, 2, 3, 1]
    for source, tracks in (("a", {0: 0.0, 1: 0.9}), ("b", {0: 0.1, 1: 0.8})):
        table.set_likeness(source, tracks, 1)
    assert table.order("likeness", "all").tolist() == [1, 3, 2, 0]
