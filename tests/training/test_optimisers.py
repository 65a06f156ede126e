import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from faceswap.training.learning_rate_schedule import (
    learning_rate_factor,
    scale_learning_rate,
    set_learning_rate,
)
from faceswap.training.optimisers import (
    AdaBelief,
    Lion,
    OptimiserName,
    make_optimiser,
    optimiser_step,
    update_ema_,
)


def parameter(values: list[float], gradient: list[float]) -> nn.Parameter:
    p = nn.Parameter(torch.tensor(values, dtype=torch.double))
    p.grad = torch.tensor(gradient, dtype=torch.double)
    return p


def test_lion_steps_by_the_sign_of_the_interpolated_momentum() -> None:
    p = parameter([1.0, 1.0], [0.5, -2.0])
    optimiser = Lion([p], lr=0.1, weight_decay=0.5)
    optimiser.step()
    # First: sign(0.1·g), decay 0.5·w, momentum 0.01·g.
    assert p.tolist() == pytest.approx([1 - 0.1 * 1.5, 1 - 0.1 * (-1 + 0.5)])
    assert optimiser.state[p]["exp_avg"].tolist() == pytest.approx([0.005, -0.02])
    before = p.detach().clone()
    p.grad = torch.tensor([-0.01, 0.01], dtype=torch.double)
    optimiser.step()
    # 0.9·0.005 − 0.1·0.01 > 0; 0.9·(−0.02) + 0.1·0.01 < 0: the old signs still win.
    step = (before - p.detach()).tolist()
    assert step == pytest.approx(
        [0.1 * (1 + 0.5 * float(before[0])), 0.1 * (-1 + 0.5 * float(before[1]))]
    )


def test_adabelief_takes_the_steps_that_follow_from_its_paper() -> None:
    # For a gradient that stays, algorithm 1 can be summed up by hand. After t steps the mean is
    # g·(1 − β1^t), so it strays from the gradient by g·β1^t, and the variance, to which each step
    # adds (1 − β2)·g²·β1^2t + ε, is two geometric series.
    g, rate, eps, q, b = 0.5, 0.01, 1e-3, 0.9**2, 0.999
    p = parameter([2.0], [g])
    optimiser = AdaBelief([p], lr=rate, eps=eps)
    weight = 2.0
    for t in range(1, 31):
        optimiser.step()
        strays = (1 - b) * g**2 * q * (b**t - q**t) / (b - q)
        variance = strays / (1 - b**t) + eps / (1 - b)
        weight -= rate * g / (math.sqrt(variance) + eps)
        assert p.item() == pytest.approx(weight, rel=1e-6)


def step_as_on_a_card(optimiser: torch.optim.Optimizer, bad: torch.Tensor) -> None:
    optimiser.found_inf = bad  # type: ignore[attr-defined]
    optimiser.step()


@pytest.mark.parametrize("take", [optimiser_step, step_as_on_a_card])
@pytest.mark.parametrize("name", ["adabelief", "lion"])
def test_a_first_step_found_bad_changes_nothing(
    name: OptimiserName, take: Callable[[torch.optim.Optimizer, torch.Tensor], None]
) -> None:
    p = nn.Parameter(torch.ones(3))
    optimiser = make_optimiser(name, [p], 0.1)
    p.grad = torch.full((3,), float("nan"))
    take(optimiser, torch.ones(()))
    assert torch.equal(p, torch.ones(3))
    p.grad = torch.ones(3)
    take(optimiser, torch.zeros(()))
    fresh = nn.Parameter(torch.ones(3))
    fresh.grad = torch.ones(3)
    make_optimiser(name, [fresh], 0.1).step()
    assert torch.equal(p, fresh)


@pytest.mark.parametrize("take", [optimiser_step, step_as_on_a_card])
@pytest.mark.parametrize("name", ["adamw", "adabelief", "lion"])
def test_a_step_found_bad_changes_nothing(
    name: OptimiserName, take: Callable[[torch.optim.Optimizer, torch.Tensor], None]
) -> None:
    p = nn.Parameter(torch.ones(3))
    optimiser = make_optimiser(name, [p], 0.1)
    p.grad = torch.ones(3)
    optimiser.step()
    before = p.detach().clone()
    state = {k: v.clone() for k, v in optimiser.state[p].items()}
    p.grad = torch.tensor([1.0, float("nan"), 1.0])
    take(optimiser, torch.ones(()))
    assert torch.equal(p, before)
    assert all(torch.equal(optimiser.state[p][k], v) for k, v in state.items())
    p.grad = torch.ones(3)
    take(optimiser, torch.zeros(()))
    assert (p < before).all()


@pytest.mark.parametrize("name", ["adamw", "adabelief", "lion"])
def test_each_finds_the_minimum(name: OptimiserName) -> None:
    p = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimiser = make_optimiser(name, [p], 0.1, decay=0.0)
    for step in range(800):
        set_learning_rate(optimiser, learning_rate_factor(step, 10, step / 800))
        optimiser.zero_grad()
        (p - torch.tensor([1.0, 1.0])).square().sum().backward()
        optimiser.step()
    assert torch.allclose(p, torch.ones(2), atol=0.05)


def test_frozen_parameters_are_left_out() -> None:
    frozen = nn.Parameter(torch.ones(1), requires_grad=False)
    optimiser = make_optimiser("adamw", [frozen, nn.Parameter(torch.ones(1))], 0.1)
    assert len(optimiser.param_groups[0]["params"]) == 1


def test_rate_warms_up_and_falls() -> None:
    assert learning_rate_factor(0, 10, 0.0) == pytest.approx(0.1)
    assert learning_rate_factor(9, 10, 0.0) == pytest.approx(1.0)
    assert learning_rate_factor(500, 10, 0.5) == pytest.approx(0.51)
    assert learning_rate_factor(500, 10, 1.0) == pytest.approx(0.02)
    assert learning_rate_factor(500, 10, None) == 1.0


def test_set_rate_scales_what_it_was_made_with() -> None:
    optimiser = make_optimiser("adamw", [nn.Parameter(torch.ones(1))], 0.1)
    for factor in (0.5, 0.25):
        set_learning_rate(optimiser, factor)
        assert optimiser.param_groups[0]["lr"] == pytest.approx(0.1 * factor)


def test_average_starts_quickly_and_copies_buffers() -> None:
    mine, theirs = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    nn.init.constant_(theirs.weight, 2.0)
    theirs.running_mean = torch.tensor([5.0])
    update_ema_(mine, theirs, step=0, decay=0.999)
    assert mine.weight.item() == pytest.approx(1 + 0.9)
    update_ema_(mine, theirs, step=10**6, decay=0.9)
    assert mine.weight.item() == pytest.approx(1.9 + 0.1 * 0.1)
    assert mine.running_mean is not None
    assert mine.running_mean.item() == 5.0


@pytest.mark.parametrize("name", ["adamw", "adabelief", "lion"])
def test_a_scaled_rate_is_that_of_one_made_with_it(name: OptimiserName) -> None:
    rates = []
    for made, factor in ((0.1, 0.5), (0.05, 1.0)):
        optimiser = make_optimiser(name, [nn.Parameter(torch.ones(3))], made)
        scale_learning_rate(optimiser, factor)
        set_learning_rate(optimiser, 0.3)
        rates.append(optimiser.param_groups[0]["lr"])
    assert rates[0] == pytest.approx(rates[1])
