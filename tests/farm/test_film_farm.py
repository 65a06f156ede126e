"""A film's segments made by several workers are those that one process makes."""

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import av
import pytest
from av.video.frame import PictureType
from av.video.stream import VideoStream
from driving import finished
from small_swaps import contents, train_briefly
from thread_cluster import Fate, ThreadCluster

from faceswap.errors import FarmError
from faceswap.events import Event, Notice, Progress, parse
from faceswap.farm.film_farm import film_farm
from faceswap.farm.worker import Worker
from faceswap.project.project import Project
from faceswap.swap.compositing.conversion import Converted
from faceswap.swap.compositing.convert_options import ConvertOptions
from faceswap.swap.compositing.film import convert_film
from faceswap.video.reader import VideoReader
from faceswap.video.segment_journal import SegmentJournal

FRAMES, LENGTH = 24, 4


@pytest.fixture(scope="module")
def project(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_briefly(tmp_path_factory.mktemp("farm") / "p", sample / "a.mp4", sample / "b.mp4")


@pytest.fixture(scope="module")
def whole(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What one process writes."""
    out = tmp_path_factory.mktemp("whole") / "o.mp4"
    finished(conversion(project, out, None))
    return contents(out)


def conversion(
    project: Path, output: Path, cluster: ThreadCluster | None, **changes: Any
) -> Generator[Event, None, Converted]:
    given: dict[str, Any] = {"project": project, "output": output, "end": f"{FRAMES}f"}
    given |= {"segment": LENGTH, "batch": LENGTH}
    options = ConvertOptions(**(given | changes))
    film = None if options.input is None else options.input[0]
    farm = None if cluster is None else partial(film_farm, cluster)
    return convert_film(options, Project.open(project), film, output, farm)


def told(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def after_lines(kind: str, count: int) -> Fate:
    """The fate of a worker that is lost as it tells the ``count``-th line of a kind."""
    seen = 0

    def lost(method: str, lines: list[str]) -> bool:
        nonlocal seen
        seen += sum(parse(line).kind == kind for line in lines)
        return seen >= count

    return lost


def test_two_workers_make_the_frames_of_one_process(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]]
) -> None:
    cluster = ThreadCluster(["one", "two"])
    events, made = finished(conversion(project, tmp_path / "o.mp4", cluster))
    assert contents(tmp_path / "o.mp4") == whole
    assert (made.frames, made.swapped) == (FRAMES, FRAMES)
    assert told(events) == []
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]
    # Both had their part of it; hello, the film, and a segment at least.
    assert all(worker.methods.count("begin") > 1 for worker in cluster.started)
    shown = [e for e in events if isinstance(e, Progress) and e.stage == "convert"]
    assert shown[-1].done == FRAMES
    assert max(event.done for event in shown) <= FRAMES


def test_what_a_lost_worker_had_is_made_again(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]]
) -> None:
    # The second ends in its first segment, the one in its place before it opens the film.
    fates = [lambda *_: False, after_lines("progress", 2), lambda method, _: method == "begin"]
    cluster = ThreadCluster(["one", "two"], fates)
    events, _ = finished(conversion(project, tmp_path / "o.mp4", cluster))
    assert contents(tmp_path / "o.mp4") == whole
    lost = [one for one in told(events) if one.startswith("A worker on two was lost")]
    assert lost
    assert "its process or machine ended" in lost[0]


def test_a_worker_of_another_version_is_refused(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]]
) -> None:
    class Other(Worker):
        version = "0.0.1"

    cluster = ThreadCluster(["one"])
    cluster.kind = Other
    with pytest.raises(FarmError, match=r"no usable worker: it has faceswap 0\.0\.1, and this is"):
        finished(conversion(project, tmp_path / "o.mp4", cluster))
    assert cluster.started[0].methods == ["hello"]
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_sees_other_files_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = ThreadCluster(["one"])
    begin: Callable[[Worker, str], list[str]] = Worker.begin

    def elsewhere(self: Worker, order: str) -> list[str]:
        return begin(self, order.replace(str(tmp_path), "/nowhere"))

    with monkeypatch.context() as patched:
        patched.setattr(Worker, "begin", elsewhere)
        with pytest.raises(FarmError, match=r"it does not see .*nowhere.*; put project, footage"):
            finished(conversion(project, tmp_path / "o.mp4", missing))

    def changed(self: Worker, order: str) -> list[str]:
        return begin(self, order.replace('"--color-mode":"', '"--color-mode":"no '))

    with monkeypatch.context() as patched:
        patched.setattr(Worker, "begin", changed)
        with pytest.raises(FarmError, match="--color-mode are not the same there"):
            finished(conversion(project, tmp_path / "o.mp4", ThreadCluster(["one"])))


def test_a_stopped_farm_keeps_what_is_finished(
    project: Path, tmp_path: Path, whole: dict[str, list[Any]]
) -> None:
    output = tmp_path / "o.mp4"
    job = conversion(project, output, ThreadCluster(["one", "two"]))
    journal = SegmentJournal(output)
    for _ in job:
        if len(journal.segment_files()) >= 2:
            break
    job.close()
    kept = len(journal.segment_files())
    assert kept >= 2
    assert not list(journal.folder.glob("*.part"))
    # One process goes on with what the farm made.
    events, _ = finished(conversion(project, output, None))
    assert any("Resuming" in one for one in told(events))
    assert contents(output) == whole


def damaged(clip: Path, folder: Path) -> Path:
    """``clip`` with a packet in the middle that is nothing but zeros."""
    path = folder / "damaged.mkv"
    with av.open(str(clip)) as one, av.open(str(path), "w") as other:
        stream = other.add_stream("libx264", 25, {"crf": "10", "g": "4", "bf": "0"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
        for frame in one.decode(video=0):
            frame.pict_type = PictureType.NONE
            other.mux(stream.encode(frame))
        other.mux(stream.encode(None))
    with av.open(str(path)) as made:
        packets = [bytes(packet) for packet in made.demux(video=0)]
    data = path.read_bytes()
    assert data.count(packets[21]) == 1
    path.write_bytes(data.replace(packets[21], bytes(len(packets[21]))))
    return path


def test_where_packets_cannot_be_decoded_frames_are_counted_as_by_one_process(
    sample: Path, project: Path, tmp_path: Path
) -> None:
    clip = damaged(sample / "a.mp4", tmp_path)
    one, farm = tmp_path / "one.mkv", tmp_path / "farm.mkv"
    given = {"input": [clip], "end": None, "segment": 8}
    _, made = finished(conversion(project, one, None, **given))
    with VideoReader(clip, tolerate_damage=True) as footage:
        assert len(footage.timestamps()) > made.frames
    events, shared = finished(conversion(project, farm, ThreadCluster(["1", "2"]), **given))
    assert any("packets that cannot be decoded: one worker makes" in one for one in told(events))
    assert shared == made
    assert contents(farm) == contents(one)
