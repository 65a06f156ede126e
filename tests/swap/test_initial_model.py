from pathlib import Path

import pytest
import torch

from faceswap.errors import CheckpointError, OptionsError
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import KIND, SwapConfig
from faceswap.swap.training.initial_model import initial_model
from faceswap.swap.training.options import TrainOptions
from faceswap.training.checkpoint import (
    Checkpoint,
    named_weights,
    read_checkpoint,
    write_checkpoint,
)


def options(**given: object) -> TrainOptions:
    return TrainOptions.model_validate({"project": Path("p")} | given)


def same(one: SwapModel, other: SwapModel) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def saved(path: Path, config: SwapConfig) -> Checkpoint:
    """A checkpoint of a model that is like no other."""
    torch.manual_seed(99)
    model = SwapModel(config)
    write_checkpoint(
        path, KIND, config.model_dump(), {"step": 5}, dict(named_weights(model, "ema"))
    )
    return read_checkpoint(path)


def test_random_weights_depend_on_the_seed_alone_and_leave_the_random_state() -> None:
    before = torch.get_rng_state()
    one, notices = initial_model(options(resolution=64), None)
    assert notices == []
    torch.manual_seed(5)
    two, _ = initial_model(options(resolution=64), None)
    other, _ = initial_model(options(resolution=64, seed=1), None)
    assert same(one, two)
    assert not same(one, other)
    torch.set_rng_state(before)


def test_quick_starts_from_the_shipped_weights_unless_told_otherwise() -> None:
    shipped, _ = initial_model(options(), None)
    again, _ = initial_model(options(seed=1), None)
    random, _ = initial_model(options(random_init=True), None)
    a, b, c = (model.network.encoder.state_dict() for model in (shipped, again, random))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_given_weights_are_taken_and_told(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    saved(path, SwapConfig(preset="quick", resolution=64))
    taken, notices = initial_model(options(resolution=64, init=path), None)
    plain, _ = initial_model(options(resolution=64), None)
    assert not same(taken, plain)
    assert notices[0].startswith(f"Starting from {path}, with its ")
    with pytest.raises(CheckpointError, match="no model file"):
        initial_model(options(init=tmp_path / "none.safetensors"), None)


def test_a_run_that_was_begun_has_the_architecture_of_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path / "run.safetensors", SwapConfig(preset="quick", resolution=96))
    model, notices = initial_model(options(init=tmp_path / "not read"), checkpoint)
    assert (model.resolution, notices) == (96, [])


def test_a_mask_loss_needs_a_mask() -> None:
    with pytest.raises(OptionsError, match="classic has no mask output"):
        initial_model(options(preset="classic", loss_weights="mask=1"), None)
