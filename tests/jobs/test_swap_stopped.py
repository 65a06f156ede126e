"""A swap that is stopped while it converts does not train its minutes once more."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from drawn_faces import draw_project
from driving import finished
from small_runs import notices
from small_runs import options as small

from faceswap.errors import InputError
from faceswap.events import Event, Progress
from faceswap.jobs import swap as module
from faceswap.jobs.convert import ConvertOptions, ConvertSummary
from faceswap.jobs.swap import SwapOptions, swap
from faceswap.jobs.train import train
from faceswap.training.run_metadata import read_newest_header


class StoppedError(Exception):
    """The conversion was broken off."""


class Swapped:
    """A swap of drawn faces: what has nothing to do with training is left out.

    broken: whether converting is stopped.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.project = draw_project(folder / "p").folder
        self.broken = False
        finished(train(small(self.project, steps=1)))
        patch.setattr(module, "_check", lambda *_: [])
        patch.setattr(module, "extract", lambda _: iter(()))
        patch.setattr(module, "as_stage", self._stage)
        patch.setattr(module, "convert_one", self._convert)
        patch.setattr(module, "_write_sheet", lambda *_: None)
        patch.setattr(module, "_frames_with_faces", lambda _: [])

    @staticmethod
    def _stage(name: str, job: Any) -> Generator[Event, None, Any]:
        return (yield from job)

    def _convert(self, options: ConvertOptions) -> Generator[Event, None, ConvertSummary]:
        yield Progress(stage="convert", done=0)
        if self.broken:
            raise StoppedError
        assert options.output is not None
        return ConvertSummary(output=options.output, frames=1, swapped=1)

    @property
    def step(self) -> int:
        return int(read_newest_header(self.project / "model" / "main")["numbers"]["step"])

    def run(self, broken: bool, **asked: Any) -> list[str]:
        self.broken = broken
        options = SwapOptions(
            a=Path("a.mp4"),
            b=Path("b.mp4"),
            output=self.project.parent / "o.mp4",
            project=self.project,
            device="cpu",
            **asked,
        )
        if not broken:
            return notices(finished(swap(options))[0])
        with pytest.raises(StoppedError):
            list(swap(options))
        return []


BRIEFLY = 0.3 / 60  # minutes


def test_stopped_while_converting_it_goes_straight_on_with_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = Swapped(tmp_path, monkeypatch)
    swapped.run(True, minutes=BRIEFLY)
    trained = swapped.step
    assert trained > 1
    told = "The training is complete, at step"
    assert any(told in n for n in swapped.run(True, minutes=BRIEFLY) + swapped.run(False))
    assert swapped.step == trained
    # All was done: run once more, it trains its time once more.
    assert not any(told in n for n in swapped.run(False, minutes=BRIEFLY, overwrite=True))
    assert swapped.step > trained


def test_what_it_went_on_with_is_not_trained_once_more_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = Swapped(tmp_path, monkeypatch)
    with closing(train(small(swapped.project, steps=None, minutes=3 * BRIEFLY))) as job:
        for event in job:
            if isinstance(event, Progress) and event.unit == "steps" and event.done > 2:
                break
    swapped.run(True)
    trained = swapped.step
    assert trained > 2
    assert any("The training is complete" in n for n in swapped.run(False))
    assert swapped.step == trained
    assert not any("The training is complete" in n for n in swapped.run(False, minutes=BRIEFLY))
    assert swapped.step > trained


def test_a_larger_number_trains_what_it_is_larger_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = Swapped(tmp_path, monkeypatch)
    swapped.run(True, steps=3)
    assert swapped.step == 3
    assert any("Training now ends at step 5" in n for n in swapped.run(False, steps=5))
    assert swapped.step == 5
    # Steps are those of the run: the same number again leaves nothing to do.
    assert any("The training is complete" in n for n in swapped.run(False, steps=5))
    assert swapped.step == 5


def test_stopped_while_training_it_trains_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swapped = Swapped(tmp_path, monkeypatch)
    asked: dict[str, Any] = {
        "output": tmp_path / "o.mp4",
        "project": swapped.project,
        "device": "cpu",
    }
    job = swap(SwapOptions(a=Path("a.mp4"), b=Path("b.mp4"), minutes=50, **asked))
    for event in job:
        if isinstance(event, Progress) and event.unit == "steps" and event.done > 1:
            break
    job.close()
    stretch = read_newest_header(swapped.project / "model" / "main")["numbers"]["notes"]["stretch"]
    assert stretch == {"first": 1, "since": stretch["since"], "minutes": 50, "steps": None}
    swapped.run(False, steps=swapped.step + 1)
    stretch = read_newest_header(swapped.project / "model" / "main")["numbers"]["notes"]["stretch"]
    assert (stretch["first"], stretch["minutes"]) == (1, None)


def test_what_fails_leaves_no_run_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"no video " + name.encode())
    with pytest.raises(InputError):
        list(
            swap(SwapOptions(a=tmp_path / "a.mp4", b=tmp_path / "b.mp4", output=tmp_path / "o.mp4"))
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
