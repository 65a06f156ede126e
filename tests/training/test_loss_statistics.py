import math
import random

import pytest

from faceswap.training.loss_statistics import LossStatistics


def learnt(losses: list[float]) -> LossStatistics:
    level = LossStatistics()
    for loss in losses:
        assert not level.is_spike(loss)
        level.add(loss)
    return level


def test_of_little_nothing_is_far_above() -> None:
    assert not LossStatistics().is_spike(1e30)
    assert not learnt([0.1, 0.1]).is_spike(1e30)


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.2])
def test_noise_is_not_far_above_but_a_collapse_is(noise: float) -> None:
    chance = random.Random(1)
    level = learnt([0.1 * math.exp(chance.gauss(0, noise)) for _ in range(20_000)])
    assert level.is_spike(1.4)


def test_a_fast_fall_leaves_a_collapse_visible() -> None:
    level = learnt([1.0, 0.6, 0.4, 0.3, 0.25, 0.22])
    assert level.is_spike(1.4)


def test_a_climb_that_is_slow_is_followed() -> None:
    assert learnt([0.1 * 1.05**n for n in range(100)]).mean > 5


def test_a_rate_that_starts_anew_explains_twice_the_loss() -> None:
    # As recorded by a run that ended and was gone on with.
    learnt([0.0846, 0.083, 0.0822, 0.0815, 0.081, 0.0807] * 3 + [0.1706, 0.186, 0.1871, 0.1914])


def test_losses_below_nothing_have_a_level_too() -> None:
    chance = random.Random(2)
    level = learnt([-500 + chance.gauss(0, 10) for _ in range(1000)])
    assert not level.is_spike(-300)
    assert level.is_spike(5000)


def test_what_is_not_finite_is_not_learnt_from() -> None:
    level = learnt([0.1, float("nan"), 0.1, float("inf")][:3])
    level.add(float("inf"))
    assert level.mean == pytest.approx(0.1)
    assert level.count == 2
    assert not level.is_spike(float("nan"))


def test_it_goes_into_json_and_back() -> None:
    level = learnt([0.3, 0.2, 0.25])
    assert LossStatistics.from_dict(level.as_dict()) == level
    assert LossStatistics.from_dict({}) == LossStatistics()
