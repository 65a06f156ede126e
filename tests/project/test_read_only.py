"""A project that cannot be written can be looked at, previewed and converted."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_servers import real_server
from driving import finished
from looking import used
from made_clips import MakeClip
from small_runs import notices
from standing_faces import StandIn, untaught

from faceswap.errors import OutputError, ProjectError
from faceswap.events import Meter
from faceswap.faces import index_recovery
from faceswap.faces.index import FaceIndex
from faceswap.faces.manual_exclusion import exclude
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.preview import PreviewOptions, preview
from faceswap.preview.protocol import ProjectRequest, TimelineRequest
from faceswap.preview.server import PreviewServer
from faceswap.project import frame_pass as module
from faceswap.project.project import Project
from faceswap.video.reader import VideoReader, read_image

FRAMES = 8
INDEX = "index.sqlite"

PROGRAM = Path(__file__).parents[1] / "support" / "looking.py"


@pytest.fixture(scope="module")
def clip(make_clip: MakeClip) -> Path:
    return make_clip(frames=FRAMES)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """A project with A's faces and a model that has learnt nothing."""
    folder = tmp_path_factory.mktemp("base") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "make_tracker", StandIn)
        finished(extract(ExtractOptions(inputs=(clip,), project=folder, side="a", size=64)))
    project = Project.open(folder)
    assert exclude(project.crops_folder("a"), ["000002_0.png"])
    untaught(project.runs_folder / "main")
    return folder


def with_log(base: Path, folder: Path, *, notes: bool) -> None:
    """As a killed process leaves it: all rows are in the log, with or without SQLite's notes."""
    shutil.copytree(base, folder)
    (folder / INDEX).unlink()
    with FaceIndex(base / INDEX) as old, FaceIndex(folder / INDEX) as index:
        clip = old.clip("a")
        assert clip is not None
        index.reset_source("a", clip.settings)
        index.add("a", old.frames("a"), list(old.faces("a")), clip.state, complete=True)
        for name in (INDEX, f"{INDEX}-wal", *([f"{INDEX}-shm"] if notes else [])):
            shutil.copyfile(folder / name, folder / f"copy {name}")
    for path in folder.glob(f"{INDEX}*"):
        path.unlink()
    for path in folder.glob(f"copy {INDEX}*"):
        path.rename(folder / path.name.removeprefix("copy "))
    assert (folder / f"{INDEX}-wal").stat().st_size > (folder / INDEX).stat().st_size


def project_of(sort: str, base: Path, place: Path) -> Path:
    """A project of this sort in ``place``."""
    if "log" in sort:
        with_log(base, place / sort, notes=sort == "log")
    else:
        shutil.copytree(base, place / sort)
    if sort == "damaged":
        (place / sort / INDEX).write_bytes(b"damage" * 1000)
    return place / sort


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def run(before: Sequence[str], out: Path, folders: Sequence[Path]) -> dict[str, Any]:
    done = subprocess.run(
        [*before, sys.executable, str(PROGRAM), str(out), *map(str, folders)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def decoded(video: Path) -> np.ndarray:
    """All frames, int (8, H, W, 3)."""
    with VideoReader(video) as frames:
        return np.stack([frame.image for frame in frames]).astype(int)


def pictures(out: Path, name: str) -> np.ndarray:
    """The previewed frame and the converted ones, int (9, H, W, 3)."""
    return np.concatenate([read_image(out / f"{name}.png")[None], decoded(out / f"{name}.mkv")])


@pytest.fixture(scope="module")
def usual(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the same project gives that can be written."""
    out = tmp_path_factory.mktemp("usual")
    return used(shutil.copytree(base, out / "p"), out) | {"pictures": pictures(out, "p")}


def by_permission(folder: Path) -> list[str]:
    """Take away the right to write; root has it all the same unless its powers are taken, too."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def by_mount(folder: Path) -> list[str]:
    """A disk that is mounted read-only, in a name space of its own."""
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    return ["unshare", "-rm", "sh", "-c", script, str(folder)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("protect", "sorts"),
    [
        (by_permission, ("whole", "log", "bare log", "damaged")),
        (by_mount, ("whole", "bare log")),
    ],
)
def test_what_cannot_be_written_can_be_looked_at_previewed_and_converted(
    protect: Callable[[Path], list[str]],
    sorts: Sequence[str],
    base: Path,
    usual: dict[str, Any],
    tmp_path: Path,
) -> None:
    place, out = tmp_path / "place", tmp_path / "out"
    out.mkdir()
    folders = [project_of(sort, base, place) for sort in sorts]
    before = protect(place)
    if before and shutil.which(before[0]) is None:
        pytest.skip(f"needs {before[0]}")
    if before and subprocess.run([*before, "true"], capture_output=True).returncode:
        pytest.skip(f"{before[0]} is not allowed here")
    kept = contents(place)
    told = run(before, out, folders)
    assert contents(place) == kept
    for path in (place, *place.rglob("*")):
        path.chmod(0o755)  # so that it can be removed
    assert set(told) == set(sorts)
    for name, done in told.items():
        assert not done["written"], name
        assert done["look"] == usual["look"] or name == "damaged"
        assert done["preview"][1]["faces"] == 1, name
        assert "nothing to do" in done["extract"][0][-1], name
        for what, sentence in done["refused"].items():
            assert sentence.startswith("OutputError: Cannot "), (name, what)
        if name == "damaged":
            for notices in (done["preview"][0], done["convert"], done["extract"][0]):
                assert "was damaged" in notices[0]
                assert "rebuilt from the crops (8 of A)" in notices[0]
        else:
            assert done["convert"] == []
        # Processes differ in the last bits of what the model computes.
        assert np.abs(pictures(out, name) - usual["pictures"]).mean() < 0.2, name


def test_a_project_without_an_index_says_what_to_do(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "p")
    shutil.rmtree(tmp_path / "p" / "faces")
    (tmp_path / "p" / INDEX).unlink()
    with (
        Project.open(tmp_path / "p").open_index_read_only() as index,
        pytest.raises(ProjectError, match="run 'faceswap extract' first"),
    ):
        Project.open(tmp_path / "p").extraction_warnings(index, "a")
    assert not (tmp_path / "p" / INDEX).exists()
    with pytest.raises(OutputError, match="Cannot open"):
        FaceIndex.reading(tmp_path / "p" / INDEX)


def test_what_was_lost_is_looked_for_before_it_is_converted(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_tracker", StandIn)
    options = ExtractOptions(inputs=(clip,), project=tmp_path / "p", side="a", size=64, every=2)
    finished(extract(options))
    project, out = Project.open(tmp_path / "p"), tmp_path / "out.mkv"
    untaught(project.runs_folder / "main")
    turn = ConvertOptions(project=project.folder, output=out, device="cpu", quality="lossless")
    finished(convert(turn))
    before = decoded(out)
    (project.folder / INDEX).unlink()
    with pytest.raises(ProjectError, match=r"was gone.*lost faces of A.*run 'faceswap extract "):
        finished(convert(turn.model_copy(update={"overwrite": True})))
    picture = tmp_path / "frame.png"
    look = PreviewOptions(project=project.folder, frame=4, output=picture, device="cpu")
    events, looked = finished(preview(look))
    assert looked.faces == 1
    assert "lost faces of A" in notices(events)[0]
    finished(extract(options))
    events, summary = finished(convert(turn.model_copy(update={"overwrite": True})))
    assert notices(events) == []
    assert summary.swapped == FRAMES
    assert np.abs(decoded(out) - before).mean() < 0.2


def faces_told(server: PreviewServer) -> int:
    return server.project(ProjectRequest()).a.faces


def test_what_is_not_all_extracted_is_converted_and_told(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_tracker", StandIn)
    monkeypatch.setattr(module, "BATCH", 2)
    monkeypatch.setattr(Meter, "add", lambda meter, amount=1: meter.progress())
    options = ExtractOptions(inputs=(clip,), project=tmp_path / "p", side="a", size=64)
    with closing(extract(options)) as job:
        for _ in range(6):
            next(job)
    untaught(tmp_path / "p" / "model" / "main")
    turn = ConvertOptions(project=tmp_path / "p", output=tmp_path / "out.mkv", device="cpu")
    events, summary = finished(convert(turn))
    assert 0 < summary.swapped < FRAMES
    assert "A are not all extracted yet" in notices(events)[0]


def test_an_index_that_is_lost_is_made_anew_and_in_memory_where_it_must(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "Łukasz"
    shutil.copytree(base, project)
    (project / INDEX).unlink()

    def refused(*_: object) -> None:
        raise OutputError("Cannot write here.")

    with real_server(project, tmp_path / "exchange") as server:
        with monkeypatch.context() as patch:
            patch.setattr(index_recovery, "_rebuild", refused)
            for _ in range(2):
                assert faces_told(server) == FRAMES
            assert server.timeline(TimelineRequest(source="a")).tracks
            assert len(server.take_notices()) == 1  # and not at every refresh
        assert not (project / INDEX).exists()
        assert faces_told(server) == FRAMES
        assert (project / INDEX).exists()
