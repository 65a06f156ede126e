"""The index keeps whole batches and the state after them, or nothing."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from faceswap.errors import OutputError, ProjectError
from faceswap.faces.browse import Browser
from faceswap.faces.index import FaceIndex, FaceRow, FrameRow
from faceswap.jobs.measures import Measures


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
        index.start("a", {"size": 256})
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
        index.start("a", {})
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
            index.start(side, {})
            index.add(side, [frame(0)], [face(0)], {}, complete=True)
        index.start("a", {"size": 128})
        assert index.count("a") == (0, 0, 0)
        assert index.count("b") == (1, 1, 1)


def test_a_newer_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ProjectError, match="newer version"):
        FaceIndex(path)


def test_a_damaged_index_is_told_and_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 warns of a file that is left open, and Windows would not let it be deleted."""
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: made.append(connect(*a, **k)) or made[-1]
    )
    for name in ("index.sqlite", "measures.sqlite"):
        (tmp_path / name).write_bytes(b"no database at all" * 100)
    with pytest.raises(ProjectError, match="damaged"):
        FaceIndex(tmp_path / "index.sqlite")
    with pytest.raises(ProjectError, match="damaged"):
        Browser(tmp_path / "index.sqlite").last_seen("a")
    measures = Measures(tmp_path)
    assert np.isnan(measures.known("a", ["x.png"])).all()
    measures.close()
    assert len(made) == 4
    for database in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            database.execute("SELECT 1")


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Cannot open"):
        FaceIndex(tmp_path / "none" / "i.sqlite")
