"""The default quality follows the footage's bits and keeps what is not swapped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_clips import MakeClip, write_clip
from pydantic import ValidationError

from faceswap.video.encoding import Encoding
from faceswap.video.output_options import OutputOptions
from faceswap.video.output_plan import plan_output
from faceswap.video.quality import FIDELITY, LEAST, estimate_quality
from faceswap.video.reader import VideoReader
from faceswap.video.writer import VideoWriter


@pytest.mark.parametrize("crf", ["16", "30"])
def test_a_file_of_few_bits_stays_small_and_is_kept(
    make_clip: MakeClip, tmp_path: Path, crf: str
) -> None:
    path = make_clip(frames=60, width=192, height=128, tracks=0, options={"crf": crf})
    video = VideoReader(path)
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding())
    found = estimate_quality(plan, video, fixed=False)
    with VideoWriter.of_footage(plan.with_crf(found.crf)) as writer:
        for one in video.footage():
            writer.write_footage(one)
    made = VideoReader(plan.path)
    errors = [
        float(np.mean((a.image.astype(float) - b.image) ** 2))
        for a, b in zip(video, made, strict=True)
    ]
    assert 10 * np.log10(255**2 / max(errors)) > FIDELITY - 1.5
    size = plan.path.stat().st_size
    assert size / 2 < found.size < size * 2
    if crf == "30":
        assert size < 3 * path.stat().st_size


def test_bits_are_saved_down_to_the_fidelity_that_is_promised(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    video = VideoReader(
        make_clip(frames=60, width=192, height=128, tracks=0, options={"crf": "16"})
    )
    few = replace(video.info, bit_rate=video.info.bit_rate // 10)
    found = estimate_quality(plan_output(tmp_path / "o.mp4", few, Encoding()), video, fixed=False)
    assert found.crf > 14
    assert LEAST <= found.fidelity < LEAST + 1.5


def test_a_clip_of_few_bits_does_not_become_many_times_larger(tmp_path: Path) -> None:
    """As a messenger sends it; two seconds are enough for key frames not to weigh much."""
    path = write_clip(
        tmp_path / "a.mp4", frames=50, width=320, height=240, tracks=0,
        options={"b": "150k", "maxrate": "200k", "bufsize": "200k"},
    )  # fmt: skip
    video = VideoReader(path)
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding())
    plan = plan.with_crf(estimate_quality(plan, video, fixed=False).crf)
    with VideoWriter.of_footage(plan) as writer:
        for one in video.footage():
            writer.write_footage(one)
    assert plan.path.stat().st_size <= 3 * path.stat().st_size
    pairs = zip(video, VideoReader(plan.path), strict=True)
    error = np.mean([np.mean((a.image.astype(float) - b.image) ** 2) for a, b in pairs])
    assert 10 * np.log10(255**2 / error) >= 40


def test_a_fixed_quality_is_only_measured(make_clip: MakeClip, tmp_path: Path) -> None:
    video = VideoReader(make_clip(tracks=0))
    plan = plan_output(tmp_path / "o.mp4", video.info, Encoding(crf=30))
    found = estimate_quality(plan, video, fixed=True)
    assert found.crf == 30
    assert 20 < found.fidelity < 41


def test_qualities_are_words_or_numbers() -> None:
    assert OutputOptions().encoding().crf == 14
    assert OutputOptions(quality="good").encoding().crf == 19
    assert OutputOptions(quality="lossless").encoding().crf == 0
    assert OutputOptions(quality="22.5").encoding().crf == 22.5
    assert OutputOptions.model_validate({"quality": 30}).encoding().crf == 30
    for wrong in ("best", "-1", "60"):
        with pytest.raises(ValidationError, match="lossless"):
            OutputOptions(quality=wrong)
