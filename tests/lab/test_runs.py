"""What the lab refuses to go on with, or to use."""

from pathlib import Path
from typing import Any

import pytest
import torch
from driving import finished
from PIL import Image
from pydantic import ValidationError

from faceswap.errors import CheckpointError, OptionsError
from faceswap.jobs.lab import LabOptions, LabSummary, lab
from faceswap.jobs.restore import RestoreOptions, restore
from faceswap.lab.framework.data import PictureSet
from faceswap.lab.framework.training_task import PictureTask, ReconstructionLoss
from faceswap.lab.tasks.captions import Captions

CPU = torch.device("cpu")


def finish(**given: Any) -> LabSummary:
    return finished(lab(LabOptions(steps=2, device="cpu", **given)))[1]


@pytest.mark.parametrize(("use", "first", "second"), [("regularization", 1, 5), ("align", 2, 4)])
def test_a_run_under_another_strength_is_not_gone_on_with(
    use: Any, first: float, second: float, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"use": use, "output": tmp_path, "size": 16}
    finish(**given, strength=first)
    finish(**given, strength=first)
    with pytest.raises(CheckpointError, match="another --strength"):
        finish(**given, strength=second)


def test_corrected_labels_are_other_data() -> None:
    pictures = PictureSet(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    right = PictureSet(pictures.images, torch.tensor([0, 1, 1, 1]))
    tasks = [PictureTask(p, p, ReconstructionLoss(), CPU) for p in (pictures, right, pictures)]
    assert tasks[0].fingerprint == tasks[2].fingerprint != tasks[1].fingerprint


def test_what_cleans_sound_repairs_no_pictures(tmp_path: Path) -> None:
    finish(use="audio-denoise", output=tmp_path / "lab")
    Image.new("RGB", (40, 40)).save(tmp_path / "in.png")
    given: dict[str, Any] = {"input": tmp_path / "in.png", "output": tmp_path / "out.png"}
    with pytest.raises(OptionsError, match="cleans sound, not pictures"):
        list(restore(RestoreOptions(**given, model=tmp_path / "lab" / "audio-denoise")))
    with pytest.raises(CheckpointError, match="run 'faceswap lab' first"):
        list(restore(RestoreOptions(**given, model=tmp_path)))


def test_enlarging_takes_two_factors_only(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="strengths 2 and 4"):
        finish(use="superres", output=tmp_path, strength=2.7)


def test_a_text_says_what_to_draw(tmp_path: Path) -> None:
    finish(use="text-to-image", output=tmp_path, text="thick 7 left")
    with pytest.raises(OptionsError, match="'four' is no class of these pictures; they have 0, 1"):
        finish(use="text-to-image", output=tmp_path, text="thin four")
    with pytest.raises(ValidationError, match="vae has no --text"):
        finish(use="vae", output=tmp_path, text="7")


def test_texts_are_understood_as_they_are_written() -> None:
    writer = Captions(("cat", "left", "big dog"), (0, 1), (0, 1))
    for number in range(3):
        for thick in (-1, 0, 1):
            for slant in (-1, 0, 1):
                what = (number, thick, slant)
                assert writer.understood(writer.text(*what)) == what
    with pytest.raises(OptionsError, match="no class"):
        writer.understood("thick")
    with pytest.raises(OptionsError, match="no class"):
        writer.understood("dog big")


def test_a_damaged_note_of_what_was_learnt_from_is_told(tmp_path: Path) -> None:
    given: dict[str, Any] = {"use": "align", "output": tmp_path, "size": 16}
    finish(**given)
    (tmp_path / "align" / "data.json").write_text("")
    with pytest.raises(CheckpointError, match="is damaged"):
        finish(**given)
