"""What goes wrong while a project is open: a changed source, a full disk, two windows."""

import shutil
from pathlib import Path

import pytest
from asked_servers import AskedServer, asked_server

from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.preview.protocol import (
    AddSourcesRequest,
    ChoosePair,
    CorrectPeopleRequest,
    DeleteFacesRequest,
    ExcludeFacesRequest,
    FrameRequest,
    NamePerson,
    PeopleRequest,
    ProjectRequest,
    RemoveSourceRequest,
    SourceState,
    TrimSourceRequest,
    Undo,
    UndoByHandRequest,
)
from faceswap.project.project import Project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Project:
    """A project whose source A has a file of its own."""
    shutil.copytree(made, tmp_path / "p")
    project = Project.open(tmp_path / "p")
    clip = Path(shutil.copyfile(project.video("a"), tmp_path / "own.mp4"))
    project.set_video("a", clip)
    return project


def _source(server: AskedServer) -> SourceState:
    found = server.ask(ProjectRequest()).source("a")
    assert found is not None
    return found


def test_a_source_changed_while_open_is_told_until_it_is_back(
    project: Project, tmp_path: Path
) -> None:
    clip = project.video("a")
    content = clip.read_bytes()
    with asked_server("real", project.folder, tmp_path / "x") as server:
        before = _source(server)
        for change, sentence in (
            (lambda: clip.write_bytes(content[:-1] + b"x"), "no longer the file"),
            (clip.unlink, "missing"),
        ):
            change()
            assert sentence in _source(server).problem
            assert (_source(server).faces, _source(server).crops) == (before.faces, before.crops)
            assert sentence in server.refusal(FrameRequest(source="a", frame=3))
            assert server.ask(FrameRequest(source="b", frame=3)).frame == 3
            clip.write_bytes(content)
            assert _source(server) == before
            assert server.ask(FrameRequest(source="a", frame=3)).frame == 3


def test_on_a_full_disk_nothing_changes_and_it_is_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    another = Path(shutil.copyfile(project.video("a"), tmp_path / "another.mp4"))
    name = NamePerson(person=1, name="one")
    another.write_bytes(another.read_bytes() + b"x")
    with asked_server("real", project.folder, tmp_path / "x") as server:
        before = server.ask(ProjectRequest()), server.ask(PeopleRequest())
        with monkeypatch.context() as patch:
            patch.setattr("faceswap.io.atomic.os.fsync", full)
            for refusal in (
                server.refusal(CorrectPeopleRequest(correction=name)),
                server.refusal(CorrectPeopleRequest(correction=ChoosePair(run="main", a=1, b=2))),
                server.refusal(TrimSourceRequest(source="a", in_point=0.5, out_point=1.0)),
                server.refusal(AddSourcesRequest(side="b", paths=(another,))),
                server.refusal(DeleteFacesRequest(source="a", track=0, first=3, last=9)),
            ):
                assert "No space left on device" in refusal
        assert (server.ask(ProjectRequest()), server.ask(PeopleRequest())) == before
        assert not list(project.folder.glob("*.part"))
        server.ask(CorrectPeopleRequest(correction=name))


def test_crops_that_cannot_be_moved_stay(project: Project, tmp_path: Path) -> None:
    crops = project.crops_folder("a")
    (crops / EXCLUDED).write_text("no folder can be made here")
    with asked_server("real", project.folder, tmp_path / "x") as server:
        names = tuple(sorted(path.name for path in crops.glob("*.png")))[:2]
        refused = server.refusal(ExcludeFacesRequest(source="a", names=names))
        assert "Cannot move faces" in refused
        assert all((crops / name).is_file() for name in names)


def test_two_windows_see_what_the_other_does_and_take_nothing_of_it_back(
    project: Project, tmp_path: Path
) -> None:
    with (
        asked_server("real", project.folder, tmp_path / "x") as one,
        asked_server("real", project.folder, tmp_path / "y") as other,
    ):
        earlier = one.ask(PeopleRequest())
        mine = one.ask(CorrectPeopleRequest(correction=NamePerson(person=1, name="one")))
        other.ask(CorrectPeopleRequest(correction=NamePerson(person=2, name="two")))
        undo = Undo(decided=earlier.decided, expected=mine.decided)
        assert "changed meanwhile" in one.refusal(CorrectPeopleRequest(correction=undo))
        assert {p.name for p in one.ask(PeopleRequest()).people} == {"one", "two"}
        one.ask(DeleteFacesRequest(source="a", track=0, first=3, last=3))
        assert not other.ask(FrameRequest(source="a", frame=3)).faces
        other.ask(UndoByHandRequest(source="a"))
        assert one.ask(FrameRequest(source="a", frame=3)).faces
        other.ask(RemoveSourceRequest(source="a"))
        assert "no footage for A" in one.refusal(FrameRequest(source="a", frame=3))
        assert [source.id for source in one.ask(ProjectRequest()).sources] == ["b"]
