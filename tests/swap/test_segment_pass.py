"""Resumed anywhere, a pass over footage sees the frames that a whole pass sees there."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import camera_clips
import pytest
import torch
from made_clips import write_clip

from faceswap.events import Meter
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.segment_pass import Place, SegmentPass, SegmentWork
from faceswap.swap.compositing.several import SeveralSwappers
from faceswap.video.output_options import OutputOptions
from faceswap.video.planned_output import PlannedOutput, plan_conversion
from faceswap.video.reader import Footage, VideoReader
from faceswap.video.segment_journal import SegmentJournal
from faceswap.video.segments import Pictures, SegmentWriter
from faceswap.video.span import WHOLE

LENGTH = 6


class Seen:
    """Takes the frames of a segment, and notes what they show."""

    def __init__(self, seen: list[tuple[int, int, str]]) -> None:
        self._seen, self._pictures = seen, Pictures(frames=0, last_pts=0, end_pts=0)

    def write_footage(self, footage: Footage, patches: Sequence[object] = ()) -> None:
        mark = hashlib.sha256(footage.picture.to_ndarray().tobytes()).hexdigest()[:12]
        self._seen.append((footage.index, footage.pts, mark))
        self._pictures = Pictures(
            frames=self._pictures.frames + 1,
            last_pts=footage.pts,
            end_pts=footage.pts + footage.duration,
        )

    def finish(self) -> Pictures:
        return self._pictures

    def discard(self) -> None:
        pass


def passed(
    path: Path, folder: Path, resume_at: int | None, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[int, int, str]]:
    """All frames; with ``resume_at``, in two passes, the second from that segment on."""
    seen: list[tuple[int, int, str]] = []

    def segment(self: PlannedOutput, data: Path, first: int) -> SegmentWriter:
        return Seen(seen)

    monkeypatch.setattr(PlannedOutput, "segment", segment)
    options = OutputOptions(deinterlace=True)
    journal = SegmentJournal(folder / "o.mp4")

    def place(number: int) -> Place:
        return Place(number, number * LENGTH, (number + 1) * LENGTH, "k")

    with (
        VideoReader(path, tolerate_damage=True) as footage,
        SeveralSwappers([], torch.device("cpu"), BlendOptions()) as swapper,
        journal.locked(),
    ):
        planned = plan_conversion(options, folder / "o.mp4", footage, WHOLE, overwrite=False)
        work = SegmentWork(
            footage, planned, swapper, journal, place, first=0, batch=4, check=lambda: None
        )
        first = SegmentPass(work, Meter("x"))
        for _ in first.run(0, resume_at, None):
            pass
        if resume_at is not None:
            second = SegmentPass(work, Meter("x"))
            for _ in second.run(resume_at, None, first.finished[-1]):
                pass
            assert second.finished[0].number == resume_at
            assert second.finished[-1].last
        journal.remove()
    return seen


def damaged(folder: Path) -> Path:
    """A clip with a packet in the middle that can't be decoded."""
    path = write_clip(folder / "damaged.mkv", frames=30, options={"crf": "10", "g": "4", "bf": "0"})
    data = bytearray(path.read_bytes())
    middle = len(data) * 2 // 5
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", ["plain", "open GOP", "interlaced", "joined", "damaged"])
def test_a_pass_may_begin_at_any_segment(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    makers: dict[str, Callable[[Path], Path]] = {
        "interlaced": camera_clips.interlaced,
        "joined": camera_clips.joined,
        "damaged": damaged,
        "plain": lambda folder: write_clip(folder / "plain.mp4", frames=30),
        "open GOP": lambda folder: write_clip(
            folder / "open.mp4",
            frames=30,
            options={"x264-params": "open-gop=1:keyint=8:min-keyint=4:bframes=3"},
        ),
    }
    path = makers[kind](tmp_path)
    whole = passed(path, tmp_path, None, monkeypatch)
    assert [index for index, *_ in whole] == list(range(len(whole)))
    for number in range(1, min(4, len(whole) // LENGTH)):
        assert passed(path, tmp_path, number, monkeypatch) == whole, number
