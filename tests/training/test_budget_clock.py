"""Seconds and progress of a session, by a clock that the test moves."""

from typing import ClassVar

import pytest
from toy_task import Product, make_stepper

from faceswap.events import Progress
from faceswap.training.budget_clock import BudgetClock
from faceswap.training.distributed import ProcessGroup
from faceswap.training.step import TrainStepper


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def started(**config: object) -> tuple[BudgetClock, TrainStepper, Hand]:
    stepper, hand = make_stepper(Product(), **config), Hand()
    clock = BudgetClock(stepper, hand)
    clock.set_budget()
    clock.start()
    return clock, stepper, hand


def test_seconds_are_those_of_all_sessions() -> None:
    clock, stepper, hand = started(minutes=2.0)
    stepper.state.seconds = 30
    clock.start()
    hand.seconds += 15
    clock.count()
    assert stepper.state.seconds == 45
    assert clock.progress() == pytest.approx(45 / 120)


def test_without_a_budget_there_is_no_progress_and_no_estimate() -> None:
    clock, stepper, _ = started()
    assert clock.progress() is None
    event = Progress(stage="train", done=3)
    assert clock.with_eta(event) is event
    assert stepper.state.notes["stretch"] is None


def test_the_ends_of_a_resumed_budget_are_those_of_the_config() -> None:
    clock, stepper, _ = started(steps=40)
    stepper.state.step = 10
    stepper.config = make_stepper(Product()).config  # a session that asks for nothing
    assert clock.set_budget() == "Training resumes: 30 steps are left."
    assert (stepper.config.steps, stepper.config.minutes) == (40, None)
    assert clock.progress() == 0.25


def test_the_time_left_is_that_of_the_budget() -> None:
    clock, stepper, hand = started(minutes=1.0)
    hand.seconds += 20
    stepper.state.step = 10
    event = clock.with_eta(Progress(stage="train", done=10))
    assert (event.eta, event.total) == (40, 30)


class Told(ProcessGroup):
    """Two processes, of which the main one is far ahead."""

    asked: ClassVar[list[float]] = []

    def broadcast(self, value: float) -> float:
        self.asked.append(value)
        return 0.9


def test_processes_agree_on_the_clock_at_reports_only() -> None:
    clock, stepper, hand = started(minutes=1.0, report_steps=5)
    clock._group = Told(1, 2)
    Told.asked.clear()
    for step in range(11):
        stepper.state.step = step
        hand.seconds += 1
        clock.count()
        assert clock.progress() == 0.9
    assert Told.asked == pytest.approx([1 / 60, 6 / 60, 11 / 60])
