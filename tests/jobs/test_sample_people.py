"""The data set of rendered people: what it holds, that it repeats, resumes, and what it refuses."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from driving import finished
from PIL import Image
from pydantic import ValidationError

from faceswap.errors import OutputError
from faceswap.events import Progress, Saved
from faceswap.faces.labels import Label
from faceswap.io.provenance import picture_provenance
from faceswap.jobs.sample_people import (
    SamplePeopleOptions,
    SamplePeopleSummary,
    sample_people,
)
from faceswap.synthetic import people_dataset
from faceswap.synthetic.people_dataset import COLUMNS


def run(folder: Path, **changes: object) -> tuple[list[object], SamplePeopleSummary]:
    values = {"folder": folder, "count": 4, "size": 64, "workers": 1, **changes}
    return finished(sample_people(SamplePeopleOptions.model_validate(values)))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "mit Umlaut ü"
    events, summary = run(folder)
    assert (summary.rendered, summary.total) == (4, 4)
    assert [e.path.name for e in events if isinstance(e, Saved)] == ["people.csv", "README.md"]
    assert any(isinstance(e, Progress) for e in events)
    return folder


def test_holds_pictures_masks_a_table_and_a_card(dataset: Path) -> None:
    names = sorted(path.name for path in dataset.iterdir())
    assert names == ["README.md", "dataset.json", "masks", "people.csv", "pictures"]
    with open(dataset / "people.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert list(rows[0]) == COLUMNS
    for number, row in enumerate(rows):
        assert row["picture"] == f"pictures/{number:06d}.png"
        assert int(row["identity"]) == number
        with Image.open(dataset / row["picture"]) as page:
            assert (page.size, page.mode) == ((64, 64), "RGB")
        with Image.open(dataset / row["mask"]) as page:
            labels = np.asarray(page)
        assert labels.max() <= max(Label)
        assert 0 < float(row["x30"]) < 64
        assert row["v30"] in ("0", "1")
    made = picture_provenance(dataset / rows[0]["picture"])
    assert made is not None
    assert "shows no real person" in made.text


def test_the_card_says_what_is_needed(dataset: Path) -> None:
    card = (dataset / "README.md").read_text(encoding="utf-8")
    assert "CC0" in card
    assert "--count 4 --size 64 --seed 1" in card
    for label in Label:
        assert f"| {int(label)} | " in card
    assert json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))["seed"] == 1


def test_a_stopped_rendering_goes_on_to_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    options = SamplePeopleOptions(folder=folder, count=4, size=64, workers=1)
    job = sample_people(options)
    while not (folder / "pictures" / "000001.png").exists():
        next(job)
    job.close()
    assert not (folder / "people.csv").exists()
    # What a kill may leave: half a row, and a file without its row.
    with open(folder / "people.csv.part", "ab") as file:
        file.write(b"pictures/000003.png,masks")
    kept = (folder / "pictures" / "000000.png").stat().st_mtime_ns
    _, summary = run(folder)
    assert summary.rendered < 4
    assert (folder / "pictures" / "000000.png").stat().st_mtime_ns == kept
    assert contents(folder) == contents(dataset)


def test_more_pictures_are_added_to_a_finished_set(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    run(folder, count=2)
    _, summary = run(folder, count=4)
    assert (summary.rendered, summary.total) == (2, 4)
    assert "2 now" in summary.text()
    assert contents(folder) == contents(dataset)


@pytest.mark.slow
def test_processes_give_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    run(tmp_path / "d", workers=2)
    assert contents(tmp_path / "d") == contents(dataset)


def test_clips_have_a_folder_each(tmp_path: Path) -> None:
    run(tmp_path / "d", count=1, clips=True, frames=2, file="jpg")
    files = sorted(p.name for p in (tmp_path / "d" / "pictures" / "000000").iterdir())
    assert files == ["0000.jpg", "0001.jpg"]
    with open(tmp_path / "d" / "people.csv", encoding="utf-8", newline="") as file:
        assert [row["frame"] for row in csv.DictReader(file)] == ["0", "1"]
    with pytest.raises(ValidationError, match="variations"):
        SamplePeopleOptions(folder=tmp_path, clips=True, variations=2)


def test_refuses_what_is_not_its_own(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"another data set \(seed 1\)"):
        run(dataset, seed=2)
    (tmp_path / "other.txt").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="has other files"):
        run(tmp_path)
    with pytest.raises(OutputError, match="is a file"):
        run(tmp_path / "other.txt")


def test_a_full_disk_is_said_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(people_dataset, "replace_file", full)
        with pytest.raises(OutputError, match=r"No space left.*start it again"):
            run(tmp_path / "d", count=1)
    _, summary = run(tmp_path / "d", count=1)
    assert summary.total == 1
