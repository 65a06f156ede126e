"""Extraction: crops that match the footage, exact resume, and footage that gives no faces."""

import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from driving import finished
from made_clips import MakeClip
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from faceswap.errors import InputError, NoFaceError, ProjectError
from faceswap.events import Event, Meter, Notice, Progress
from faceswap.faces.align import transform
from faceswap.faces.crops import FaceCrop, read_crops
from faceswap.faces.index import FaceIndex
from faceswap.jobs.extract import ExtractOptions, ExtractSummary, extract
from faceswap.project import frame_pass as module
from faceswap.project.project import Project
from faceswap.video.reader import VideoReader


def run(options: ExtractOptions) -> tuple[list[Event], ExtractSummary]:
    return finished(extract(options))


def dump(project: Path) -> list[object]:
    with FaceIndex(project / "index.sqlite") as index:
        faces = [
            (f.frame, f.track, f.points.tobytes(), f.forehead.tobytes(), f.presence, f.pose, f.crop)
            for f in index.faces("a")
        ]
        return [index.frames("a"), faces]


def files(project: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (project / "faces" / "a").iterdir()}


@pytest.fixture(scope="module")
def whole(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project into which the sample's A was extracted without a break."""
    project = tmp_path_factory.mktemp("whole") / "p"
    run(ExtractOptions(inputs=(sample / "a.mp4",), project=project, side="a", size=128))
    return project


def test_every_frame_has_its_face_and_every_face_its_crop(whole: Path, sample: Path) -> None:
    with VideoReader(sample / "a.mp4") as video:
        images = {frame.index: frame.image for frame in video}
    with FaceIndex(whole / "index.sqlite") as index:
        assert index.count("a") == (len(images), len(images), 1)
        faces = {face.frame: face for face in index.faces("a")}
        clip = index.clip("a")
        assert clip is not None
        assert clip.complete
    crops = list(read_crops(whole / "faces" / "a"))
    assert len(crops) == len(images)
    for crop in crops[::7]:
        assert isinstance(crop, FaceCrop)
        face = faces[crop.record.frame]
        assert crop.path.name == face.crop
        assert np.abs(transform(crop.record.matrix, face.points) - crop.record.points).max() < 0.01
        assert crop.record.points.min() > 0
        assert crop.record.points.max() < 127
        eyes = crop.record.points[36:48]
        assert abs(eyes[:6].mean(0)[1] - eyes[6:].mean(0)[1]) < 8


@pytest.mark.parametrize("broken_at", [1, 9, 30])
def test_a_broken_off_extraction_ends_with_the_same_index(
    broken_at: int, whole: Path, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 8)
    options = ExtractOptions(inputs=(sample / "a.mp4",), project=tmp_path / "p", side="a", size=128)
    # A meter that always speaks, so that every frame is a place to stop at.
    monkeypatch.setattr(Meter, "add", lambda self, n=1: _spoken(self, n))
    with closing(extract(options)) as job:
        for event in job:
            if isinstance(event, Progress) and event.done >= broken_at:
                break
    events, summary = run(options)
    assert summary.crops == summary.faces
    assert dump(tmp_path / "p") == dump(whole)
    assert files(tmp_path / "p") == files(whole)
    if broken_at == 30:
        first = next(event for event in events if isinstance(event, Progress))
        assert first.done > 20


def _spoken(meter: Meter, amount: float) -> Progress:
    meter.done += amount
    return meter.progress()


def test_every_n_writes_fewer_crops_but_follows_all_frames(sample: Path, tmp_path: Path) -> None:
    options = ExtractOptions(
        inputs=(sample / "a.mp4",), project=tmp_path / "ä p", side="a", size=64, every=10
    )
    _, summary = run(options)
    assert summary.faces == summary.frames
    assert summary.crops == -(-summary.frames // 10)


def test_done_is_done_and_other_settings_are_refused(whole: Path, sample: Path) -> None:
    options = ExtractOptions(inputs=(sample / "a.mp4",), project=whole, side="a", size=128)
    before = dump(whole)
    events, _ = run(options)
    assert any(isinstance(e, Notice) and "already" in e.message for e in events)
    with pytest.raises(ProjectError, match=r"--size 128.*--redo"):
        run(options.model_copy(update={"size": 64}))
    assert dump(whole) == before


def test_what_is_not_given_stays_as_the_side_was_extracted(whole: Path, sample: Path) -> None:
    events, summary = run(ExtractOptions(inputs=(sample / "a.mp4",), project=whole, side="a"))
    assert any("nothing to do" in e.message for e in events if isinstance(e, Notice))
    assert summary.faces == 50


def test_crops_are_as_large_as_the_face_in_the_footage(sample: Path, tmp_path: Path) -> None:
    project = tmp_path / "p"
    run(ExtractOptions(inputs=(sample / "b.mp4",), project=project, side="b", every=25))
    crops = list(read_crops(project / "faces" / "b"))
    assert len(crops) == 2
    for crop in crops:
        assert isinstance(crop, FaceCrop)
        # Pixels of the crop to one of the frame: rounded up, by less than 16 in all.
        scale = np.hypot(*crop.record.matrix[0, :2])
        assert 1 <= scale < 1 + 16 / (len(crop.image) - 16)


def test_redo_begins_anew(sample: Path, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "p")
    _, summary = run(
        ExtractOptions(
            inputs=(sample / "b.mp4",),
            project=tmp_path / "p",
            side="a",
            size=64,
            every=5,
            redo=True,
        )
    )
    assert summary.crops == -(-summary.frames // 5) == len(files(tmp_path / "p"))
    assert Project.open(tmp_path / "p").is_same_video("a", sample / "b.mp4")


def test_footage_without_a_face_says_so(make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=12)
    with pytest.raises(NoFaceError, match="No face was found"):
        run(ExtractOptions(inputs=(clip,), project=tmp_path / "p", side="b"))


@pytest.mark.parametrize("name", ["text.mp4", "empty.mp4", "missing.mp4", ""])
def test_what_is_no_footage_leaves_no_project(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video" * 50)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError):
        run(ExtractOptions(inputs=(tmp_path / name,), project=tmp_path / "p", side="a"))
    assert not (tmp_path / "p").exists()


def test_a_truncated_file_gives_the_faces_it_still_has(sample: Path, tmp_path: Path) -> None:
    whole_file = (sample / "a.mp4").read_bytes()
    clip = tmp_path / "cut.mkv"
    with VideoReader(sample / "a.mp4") as video:
        total = video.info.frames
        _remux(sample / "a.mp4", clip)
    clip.write_bytes(clip.read_bytes()[: len(whole_file) * 6 // 10])
    events, summary = run(ExtractOptions(inputs=(clip,), project=tmp_path / "p", side="a", size=64))
    assert 0 < summary.frames < total
    assert any(isinstance(event, Notice) for event in events)


def _remux(source: Path, target: Path) -> None:
    import av

    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


@pytest.mark.parametrize("values", [{"every": 0}, {"size": 100}, {"side": "c"}, {"max_faces": 0}])
def test_options_out_of_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ExtractOptions.model_validate({"video": "v", "project": "p", "side": "a"} | values)


@pytest.fixture
def two_people(clips: Path) -> Path:
    return clips / "two_people_960x480.mp4"


@pytest.mark.real
def test_two_people_are_two_tracks(two_people: Path, tmp_path: Path) -> None:
    options = ExtractOptions(
        inputs=(two_people,), project=tmp_path / "p", side="a", size=64, max_faces=2, every=25
    )
    _, summary = run(options)
    assert summary.tracks == 2
    assert summary.faces >= 1.9 * summary.frames
    with FaceIndex(tmp_path / "p" / "index.sqlite") as index:
        left = [f.points[:, 0].mean() for f in index.faces("a") if f.track == 0]
        right = [f.points[:, 0].mean() for f in index.faces("a") if f.track == 1]
    assert (max(left) < min(right)) or (max(right) < min(left))
    events, one = run(options.model_copy(update={"max_faces": 1, "redo": True}))
    assert one.tracks == 1
    assert any(isinstance(e, Notice) and "--max-faces" in e.message for e in events)


@pytest.mark.real
def test_a_wide_portrait_keeps_its_size_and_place(clips: Path, tmp_path: Path) -> None:
    options = ExtractOptions(
        inputs=(clips / "distant_720x1364.mp4",),
        project=tmp_path / "p",
        side="a",
        size=128,
        every=40,
    )
    _, summary = run(options)
    assert summary.faces == summary.frames
    labels = np.load(clips.parent / "landmarks" / "clips.npz")
    assert summary.frames == len(labels["distant_720x1364"])
    assert_array_equal([len(files(tmp_path / "p"))], [summary.crops])
