"""Which films are meant, and what their outputs are called."""

from pathlib import Path

import pytest

from faceswap.errors import InputError, OptionsError
from faceswap.project.film_list import films_outputs, named_films


def test_patterns_are_expanded_in_order(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4", "c.mov", "[d].mp4"):
        (tmp_path / name).touch()
    (tmp_path / "e.mp4").mkdir()
    found = named_films([tmp_path / "*.mp4", tmp_path / "a.mp4", tmp_path / "c.mov"])
    assert [path.name for path in found] == ["[d].mp4", "a.mp4", "b.mp4", "c.mov"]
    # A name that looks like a pattern is that file; one without signs may be told missing later.
    assert named_films([tmp_path / "[d].mp4"]) == [tmp_path / "[d].mp4"]
    assert named_films([tmp_path / "none.mp4"]) == [tmp_path / "none.mp4"]
    with pytest.raises(InputError, match=r"No file fits .*x\*"):
        named_films([tmp_path / "x*"])


def test_outputs_have_the_names_of_their_films(tmp_path: Path) -> None:
    names = ("a.mp4", "b.avi", "c.MOV", "shots")
    for name in names[:3]:
        (tmp_path / name).touch()
    (tmp_path / "shots").mkdir()
    outputs = films_outputs([tmp_path / name for name in names], tmp_path / "out")
    found = [path.name for path in outputs.values()]
    assert found == ["a.mp4", "b.mp4", "c.MOV", "shots.mp4"]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.mp4").touch()
    with pytest.raises(OptionsError, match="would both become"):
        films_outputs([tmp_path / "a.mp4", tmp_path / "d" / "a.mp4"], tmp_path / "out")
    with pytest.raises(OptionsError, match="its own output"):
        films_outputs([tmp_path / "a.mp4"], tmp_path)
