"""False faces deleted by hand: in one frame or several; undone; kept over a new extraction."""

import shutil
from pathlib import Path

import pytest
from driving import finished
from side_by_side import side_by_side

from faceswap.errors import NoFaceError, OutputError
from faceswap.faces.deleted_faces import deleted_faces
from faceswap.faces.face import box_of
from faceswap.faces.manual_exclusion import exclude
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.mend import MendOptions, MendSummary, mend
from faceswap.project.by_hand import mends_of
from faceswap.project.project import Project

FRAMES = 8


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory, sample: Path) -> Path:
    """A project with two people side by side, the first of whom is said to be a false face."""
    folder = tmp_path_factory.mktemp("deleting")
    clip = side_by_side(sample / "a.mp4", sample / "b.mp4", folder / "both.mp4", FRAMES)
    finished(extract(_options(folder / "p", clip)))
    return folder / "p"


@pytest.fixture
def project(extracted: Path, tmp_path: Path) -> Project:
    """A copy of it."""
    shutil.copytree(extracted, tmp_path / "p")
    return Project.open(tmp_path / "p")


def _options(project: Path, clip: Path, **others: object) -> ExtractOptions:
    given = {"inputs": (clip,), "project": project, "side": "a", "size": 64, **others}
    return ExtractOptions.model_validate(given)


def _again(project: Project, **others: object) -> None:
    finished(extract(_options(project.folder, project.video("a"), **others)))


def _tracks(project: Project) -> list[list[int]]:
    """The tracks in each frame."""
    found: list[list[int]] = [[] for _ in range(FRAMES)]
    with project.open_index_read_only() as index:
        for face in index.faces("a"):
            found[face.frame].append(face.track)
    return found


def _box(project: Project, track: int, frame: int) -> tuple[float, ...]:
    with project.open_index_read_only() as index:
        return next(
            box_of(face.points)
            for face in index.faces("a")
            if (face.frame, face.track) == (frame, track)
        )


def _mend(project: Project, **options: object) -> MendSummary:
    chosen = MendOptions.model_validate({"project": project.folder, **options})
    return finished(mend(chosen))[1]


def _delete(project: Project, frames: str, track: int = 0) -> MendSummary:
    first = int(frames.partition("-")[0])
    return _mend(project, frames=frames, box=_box(project, track, first), delete=True)


def _crop(project: Project, frame: int, folder: str = "") -> Path:
    return project.crops_folder("a") / folder / f"{frame:06}_0.png"


def test_one_face_in_one_frame_is_deleted_and_comes_back(project: Project) -> None:
    before = _tracks(project)
    exclude(project.crops_folder("a"), [_crop(project, 3).name])
    summary = _delete(project, "3")
    assert summary.text() == "A: 1 faces deleted in frames 3 to 3."
    assert _tracks(project) == [[1] if n == 3 else both for n, both in enumerate(before)]
    assert not _crop(project, 3, "excluded").exists()
    with project.open_index_read_only() as index:
        assert index.track_counts("a") == (2 * FRAMES - 1, 2)
        assert not index.has_new_tracks()
    assert project.extraction_record("a").faces == 2 * FRAMES - 1
    with pytest.raises(NoFaceError, match="no such face in frame 3"):
        _mend(project, frames="3", box=(0.0, 0.0, 9.0, 9.0), delete=True)
    assert "deleted from frame 3 on is taken back" in _mend(project, undo=True).text()
    assert _tracks(project) == before
    assert _crop(project, 3, "excluded").exists()


def test_a_whole_track_is_deleted_and_comes_back_with_its_person(project: Project) -> None:
    before = _tracks(project)
    with project.open_index_read_only() as index:
        rows = index.tracks("a")
    _delete(project, "2-4")
    assert _delete(project, f"0-{FRAMES - 1}").faces == FRAMES - 3
    assert _tracks(project) == [[1]] * FRAMES
    with project.open_index_read_only() as index:
        assert [row.track for row in index.tracks("a")] == [1]
    _mend(project, undo=True)
    assert [n for n, both in enumerate(_tracks(project)) if both == [1]] == [2, 3, 4]
    _mend(project, undo=True)
    assert _tracks(project) == before
    with project.open_index_read_only() as index:
        back = index.tracks("a")
    assert [(r.track, r.first, r.last, r.faces, r.person) for r in back] == [
        (r.track, r.first, r.last, r.faces, r.person) for r in rows
    ]
    assert back[0].seconds == pytest.approx(rows[0].seconds)


def test_without_a_box_every_face_of_a_frame_is_deleted(project: Project) -> None:
    assert _mend(project, frames="5", delete=True).faces == 2
    assert _tracks(project)[5] == []


def test_a_new_extraction_deletes_it_again(project: Project) -> None:
    before = _tracks(project)
    _delete(project, "3-4")
    for generation in (2, 3):
        _again(project, redo=True)
        assert project.generation("a") == generation
        assert [n for n, both in enumerate(_tracks(project)) if len(both) == 1] == [3, 4]
        assert not _crop(project, 3).exists()
        assert _crop(project, 3, "deleted").exists()
    with project.open_index_read_only() as index:
        assert [face for face, _ in deleted_faces(index, "a")] == [(3, 0), (4, 0)]
    _mend(project, undo=True)
    assert _tracks(project) == before
    assert _crop(project, 3).exists()


def test_it_is_still_known_where_an_extraction_did_not_find_it(project: Project) -> None:
    _delete(project, "3")
    with project.open_index() as index:
        index.connection.execute("DELETE FROM faces WHERE source = 'a.deleted'")
    _again(project, redo=True)
    assert _tracks(project)[3] == [1]


@pytest.mark.parametrize("every", [1, 2])
def test_it_stays_deleted_when_the_index_is_lost(project: Project, every: int) -> None:
    if every > 1:
        _again(project, redo=True, every=every)
    before = _tracks(project)
    _delete(project, "4-5")
    deleted = _tracks(project)
    for path in project.folder.glob("index.sqlite*"):
        path.unlink()
    _again(project)
    assert _tracks(project) == deleted
    _mend(project, undo=True)
    assert _tracks(project) == before


def test_nothing_is_lost_where_a_crop_cannot_be_moved(project: Project) -> None:
    before = _tracks(project)
    (project.crops_folder("a") / "deleted").write_text("a file in its way")
    with pytest.raises(OutputError, match="Cannot move faces to"):
        _delete(project, "3")
    assert _tracks(project) == before
    _mend(project, undo=True)
    assert _tracks(project) == before
    assert not mends_of(project.settings(), "a")
