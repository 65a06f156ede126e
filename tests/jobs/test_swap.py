"""The main job: two videos in, one out, and what can go wrong on the way."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from driving import finished
from PIL import Image

from faceswap.errors import InputError, NoFaceError, OutputError
from faceswap.events import Event, Preview, Progress
from faceswap.io.provenance import SHEET, SWAPPED, picture_provenance
from faceswap.jobs.swap import SwapOptions, SwapSummary, swap
from faceswap.swap.evaluation.contact_sheet import contact_sheet, pick_frames
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.video.provenance import provenance_of
from faceswap.video.reader import VideoReader


def run(options: SwapOptions) -> tuple[list[Event], SwapSummary]:
    return finished(swap(options))


def test_two_videos_in_one_out_and_again_trains_on(sample: Path, tmp_path: Path) -> None:
    options = SwapOptions(
        a=sample / "a.mp4", b=sample / "b.mp4", output=tmp_path / "o ü.mp4", minutes=0.1
    )
    events, summary = run(options)
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert list(dict.fromkeys(stages)) == ["extract A", "extract B", "train", "convert"]
    assert summary.swapped == summary.frames > 0
    with VideoReader(summary.output) as out, VideoReader(sample / "a.mp4") as a:
        assert len(list(out)) == len(list(a)) == summary.frames
    with Image.open(summary.sheet) as sheet:
        assert min(sheet.size) > 1400
    assert picture_provenance(summary.sheet) == SHEET
    told = provenance_of(summary.output)
    assert told.text.startswith(SWAPPED.text)
    assert told.code == SWAPPED.code
    assert isinstance(events[-1], Preview)
    assert summary.project == tmp_path / "o ü.faceswap"
    with pytest.raises(OutputError, match="--overwrite"):
        run(options)
    runs = CheckpointFolder(summary.project / "model" / "main")
    first, _ = runs.newest()
    run(options.model_copy(update={"overwrite": True}))
    second, _ = runs.newest()
    assert first is not None
    assert second is not None
    assert second.metadata["step"] > first.metadata["step"]


def test_stopping_leaves_a_project_to_go_on_from(sample: Path, tmp_path: Path) -> None:
    options = SwapOptions(
        a=sample / "a.mp4", b=sample / "b.mp4", output=tmp_path / "o.mp4", minutes=5
    )
    with closing(swap(options)) as job:
        for event in job:
            if isinstance(event, Progress) and event.unit == "steps" and event.done >= 2:
                break
    assert not (tmp_path / "o.mp4").exists()
    newest, _ = CheckpointFolder(tmp_path / "o.faceswap" / "model" / "main").newest()
    assert newest is not None
    assert newest.metadata["step"] >= 2


def test_the_same_footage_twice_is_refused(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="same footage"):
        run(SwapOptions(a=sample / "a.mp4", b=sample / "a.mp4", output=tmp_path / "o.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_is_told_before_the_work(sample: Path, tmp_path: Path) -> None:
    a, b = sample / "a.mp4", sample / "b.mp4"
    for output in (tmp_path / "none" / "o.mp4", tmp_path / "o.txt", sample / "a.mp4"):
        with pytest.raises(OutputError):
            run(SwapOptions(a=a, b=b, output=output))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_clip_is_told_before_the_work(sample: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4"):
        run(SwapOptions(a=sample / "a.mp4", b=tmp_path / "none.mp4", output=tmp_path / "o.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_a_b_that_is_no_video_is_told_before_the_work(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be read as a video"):
        run(SwapOptions(a=sample / "a.mp4", b=tmp_path / "b.mp4", output=tmp_path / "o.mp4"))
    assert [p.name for p in tmp_path.iterdir()] == ["b.mp4"]


def test_a_sheet_that_is_there_is_not_overwritten(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "o_sheet.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"o_sheet\.png exists already"):
        run(SwapOptions(a=sample / "a.mp4", b=sample / "b.mp4", output=tmp_path / "o.mp4"))
    assert (tmp_path / "o_sheet.png").read_bytes() == b"mine"
    assert not (tmp_path / "o.faceswap").exists()


def test_b_without_faces_is_told(sample: Path, tmp_path: Path, make_clip: object) -> None:
    clip = make_clip(frames=12)  # type: ignore[operator]
    with pytest.raises(NoFaceError, match="No face was found"):
        run(SwapOptions(a=sample / "a.mp4", b=clip, output=tmp_path / "o.mp4", minutes=0.05))


def test_a_sheet_shows_pairs_side_by_side() -> None:
    red, blue = (np.full((40, 30, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([red] * 3, [blue] * 3, [0, 0.5, 1], cell=80)
    assert sheet.shape[1] == 2 * 2 * (60 + 6)
    reds = (sheet == (255, 0, 0)).all(-1)
    blues = (sheet == (0, 0, 255)).all(-1)
    assert reds.sum() == blues.sum() == 3 * 80 * 60


def test_picked_frames_are_spread_over_all() -> None:
    assert pick_frames(range(100), 4) == [12, 37, 62, 87]
    assert pick_frames([3, 5], 8) == [3, 5]
    assert pick_frames([], 8) == []
