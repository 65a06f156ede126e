"""Which segments are given out, and which again."""

from faceswap.farm.stretches import StretchPlan
from faceswap.video.segments import Pictures, Segment


def segment(number: int) -> Segment:
    pictures = Pictures(frames=8, last_pts=0, end_pts=0)
    return Segment(number=number, key="k", pictures=pictures, swapped=0, last=False)


def taken(plan: StretchPlan) -> list[tuple[int, int | None]]:
    found = []
    while (stretch := plan.take()) is not None:
        found.append((stretch.number, stretch.end))
    return found


def test_what_is_missing_is_given_out_once_and_the_last_has_no_end() -> None:
    plan = StretchPlan(5, {1: segment(1), 3: segment(3)})
    assert plan.waiting == 3
    assert taken(plan) == [(0, 1), (2, 3), (4, None)]
    assert plan.take() is None


def test_what_a_lost_worker_had_is_the_next() -> None:
    plan = StretchPlan(3, {})
    first = plan.take()
    assert first is not None
    plan.give_back(first)
    assert taken(plan) == [(0, 1), (1, 2), (2, None)]


def test_what_fails_is_tried_three_times() -> None:
    plan = StretchPlan(1, {})
    for again in (True, True, False):
        stretch = plan.take()
        assert stretch is not None
        assert plan.failed(stretch) is again


def test_the_rest_by_one_worker_takes_the_place_of_what_others_make() -> None:
    plan = StretchPlan(4, {})
    first, second, third = (plan.take() for _ in range(3))
    assert first is not None
    assert second is not None
    assert third is not None
    plan.add(first, (segment(0),))
    plan.add(third, (segment(2),))
    plan.only_rest(1, segment(0))
    assert list(plan.made) == [0]
    # What the others bring now, or lose, counts no more.
    plan.add(second, (segment(1),))
    plan.give_back(second)
    assert list(plan.made) == [0]
    rest = plan.take()
    assert rest is not None
    assert (rest.number, rest.end, rest.before) == (1, None, segment(0))
    assert plan.take() is None
    plan.give_back(rest)
    assert plan.take() == rest
    plan.add(rest, ())
    assert plan.is_empty(1)
    assert plan.is_rest(1)
    assert not plan.is_rest(2)
