"""What a run is made from: options given and stored, faces, and the state of its folder."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from drawn_faces import draw_project
from small_runs import finish, options

from faceswap.background import ProgressReporter
from faceswap.errors import NoFaceError, OptionsError
from faceswap.project.project import Project
from faceswap.swap.training import face_selection, person_faces
from faceswap.swap.training.adversarial import AdversarialTask
from faceswap.swap.training.swap_run import SwapRun, prepare_swap_run
from faceswap.training.distributed import Placement, ProcessGroup
from faceswap.training.searches import Searches


def prepared(folder: Path, place: Placement | None = None, **given: Any) -> SwapRun:
    return prepare_swap_run(
        options(folder, **given),
        Project.open(folder),
        place or Placement(),
        None,
        ProgressReporter("load", "faces"),
    )


def test_a_new_run_has_what_was_given(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    run = prepared(folder, find_learning_rate=True, adversarial_weight=0.1)
    assert (run.config.steps, run.config.batch_size, run.config.unit_name) == (4, 2, "faces")
    assert run.identity.folder == folder / "model" / "main"
    assert run.identity.model_config["resolution"] == run.model.resolution == 64
    assert run.identity.options["adversarial_weight"] == run.identity.losses["adversarial"] == 0.1
    assert run.identity.options.keys().isdisjoint({"project", "device", "minutes"})
    assert run.session.searches == Searches(batch=False, rate=True)
    assert run.session.start is not None
    assert run.session.start.checkpoint is None
    assert isinstance(run.task, AdversarialTask)
    assert run.session.auxiliary is not None


def test_a_begun_run_has_its_own_options_and_what_it_found(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    finish(options(folder, batch="auto", warp=0.02))
    start = prepared(folder, batch=None, steps=6).session.start
    assert start is not None
    assert start.step == 4
    found = start.checkpoint.metadata["notes"]["found"]  # type: ignore[union-attr]
    assert found.keys() == {"batch"}
    kept = prepared(folder, batch=None, steps=6)
    assert kept.identity.options["warp"] == 0.02
    assert kept.session.searches == Searches(batch=True, found=found)
    assert not [told for told in kept.notices if "nothing left" in told]
    # A batch size that is given takes the place of the one that was found.
    given = prepared(folder, batch=3, steps=6)
    assert (given.session.searches, given.config.batch_size) == (Searches(), 3)
    done = prepared(folder, batch=None, steps=2)
    assert done.notices[0] == (
        "The run is at step 4, past --steps 2: nothing left to do; give more --steps."
    )


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    folder = draw_project(tmp_path / "p").folder
    two = Placement(group=ProcessGroup(0, 2))
    with pytest.raises(OptionsError, match="--batch auto works in one process only"):
        prepared(folder, two, batch="auto")
    with pytest.raises(OptionsError, match="--adversarial-weight needs a training budget"):
        prepared(folder, steps=None, adversarial_weight=0.1)
    few = draw_project(tmp_path / "few", 3).folder
    with pytest.raises(NoFaceError, match="A has 3 usable faces"):
        prepared(few)


def test_faces_of_two_extractions_are_never_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = draw_project(tmp_path / "p")
    load, asked = face_selection.load_face_folders, []
    (tmp_path / "a.mp4").touch()

    def changing(folders: Sequence[Path], side: Any, *given: Any) -> Any:
        (folder,) = folders
        asked.append(folder)
        if len(asked) == 1:
            known = dataclasses.replace(project.extraction_record("a"), generation=2)
            project.record_extraction("a", tmp_path / "a.mp4", known)
            shutil.copytree(folder, project.staging_folder("a", 2))
            raise NoFaceError("They were moved away meanwhile.")
        return load(folders, side, *given)

    monkeypatch.setattr(person_faces, "load_face_folders", changing)
    assert "A has" in prepared(project.folder).notices[0]
    assert asked[1] == project.staging_folder("a", 2)
