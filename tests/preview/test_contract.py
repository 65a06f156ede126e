"""What every preview server does: the real one and the fake one of the window's tests alike."""

import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from asked_servers import KINDS, AskedServer, Kind, asked_server, pixels
from made_clips import MakeClip

from faceswap.faces.index_browser import COLUMNS
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.preview.exchange import LONGEST_LINE
from faceswap.preview.protocol import (
    REQUESTS,
    AddSourcesRequest,
    AnyRequest,
    ChoosePair,
    CloseVideoRequest,
    Correction,
    CorrectPeopleRequest,
    CreateProjectRequest,
    DeleteFacesRequest,
    DoneAnswer,
    DropPair,
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    FailureAnswer,
    FileFrameRequest,
    FrameRequest,
    IgnorePeople,
    KeepSnapshotRequest,
    LikenessRequest,
    MeasureFacesRequest,
    MergePeople,
    MetricsRequest,
    MoveTracks,
    NamePerson,
    NewestCropRequest,
    PeopleAnswer,
    PeopleRequest,
    PictureSize,
    ProjectRequest,
    RelocateFootageRequest,
    RemoveSourceRequest,
    Request,
    RestoreFacesRequest,
    SplitPerson,
    StepCostRequest,
    SwapPlanRequest,
    SwapRequest,
    TimelineRequest,
    TrackName,
    TrimSourceRequest,
    Undo,
    UndoByHandRequest,
    request_line,
)

Test = TypeVar("Test", bound=Callable[..., None])
_covered: set[type[AnyRequest]] = set()


def covers(*requests: type[AnyRequest]) -> Callable[[Test], Test]:
    """Mark the requests whose contract a test checks."""

    def mark(test: Test) -> Test:
        _covered.update(requests)
        return test

    return mark


def test_every_request_has_a_contract() -> None:
    assert _covered == set(REQUESTS)


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which server is asked."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(scope="module")
def server(
    kind: Kind, made: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AskedServer]:
    """A server of the project that has everything."""
    with asked_server(kind, made, tmp_path_factory.mktemp("exchange") / "answers ä") as asked:
        yield asked
    assert not asked.exchange.exists()  # not even its files that no test deleted


@pytest.fixture(scope="module")
def no_project(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AskedServer]:
    """A server of a folder that is not there; no test creates it."""
    folder = tmp_path_factory.mktemp("nothing")
    with asked_server(kind, folder / "none", folder / "exchange") as asked:
        yield asked


@covers(FrameRequest)
def test_a_frame_has_a_picture_and_faces(server: AskedServer) -> None:
    answer = server.ask(FrameRequest(source="a", frame=5))
    assert answer.frame == 5
    assert answer.time == pytest.approx(5 / answer.rate)
    assert pixels(answer.picture).shape == (answer.height, answer.width, 3)
    assert answer.picture.path.read_bytes().startswith(b"P6 ")
    assert answer.files() == (answer.picture.path,)
    assert answer.picture.path.parent == server.exchange
    assert [len(face.points) for face in answer.faces] == [68]
    assert 0 <= answer.faces[0].presence <= 1
    last = server.ask(FrameRequest(source="a", frame=10**6))
    assert last.frame == answer.frames - 1
    assert server.ask(FrameRequest(source="a", frame=-1)).frame == 0


@covers(FrameRequest)
def test_a_picture_is_scaled_down_to_fit_and_never_up(server: AskedServer) -> None:
    whole = server.ask(FrameRequest(source="a"))
    half = PictureSize(width=whole.width // 2, height=10_000)
    small = server.ask(FrameRequest(source="a", fit=half))
    assert (small.picture.width, small.picture.height) == (whole.width // 2, whole.height // 2)
    assert (small.width, small.height) == (whole.width, whole.height)
    large = server.ask(FrameRequest(source="a", fit=PictureSize(width=9000, height=9000)))
    assert (large.picture.width, large.picture.height) == (whole.width, whole.height)


@covers(FileFrameRequest)
def test_a_frame_of_any_file_needs_no_project(
    no_project: AskedServer, clip: Path, tmp_path: Path
) -> None:
    answer = no_project.ask(FileFrameRequest(path=clip, frame=3))
    assert (answer.frame, answer.faces) == (3, ())
    assert pixels(answer.picture).shape == (answer.height, answer.width, 3)
    notes = tmp_path / "notes.txt"
    notes.write_text("no video")
    assert "notes.txt" in no_project.refusal(FileFrameRequest(path=notes))


@covers(SwapRequest)
def test_a_swap_is_a_picture(server: AskedServer) -> None:
    answer = server.ask(SwapRequest(frame=5, fit=PictureSize(width=32, height=32)))
    assert (answer.frame, answer.faces) == (5, 1)
    assert answer.seconds > 0
    assert max(pixels(answer.picture).shape) == 32
    assert answer.files() == (answer.picture.path,)
    frames = server.ask(FrameRequest(source="a")).frames
    assert server.ask(SwapRequest(frame=10**6)).frame == frames - 1


@covers(SwapRequest, KeepSnapshotRequest)
def test_a_run_without_a_model_is_told(server: AskedServer) -> None:
    assert "no trained model" in server.refusal(SwapRequest(frame=1, run="other"))
    assert "no trained model" in server.refusal(KeepSnapshotRequest(run="other"))


@covers(CloseVideoRequest)
def test_a_video_is_closed_whether_or_not_it_is_open(server: AskedServer, clip: Path) -> None:
    server.ask(FileFrameRequest(path=clip))
    assert server.ask(CloseVideoRequest(path=clip)) == DoneAnswer()
    assert server.ask(CloseVideoRequest(path=Path("/nowhere/x.mp4"))) == DoneAnswer()
    assert server.ask(FileFrameRequest(path=clip)).frame == 0


def table(answer: FacesAnswer) -> dict[str, dict[str, float]]:
    """The values of each face by its name and column."""
    names = os.fsdecode(answer.names.read_bytes()).split("\n")
    values = np.load(answer.values, allow_pickle=False)
    assert values.dtype == np.float32
    assert values.shape == (answer.count, len(answer.columns))
    return {
        name: dict(zip(answer.columns, row, strict=True))
        for name, row in zip(names, values.tolist(), strict=True)
    }


@covers(FacesRequest)
def test_all_faces_come_as_a_table(server: AskedServer) -> None:
    answer = server.ask(FacesRequest(source="a"))
    faces = table(answer)
    assert answer.columns == COLUMNS
    assert list(faces) == sorted(p.name for p in answer.folder.glob("*.png"))
    assert {face["excluded"] for face in faces.values()} == {0}
    assert answer.files() == (answer.names, answer.values)


@covers(ExcludeFacesRequest, RestoreFacesRequest)
def test_faces_are_excluded_and_restored(server: AskedServer) -> None:
    before = server.ask(FacesRequest(source="b"))
    names = tuple(table(before))[:2]
    count = server.ask(ProjectRequest()).b.crops
    unknown = ("../project.toml", "none.png")
    moved = server.ask(ExcludeFacesRequest(source="b", names=(*names, *unknown)))
    assert moved.names == names
    assert before.excluded_folder == before.folder / EXCLUDED
    assert all((before.excluded_folder / name).is_file() for name in names)
    faces = table(server.ask(FacesRequest(source="b")))
    assert [name for name in faces if faces[name]["excluded"]] == list(names)
    state = server.ask(ProjectRequest()).b
    assert (state.crops, state.excluded) == (count - 2, 2)
    back = server.ask(RestoreFacesRequest(source="b", names=tuple(faces)))
    assert back.names == names
    assert server.ask(ProjectRequest()).b.crops == count


@covers(DeleteFacesRequest, UndoByHandRequest)
def test_a_false_face_is_deleted_and_brought_back(server: AskedServer) -> None:
    def state() -> tuple[int, int]:
        source = server.ask(ProjectRequest()).source("a")
        assert source is not None
        return len(server.ask(FrameRequest(source="a", frame=5)).faces), source.by_hand

    assert state() == (1, 0)
    server.ask(DeleteFacesRequest(source="a", track=0, first=4, last=6))
    assert state() == (0, 1)
    assert server.ask(FrameRequest(source="a", frame=7)).faces
    unknown = DeleteFacesRequest(source="a", track=9, first=4, last=6)
    assert "no such face" in server.refusal(unknown)
    server.ask(UndoByHandRequest(source="a"))
    assert state() == (1, 0)
    assert "Nothing was added" in server.refusal(UndoByHandRequest(source="a"))


@covers(MeasureFacesRequest)
def test_faces_are_measured_in_order(server: AskedServer) -> None:
    names = tuple(table(server.ask(FacesRequest(source="a"))))[:5]
    request = MeasureFacesRequest(source="a", names=(*names, "none.png"), seconds=60)
    answer = server.ask(request)
    assert len(answer.blur) == len(answer.brightness) == 6
    assert all(value is not None for value in (*answer.blur[:5], *answer.brightness[:5]))
    assert (answer.blur[5], answer.brightness[5]) == (None, None)
    some = server.ask(MeasureFacesRequest(source="a", names=names, seconds=0))
    assert 1 <= len(some.blur) <= 5


@covers(TimelineRequest)
def test_a_timeline_has_ascending_spans(server: AskedServer) -> None:
    answer = server.ask(TimelineRequest(source="a"))
    assert answer.tracks
    for spans in (answer.gaps, *(s for t in answer.tracks for s in (t.seen, t.low_presence))):
        numbers = [number for span in spans for number in span]
        assert numbers == sorted(numbers)
        assert all(0 <= number < answer.frames for number in numbers)
    seen = {n for t in answer.tracks for first, last in t.seen for n in range(first, last + 1)}
    gaps = {n for first, last in answer.gaps for n in range(first, last + 1)}
    assert seen | gaps == set(range(answer.frames))
    assert not seen & gaps
    assert answer.cuts


@covers(TimelineRequest)
def test_of_no_project_the_timeline_is_empty(no_project: AskedServer) -> None:
    answer = no_project.ask(TimelineRequest(source="a"))
    assert (answer.frames, answer.tracks, answer.gaps, answer.cuts) == (0, (), (), ())


@covers(NewestCropRequest)
def test_the_newest_crop_is_a_file(server: AskedServer) -> None:
    crop = server.ask(NewestCropRequest(source="a")).crop
    assert crop is not None
    assert crop.path.is_file()


@covers(ProjectRequest)
def test_a_project_is_told(server: AskedServer) -> None:
    answer = server.ask(ProjectRequest())
    assert answer.folder == server.folder
    frame = server.ask(FrameRequest(source="a"))
    for side in (answer.side("a"), answer.side("b")):
        assert side.complete
        assert side.problem == ""
        assert side.footage is not None
        assert (side.footage.width, side.footage.height) == (frame.width, frame.height)
        assert (side.footage.frames, side.footage.rate) == (frame.frames, frame.rate)
        assert side.footage.seconds == pytest.approx(frame.frames / frame.rate)
    (run,) = answer.runs
    assert (run.name, run.preset) == ("main", "quick")
    assert run.step > 0
    assert run.options["warp"] == 0.05


@covers(AddSourcesRequest, RemoveSourceRequest, TrimSourceRequest)
def test_sources_are_added_trimmed_and_removed(
    server: AskedServer, make_clip: MakeClip, tmp_path: Path
) -> None:
    clips = tuple(make_clip(width=64, height=48, frames=n) for n in (12, 13))
    notes = tmp_path / "broken.mp4"
    notes.write_text("no video")
    before = [source.id for source in server.ask(ProjectRequest()).sources]
    assert before == ["a", "b"]
    assert "broken.mp4" in server.refusal(AddSourcesRequest(side="b", paths=(*clips, notes)))
    assert [source.id for source in server.ask(ProjectRequest()).sources] == before
    assert server.ask(AddSourcesRequest(side="b", paths=clips)) == DoneAnswer()
    answer = server.ask(ProjectRequest())
    assert [source.id for source in answer.sources] == ["a", "b", "b2", "b3"]
    assert [source.path for source in answer.sources_of("b")[1:]] == list(clips)
    trim = TrimSourceRequest(source="b2", in_point=0.1, out_point=0.2)
    assert server.ask(trim) == DoneAnswer()
    trimmed = server.ask(ProjectRequest()).source("b2")
    assert trimmed is not None
    assert (trimmed.in_point, trimmed.out_point) == (0.1, 0.2)
    wrong = TrimSourceRequest(source="b2", in_point=2, out_point=1)
    assert "must come after" in server.refusal(wrong)
    for name in ("b2", "b3"):
        assert server.ask(RemoveSourceRequest(source=name)) == DoneAnswer()
    assert "no source 'b3'" in server.refusal(RemoveSourceRequest(source="b3"))
    assert [source.id for source in server.ask(ProjectRequest()).sources] == before


@covers(PeopleRequest, CorrectPeopleRequest)
def test_people_are_corrected_and_it_is_undone(server: AskedServer) -> None:
    before = server.ask(PeopleRequest())
    one, two = before.people[:2]
    assert {one.id, two.id} == {1, 2}
    assert one.tracks[0].crop is not None
    assert one.tracks[0].crop.is_file()

    def corrected(change: Correction) -> PeopleAnswer:
        return server.ask(CorrectPeopleRequest(correction=change))

    named = corrected(NamePerson(person=1, name="lead"))
    assert next(p for p in named.people if p.id == 1).label == "lead"
    ignored = corrected(IgnorePeople(people=(2,), ignored=True))
    assert [p.id for p in ignored.people if p.ignored] == [2]
    chosen = corrected(ChoosePair(run="main", a=1, b=2))
    assert [(pair.run, pair.a, pair.b) for pair in chosen.pairs] == [("main", 1, 2)]
    both = CorrectPeopleRequest(correction=ChoosePair(run="main", a=1, b=1))
    assert "both be person 1" in server.refusal(both)
    assert not corrected(DropPair(run="main")).pairs
    merged = corrected(MergePeople(people=(1, 2)))
    assert 2 not in [p.id for p in merged.people]
    tracks = tuple(TrackName(source=t.source, track=t.track) for t in two.tracks)
    split = corrected(SplitPerson(person=1, tracks=tracks))
    assert len(split.people) == len(merged.people) + 1
    gone = corrected(MoveTracks(tracks=tracks, person=None))
    assert [p.ignored for p in gone.people if p.no_face] == [True]
    stale = Undo(decided=before.decided, expected=named.decided)
    assert "changed meanwhile" in server.refusal(CorrectPeopleRequest(correction=stale))
    after = corrected(Undo(decided=before.decided, expected=gone.decided))
    assert after == before
    unknown = CorrectPeopleRequest(correction=NamePerson(person=77, name="x"))
    assert "no person '77'" in server.refusal(unknown)


@covers(SwapPlanRequest)
def test_a_plan_says_who_is_changed_by_what(server: AskedServer) -> None:
    plan = server.ask(SwapPlanRequest(source="a"))
    assert [(one.person, one.run) for one in plan.people] == [(1, "main")]
    assert plan.people[0].seconds > 0
    cast = server.ask(SwapPlanRequest(source="a", casting=("1=main",)))
    assert [(one.person, one.run) for one in cast.people] == [(1, "main")]
    assert server.refusal(SwapPlanRequest(source="a", casting=("1=other",)))


@covers(LikenessRequest)
def test_tracks_are_compared_with_a_face(server: AskedServer) -> None:
    name = next(iter(table(server.ask(FacesRequest(source="b")))))
    answer = server.ask(LikenessRequest(source="a", of="b", name=name))
    assert list(answer.tracks) == [0]
    assert -1 <= answer.tracks[0] <= 1
    assert "none.png" in server.refusal(LikenessRequest(source="a", of="b", name="none.png"))


@covers(
    FrameRequest, SwapRequest, FacesRequest, MeasureFacesRequest, ExcludeFacesRequest,
    RestoreFacesRequest, NewestCropRequest, ProjectRequest, RelocateFootageRequest,
    AddSourcesRequest, RemoveSourceRequest, TrimSourceRequest, PeopleRequest,
    CorrectPeopleRequest, SwapPlanRequest, LikenessRequest,
)  # fmt: skip
@pytest.mark.parametrize(
    "request_",
    [
        FrameRequest(source="a"),
        SwapRequest(frame=1),
        FacesRequest(source="a"),
        MeasureFacesRequest(source="a", names=("x.png",)),
        ExcludeFacesRequest(source="a", names=("x.png",)),
        RestoreFacesRequest(source="a", names=("x.png",)),
        NewestCropRequest(source="a"),
        ProjectRequest(),
        RelocateFootageRequest(source="a", path=Path("/x.mp4")),
        AddSourcesRequest(side="a", paths=(Path("/x.mp4"),)),
        RemoveSourceRequest(source="a"),
        TrimSourceRequest(source="a", in_point=None, out_point=None),
        PeopleRequest(),
        CorrectPeopleRequest(correction=DropPair(run="main")),
        SwapPlanRequest(source="a"),
        LikenessRequest(source="a", of="a", name="x.png"),
    ],
    ids=lambda request: request.kind,
)
def test_without_a_project_that_is_told(
    request_: Request[FailureAnswer], no_project: AskedServer
) -> None:
    before = set(no_project.exchange.glob("*"))
    assert "no project" in no_project.refusal(request_)
    assert set(no_project.exchange.glob("*")) == before


@covers(CreateProjectRequest)
def test_two_videos_become_a_project(kind: Kind, clip: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no video")
    project = tmp_path / "made" / "here"
    with asked_server(kind, project, tmp_path / "exchange") as server:
        assert "notes.txt" in server.refusal(CreateProjectRequest(a=clip, b=notes))
        assert not project.exists()
        answer = server.ask(CreateProjectRequest(a=clip, b=clip))
        assert answer == server.ask(ProjectRequest())
    assert [side.footage and side.footage.path for side in (answer.a, answer.b)] == [clip, clip]
    assert (project / "project.toml").is_file()


@covers(RelocateFootageRequest)
def test_footage_is_relocated_but_not_exchanged(
    server: AskedServer, clip: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no video")
    sentence = server.refusal(RelocateFootageRequest(source="b", path=notes))
    assert "notes.txt is not B's footage" in sentence
    moved = tmp_path / "moved.mp4"
    shutil.copyfile(clip, moved)
    for path in (moved, clip):
        assert server.ask(RelocateFootageRequest(source="b", path=path)) == DoneAnswer()
        footage = server.ask(ProjectRequest()).b.footage
        assert footage is not None
        assert footage.path == path


@covers(MetricsRequest)
def test_a_run_has_curves(server: AskedServer) -> None:
    answer = server.ask(MetricsRequest(run="main"))
    assert [curve.name for curve in answer.curves] == ["loss"]
    for curve in answer.curves:
        assert len(curve.steps) == len(curve.values)
        assert list(curve.steps) == sorted(curve.steps)
        assert None in curve.values  # the loss was not a number there
        assert all(value is None or math.isfinite(value) for value in curve.values)
    assert answer.state
    assert answer.seconds > 0
    none = server.ask(MetricsRequest(run="none"))
    assert (none.curves, none.previews, none.seconds) == ((), (), 0)


@covers(StepCostRequest)
def test_a_training_step_has_a_cost(no_project: AskedServer) -> None:
    cost = no_project.ask(StepCostRequest(preset="quick", batch=4))
    assert min(cost.seconds, cost.memory, cost.parameters) > 0
    assert cost.resolution == 160


@covers(KeepSnapshotRequest)
def test_a_snapshot_is_a_file_beside_the_checkpoints(server: AskedServer) -> None:
    path = server.ask(KeepSnapshotRequest(run="main")).path
    assert path.is_file()
    assert path.parent == server.folder / "model" / "main" / "snapshots"


GOOD = {"kind": "timeline", "side": "a"}

BAD_LINES = {
    "no JSON": ("nonsense", None, 'is not JSON; write {"id": 1'),
    "cut off": ('{"id": 2, "request": {"kind"', None, "is not JSON"),
    "no object": ("[1, 2]", None, "is not valid"),
    "no ID": ('{"request": {"kind": "project"}}', None, "lacks id"),
    "no request": ('{"id": 3}', 3, "lacks request"),
    "no kind": ('{"id": 4, "request": {}}', 4, "has no kind; choose frame, "),
    "unknown": (
        '{"id": 5, "request": {"kind": "dance"}}',
        5,
        "There is no request 'dance'; choose frame, ",
    ),
    "missing field": ('{"id": 6, "request": {"kind": "frame"}}', 6, "lacks frame source; add it"),
    "extra field": (
        '{"id": 7, "request": {"kind": "project", "into": "x"}}',
        7,
        "has no field project into; remove it",
    ),
    "wrong type": (
        '{"id": 8, "request": {"kind": "frame", "side": "a", "frame": "ten"}}',
        8,
        "frame frame: Input should be a valid integer",
    ),
    "wrong source": (
        '{"id": 9, "request": {"kind": "frame", "side": "../a"}}',
        9,
        "String should match pattern",
    ),
    "out of range": (
        '{"id": 10, "request": {"kind": "swap", "frame": 1, "blend": {"opacity": 7}}}',
        10,
        "swap blend opacity: Input should be less than or equal to 1",
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_explained_in_a_sentence(name: str, server: AskedServer) -> None:
    text, number, sentence = BAD_LINES[name]
    line = server.line(text)
    assert line.id == number
    answer = line.read()
    assert isinstance(answer, FailureAnswer)
    assert sentence in answer.message
    assert answer.message.endswith(".")
    assert "\n" not in answer.message
    assert server.ask(TimelineRequest(source="a")).frames  # it lives on


def test_answers_have_the_ids_of_their_requests(server: AskedServer) -> None:
    asked = [FrameRequest(source="a", frame=n) for n in (7, 3, 5)]
    lines = [server.line(request_line(id_, r)) for id_, r in zip((12, 7, 7), asked, strict=True)]
    assert [line.id for line in lines] == [12, 7, 7]
    frames = [line.read() for line in lines]
    assert [getattr(frame, "frame", None) for frame in frames] == [7, 3, 5]


def test_a_long_answer_comes_in_a_file(server: AskedServer) -> None:
    many = tuple(f"none {number}.png" for number in range(LONGEST_LINE // 10))
    request = MeasureFacesRequest(source="a", names=many, seconds=600)
    line = server.line(request_line(3, request))
    assert (line.id, line.answer) == (3, None)
    assert line.file is not None
    assert line.file.parent == server.exchange
    assert len(line.model_dump_json()) < 1000
    answer = line.read()
    assert isinstance(answer, request.answer_type())
    assert answer.blur == (None,) * len(many)
    line.file.unlink()


def test_without_an_exchange_folder_the_server_lives_on(server: AskedServer) -> None:
    server.ask(ProjectRequest())
    away = server.exchange.with_name("away")
    server.exchange.rename(away)
    try:
        sentence = server.refusal(FrameRequest(source="a"))
        assert sentence.startswith(f"Cannot write the answer to {server.exchange}: ")
        assert "Cannot write" in server.refusal(FacesRequest(source="a"))
    finally:
        away.rename(server.exchange)
    assert server.ask(FrameRequest(source="a")).picture.path.is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="limits another process's files")
def test_where_no_more_can_be_written_the_server_lives_on(server: AskedServer) -> None:
    """A limit of the size of files, which fails as a full disk does."""
    import resource

    server.ask(ProjectRequest())
    for path in server.exchange.iterdir():
        path.unlink()
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        refusals = [
            server.refusal(FrameRequest(source="a")),
            server.refusal(FacesRequest(source="a")),
        ]
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
    assert [r.startswith("Cannot write the answer to") for r in refusals] == [True, True]
    assert not list(server.exchange.iterdir())
    assert server.ask(FrameRequest(source="a")).picture.path.is_file()
