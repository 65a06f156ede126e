"""The sample: what it holds, that it repeats, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from driving import finished
from pydantic import ValidationError

from faceswap.errors import OptionsError, OutputError
from faceswap.events import Progress, Saved
from faceswap.faces.face_regions import face_mask
from faceswap.io.provenance import rendered
from faceswap.jobs.sample import NAMES, SampleOptions, SampleSummary
from faceswap.jobs.sample import sample as sample_job
from faceswap.video.compare import audio_digests
from faceswap.video.provenance import provenance_of
from faceswap.video.reader import VideoReader


def run(options: SampleOptions) -> tuple[list[object], SampleSummary]:
    return finished(sample_job(options))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "mit Umlaut ü"
    events, summary = run(SampleOptions(folder=folder, size=64, seconds=0.2))
    assert summary.frames == 5
    assert [e.path.name for e in events if isinstance(e, Saved)] == list(NAMES)
    assert any(isinstance(e, Progress) for e in events)
    return folder


def test_holds_four_files_and_nothing_else(tiny: Path) -> None:
    assert sorted(path.name for path in tiny.iterdir()) == sorted(NAMES)


def test_same_seed_same_bytes(tiny: Path, tmp_path: Path) -> None:
    run(SampleOptions(folder=tmp_path / "again", size=64, seconds=0.2, workers=3))
    for name in NAMES:
        assert (tiny / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_videos_are_as_announced(sample: Path) -> None:
    record = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    assert (record["a"], record["b"]) == ("nora", "tom")
    for name in NAMES[:3]:
        with VideoReader(sample / name) as video:
            assert (video.info.width, video.info.height) == (record["size"], record["size"])
            assert len(video.timestamps()) == record["frames"] == 50
            assert video.info.rate == 25
            assert len(video.info.audio) == 1
        told = provenance_of(sample / name)
        assert told == rendered("tom" if name == "b.mp4" else "nora")
        assert "shows no real person" in told.text
    sounds = [audio_digests(sample / name) for name in NAMES[:3]]
    assert sounds[0] == sounds[2] != sounds[1]


def test_truth_is_a_outside_the_face_and_another_inside(sample: Path) -> None:
    record = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    size = record["size"]
    with VideoReader(sample / "a.mp4") as a, VideoReader(sample / "truth.mp4") as truth:
        for frame, swap, one in zip(
            a.frames(0, 50, 10), truth.frames(0, 50, 10), record["clips"]["a"][::10], strict=True
        ):
            points = np.array(one["truth"]["points"], np.float32)
            forehead = np.array(one["truth"]["forehead"], np.float32)
            mask = face_mask(points, forehead, (size, size)) > 127
            difference = np.abs(frame.image.astype(int) - swap.image).mean(-1)
            assert difference[mask].mean() > 15
            assert np.median(difference[~mask]) < 2


def test_record_tells_everything(sample: Path) -> None:
    record = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    assert record["format"] == 1
    for side in ("a", "b"):
        for one in record["clips"][side]:
            assert np.shape(one["points"]) == (68, 2)
            assert np.shape(one["forehead"]) == (13, 2)
            assert len(one["visible"]) == 81
            assert len(one["pose"]) == 3
            assert {"jaw", "smile", "blink_left", "gaze_yaw"} <= one["expression"].keys()
    assert "truth" not in record["clips"]["b"][0]


def test_our_landmarker_finds_the_exact_points(sample: Path) -> None:
    from faceswap.swap.evaluation.evaluator import new_tracker
    from faceswap.swap.evaluation.metrics import points_error

    record = json.loads((sample / "truth.json").read_text(encoding="utf-8"))
    for side in ("a", "b"):
        tracker, errors = new_tracker(), []
        with VideoReader(sample / f"{side}.mp4") as video:
            for frame, one in zip(video.frames(), record["clips"][side], strict=True):
                faces = tracker.update(frame.image).faces
                assert len(faces) == 1
                exact = np.array(one["points"], np.float32)
                inner = slice(27, 68)
                unit = np.linalg.norm(exact[45] - exact[36])
                far = np.linalg.norm(faces[0].points[inner] - exact[inner], axis=1)
                errors.append(float(far.mean() / unit * 100))
                assert points_error(faces[0].points, exact) < 15
        assert np.mean(errors) < 6.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": "zorro"}, "zorro.*clara"),
        ({"seconds": 0.0}, "less than a frame"),
    ],
)
def test_refuses_what_cannot_be_rendered(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    options = SampleOptions.model_validate({"folder": tmp_path / "x", **changes})
    with pytest.raises(OptionsError, match=message):
        run(options)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("size", "reason"),
    [(65, "multiple of 2"), (62, "greater than or equal to 64"), (5000, "less than or equal")],
)
def test_the_size_has_declared_bounds(size: int, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        SampleOptions(folder=Path("x"), size=size)


def test_refuses_to_replace(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a\.mp4.*--overwrite"):
        run(SampleOptions(folder=tiny, size=64, seconds=0.2))
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"):
        run(SampleOptions(folder=tmp_path / "file"))


def test_stopped_leaves_nothing(tmp_path: Path) -> None:
    job = sample_job(SampleOptions(folder=tmp_path / "s", size=64, seconds=2))
    for _ in range(3):
        next(job)
    job.close()
    assert not (tmp_path / "s").exists()


def test_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OutputError, match="full"):
        run(SampleOptions(folder=tmp_path / "full", size=64, seconds=0.2))
    assert not (tmp_path / "full").exists()


def test_import_is_light() -> None:
    code = (
        "import sys, faceswap.jobs.sample, faceswap.jobs.evaluate;"
        "print([m for m in ('torch', 'cv2', 'av', 'numba', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
