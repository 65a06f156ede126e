"""The index keeps whole batches and the state after them, or nothing."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from faceswap.errors import DamagedIndexError, OutputError, ProjectError
from faceswap.faces.index import FaceIndex, FaceRow, FrameRow, TrackRow, staged_key
from faceswap.io import database


def frame(number: int) -> FrameRow:
    return FrameRow(number, number * 512, number / 25, cut=number == 0)


def face(number: int, track: int = 1) -> FaceRow:
    rng = np.random.default_rng(number)
    return FaceRow(
        number,
        track,
        rng.uniform(0, 500, (68, 2)).astype(np.float32),
        rng.uniform(0, 500, (13, 2)).astype(np.float32),
        0.9,
        (1.0, 2.0, 3.0),
        None,
    )


def test_what_was_added_comes_back_in_order(tmp_path: Path) -> None:
    with FaceIndex(tmp_path / "i.sqlite") as index:
        index.reset_source("a", {"size": 256})
        index.add("a", [frame(0), frame(1)], [face(0), face(1, 2), face(1, 1)], {"next": 2})
    with FaceIndex(tmp_path / "i.sqlite") as index:
        assert index.frames("a") == [frame(0), frame(1)]
        faces = list(index.faces("a"))
        assert [(f.frame, f.track) for f in faces] == [(0, 1), (1, 1), (1, 2)]
        assert_array_equal(faces[0].points, face(0).points)
        clip = index.clip("a")
        assert clip is not None
        assert (clip.settings, clip.state, clip.complete) == ({"size": 256}, {"next": 2}, False)
        assert index.count("a") == (2, 3, 2)
        assert index.clip("b") is None


def test_a_batch_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    with FaceIndex(tmp_path / "i.sqlite") as index:
        index.reset_source("a", {})
        index.add("a", [frame(0)], [face(0)], {"next": 1})
        with pytest.raises(Exception, match="UNIQUE"):
            index.add("a", [frame(1), frame(0)], [face(1)], {"next": 2})
        assert index.frames("a") == [frame(0)]
        clip = index.clip("a")
        assert clip is not None
        assert clip.state == {"next": 1}


def test_starting_anew_forgets_one_side_only(tmp_path: Path) -> None:
    with FaceIndex(tmp_path / "i.sqlite") as index:
        for side in ("a", "b"):
            index.reset_source(side, {})
            index.add(side, [frame(0)], [face(0)], {}, complete=True)
        index.reset_source("a", {"size": 128})
        assert index.count("a") == (0, 0, 0)
        assert index.count("b") == (1, 1, 1)


def test_a_newer_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ProjectError, match="newer version"):
        FaceIndex(path)


def test_a_damaged_index_is_told(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DamagedIndexError, match="damaged"):
        FaceIndex(path)


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Cannot open"):
        FaceIndex(tmp_path / "none" / "i.sqlite")


NONE = np.zeros((0, 128), np.float16)

METHODS: dict[str, Callable[[FaceIndex], object]] = {
    "clip": lambda index: index.clip("a"),
    "clip_of": lambda index: index.clip_of("a"),
    "key": lambda index: index.key("b"),
    "staged_keys": lambda index: index.staged_keys("a"),
    "frames": lambda index: index.frames("a"),
    "faces": lambda index: list(index.faces("a")),
    "crop_names": lambda index: index.crop_names("a"),
    "count": lambda index: index.count("a"),
    "last_cut": lambda index: index.last_cut("a"),
    "check": lambda index: index.check(),
    "add": lambda index: index.add("a", [frame(99)], [face(99)], {}),
    "reset_source": lambda index: index.reset_source("a", {}),
    "delete_rows": lambda index: index.delete_rows("a"),
    "tracks": lambda index: index.tracks("a"),
    "replace_tracks": lambda index: index.replace_tracks("a", [TrackRow(0, 0, 1, 2, 0.1, NONE)]),
    "set_people": lambda index: index.set_people("a", {0: 1}),
    "track_counts": lambda index: index.track_counts("a"),
    "has_new_tracks": lambda index: index.has_new_tracks(),
    "tracks_together": lambda index: index.tracks_together("a"),
    "crops_of_tracks": lambda index: index.crops_of_tracks("a", {0}, 3),
    "middle_crops": lambda index: index.middle_crops("a"),
    "sum_up_tracks": lambda index: index.sum_up_tracks(),
    "promote_staged": lambda index: index.promote_staged("a", "b"),
}


def filled(path: Path) -> Path:
    with FaceIndex(path) as index:
        index.reset_source("a", {})
        index.add("a", [frame(n) for n in range(60)], [face(n) for n in range(60)], {})
    return path


def test_all_public_methods_are_tried() -> None:
    public = {name for name in vars(FaceIndex) if not name.startswith("_")}
    others = {"reading", "in_memory", "close", "empty", "snapshot", "repairs", "connection"}
    others.add("transaction")
    assert public - others == set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_locked_index_is_told_by_every_method(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT", 0.01)
    path = filled(tmp_path / "i.sqlite")
    with FaceIndex(path, {"b": 2}) as index, closing(sqlite3.connect(path)) as other:
        index._db.execute("PRAGMA journal_mode = DELETE")  # in which readers wait, too
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProjectError, match=r"i\.sqlite is in use by another program"):
            METHODS[method](index)
        other.rollback()
        METHODS[method](index)


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_index_is_told_by_every_method(method: str, tmp_path: Path) -> None:
    path = filled(tmp_path / "i.sqlite")
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(4096)  # the first page says what tables there are, and where
        file.write(b"\xa5" * (size - 4096))
    with FaceIndex(path, {"b": 2}) as index, pytest.raises(DamagedIndexError, match="is damaged"):
        METHODS[method](index)


@pytest.mark.parametrize(
    "many",
    [
        lambda index: index.add("a", [], [face(n) for n in range(100, 200)], {"next": 1}),
        lambda index: index.reset_source("b", {"long": "x" * 100_000}),
    ],
)
def test_a_full_disk_is_told_and_leaves_what_was_there(
    many: Callable[[FaceIndex], None], tmp_path: Path
) -> None:
    with FaceIndex(filled(tmp_path / "i.sqlite")) as index:
        (pages,) = index._db.execute("PRAGMA page_count").fetchone()
        index._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutputError, match=r"The disk of .* is full"):
            many(index)
        assert index.count("a") == (60, 60, 1)
        assert index.clip("b") is None


def test_rows_that_are_none_are_damage(tmp_path: Path) -> None:
    path = filled(tmp_path / "i.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE faces SET points = x'00' WHERE frame = 7")
        db.execute("UPDATE clips SET state = 'none'")
    with FaceIndex(path) as index:
        with pytest.raises(DamagedIndexError, match="frame 7"):
            list(index.faces("a"))
        with pytest.raises(DamagedIndexError, match="damaged"):
            index.clip("a")


def test_a_defect_of_ours_is_not_taken_for_damage(tmp_path: Path) -> None:
    index = FaceIndex(tmp_path / "i.sqlite")
    index.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        index.clip("a")


def test_many_that_come_at_once_make_one_index(tmp_path: Path) -> None:
    def opened(path: Path, start: threading.Barrier, side: str) -> None:
        start.wait()
        with FaceIndex(path) as index:
            index.reset_source(side, {})
            index.add(side, [frame(0)], [face(0)], {}, complete=True)

    sides = [f"side {n}" for n in range(6)]
    with ThreadPoolExecutor(len(sides)) as pool:
        for number in range(12):
            path, start = tmp_path / f"{number}.sqlite", threading.Barrier(len(sides))
            list(pool.map(opened, [path] * len(sides), [start] * len(sides), sides))
            with FaceIndex(path) as index:
                assert [index.count(side) for side in sides] == [(1, 1, 1)] * len(sides)


def test_what_is_read_together_is_of_one_moment(tmp_path: Path) -> None:
    path = filled(tmp_path / "i.sqlite")
    with FaceIndex.reading(path) as index, FaceIndex(path) as writer:
        with index.snapshot():
            assert len(index.frames("a")) == 60
            writer.reset_source("a", {"size": 64})
            assert index.count("a") == (60, 60, 1)
        assert index.count("a") == (0, 0, 0)
        with pytest.raises(OutputError, match="readonly"):
            index.reset_source("a", {})


def test_staged_rows_are_those_of_their_generation_until_they_are_moved(tmp_path: Path) -> None:
    path, rows = filled(tmp_path / "i.sqlite"), staged_key("a", 2)
    with FaceIndex(path) as index:
        index.reset_source(rows, {"size": 64})
        index.add(rows, [frame(0)], [face(0, 3)], {}, complete=True)
        assert index.staged_keys("a") == [rows]
        assert index.count("a") == (60, 60, 1)
    with FaceIndex(path, {"a": 2}) as index:
        assert [f.track for f in index.faces("a")] == [3]
        index.promote_staged("a", rows)
        assert (index.key("a"), index.staged_keys("a")) == ("a", [])
        assert index.count("a") == (1, 1, 1)
        clip = index.clip("a")
        assert clip is not None
        assert (clip.settings, clip.complete) == ({"size": 64}, True)
