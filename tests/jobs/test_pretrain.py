"""Training on many people, and starting from what came of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_faces import draw_project
from driving import finished
from PIL import Image

from faceswap.errors import CheckpointError, InputError, OptionsError, OutputError
from faceswap.events import Event, Notice
from faceswap.jobs.pretrain import PretrainOptions, PretrainSummary, pretrain
from faceswap.jobs.train import train
from faceswap.swap.training.options import TrainOptions
from faceswap.training import batch_size_finder
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.video.reader import VideoReader


def finish(*folders: Path, output: Path, **changes: Any) -> tuple[list[Event], PretrainSummary]:
    small: dict[str, Any] = {"steps": 3, "batch": 2, "resolution": 64, "device": "cpu"}
    options = PretrainOptions(folders=list(folders), output=output, **(small | changes))
    return finished(pretrain(options))


def test_people_of_several_folders_make_a_model_to_start_from(tmp_path: Path) -> None:
    project = draw_project(tmp_path / "project", 20)
    output = tmp_path / "people.safetensors"
    _, summary = finish(project.crops_folder("a"), project.crops_folder("b"), output=output)
    assert summary.step == 3
    assert summary.faces == 28  # of 40: some are held out, or too near to those
    assert "--init" in summary.text()
    names = {name.split(".")[1] for name in read_checkpoint(output).tensors_under("ema")}
    assert names == {"encoder", "decoders"}
    assert not any("decoders.a" in name for name in read_checkpoint(output).tensors_under("ema"))
    options = TrainOptions(
        project=project.folder, steps=1, batch=2, resolution=64, device="cpu", init=output
    )
    notices = [e.message for e in train(options) if isinstance(e, Notice)]
    assert any("with its encoder, decoders.a, decoders.b" in n for n in notices)


def test_it_goes_on_where_it_was_and_overwrites_only_when_told(tmp_path: Path) -> None:
    faces = draw_project(tmp_path / "project", 20).crops_folder("a")
    output = tmp_path / "people.safetensors"
    finish(faces, output=output)
    with pytest.raises(OutputError, match="exists already"):
        finish(faces, output=output)
    _, summary = finish(faces, output=output, overwrite=True, steps=5)
    assert summary.step == 5
    with pytest.raises(CheckpointError, match="another model"):
        finish(faces, output=output, overwrite=True, resolution=96)


def test_faces_are_found_in_plain_pictures(sample: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures of people"
    pictures.mkdir()
    with VideoReader(sample / "a.mp4") as reader:
        for frame in reader.frames(0, 14, 2):
            page = Image.fromarray(frame.image)
            page.save(pictures / f"{frame.index:02d}.jpg", quality=95)
            # The same again as a telephone stores it that mirrors, and is held upright.
            exif = page.getexif()
            exif[0x0112] = 5
            page = page.transpose(Image.Transpose.TRANSPOSE)
            page.save(pictures / f"{frame.index + 1:02d}.jpg", exif=exif, quality=95)
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(pictures / "99 nobody.png")
    (pictures / "98 broken.jpg").write_bytes(b"not a picture")
    output = tmp_path / "people.safetensors"
    events, summary = finish(pictures, output=output, steps=1)
    assert summary.faces == 14
    crops = sorted((tmp_path / "people.pretrain" / "faces").glob("*.png"))
    assert len(crops) == 14
    first, again = (np.asarray(Image.open(path)).astype(int) for path in crops[:2])
    assert np.abs(first - again).mean() < 3 < np.abs(first - again[:, ::-1]).mean()
    assert any("98 broken.jpg cannot be read" in e.message for e in events if isinstance(e, Notice))


def test_a_batch_that_was_found_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = draw_project(tmp_path / "project", 20).crops_folder("a")
    output = tmp_path / "people.safetensors"
    searched = []

    def search(trial: Any, *_: Any) -> Any:
        searched.append(trial(2))
        yield 2
        return 3

    monkeypatch.setattr(batch_size_finder, "fastest_batch_size", search)
    for steps in (1, 2):
        finish(faces, output=output, batch="auto", optimizer="lion", overwrite=True, steps=steps)
    assert len(searched) == 1
    checkpoint = read_checkpoint(newest_checkpoint(tmp_path / "people.pretrain"))
    assert checkpoint.metadata["notes"]["found"] == {"batch": 3}
    assert checkpoint.metadata["optimiser"] == "Lion"
    with pytest.raises(CheckpointError, match="trained with Lion, not AdamW"):
        finish(faces, output=output, overwrite=True, steps=3)


def test_a_run_with_no_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="add --minutes or --steps"):
        finish(tmp_path, output=tmp_path / "people.safetensors", steps=None)


def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"does not end in \.safetensors"):
        finish(tmp_path, output=tmp_path / "people.pt")
    with pytest.raises(OutputError, match="There is no folder"):
        finish(tmp_path, output=tmp_path / "none" / "people.safetensors")
    with pytest.raises(InputError, match="no pictures"):
        finish(tmp_path, output=tmp_path / "people.safetensors")
    assert list(tmp_path.glob("*.safetensors")) == []
