from pathlib import Path

import pytest
import torch
from line_task import line_loop

from faceswap.events import Metrics, Notice
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.searches import Searches
from faceswap.training.state import LoopConfig


def test_batch_and_rate_that_were_found_are_gone_on_with(tmp_path: Path) -> None:
    loop = line_loop(tmp_path, learning_rate=1e-6)
    before = loop.state.snapshot().tensors
    events = list(loop.search(Searches(batch=True, rate=True)))
    assert sum(isinstance(event, Notice) for event in events) == 2
    after = loop.state.snapshot().tensors
    assert all(torch.equal(after[name], value) for name, value in before.items())
    found = loop.state.notes["found"]
    assert found == {
        "batch": loop.stepper.config.batch_size,
        "rate": loop.stepper.config.learning_rate,
    }
    metrics = next(e.values for e in loop.run() if isinstance(e, Metrics))
    assert metrics["rate"] == pytest.approx(found["rate"] * 20 / 50, rel=0.9)
    assert metrics["rate"] > 1e-5
    saved = read_checkpoint(newest_checkpoint(tmp_path))
    assert saved.metadata["notes"]["found"] == found


def test_what_was_found_is_not_searched_for_again_nor_what_nobody_wants(tmp_path: Path) -> None:
    loop = line_loop(tmp_path)
    before = loop.stepper.config
    found = {"batch": 3.0, "rate": 0.5}
    assert list(loop.search(Searches(batch=True, rate=True, found=found))) == []
    assert loop.state.notes["found"] == found
    assert list(loop.search(Searches())) == []
    assert loop.state.notes["found"] == {}
    assert loop.stepper.config is before


def test_what_was_found_is_trained_with() -> None:
    config = LoopConfig(batch_size=16, learning_rate=0.1)
    assert Searches().apply(config) == config
    found = Searches(found={"batch": 3.0}).apply(config)
    assert (found.batch_size, found.learning_rate) == (3, 0.1)
    assert isinstance(found.batch_size, int)
    assert Searches(found={"rate": 0.5}).apply(config).learning_rate == 0.5
