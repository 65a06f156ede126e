"""An index that is lost or damaged is made anew from the crops, and no crop changes by that."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from driving import finished
from killed import look
from made_clips import MakeClip
from PIL import Image, PngImagePlugin
from standing_faces import StandIn

from faceswap.errors import DamagedIndexError, OutputError, ProjectError
from faceswap.events import Event, Notice
from faceswap.faces.crops import CHUNK, crop_files
from faceswap.faces.index import FaceIndex
from faceswap.faces.index_browser import IndexBrowser
from faceswap.faces.manual_exclusion import EXCLUDED, exclude
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.project import frame_pass as module
from faceswap.project.project import Project

FRAMES = 24
INDEX = "index.sqlite"


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_tracker", StandIn)
    monkeypatch.setattr(module, "BATCH", 4)


@pytest.fixture(scope="module")
def clip(make_clip: MakeClip) -> Path:
    return make_clip(frames=FRAMES)


@pytest.fixture
def options(clip: Path, tmp_path: Path) -> ExtractOptions:
    return ExtractOptions(inputs=(clip,), project=tmp_path / "p", side="a", size=64, max_faces=2)


@pytest.fixture
def made(options: ExtractOptions) -> Project:
    """A project whose A was extracted; two of its crops are excluded, two deleted."""
    finished(extract(options))
    project = Project.open(options.project)
    assert len(exclude(project.crops_folder("a"), ["000000_0.png", "000023_5.png"])) == 2
    (project.crops_folder("a") / "000008_1.png").unlink()
    (project.crops_folder("a") / "000020_4.png").unlink()
    return project


def crops(project: Project) -> dict[str, tuple[bytes, int]]:
    """All crops: what is in them, and when they changed."""
    root = project.crops_folder("a")
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*.png")
    }


def without_notes(project: Project) -> None:
    """Leave in the settings what an older version wrote."""
    settings = project._file.read()
    source = settings["sources"]["a"]
    entry = {"video": source["path"], "fingerprint": source["fingerprint"]}
    (project.folder / "project.toml").write_text(tomli_w.dumps({"format": 1, "a": entry}))


def said(events: list[Event]) -> str:
    return "\n".join(event.message for event in events if isinstance(event, Notice))


def gone(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xa5" * path.stat().st_size)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 100])


def one_page_bad(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(b"\xa5" * 4096)


def without_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")


def other_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE songs (name)")


def without_the_side(path: Path) -> None:
    with FaceIndex(path) as index:
        index.delete_rows("a")


LOSSES = [gone, emptied, garbled, cut_short, one_page_bad, without_tables, other_tables]


@pytest.mark.parametrize("loss", [*LOSSES, without_the_side])
def test_a_lost_index_is_made_anew_from_the_crops(
    loss: Callable[[Path], None], made: Project, options: ExtractOptions
) -> None:
    before, kept = look(made.folder), crops(made)
    loss(made.folder / INDEX)
    left = (made.folder / INDEX).read_bytes() if (made.folder / INDEX).exists() else b""
    with made.open_index_read_only() as index:
        assert len(index.repairs) == 1
        assert f"{INDEX} {'had' if loss is without_the_side else 'was'} " in index.repairs[0]
        assert "rebuilt from the crops (46 of A)" in index.repairs[0]
        faces = {(f.frame, f.track): f for f in index.faces("a")}
    old = {(row[0], row[1]): row for row in before[3]}
    assert set(old) - set(faces) == {(8, 1), (20, 4)}
    for place, face in faces.items():
        points = np.frombuffer(bytes.fromhex(old[place][2]), np.float32).reshape(68, 2)
        np.testing.assert_allclose(face.points, points, atol=1e-3)
        assert face.crop == old[place][3]
    assert crops(made) == kept
    damaged = made.folder / f"{INDEX}.damaged-1"
    if loss not in (gone, emptied, without_the_side):
        assert damaged.read_bytes() == left
    else:
        assert not damaged.exists()
    with made.open_index_read_only() as index:
        assert index.repairs == ()
    # Extracting it again finds what no crop shows, and leaves the crops alone.
    events, summary = finished(extract(options))
    assert "the crops stay as they are" in said(events)
    assert summary.crops == 2 * FRAMES - 4
    assert crops(made) == kept
    assert look(made.folder) == before
    events, _ = finished(extract(options))
    assert "nothing to do" in said(events)


def test_one_damaged_index_after_another_is_kept(made: Project) -> None:
    for number in range(1, 4):
        (made.folder / INDEX).write_bytes(b"damage %d" % number * 1000)
        with made.open_index() as index:
            assert f"kept as {INDEX}.damaged-{number}." in index.repairs[0]
        assert (made.folder / f"{INDEX}.damaged-{number}").read_bytes()[:8] == b"damage %d" % number


def test_what_a_killed_process_had_not_moved_from_its_log_is_not_lost(
    made: Project, tmp_path: Path
) -> None:
    before = look(made.folder)
    copy = Project(tmp_path / "copy")
    with FaceIndex(made.folder / INDEX) as index:
        index.reset_source("b", {})
        shutil.copytree(made.folder, copy.folder)
    assert (copy.folder / f"{INDEX}-wal").stat().st_size
    with copy.open_index_read_only() as index:
        assert index.repairs == ()
        assert index.clip("b") is not None
    assert look(copy.folder) == before


def test_a_log_that_is_lost_takes_only_rows_with_it(
    options: ExtractOptions, tmp_path: Path
) -> None:
    """Its batches are in the index no more, though their crops are there."""
    half = tmp_path / "half"
    done = Project.open_or_create(options.project)
    finished(extract(options))
    with FaceIndex(done.folder / INDEX) as index:
        frames, faces = index.frames("a"), list(index.faces("a"))
        clip = index.clip("a")
        assert clip is not None
        index.reset_source("a", clip.settings)
        state = {"next": 8, "tracker": {"frame": 8}}
        index.add("a", frames[:8], faces[:16], state)
    for name in ("000012_2.png", "000023_5.png"):
        (done.crops_folder("a") / name).unlink()
    kept = crops(done)
    shutil.copytree(done.folder, half)
    events, summary = finished(extract(options))
    assert "the crops stay as they are" in said(events)
    assert (summary.faces, summary.crops) == (2 * FRAMES, 2 * FRAMES - 2)
    assert crops(done) == kept
    # An older version did not note that the extraction had come to its end.
    older = Project.open(half)
    without_notes(older)
    assert older.extraction_record("a").frames is None
    finished(extract(options.model_copy(update={"project": half})))
    assert set(crops(older)) == set(kept)


def test_an_extraction_that_was_not_at_its_end_goes_on_after_the_crops(
    options: ExtractOptions, made: Project, tmp_path: Path
) -> None:
    project = Project(tmp_path / "part")
    with closing(extract(options.model_copy(update={"project": project.folder}))) as job:
        for _ in job:
            break
    with FaceIndex(made.folder / INDEX) as index:
        faces = [f for f in index.faces("a") if f.frame < 10 and f.frame != 5]
    folder = project.crops_folder("a")
    for path in crop_files(folder):
        path.unlink()
    for face in faces:
        for place in (folder, folder / EXCLUDED):
            place.mkdir(exist_ok=True)
            path = place.relative_to(folder) / str(face.crop)
            if (made.crops_folder("a") / path).exists():
                shutil.copyfile(made.crops_folder("a") / path, folder / path)
    before = crops(project)
    (project.folder / INDEX).unlink()
    _, summary = finished(extract(options.model_copy(update={"project": project.folder})))
    after = crops(project)
    assert {name: after[name] for name in before} == before
    assert not [name for name in after if name.startswith("000005")]
    assert {int(name[:6]) for name in after if "/" not in name} == {*range(FRAMES)} - {5}
    assert summary.faces == 2 * FRAMES


def test_crops_of_older_versions_tell_enough(made: Project, options: ExtractOptions) -> None:
    before = look(made.folder)
    for path in made.crops_folder("a").rglob("*.png"):
        with Image.open(path) as picture:
            record = json.loads(picture.info[CHUNK])
            for name in ("pts", "shot", "footage"):
                del record[name]
            info = PngImagePlugin.PngInfo()
            info.add_text(CHUNK, json.dumps(record))
            picture.save(path, pnginfo=info)
    without_notes(made)
    kept = crops(made)
    (made.folder / INDEX).unlink()
    with made.open_index_read_only() as index:
        assert [f.pts for f in index.frames("a")][:3] == [-1, -1, -1]
        assert index.count("a") == (FRAMES, 2 * FRAMES - 2, 6)
    finished(extract(options))
    assert crops(made) == kept
    after = look(made.folder)
    assert after[2] == before[2]
    # Whether a crop that is not there was deleted or never cut out is not known any more.
    assert [row[:3] for row in after[3]] == [row[:3] for row in before[3]]
    assert {row[1] for row in after[3] if row[3] is None} == {1, 4}


def test_shots_are_found_again_though_their_first_frame_has_no_crop(
    options: ExtractOptions,
) -> None:
    project_of = options.model_copy(update={"every": 4, "max_faces": 1})
    finished(extract(project_of))
    project = Project.open(options.project)
    (project.folder / INDEX).unlink()
    with project.open_index_read_only() as index:
        cuts = [(f.frame, f.cut) for f in index.frames("a")]
    assert cuts == [(0, False), (4, False), (8, False), (12, True), (16, False), (20, True)]


def test_with_all_faces_on_crops_nothing_need_be_looked_for(
    options: ExtractOptions,
) -> None:
    finished(extract(options))
    project = Project.open(options.project)
    exclude(project.crops_folder("a"), ["000003_0.png"])
    before = look(project.folder)
    (project.folder / INDEX).unlink()
    with project.open_index_read_only() as index:
        assert project.extraction_warnings(index, "a", require_complete=True) == list(index.repairs)
    assert look(project.folder)[2] == before[2]
    events, _ = finished(extract(options))
    assert "nothing to do" in said(events)


def test_lost_faces_are_not_passed_over_in_silence(made: Project) -> None:
    (made.folder / INDEX).unlink()
    with made.open_index_read_only() as index:
        with pytest.raises(ProjectError, match=r"lost faces of A .* 'faceswap extract .*--side a"):
            made.extraction_warnings(index, "a", require_complete=True)
        told = made.extraction_warnings(index, "a")
    assert "was gone" in told[0]
    assert "lost faces of A" in told[1]


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_crops_that_tell_nothing_stand_in_no_way(
    content: bytes | None, made: Project, options: ExtractOptions, make_clip: MakeClip
) -> None:
    """Damaged ones, ones of the other side, ones of other footage."""
    folder, before = made.crops_folder("a"), look(made.folder)
    if content is None:
        side_b = {"side": "b", "inputs": (make_clip(frames=FRAMES + 1),)}
        finished(extract(options.model_copy(update=side_b)))
        shutil.copyfile(made.crops_folder("b") / "000020_4.png", folder / "000020_4.png")
        other = options.model_copy(
            update={"inputs": (make_clip(frames=30),), "project": folder / "q"}
        )
        finished(extract(other))
        shutil.copyfile(folder / "q" / "faces" / "a" / "000029_4.png", folder / "000029_4.png")
        shutil.rmtree(folder / "q")
    else:
        (folder / "000020_4.png").write_bytes(content)
    (made.folder / INDEX).unlink()
    kept = crops(made)
    with made.open_index_read_only() as index:
        assert index.count("a")[1] == 2 * FRAMES - 2
    finished(extract(options))
    assert crops(made) == kept
    assert look(made.folder)[2:4] == before[2:4]


def test_where_nothing_was_extracted_nothing_is_made_anew(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    project.crops_folder("a").mkdir(parents=True)
    (project.crops_folder("a") / "000001_0.png").write_bytes(b"mine")
    with project.open_index_read_only() as index:
        assert index.repairs == ()
        assert index.clip("a") is None
    assert not (project.folder / INDEX).exists()
    (project.folder / INDEX).write_bytes(b"damage" * 1000)
    with project.open_index() as index:
        assert "a new one was started" in index.repairs[0]


def test_an_index_of_a_newer_version_is_left_alone(made: Project) -> None:
    with closing(sqlite3.connect(made.folder / INDEX)) as db:
        db.execute("PRAGMA user_version = 99")
    before = (made.folder / INDEX).read_bytes()
    for opened in (made.open_index_read_only, made.open_index):
        with pytest.raises(ProjectError, match="newer version"):
            opened()
    assert (made.folder / INDEX).read_bytes() == before


def test_a_redo_after_a_loss_keeps_out_what_was_excluded_or_deleted(
    made: Project, options: ExtractOptions
) -> None:
    (made.folder / INDEX).unlink()
    finished(extract(options.model_copy(update={"redo": True, "size": 80})))
    folder = made.crops_folder("a")
    out = ["000000_0.png", "000008_1.png", "000020_4.png", "000023_5.png"]
    assert [path.name for path in crop_files(folder / EXCLUDED)] == out


def test_a_full_disk_leaves_the_damaged_index_where_it_is(
    made: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made.folder / INDEX).write_bytes(b"damage" * 1000)
    before = {p.name for p in made.folder.iterdir()}

    def full(index: FaceIndex, *_: Any, **__: Any) -> None:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(FaceIndex, "add", full)
    with pytest.raises(OutputError, match="full"):
        made.open_index()
    assert (made.folder / INDEX).read_bytes() == b"damage" * 1000
    monkeypatch.undo()
    with made.open_index() as index:
        assert index.count("a")[1] == 2 * FRAMES - 2
    left = {p.name for p in made.folder.iterdir()} - before
    assert left <= {f"{INDEX}.damaged-1", ".index.lock"}


def test_a_damaged_index_is_told_to_who_only_looks(made: Project) -> None:
    (made.folder / INDEX).write_bytes(b"damage" * 1000)
    with pytest.raises(DamagedIndexError, match="rebuilds it from the crops"):
        IndexBrowser(made.folder / INDEX).faces_at("a", 0)
