"""What a run remembers of its options, and what of them can be changed when it goes on."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn_faces import draw_project
from pydantic import ValidationError
from small_runs import contents, finish, notices, options

from faceswap import cli
from faceswap.errors import CheckpointError, OptionsError
from faceswap.swap.model.presets import PRESETS
from faceswap.swap.training.options import TrainOptions
from faceswap.training import batch_size_finder
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint, write_checkpoint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"optimizer": "lion"},
            "started with --optimizer adamw, which can't be changed to --optimizer lion",
        ),
        ({"seed": 8}, "started with --seed 7, which can't be changed to --seed 8"),
        (
            {"init": Path("other.safetensors")},
            "started with no --init, which can't be changed to --init other",
        ),
        (
            {"random_init": True},
            "started with no --random-init, which can't be changed to --random-init",
        ),
        (
            {"preset": "classic"},
            "started with --preset quick, which can't be changed to --preset classic",
        ),
        (
            {"resolution": 96},
            "started with --resolution 64, which can't be changed to --resolution 96",
        ),
        ({"variant": "d"}, "started with no --variant, which can't be changed to --variant d"),
    ],
)
def test_what_cannot_change_on_resume_is_named(
    change: dict[str, Any], words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "begun"
    if not folder.exists():
        finish(options(draw_project(folder).folder, steps=2, seed=7))
    run = folder / "model" / "main"
    before = contents(run)
    with pytest.raises(CheckpointError, match=re.escape(words)) as caught:
        finish(options(folder, steps=3, **change))
    assert "--run" in str(caught.value)
    assert contents(run) == before


def test_what_is_not_given_stays_as_the_run_has_it(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    first = {
        "batch": 3,
        "learning_rate": 1e-4,
        "loss_weights": "mse=1",
        "warp": 0.05,
        "optimizer": "lion",
    }
    first |= {"augmentation": "rotation=10", "warp_grid": "4+8", "min_presence": 0.2}
    late = {"adversarial_weight": 0.1, "adversarial_start": 0.2}
    _, one = finish(options(folder, name="long", steps=4, **first, **late))
    begun = read_checkpoint(one.model).metadata["notes"]["begun"]
    assert begun.items() >= (first | late | {"precision": "fp32"}).items()
    assert not begun.keys() & {"project", "run", "steps", "minutes", "device"}
    two = finish(TrainOptions(project=folder, run="long", steps=6, device="cpu"))[1]
    # The same as with everything said again.
    _, _ = finish(options(folder, name="said", steps=4, **first, **late))
    three = finish(options(folder, name="said", steps=6, **first, **late))[1]
    mine, said = (read_checkpoint(s.model) for s in (two, three))
    assert any(name.startswith("companion/judge/") for name in mine.tensors)
    assert mine.config == said.config
    assert mine.tensors.keys() == said.tensors.keys()
    assert [k for k, v in mine.tensors.items() if not torch.equal(v, said.tensors[k])] == []
    # What is changed on the way stays changed.
    _, four = finish(TrainOptions(project=folder, run="long", steps=7, device="cpu", batch=2))
    assert read_checkpoint(four.model).metadata["notes"]["begun"]["batch"] == 2
    _, five = finish(TrainOptions(project=folder, run="long", steps=8, device="cpu"))
    begun = read_checkpoint(five.model).metadata["notes"]["begun"]
    assert (begun["batch"], begun["warp"]) == (2, 0.05)
    with pytest.raises(OptionsError, match="needs a training budget"):
        finish(TrainOptions(project=folder, run="long", device="cpu"))


def rewritten(path: Path, **changes: Any) -> None:
    """The checkpoint ``path`` with another kind, config or numbers."""
    was = read_checkpoint(path)
    parts = {"kind": was.kind, "config": was.config, "numbers": was.metadata} | changes
    write_checkpoint(path, tensors=was.tensors, **parts)


def test_a_run_of_before_options_were_remembered_goes_on(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    _, summary = finish(options(folder, steps=2, optimizer="lion", seed=3))
    numbers = read_checkpoint(summary.model).metadata
    old = {"begun": {"seed": 3, "start_from": None, "fresh": False}}
    for notes in ({"notes": old}, {}):
        plain = {k: v for k, v in numbers.items() if k != "notes"}
        rewritten(summary.model, numbers=plain | notes)
        given = TrainOptions(project=folder, steps=numbers["step"] + 1, batch=2, device="cpu")
        _, summary = finish(given)
        numbers = read_checkpoint(summary.model).metadata
        assert numbers["optimiser"] == "Lion"
        assert numbers["notes"]["begun"]["resolution"] == 64
    with pytest.raises(CheckpointError, match="started with --optimizer lion"):
        finish(options(folder, steps=9, optimizer="adamw"))


def test_a_checkpoint_that_is_no_run_of_this_is_told_and_left_alone(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    _, summary = finish(options(folder, steps=1))
    whole = summary.model.read_bytes()
    config = read_checkpoint(summary.model).config
    numbers = read_checkpoint(summary.model).metadata
    wrongs: tuple[tuple[dict[str, Any], str], ...] = (
        ({"kind": "lab"}, "model of the kind 'lab', not a swap model"),
        ({"config": config | {"colour": 1}}, "another build"),
        ({"config": config | {"preset": "huge"}}, "another build"),
        ({"numbers": {}}, "has no run that can be resumed"),
        ({"numbers": {"step": 3, "faces": 20}}, "has no run that can be resumed"),
        ({"numbers": numbers | {"notes": {"begun": {"warp": 7}}}}, "options that this version"),
    )
    for change, words in wrongs:
        rewritten(summary.model, **change)
        before = contents(summary.model.parent)
        with pytest.raises(CheckpointError, match=words):
            finish(options(folder, steps=2))
        assert contents(summary.model.parent) == before
        summary.model.write_bytes(whole)
    assert finish(options(folder, steps=2))[1].step == 2


def test_what_is_off_by_default_can_be_turned_off_again(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    finish(options(folder, steps=1, flip=True))
    place = ["train", "--project", str(folder), "--device", "cpu"]
    for arguments, flipped in ((["--steps", "2"], True), (["--steps", "3", "--no-flip"], False)):
        assert cli.run([*place, *arguments]) == 0
        numbers = read_checkpoint(newest_checkpoint(folder / "model" / "main")).metadata
        assert numbers["notes"]["begun"]["random_flip"] == flipped


def test_letters_of_a_variant_come_in_any_order(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    small = {"preset": "df", "resolution": 64, "steps": 1, "batch": 1}
    _, summary = finish(options(folder, **(small | {"variant": "du"})))
    assert read_checkpoint(summary.model).config["variant"] == "ud"
    for number, variant in enumerate(("ud", "du"), 2):
        assert finish(options(folder, **(small | {"variant": variant, "steps": number})))[1].step


def test_a_run_that_is_at_its_end_says_so(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    _, first = finish(options(folder, steps=2))
    assert first.faces_per_second > 0
    assert "(0 faces/s" not in first.text()
    events, again = finish(options(folder, steps=2))
    assert any("is at step 2, past --steps 2: nothing left to do" in n for n in notices(events))
    assert again.step == 2
    assert "faces/s" not in again.text()


def test_what_contradicts_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="--random-init and --init exclude each other"):
        options(tmp_path, fresh=True, start_from=Path("m.safetensors"))
    folder = draw_project(tmp_path).folder
    with pytest.raises(OptionsError, match="give one of them"):
        finish(options(folder, rate=1e-3, find_rate=True))
    with pytest.raises(OptionsError, match="classic has no mask output"):
        finish(options(folder, preset="classic", losses="mask=1"))
    assert not (folder / "model" / "main").exists()


def test_what_may_change_on_resume_may(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    finish(options(folder, steps=2, seed=7, precision="auto"))
    changed = {
        "batch": 3,
        "learning_rate": 1e-4,
        "loss_weights": "mse=1",
        "freeze": "encoder",
        "warp": 0.05,
    }
    changed["pair_matching"] = False
    _, summary = finish(options(folder, steps=4, precision="fp32", **changed))
    numbers = read_checkpoint(summary.model).metadata
    assert numbers["step"] == 4
    assert numbers["precision"] == "fp32"
    # The seed it was begun with stays its own.
    assert numbers["notes"]["begun"]["seed"] == 7


def test_the_same_command_begins_and_goes_on(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    _, summary = finish(options(folder, steps=1))
    for steps in (2, 3):
        _, done = finish(options(folder, name="again", steps=steps, start_from=summary.model))
        assert done.step == steps


def test_a_rate_that_was_found_stays_and_changes_nothing_else(tmp_path: Path) -> None:
    folder = draw_project(tmp_path).folder
    events, summary = finish(options(folder, name="found", find_rate=True, steps=3))
    found = read_checkpoint(summary.model)
    rate = found.metadata["notes"]["found"]["rate"]
    assert any(f"learning rate is {rate:.2g}" in n for n in notices(events))
    _, named = finish(options(folder, name="named", rate=rate, steps=3))
    assert rate != PRESETS["quick"].learning_rate
    tensors = read_checkpoint(named.model).tensors
    assert tensors.keys() == found.tensors.keys()
    assert [k for k, v in tensors.items() if not torch.equal(v, found.tensors[k])] == []
    # Gone on with, it neither searches again nor forgets.
    rates = []
    for again in (True, False):
        step = 5 if again else 7
        events, _ = finish(options(folder, name="found", find_rate=again, steps=step))
        assert not any("learning rate of" in n for n in notices(events))
        _, _ = finish(options(folder, name="named", rate=rate, steps=step))
        rates.append(step)
    one, two = (
        read_checkpoint(newest_checkpoint(folder / "model" / name)).tensors
        for name in ("found", "named")
    )
    assert [k for k, v in one.items() if not torch.equal(v, two[k])] == []


def test_the_batch_can_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = draw_project(tmp_path).folder
    searched = []

    def search(trial: Any, *_: Any) -> Any:
        searched.append(trial(2))
        yield 2
        return 3

    monkeypatch.setattr(batch_size_finder, "fastest_batch_size", search)
    for steps in (2, 3):
        events, summary = finish(options(folder, batch="auto", steps=steps))
        assert any("batch size is 3 faces" in n for n in notices(events)) == (steps == 2)
    assert len(searched) == 1
    assert read_checkpoint(summary.model).metadata["notes"]["found"] == {"batch": 3}
    with pytest.raises(ValidationError):
        options(folder, batch="many")
