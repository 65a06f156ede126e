"""A conversion that was stopped, killed or failed is resumed, and that does not show."""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from driving import finished
from PIL import Image
from small_swaps import contents, train_briefly
from torch import Tensor

from faceswap.errors import InputError, OutputError, ProjectError
from faceswap.events import Event, Notice, Progress
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.unswapped import UnswappedOptions, unswapped
from faceswap.project.source import fingerprint
from faceswap.swap.model.architectures import SwapModel
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.video import disk_space, planned_output
from faceswap.video.output_file import OutputFile
from faceswap.video.packet_file import PacketFile
from faceswap.video.patch import Patch
from faceswap.video.reader import Footage, VideoReader
from faceswap.video.segment_journal import SegmentJournal
from faceswap.video.video_segments import VideoSegment

FRAMES, LENGTH = 50, 8


@pytest.fixture(scope="module")
def project(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_briefly(
        tmp_path_factory.mktemp("resumed") / "p", sample / "a.mp4", sample / "b.mp4"
    )


@pytest.fixture(scope="module")
def whole(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What a conversion that is not disturbed writes."""
    out = tmp_path_factory.mktemp("whole") / "o.mp4"
    finished(convert(options(project, out)))
    return contents(out)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the frames that are encoded."""
    numbers: list[int] = []
    write = VideoSegment.write_footage

    def counted(self: VideoSegment, one: Footage, patches: Sequence[Patch] = ()) -> None:
        numbers.append(one.index)
        write(self, one, patches)

    monkeypatch.setattr(VideoSegment, "write_footage", counted)
    return numbers


def options(project: Path, output: Path, **changes: Any) -> ConvertOptions:
    given: dict[str, Any] = {
        "project": project,
        "output": output,
        "segment": LENGTH,
        "batch": 4,
    } | changes
    return ConvertOptions(**(given | changes))


def stopped(given: ConvertOptions, frames: int) -> list[Event]:
    """Convert until ``frames`` are done, then stop."""
    events: list[Event] = []
    begun = segments(given)
    job = convert(given)
    for event in job:
        events.append(event)
        converting = isinstance(event, Progress) and event.stage == "convert"
        if converting and (segments(given) - begun + 1) * LENGTH > frames:
            break
    job.close()
    return events


def segments(given: ConvertOptions) -> int:
    """How many segments are finished, of any settings."""
    assert given.output is not None
    return sum(len(keys) for keys in SegmentJournal(given.output).segment_files().values())


def told(events: list[Event]) -> str:
    return " ".join(event.message for event in events if isinstance(event, Notice))


def test_a_stopped_conversion_leaves_a_video_and_resumes(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]], encoded: list[int]
) -> None:
    given = options(project, tmp_path / "o.mp4")
    stopped(given, 20)
    assert not (tmp_path / "o.mp4").exists()
    partial = contents(tmp_path / "o.mp4.unfinished" / "partial.mp4")
    done = len(partial["frames"])
    assert 2 * LENGTH <= done < FRAMES
    assert partial["frames"] == whole["frames"][:done] or done % LENGTH
    kept = 2 * LENGTH
    assert partial["frames"][:kept] == whole["frames"][:kept]
    seconds = done / 25
    assert abs(len(partial["sound"]) - len(whole["sound"]) * seconds / 2) <= 2
    encoded.clear()
    events, summary = finished(convert(given))
    assert f"Resuming: {kept:,} frames" in told(events)
    assert encoded == list(range(kept, FRAMES))
    assert (summary.frames, summary.swapped) == (FRAMES, FRAMES)
    assert contents(tmp_path / "o.mp4") == whole
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_what_is_finished_but_for_its_name_is_only_renamed(
    project: Path,
    tmp_path: Path,
    whole: dict[str, list[Any]],
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = options(project, tmp_path / "o.mp4")
    with monkeypatch.context() as patched:
        patched.setattr(OutputFile, "complete", no_space)
        with pytest.raises(OutputError, match="full"):
            finished(convert(given))
    assert encoded == list(range(FRAMES))
    encoded.clear()
    with monkeypatch.context() as patched:
        patched.setattr(SegmentJournal, "remove", no_space)
        with pytest.raises(OSError, match="full"):
            finished(convert(given))
    # As if it was killed between the last two steps: the output is there, and known to be whole.
    _, summary = finished(convert(given))
    assert encoded == []
    assert (summary.frames, summary.swapped) == (FRAMES, FRAMES)
    assert contents(tmp_path / "o.mp4") == whole
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    with pytest.raises(OutputError, match="--overwrite"):
        finished(convert(given))


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "full")


def test_a_full_disk_is_told_and_nothing_is_lost(
    project: Path,
    tmp_path: Path,
    whole: dict[str, list[Any]],
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = options(project, tmp_path / "o.mp4")
    finish, count = PacketFile.finish, 0

    def fails(self: PacketFile, header: bytes) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            no_space()
        return finish(self, header)

    with monkeypatch.context() as patched:
        patched.setattr(PacketFile, "finish", fails)
        with pytest.raises(OutputError, match="full; free some space and start again"):
            finished(convert(given))
    assert not list((tmp_path / "o.mp4.unfinished").glob("*.part"))
    encoded.clear()
    finished(convert(given))
    assert encoded == list(range(3 * LENGTH, FRAMES))
    assert contents(tmp_path / "o.mp4") == whole


def test_a_disk_too_small_for_segments_and_video_is_told_before_the_work(
    project: Path, tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(disk_space, "shutil", tiny)
    with pytest.raises(OutputError, match=r"has 0 MB left, and about .* are needed: for segments"):
        finished(convert(options(project, tmp_path / "o.mp4")))
    assert encoded == []
    assert list(tmp_path.iterdir()) == []


def test_what_changed_is_made_again_and_the_rest_is_not(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]], encoded: list[int]
) -> None:
    given = options(project, tmp_path / "o.mp4")
    stopped(given, 24)
    changed = given.model_copy(update={"color_transfer": 0.5})
    assert "3 of o.mp4's segments were finished before --color-transfer changed" in told(
        stopped(changed, 24)
    )
    encoded.clear()
    # Back at what it was: nothing was lost.
    finished(convert(given))
    assert encoded == list(range(24, FRAMES))
    assert contents(tmp_path / "o.mp4") == whole


def test_an_edit_makes_only_its_segments_again(
    project: Path, tmp_path: Path, encoded: list[int]
) -> None:
    given = options(project, tmp_path / "o.mp4", color_smoothing=0.0)
    stopped(given, 40)
    finished(unswapped(UnswappedOptions(project=project, source="a", frames="9-11")))
    encoded.clear()
    try:
        events, summary = finished(convert(given))
    finally:
        finished(unswapped(UnswappedOptions(project=project, source="a", undo=True)))
    assert "the faces to swap changed" in told(events)
    assert encoded[:LENGTH] == list(range(LENGTH, 2 * LENGTH))
    assert encoded[LENGTH:] == list(range(40, FRAMES))
    assert summary.swapped == FRAMES - 3


def test_another_model_is_noticed(project: Path, tmp_path: Path, encoded: list[int]) -> None:
    given = options(project, tmp_path / "o.mp4")
    stopped(given, 16)
    (file,) = CheckpointFolder(project / "model" / "main").files()
    newer = file.with_name("step-000000003.safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1  # the last of the weights
    newer.write_bytes(data)
    encoded.clear()
    try:
        events, _ = finished(convert(given))
    finally:
        newer.unlink()
    assert "the model of the run 'main' changed" in told(events)
    assert encoded == list(range(FRAMES))


def test_a_damaged_segment_is_made_again(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]], encoded: list[int]
) -> None:
    given = options(project, tmp_path / "o.mp4")
    stopped(given, 24)
    (data,) = (tmp_path / "o.mp4.unfinished").glob("000001-*.pictures")
    data.write_bytes(data.read_bytes()[:-20])
    with pytest.raises(InputError, match="Segment 1 can't be used"):
        finished(convert(given))
    encoded.clear()
    finished(convert(given))
    assert encoded == list(range(LENGTH, 2 * LENGTH))
    assert contents(tmp_path / "o.mp4") == whole


def test_footage_that_changes_meanwhile_is_noticed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faceswap.swap.compositing import film, film_setup

    marks = iter(["one", "another"])

    def changing(path: Path) -> str:
        return fingerprint(path) if path.suffix == ".safetensors" else next(marks)

    monkeypatch.setattr(film_setup, "fingerprint", changing)
    monkeypatch.setattr(film, "fingerprint", lambda path: "one")
    with pytest.raises(InputError, match="changed while it was converted"):
        finished(convert(options(project, tmp_path / "o.mp4")))
    assert len(SegmentJournal(tmp_path / "o.mp4").segment_files()) == 1


def test_only_one_process_writes_an_output(project: Path, tmp_path: Path) -> None:
    given = options(project, tmp_path / "o.mp4")
    with (
        SegmentJournal(tmp_path / "o.mp4").locked(),
        pytest.raises(ProjectError, match="already being written"),
    ):
        finished(convert(given))
    assert list(tmp_path.iterdir()) == []


def test_the_length_of_segments_does_not_show(project: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{length}.mkv" for length in (16, 500)]
    for out, length in zip(outs, (16, 500), strict=True):
        finished(convert(options(project, out, segment=length, codec="ffv1")))
    with VideoReader(outs[0]) as one, VideoReader(outs[1]) as other:
        for a, b in zip(one, other, strict=True):
            off = np.abs(a.image.astype(int) - b.image)
            assert off.mean() < 0.02
            assert off.max() <= 3


def test_numbered_pictures_that_are_there_are_kept(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "shots" / "f_%04d.png"
    given = options(project, out, end="30f", passes=tmp_path / "passes")
    stopped(given, 16)
    files = sorted(out.parent.glob("*.png"))
    begun = {path: path.stat().st_mtime_ns for path in files}
    kept = len(SegmentJournal(out).segment_files()) * LENGTH
    assert kept >= LENGTH
    _, summary = finished(convert(given))
    assert summary.frames == 30
    assert len(list(out.parent.iterdir())) == 30
    same = [path.stat().st_mtime_ns == begun[path] for path in files]
    assert same[:kept] == [True] * kept
    entries = json.loads((tmp_path / "passes" / "faces.json").read_text())["frames"]
    assert [entry["frame"] for entry in entries] == list(range(30))
    with pytest.raises(OutputError, match="--overwrite"):
        finished(convert(given))


def test_an_animation_is_resumed(project: Path, tmp_path: Path) -> None:
    given = options(project, tmp_path / "o.gif", end="30f")
    stopped(given, 16)
    with Image.open(tmp_path / "o.gif.unfinished" / "partial.gif") as partial:
        assert 16 <= getattr(partial, "n_frames", 0) < 30
    events, summary = finished(convert(given))
    assert "Resuming" in told(events)
    assert summary.frames == 30
    with Image.open(tmp_path / "o.gif") as made:
        assert getattr(made, "n_frames", 0) == 30
    assert [path.name for path in tmp_path.iterdir()] == ["o.gif"]


def test_a_quality_is_found_once(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = options(project, tmp_path / "o.mp4")
    stopped(given, 16)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was found before")

    monkeypatch.setattr(planned_output, "estimate_quality", never)
    finished(convert(given))
    assert os.path.exists(tmp_path / "o.mp4")


def test_other_blend_options_do_not_run_the_model_again(
    sample: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []
    swap = SwapModel.swap

    def counted(self: SwapModel, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        ran.append(len(faces))
        return swap(self, faces)

    monkeypatch.setattr(SwapModel, "swap", counted)
    shutil.rmtree(project / "cache", ignore_errors=True)
    finished(convert(options(project, tmp_path / "1.mkv", codec="ffv1")))
    assert ran
    ran.clear()
    changes = {"codec": "ffv1", "color_transfer": 0.5, "mask_blur": 0.2}
    finished(convert(options(project, tmp_path / "2.mkv", **changes)))
    assert ran == []
    finished(convert(options(project, tmp_path / "3.mkv", **changes, cache=0)))
    assert ran
    assert contents(tmp_path / "3.mkv") == contents(tmp_path / "2.mkv")
    assert contents(tmp_path / "1.mkv") != contents(tmp_path / "2.mkv")
