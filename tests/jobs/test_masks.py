"""The job that shows masks, on the synthetic sample."""

from pathlib import Path

import pytest
from driving import finished

from faceswap.errors import NoFaceError, OutputError
from faceswap.events import Saved
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.masks import MasksOptions, MasksSummary, _spans, masks
from faceswap.video.reader import VideoReader


@pytest.fixture(scope="module")
def project(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the sample's A."""
    folder = tmp_path_factory.mktemp("masks") / "project"
    finished(extract(ExtractOptions(inputs=(sample / "a.mp4",), project=folder, side="a")))
    return folder


def test_masks_are_told_by_track_and_drawn(project: Path, sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.mp4"
    events, summary = finished(masks(MasksOptions(project=project, draw=out)))
    assert isinstance(summary, MasksSummary)
    (track,) = summary.tracks
    assert track.faces == 50
    assert 0.6 < track.least <= track.seen <= 1
    assert track.hidden == []
    assert summary.text().splitlines()[1].endswith("-")
    assert Saved(what="masks", path=out) in events
    with VideoReader(out) as drawn, VideoReader(sample / "a.mp4") as plain:
        changed = [
            float((abs(one.image.astype(int) - two.image) > 12).mean())
            for one, two in zip(drawn.frames(), plain.frames(), strict=True)
        ]
    assert len(changed) == 50
    assert min(changed) > 0.05


def test_runs_of_hidden_frames_are_spans() -> None:
    assert list(_spans(iter([1, 2, 3, 7, 9, 10]))) == [(1, 3), (7, 7), (9, 10)]
    assert list(_spans(iter([]))) == []


def test_what_is_wrong_is_told_first(project: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.mp4"
    there.touch()
    with pytest.raises(OutputError, match="--overwrite"):
        finished(masks(MasksOptions(project=project, draw=there)))
    with pytest.raises(NoFaceError, match="faceswap sources"):
        finished(masks(MasksOptions(project=project, source="b7")))
