import math

import numpy as np
import pytest
import torch
from driving import finished
from toy_task import Product, make_stepper

from faceswap.events import Notice
from faceswap.training.learning_rate_finder import (
    find_learning_rate,
    gaussian_smooth,
    suggest_learning_rate,
)


def test_on_a_parabola_the_suggestion_goes_straight_to_the_bottom() -> None:
    # Gradient descent on λw²/2 neither climbs nor falls at the rate 2/λ; at 1/λ one step ends it.
    curvature = 5.0
    rates = [1e-3 * 10 ** (3.5 * i / 99) for i in range(100)]
    weight, losses = 1.0, []
    for rate in rates:
        losses.append(curvature * weight**2 / 2)
        weight = weight * (1 - rate * curvature) + 1e-3  # something always pulls it away again
    assert suggest_learning_rate(rates, losses) == pytest.approx(1 / curvature, rel=0.5)


def test_noise_does_not_lead_it_astray() -> None:
    rates = [10 ** (-6 + 6 * i / 99) for i in range(100)]
    noise = np.random.default_rng(0).normal(0, 0.02, 100)
    curve = [1 / (1 + (r / 1e-3) ** 2) + (20 * r) ** 2 for r in rates]
    lowest = 7e-3  # where the derivative of the curve is 0
    assert suggest_learning_rate(rates, (curve + noise).tolist()) == pytest.approx(
        lowest / 2, rel=0.7
    )


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    rates = [10.0 ** (i - 20) for i in range(20)]
    assert suggest_learning_rate(rates, [float(i) for i in range(20)]) is None
    assert suggest_learning_rate(rates[:5], [5.0, 4.0, 3.0, 2.0, 1.0]) is None


def test_smoothing_moves_nothing() -> None:
    line = np.linspace(0, 1, 101)
    assert gaussian_smooth(line, 3.0)[20:80] == pytest.approx(line[20:80], abs=1e-9)
    peak = np.zeros(101)
    peak[40] = 1
    assert gaussian_smooth(peak, 3.0).argmax() == 40


def test_everything_is_as_before_and_the_rate_is_a_good_one() -> None:
    stepper = make_stepper(Product())
    for _ in range(3):
        stepper.step(None)
    before = stepper.state.snapshot()
    events, rate = finished(find_learning_rate(stepper))
    assert any(f"{rate:.2g}" in e.message for e in events if isinstance(e, Notice))
    after = stepper.state.snapshot()
    assert after.metadata == before.metadata
    assert after.tensors.keys() == before.tensors.keys()
    assert all(torch.equal(after.tensors[k], v) for k, v in before.tensors.items())

    assert rate is not None

    def left(used: float) -> float:
        found = make_stepper(Product(), learning_rate=used, warmup=1)
        losses = [float(found.train_step(1.0, None)["loss"]) for _ in range(100)]
        return losses[-1]

    assert left(rate) < 0.1 * left(rate / 300)
    assert left(rate) < 0.1 * left(10.0)


def test_a_ruined_loss_ends_the_sweep_early() -> None:
    task = Product()
    stepper = make_stepper(task)
    finished(find_learning_rate(stepper, steps=200, low=1e-3, high=1e4))
    assert len(task.sizes) < 200
    assert all(math.isfinite(float(t.sum())) for t in stepper.state.model.state_dict().values())


def test_nothing_to_learn_keeps_the_rate() -> None:
    task = Product()
    stepper = make_stepper(task)
    with torch.no_grad():
        next(stepper.state.model.parameters()).copy_(task.truth)
    events, rate = finished(find_learning_rate(stepper))
    notices = [e.message for e in events if isinstance(e, Notice)]
    assert rate is None
    assert notices == ["The loss fell at no learning rate, which stays 0.001."]


def test_left_in_the_middle_it_restores_all_the_same() -> None:
    stepper = make_stepper(Product())
    before = stepper.state.snapshot()
    job = find_learning_rate(stepper, steps=100_000, low=1e-3, high=1e-2)
    next(job)
    assert stepper.state.step > 0
    job.close()
    after = stepper.state.snapshot()
    assert after.tensors.keys() == before.tensors.keys()
    assert all(torch.equal(after.tensors[k], v) for k, v in before.tensors.items())
