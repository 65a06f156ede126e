"""Single frames in any order, and a model that is read once."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import finished
from made_clips import write_cut_short
from preview_project import FRAMES
from safetensors import safe_open

from faceswap.events import Notice
from faceswap.jobs.preview import PreviewOptions, preview
from faceswap.preview.frame_reader import FrameReader
from faceswap.preview.session import Casting, PreviewSession
from faceswap.project.project import Project
from faceswap.project.unswapped import leave_unswapped
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import KIND, config_of
from faceswap.training import checkpoint
from faceswap.training.checkpoint import CheckpointFolder, named_weights
from faceswap.types import UInt8Image
from faceswap.video.reader import VideoReader


def test_the_swap_follows_the_blending_options(made: Path) -> None:
    with PreviewSession(made, "cpu") as session:
        full = session.swapped(Casting(), 5, BlendOptions(mask_type="landmarks"))
        none = session.swapped(Casting(), 5, BlendOptions(opacity=0.0))
        gap = session.swapped(Casting(), 35, BlendOptions())
        plain = session.footage(Project.open(made).video("a")).frame(5).image
    assert (full.faces, gap.faces) == (1, 0)
    assert np.abs(none.image.astype(int) - plain).max() <= 2
    assert np.abs(full.image.astype(int) - plain).max() > 20


def test_the_mask_is_shown_where_the_face_would_be(made: Path) -> None:
    look = BlendOptions(mask_type="landmarks")
    with PreviewSession(made, "cpu") as session:
        shown = session.swapped(Casting(), 5, look, mask=True).image.astype(int)
        full = session.swapped(Casting(), 5, look).image.astype(int)
        plain = session.footage(Project.open(made).video("a")).frame(5).image.astype(int)
    tinted, swapped = (np.abs(one - plain).max(2) > 12 for one in (shown, full))
    assert tinted.mean() > 0.01
    assert (shown - plain)[tinted][:, 1].mean() > (shown - plain)[tinted][:, 0].mean()  # greener
    assert (swapped & ~tinted).mean() < 0.02


def test_frames_come_in_any_order(clip: Path) -> None:
    footage = FrameReader(clip)
    found = {number: footage.frame(number) for number in (30, 3, 4, 39, 3)}
    assert {number: frame.index for number, frame in found.items()} == {
        30: 30, 3: 3, 4: 4, 39: 39
    }  # fmt: skip
    assert np.abs(found[3].image.astype(int) - found[39].image).mean() > 2
    assert footage.frame(4000).index == FRAMES - 1
    footage.close()


def test_a_file_that_breaks_off_shows_its_last_frame(tmp_path: Path) -> None:
    path = write_cut_short(tmp_path)
    numbers = [frame.index for frame in VideoReader(path, tolerate_damage=True)]
    footage = FrameReader(path)
    assert footage.reader.info.frames == 1400
    assert len(numbers) < 300
    for number in (1399, 10**6, len(numbers), 3, len(numbers) - 1, 1200):
        assert footage.frame(number).index == min(number, numbers[-1])
    assert footage.frame(-1).index == 0
    footage.close()


def test_a_released_video_is_opened_again(made: Path, clip: Path) -> None:
    with PreviewSession(made, "cpu") as session:
        before = session.footage(clip)
        session.release(clip)
        assert session.footage(clip) is not before


def test_of_a_model_the_weights_are_read_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "p"
    shutil.copytree(made, project)
    folder = CheckpointFolder(project / "model" / "main")
    read: list[str] = []

    class Opened:
        def __init__(self, path: Path, framework: str) -> None:
            read.append(path.stem)
            self._file: Any = safe_open(path, framework=framework)

        def __enter__(self) -> Any:
            return self._file.__enter__()

        def __exit__(self, *error: object) -> None:
            self._file.__exit__(*error)

    def asked(session: PreviewSession) -> tuple[list[str], str, UInt8Image]:
        read.clear()
        made = session.swapped(Casting(), 5, BlendOptions())
        said, session.notices = session.notices, []
        return [*read], " ".join(said), made.image

    monkeypatch.setattr(checkpoint, "safe_open", Opened)
    config = config_of("quick", 64)
    with PreviewSession(project, "cpu") as session:
        first = asked(session)
        assert first[0] == ["step-000000007"]
        again = asked(session)
        assert again[:2] == ([], "")
        assert np.array_equal(again[2], first[2])
        os.utime(folder.path(7))
        assert asked(session)[0] == ["step-000000007"]
        torch.manual_seed(1)
        other = dict(named_weights(SwapModel(config), "ema"))
        folder.save(8, KIND, config.model_dump(), {}, other)
        read_anew = asked(session)
        assert read_anew[:2] == (["step-000000008"], "")
        assert not np.array_equal(read_anew[2], first[2])
        damaged = folder.path(9)
        damaged.write_bytes(folder.path(8).read_bytes()[:-1000])
        fell_back = asked(session)
        assert fell_back[0] == ["step-000000009", "step-000000008"]
        assert "step-000000009.safetensors is damaged" in fell_back[1]
        assert fell_back[1].endswith("The model of step 8 is used instead.")
        assert asked(session)[:2] == ([], "")
        damaged.unlink()
        assert np.array_equal(asked(session)[2], read_anew[2])
    notices = []
    for name in ("whole", "damaged"):
        output = tmp_path / f"{name}.png"
        options = PreviewOptions(project=project, frame=5, output=output, device="cpu")
        events, _ = finished(preview(options))
        notices.append(sum(isinstance(event, Notice) for event in events))
        damaged.write_bytes(b"")
    assert notices == [0, 2]


def test_only_who_a_conversion_swaps_is_swapped(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "p")
    with PreviewSession(folder, "cpu") as session:
        assert session.swapped(Casting(), 5, BlendOptions()).faces == 1
        leave_unswapped(Project.open(folder), "a", frames=(4, 6))
        left = session.swapped(Casting(), 5, BlendOptions())
        plain = session.footage(Project.open(folder).video("a")).frame(5).image
        assert session.swapped(Casting(), 7, BlendOptions()).faces == 1
    assert left.faces == 0
    assert np.array_equal(left.image, plain)
