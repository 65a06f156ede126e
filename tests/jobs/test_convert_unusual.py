"""Unusual footage: what hides a face stays before it, and what has no colours gets none."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from driving import finished
from numpy.typing import NDArray
from small_swaps import train_briefly

from faceswap.events import Notice
from faceswap.faces.detect import make_detector
from faceswap.faces.finder import find_faces
from faceswap.faces.landmarks import make_landmarker
from faceswap.jobs.convert import ConvertOptions, ConvertSummary, convert
from faceswap.types import Points, UInt8Image
from faceswap.video.reader import VideoReader

FRAMES = 6


@pytest.fixture(scope="module")
def trained(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the sample with a model of two steps."""
    return train_briefly(
        tmp_path_factory.mktemp("trained") / "p", sample / "a.mp4", sample / "b.mp4"
    )


@pytest.fixture(scope="module")
def pictures(sample: Path) -> list[UInt8Image]:
    """The sample's first frames."""
    return frames_of(sample / "a.mp4")[:FRAMES]


@pytest.fixture(scope="module")
def points(pictures: list[UInt8Image]) -> Points:
    """The face's points (68, 2) in the first frame; it hardly moves."""
    found = find_faces(pictures[0], make_landmarker(), make_detector(), max_faces=1)
    return found[0].points


def frames_of(path: Path) -> list[UInt8Image]:
    with VideoReader(path) as reader:
        return [frame.image for frame in reader.frames()]


def converted(
    pictures: Sequence[NDArray[np.uint8]], trained: Path, folder: Path
) -> tuple[list[UInt8Image], ConvertSummary, list[str]]:
    """What becomes of footage: frames, summary, notices."""
    project = folder / "p"
    shutil.copytree(trained, project)
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "6"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    out = folder / "o.mp4"
    events, summary = finished(
        convert(ConvertOptions(project=project, input=[folder / "film.mp4"], output=out))
    )
    notices = [event.message for event in events if isinstance(event, Notice)]
    return frames_of(out), summary, notices


def test_black_and_white_stays_so(
    pictures: list[UInt8Image], trained: Path, tmp_path: Path
) -> None:
    grey = [np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, 2) for p in pictures]
    made, summary, _ = converted([np.asarray(p, np.uint8) for p in grey], trained, tmp_path)
    assert summary.swapped == FRAMES
    assert max(int(np.ptp(frame, axis=2).max()) for frame in made) <= 6
    assert np.abs(made[2].astype(int) - grey[2]).max() > 20


def test_a_mask_before_mouth_and_nose_stays(
    pictures: list[UInt8Image], points: Points, trained: Path, tmp_path: Path
) -> None:
    nose = points[28]
    outline = [
        points[1:16],
        (points[15] + nose)[None] / 2,
        nose[None],
        (points[1] + nose)[None] / 2,
    ]
    shape = np.round(np.concatenate(outline)).astype(np.int32)
    worn = [cv2.fillPoly(p.copy(), [shape], (120, 170, 205), cv2.LINE_AA) for p in pictures]
    made, _, _ = converted([np.asarray(p, np.uint8) for p in worn], trained, tmp_path)
    cloth = cv2.fillPoly(np.zeros(pictures[0].shape[:2], np.uint8), [shape], 1)
    width = float(np.ptp(points[:, 0]))
    kernel = np.ones((int(0.2 * width), int(0.2 * width)), np.uint8)
    inside = cv2.erode(cloth, kernel) > 0
    for frame, before in zip(made, worn, strict=True):
        changed = np.abs(frame.astype(int) - before)[inside].max(1)
        assert np.percentile(changed, 95) < 12


def test_footage_without_a_face_is_told_and_kept(trained: Path, tmp_path: Path) -> None:
    blank = [np.full((120, 160, 3), 90, np.uint8) for _ in range(FRAMES)]
    made, summary, notices = converted(blank, trained, tmp_path)
    assert (summary.frames, summary.swapped) == (FRAMES, 0)
    assert len(made) == FRAMES
    assert any("no face is found" in notice for notice in notices)
