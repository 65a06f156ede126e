"""Sources are added, found again, relinked, trimmed and removed."""

import shutil
from pathlib import Path

import pytest
from made_people import made_project

from faceswap.errors import InputError, ProjectError
from faceswap.project.project import Project
from faceswap.project.settings_file import KEPT, SettingsFile
from faceswap.project.source import free_id
from faceswap.project.source_list import (
    add_source,
    find_source,
    relink,
    remove_source,
    set_points,
    source_of,
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return made_project(tmp_path, ("a", [1]), ("a", [1]), ("b", [2]))


def test_ids_are_the_side_and_a_number(project: Project, tmp_path: Path) -> None:
    assert [source.id for source in project.sources()] == ["a", "a2", "b"]
    assert free_id("a", ["a", "a2", "a7", "b"]) == "a8"
    assert free_id("c", ["a"]) == "c"
    (tmp_path / "new.mp4").write_bytes(b"n")
    converted_only = add_source(project, tmp_path / "new.mp4", None)
    assert (converted_only.id, converted_only.sides) == ("c", "")


def test_the_same_file_is_one_source_wherever_it_is(project: Project, tmp_path: Path) -> None:
    shutil.copyfile(tmp_path / "1.mp4", tmp_path / "copy % # '\".mp4")
    again = add_source(project, tmp_path / "copy % # '\".mp4", "a")
    assert again.id == "a2"
    assert again.path.name == "copy % # '\".mp4"
    assert add_source(project, tmp_path / "0.mp4", "b").sides == "ab"
    found = find_source(project, tmp_path / "1.mp4")
    assert found is not None
    assert found.id == "a2"


def test_a_file_that_changed_is_told(project: Project, tmp_path: Path) -> None:
    (tmp_path / "1.mp4").write_bytes(b"changed")
    with pytest.raises(InputError, match=r"no longer the file that A2 .* --redo"):
        add_source(project, tmp_path / "1.mp4", "a")
    assert add_source(project, tmp_path / "1.mp4", "a", redo=True).id == "a2"


def test_a_file_that_vanished_is_told_and_relinked(project: Project, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "1.mp4", tmp_path / "moved" / "1.mp4")
    with pytest.raises(InputError, match="--relink a2"):
        project.video("a2")
    with pytest.raises(InputError, match="is not the file"):
        relink(project, "a2", tmp_path / "0.mp4")
    relink(project, "a2", tmp_path / "moved" / "1.mp4")
    assert project.video("a2") == tmp_path / "moved" / "1.mp4"


def test_a_source_is_removed_with_its_faces_only(project: Project, tmp_path: Path) -> None:
    folder = project.crops_folder("a2")
    folder.mkdir(parents=True)
    remove_source(project, "a2")
    assert [source.id for source in project.sources()] == ["a", "b"]
    assert not folder.exists()
    assert (tmp_path / "1.mp4").exists()
    with project.open_index_read_only() as index:
        assert index.count("a2") == (0, 0, 0)
        assert index.count("a")[1] > 0
    with pytest.raises(ProjectError, match="no source 'a2'; it has a, b"):
        source_of(project, "a2")


def test_in_and_out_points_are_stored(project: Project) -> None:
    set_points(project, "a", 1.5, 9.0)
    source = source_of(project, "a")
    assert (source.in_point, source.out_point) == (1.5, 9.0)
    with pytest.raises(ProjectError, match="must come after"):
        set_points(project, "a", 9.0, 1.5)
    set_points(project, "a", None, None)
    assert source_of(project, "a").in_point is None


def test_a_project_of_format_1_is_read_as_it_is_and_kept_when_it_changes(tmp_path: Path) -> None:
    earlier = 'format = 1\n\n[a]\nvideo = "/clip.mp4"\nfingerprint = "f"\nframes = 7\n'
    (tmp_path / "project.toml").write_text(earlier)
    project = Project.open(tmp_path)
    (source,) = project.sources()
    assert (source.id, source.path, source.sides) == ("a", Path("/clip.mp4"), "a")
    assert project.extraction_record("a").frames == 7
    assert not (tmp_path / KEPT).exists()
    project.update_source("a", {"in": 2.0})
    assert (tmp_path / KEPT).read_text() == earlier
    settings = SettingsFile(tmp_path).read()
    assert settings["format"] == 2
    assert settings["sources"]["a"]["path"] == "/clip.mp4"
