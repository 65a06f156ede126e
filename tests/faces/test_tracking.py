"""Tracking, on drawn faces whose place is known: the landmarker and the detector are stand-ins."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from faceswap.errors import ProjectError
from faceswap.faces.align import mean_face
from faceswap.faces.face import Detection, Landmarks
from faceswap.faces.tracking import Tracker
from faceswap.types import Points

Frame = NDArray[np.uint8]
SIZE = (240, 320)


def frame_with(*places: tuple[int, int], shot: int = 0) -> Frame:
    """A frame whose faces are marked by one pixel each: red 255 and the number in green."""
    patches = np.random.default_rng(shot).integers(20, 200, (6, 8, 3), np.uint8)
    frame = patches.repeat(40, 0).repeat(40, 1)
    for number, (x, y) in enumerate(places):
        frame[y, x] = (255, number, 0)
    return frame


def face_at(x: float, y: float) -> Points:
    return (mean_face().points[:68, :2] * 30 + [x, y]).astype(np.float32)


def marks(frame: Frame) -> list[tuple[int, int]]:
    rows, columns = np.nonzero((frame[..., 0] == 255) & (frame[..., 2] == 0))
    return list(zip(columns.tolist(), rows.tolist(), strict=True))


class FakeDetector:
    """Finds every mark; counts how often it was asked."""

    name = "fake"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, frame: Frame) -> list[Detection]:
        self.calls += 1
        found = []
        for x, y in marks(frame):
            (left, top), (right, bottom) = face_at(x, y).min(0), face_at(x, y).max(0)
            mean = face_at(x, y)
            five = np.stack(
                [mean[36:42].mean(0), mean[42:48].mean(0), mean[30], mean[48], mean[54]]
            )
            found.append(Detection((left, top, right, bottom), 0.9, five))
        return found


class FakeLandmarker:
    """Moves a guess onto the nearest mark within 25 px."""

    name = "fake"

    def locate(self, frame: Frame, guesses: Sequence[Points]) -> list[Landmarks]:
        answers = []
        for guess in guesses:
            centre = guess.mean(0)
            near = [mark for mark in marks(frame) if np.hypot(*(np.array(mark) - centre)) < 25]
            points = face_at(*near[0]) if near else guess
            forehead = points[:13] - np.float32(40)
            answers.append(Landmarks(points, forehead, 0.9 if near else 0.1))
        return answers


def tracker(**options: Any) -> tuple[Tracker, FakeDetector]:
    detector = FakeDetector()
    return Tracker(FakeLandmarker(), detector, **options), detector


def test_a_face_is_followed_without_the_detector() -> None:
    one, detector = tracker(detect_every=1000)
    for step in range(20):
        seen = one.update(frame_with((60 + 8 * step, 100)))
        assert [face.track for face in seen.faces] == [0]
        np.testing.assert_allclose(seen.faces[0].points.mean(0), [60 + 8 * step, 100], atol=1)
        assert not seen.cut
    assert detector.calls == 1


def test_the_detector_looks_every_n_frames_and_finds_who_came_in() -> None:
    one, detector = tracker(detect_every=10, max_faces=2)
    tracks = []
    for step in range(25):
        places = [(60, 100)] if step < 5 else [(60, 100), (220, 100)]
        tracks.append([face.track for face in one.update(frame_with(*places)).faces])
    assert tracks[9] == [0]
    assert tracks[10] == [0, 1] == tracks[24]
    assert detector.calls == 3


def test_a_lost_face_comes_back_on_its_track_and_another_place_is_another() -> None:
    one, _ = tracker(detect_every=1000)
    seen = [one.update(frame_with((100, 100))) for _ in range(3)]
    hidden = [one.update(frame_with()) for _ in range(7)]
    assert all(not frame.faces for frame in hidden)
    back = [one.update(frame_with((112, 100))) for _ in range(6)]
    assert [face.track for face in back[-1].faces] == [0]
    for _ in range(7):
        one.update(frame_with())
    away = [one.update(frame_with((250, 180))) for _ in range(6)]
    assert [face.track for face in away[-1].faces] == [1]
    assert seen[0].faces[0].track == 0


def test_a_jump_is_found_again_in_the_same_frame() -> None:
    one, detector = tracker(detect_every=1000)
    one.update(frame_with((60, 100)))
    seen = one.update(frame_with((220, 160)))
    assert len(seen.faces) == 1
    assert detector.calls == 2


def test_a_cut_ends_every_track() -> None:
    one, _ = tracker(detect_every=1000)
    first = one.update(frame_with((100, 100)))
    steady = one.update(frame_with((100, 100)))
    cut = one.update(frame_with((100, 100), shot=1))
    assert (first.cut, steady.cut, cut.cut) == (False, False, True)
    assert steady.faces[0].track == 0
    assert cut.faces[0].track == 1


def test_a_flash_of_a_small_part_is_no_cut() -> None:
    one, _ = tracker()
    one.update(frame_with((100, 100)))
    frame = frame_with((100, 100))
    frame[:80] = 250
    assert not one.update(frame).cut


def test_at_most_so_many_faces_and_the_rest_is_counted() -> None:
    one, _ = tracker(max_faces=1)
    seen = one.update(frame_with((60, 100), (160, 100), (260, 100)))
    assert len(seen.faces) == 1
    assert seen.dropped == 2


def test_small_faces_can_be_left_out() -> None:
    one, _ = tracker(min_face=200)
    assert one.update(frame_with((60, 100))).faces == ()


def test_two_tracks_never_sit_on_one_face() -> None:
    one, _ = tracker(max_faces=2, detect_every=1000)
    one.update(frame_with((100, 100), (140, 100)))
    for x in (130, 120, 110):
        one.update(frame_with((100, 100), (x, 100)))
    assert len(one.update(frame_with((100, 100))).faces) == 1


@pytest.mark.parametrize("killed_at", [0, 1, 7, 11, 16, 23])
def test_restored_it_goes_on_as_if_never_stopped(killed_at: int) -> None:
    rng = np.random.default_rng(killed_at)
    frames = []
    for step in range(30):
        places = [(60 + 3 * step, 90 + int(rng.integers(5)))]
        if 8 < step < 14:
            places = []
        if step > 15:
            places.append((250, 180))
        frames.append(frame_with(*places, shot=step // 20))
    whole, _ = tracker(max_faces=2, detect_every=6)
    expected = [whole.update(frame) for frame in frames]
    first, _ = tracker(max_faces=2, detect_every=6)
    for frame in frames[:killed_at]:
        first.update(frame)
    second, _ = tracker(max_faces=2, detect_every=6)
    second.restore(json.loads(json.dumps(first.state())))
    for frame, seen in zip(frames[killed_at:], expected[killed_at:], strict=True):
        again = second.update(frame)
        assert (again.cut, again.dropped) == (seen.cut, seen.dropped)
        assert len(again.faces) == len(seen.faces)
        for one, other in zip(again.faces, seen.faces, strict=True):
            assert (one.track, one.presence, one.pose) == (other.track, other.presence, other.pose)
            np.testing.assert_array_equal(one.points, other.points)
    assert json.dumps(second.state()) == json.dumps(whole.state())


@pytest.mark.parametrize("state", [{}, {"frames": "x"}, {"tracks": 3}])
def test_a_damaged_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ProjectError, match="damaged"):
        tracker()[0].restore(state)


def test_empty_and_changing_frames_do_no_harm() -> None:
    one, _ = tracker()
    assert one.update(np.zeros((0, 0, 3), np.uint8)).faces == ()
    restored, _ = tracker()
    restored.restore(json.loads(json.dumps(one.state())))
    assert one.update(frame_with((100, 100))).faces
    assert restored.update(frame_with((100, 100))).faces
    assert one.update(np.zeros((0, 0, 3), np.uint8)).faces == ()
    assert one.update(frame_with((100, 100))[..., :1].copy()) is not None


class FakeEmbedder:
    """Knows the faces by the number of the nearest mark."""

    def embed(self, frame: Frame, faces: Sequence[Points]) -> NDArray[np.float32]:
        found = np.zeros((len(faces), 128), np.float32)
        for row, points in enumerate(faces):
            x, y = min(marks(frame), key=lambda mark: np.hypot(*(points.mean(0) - mark)))
            found[row, frame[y, x, 1]] = 1
        return found


def people(*places: tuple[int, int, int]) -> Frame:
    """A frame with faces (x, y, who)."""
    frame = frame_with()
    for x, y, who in places:
        frame[y, x] = (255, who, 0)
    return frame


def test_a_gap_of_grey_frames_interrupts_no_track() -> None:
    one, _ = tracker()
    one.update(frame_with((100, 100)))
    for _ in range(3):
        gap = one.update(np.full((*SIZE, 3), 150, np.uint8))
        assert (gap.faces, gap.cut) == ((), False)
    restored, _ = tracker()
    restored.restore(json.loads(json.dumps(one.state())))
    for tracked in (one, restored):
        again = tracked.update(frame_with((104, 100)))
        assert not again.cut
        assert [face.track for face in again.faces] == [0]
    assert restored.update(frame_with((104, 100), shot=1)).cut


def test_people_who_cross_keep_their_tracks() -> None:
    one, _ = tracker(max_faces=2, embedder=FakeEmbedder(), detect_every=5)
    for step in range(0, 121, 4):
        left, right = (100 + step, 100, 7), (220 - step, 100, 8)
        seen = one.update(people(left, right))
    places = {face.track: float(face.points[:, 0].mean()) for face in seen.faces}
    vectors = FakeEmbedder().embed(people(left, right), [face.points for face in seen.faces])
    first = one.update(people(left, right))
    assert len(first.faces) == 2
    assert places[0] > places[1]
    assert vectors.shape == (2, 128)


def test_someone_else_at_the_same_place_is_another_track() -> None:
    """As at a cut between shots that are so alike that it is not seen."""
    one, _ = tracker(embedder=FakeEmbedder(), detect_every=5)
    for _ in range(14):
        one.update(people((100, 100, 7)))
    for _ in range(13):
        seen = one.update(people((100, 100, 8)))
    assert [face.track for face in seen.faces] == [1]


def test_a_poster_is_never_taken_for_the_face_that_is_hidden_beside_it() -> None:
    one, _ = tracker(max_faces=4, embedder=FakeEmbedder())
    one.update(people((100, 100, 7), (150, 100, 9)))
    for _ in range(50):
        hidden = one.update(people((150, 100, 9)))
        assert [face.track for face in hidden.faces] == [1]
    again = [one.update(people((110, 100, 7), (150, 100, 9))) for _ in range(6)][-1]
    assert [face.track for face in again.faces] == [0, 1]


def test_a_tracker_with_looks_goes_on_from_its_state() -> None:
    one, _ = tracker(max_faces=2, embedder=FakeEmbedder())
    for _ in range(13):
        one.update(people((100, 100, 7), (200, 100, 8)))
    other, _ = tracker(max_faces=2, embedder=FakeEmbedder())
    other.restore(json.loads(json.dumps(one.state())))
    for _ in range(13):
        frame = people((102, 100, 7), (202, 100, 8))
        assert [f.track for f in one.update(frame).faces] == [
            f.track for f in other.update(frame).faces
        ]
    assert one.state() == other.state()
