"""Converted footage as numbered pictures, animations, and passes for compositing programs."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import MakeClip
from numpy.testing import assert_array_equal
from PIL import Image

from faceswap.errors import OutputError
from faceswap.io.provenance import SWAPPED, picture_provenance
from faceswap.video.color import YuvToRgb16
from faceswap.video.passes import CompositingPasses
from faceswap.video.patch import Patch
from faceswap.video.picture_output import (
    PictureOutput,
    PictureSegment,
    join_animation,
    numbered,
)
from faceswap.video.reader import VideoReader
from faceswap.video.segments import Segment


def written(path: Path, out: Path, count: int = 3) -> list[Path]:
    out.parent.mkdir()
    video = VideoReader(path)
    output = PictureOutput(out, video.info)
    segments = []
    for number, first in enumerate(range(0, count, 4)):
        made = PictureSegment(output, first, out.with_name(f"{number}"))
        for one in video.footage(first, min(first + 4, count)):
            made.write_footage(one)
        segments.append(
            Segment(number=number, key="", pictures=made.finish(), swapped=0, last=False)
        )
    if output.animated:
        join_animation(output, segments, lambda one: out.with_name(f"{one.number}"))
    return sorted(path for path in out.parent.iterdir() if path.is_file())


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_sequences_keep_the_footage_s_depth_and_say_what_they_are(
    make_clip: MakeClip, tmp_path: Path, suffix: str, pixel_format: str
) -> None:
    path = make_clip(pixel_format=pixel_format)
    files = written(path, tmp_path / "shots" / f"f_%03d{suffix}")
    assert [file.name for file in files] == [f"f_00{n}{suffix}" for n in range(3)]
    video, made = VideoReader(path), VideoReader(tmp_path / "shots")
    deep = YuvToRgb16(video.info)
    for before, after in zip(video.footage(0, 3), made.footage(), strict=True):
        if pixel_format == "yuv420p":
            assert_array_equal(before.image, after.image)
        else:
            assert_array_equal(deep(before.picture), after.picture.to_ndarray())
    found = picture_provenance(files[0])
    assert found is not None
    assert found.code == SWAPPED.code


def test_exr_is_linear_light_with_white_at_one(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip(pixel_format="yuv420p10le", colour=(9, 9, 16, 1), codec="libx265",
                     options={"x265-params": "log-level=error"}, tracks=0, frames=3)  # fmt: skip
    (file,) = written(path, tmp_path / "e" / "f_%d.exr", 1)
    data = file.read_bytes()
    assert SWAPPED.code.encode() in data[:1000]
    with av.open(str(file)) as container:
        stored = next(container.decode(video=0))
        assert stored.format.name == "gbrpf16le"
        green, blue, red = (
            np.frombuffer(memoryview(one), np.float16).reshape(96, -1)[:, :128]
            for one in stored.planes
        )
        picture = np.stack([red, green, blue], 2).astype(np.float64)
    video = VideoReader(path)
    codes = YuvToRgb16(video.info)(next(video.footage()).picture) / 65535
    brightest = np.unravel_index(np.argmax(codes.mean(2)), codes.shape[:2])
    root = codes[brightest] ** (32 / 2523)
    light = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
    nits = 10000 * light ** (16384 / 2610)
    assert picture[brightest] == pytest.approx(nits / 203, rel=0.02)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_keep_frames_and_times(make_clip: MakeClip, tmp_path: Path, suffix: str) -> None:
    path = make_clip(tracks=0)
    (file,) = written(path, tmp_path / "a" / f"a{suffix}", 10)
    made = VideoReader(file)
    assert [round(frame.time * 1000) for frame in made] == [40 * n for n in range(10)]
    with Image.open(file) as picture:
        assert SWAPPED.code in str(picture.info.get("comment", picture.info.get("xmp")))


def test_names_that_cannot_hold_a_sequence_are_refused(make_clip: MakeClip, tmp_path: Path) -> None:
    info = VideoReader(make_clip()).info
    with pytest.raises(OutputError, match=r"f_%06d\.png"):
        PictureOutput(tmp_path / "f.png", info)
    with pytest.raises(OutputError, match="percent sign"):
        numbered(tmp_path / "f_%s_%d.png", 3)
    out = tmp_path / "f_%d.png"
    (tmp_path / "f_0.png").write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        PictureOutput(out, info)
    assert "1 sound track" in PictureOutput(out, info, overwrite=True).notices[0]


def test_passes_hold_face_mask_and_matrix(make_clip: MakeClip, tmp_path: Path) -> None:
    info = VideoReader(make_clip()).info
    passes = CompositingPasses(tmp_path / "p", info)
    face = np.full((10, 12, 3), (0.25, 0.5, 1), np.float32)
    matrix = np.array([[2.0, 0, 1], [0, 2, 3]])
    patch = Patch(20, 30, face, np.full((10, 12), 0.5, np.float32), matrix)
    entry = passes.write(7, 7 * 512, [patch])
    document = json.loads(passes.finish([entry]).read_text())
    assert document["frames"][0]["frame"] == 7
    assert document["frames"][0]["time"] == pytest.approx(0.28)
    assert document["frames"][0]["matrices"] == [matrix.tolist()]
    video = VideoReader(tmp_path / "p" / "face")
    stored = next(video.footage()).picture.to_ndarray()
    assert stored.shape == (96, 128, 3)
    assert stored[35, 25].tolist() == [16384, 32768, 65535]
    with Image.open(tmp_path / "p" / "mask" / "000007.png") as mask:
        values = np.asarray(mask)
    assert values[35, 25] == 32768
    assert values[5, 5] == 0
    with pytest.raises(OutputError, match="passes already"):
        CompositingPasses(tmp_path / "p", info)
