"""Faces added by hand: from a box, by another detector; undone; kept over a new extraction."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from driving import finished
from side_by_side import side_by_side

from faceswap.errors import NoFaceError, OptionsError, ProjectError
from faceswap.faces.face import box_of
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.mend import MendOptions, MendSummary, mend
from faceswap.project import frame_pass
from faceswap.project.by_hand import Mend, mends_of, set_mends
from faceswap.project.project import Project

FRAMES = 12


@pytest.fixture
def project(sample: Path, tmp_path: Path) -> Project:
    """Two people side by side, of whom the right one was not found from frame 4 to 8."""
    clip = side_by_side(sample / "a.mp4", sample / "b.mp4", tmp_path / "both.mp4", FRAMES)
    folder = tmp_path / "p"
    finished(extract(ExtractOptions(inputs=(clip,), project=folder, side="a", size=64)))
    project = Project.open(folder)
    with project.open_index() as index:
        right = _right_track(project)
        index.connection.execute(
            "DELETE FROM faces WHERE source = 'a' AND track = ? AND frame BETWEEN 4 AND 8", (right,)
        )
    for number in range(4, 9):
        (project.crops_folder("a") / f"{number:06}_{right}.png").unlink()
    return project


def _right_track(project: Project) -> int:
    with project.open_index_read_only() as index:
        return max(index.faces("a"), key=lambda face: float(face.points[:, 0].mean())).track


def _faces(project: Project) -> dict[int, list[int]]:
    """The tracks in each frame."""
    found: dict[int, list[int]] = {}
    with project.open_index_read_only() as index:
        for face in index.faces("a"):
            found.setdefault(face.frame, []).append(face.track)
    return found


def _box(project: Project) -> tuple[float, ...]:
    """Where the right one is in frame 3."""
    track = _right_track(project)
    with project.open_index_read_only() as index:
        face = next(f for f in index.faces("a") if (f.frame, f.track) == (3, track))
    return box_of(face.points)


def _mend(project: Project, **options: object) -> MendSummary:
    chosen = MendOptions.model_validate({"project": project.folder, **options})
    return finished(mend(chosen))[1]


def test_a_drawn_face_is_followed_grouped_undone_and_kept(project: Project) -> None:
    before = _faces(project)
    assert [len(before[n]) for n in (3, 4, 8, 9)] == [2, 1, 1, 2]
    summary = _mend(project, frames="4-11", box=_box(project))
    assert summary.faces == 5  # from frame 9 on it is known again
    after = _faces(project)
    assert all(len(tracks) == 2 for tracks in after.values())
    (added,) = {t for tracks in after.values() for t in tracks} - {
        t for tracks in before.values() for t in tracks
    }
    assert len(list(project.crops_folder("a").glob(f"*_{added}.png"))) == 5
    with project.open_index_read_only() as index:
        people = {row.track: row.person for row in index.tracks("a")}
    assert people[added] == people[_right_track(project)]
    assert project.extraction_record("a").faces == sum(map(len, after.values()))
    assert _mend(project, undo=True).removed
    assert _faces(project) == before
    assert not list(project.crops_folder("a").glob(f"*_{added}.png"))
    with pytest.raises(OptionsError, match="Nothing was added to or deleted from A"):
        _mend(project, undo=True)


def test_a_range_is_detected_anew(project: Project) -> None:
    assert _mend(project, frames="3-9").faces == 5
    assert all(len(tracks) == 2 for tracks in _faces(project).values())
    with pytest.raises(NoFaceError, match="not known already"):
        _mend(project, frames="3-9")
    with pytest.raises(OptionsError, match="extracted up to frame 11"):
        _mend(project, frames="3-99")
    assert len(mends_of(project.settings(), "a")) == 1


def test_what_was_added_is_added_to_a_new_extraction(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mend(project, frames="4-11", box=_box(project))
    clip = project.video("a")

    def forget(*given: object) -> None:  # the new extraction misses the same faces
        index = given[0]
        index.connection.execute(  # type: ignore[attr-defined]
            "DELETE FROM faces WHERE track = ? AND frame BETWEEN 4 AND 8 AND source LIKE 'a.new%'",
            (_right_track(project),),
        )

    process = frame_pass.process_frames

    def missing(*given: object) -> Iterator[object]:
        yield from process(*given)  # type: ignore[arg-type]
        forget(*given)

    monkeypatch.setattr("faceswap.project.source_extraction.process_frames", missing)
    options = ExtractOptions(inputs=(clip,), project=project.folder, side="a", size=64, redo=True)
    finished(extract(options))
    assert all(len(tracks) == 2 for tracks in _faces(project).values())
    (kept,) = mends_of(project.settings(), "a")
    assert list(kept.tracks) == ["1", "2"]
    _mend(project, undo=True)
    assert [len(tracks) for tracks in _faces(project).values()][4:9] == [1] * 5


def test_what_is_damaged_is_told() -> None:
    with pytest.raises(ProjectError, match="done by hand is damaged"):
        mends_of({"by_hand": [{"source": "a", "first": "x"}]}, "a")
    settings: dict[str, object] = {"by_hand": [{"source": "b", "first": 1, "last": 2}]}
    set_mends(settings, "a", [Mend("a", 3, 4, (1, 2, 3, 4), tracks={"1": [5]})])
    assert settings["by_hand"] == [
        {"source": "b", "first": 1, "last": 2},
        {"source": "a", "first": 3, "last": 4, "box": [1, 2, 3, 4], "tracks": {"1": [5]}},
    ]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "--frames says where"),
        ({"frames": "1-2", "box": (1.0, 2.0)}, "four numbers"),
        ({"frames": "1-2", "box": (5.0, 2.0, 1.0, 3.0)}, "left and top"),
        ({"frames": "1-2", "undo": True}, "takes back the last"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MendOptions.model_validate({"project": Path("p"), **given})
