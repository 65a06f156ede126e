import math
from collections.abc import Callable

import pytest
import torch

from faceswap.training import augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_gives_the_same_changes() -> None:
    makes: list[Callable[[torch.Generator], torch.Tensor]] = [
        lambda g: augment.random_affine(4, 10, 0.1, 0.1, 0.5, g),
        lambda g: augment.random_warp(4, 16, 0.1, g, (2, 4)),
        lambda g: augment.random_color(4, 0.1, 0.1, 0.1, g),
    ]
    for make in makes:
        assert torch.equal(make(generator(1)), make(generator(1)))
        assert not torch.equal(make(generator(1)), make(generator(2)))


def test_affine_stays_within_its_limits() -> None:
    theta = augment.random_affine(2000, 10, 0.2, 0.05, 0.0, generator())
    size = theta[:, :, 0].norm(dim=1)
    angle = torch.atan2(theta[:, 1, 0], theta[:, 0, 0]).rad2deg()
    assert 1 / 1.2 - 1e-5 <= size.min() < 0.86
    assert 1.17 < size.max() <= 1.2 + 1e-5
    assert angle.abs().max() <= 10.001
    assert angle.abs().max() > 9.5
    assert theta[:, :, 2].abs().max() <= 0.1
    assert torch.allclose(theta[:, :, 0].norm(dim=1), theta[:, :, 1].norm(dim=1))


def test_no_change_is_no_change_and_a_flip_is_a_flip() -> None:
    x = torch.rand(2, 3, 8, 8)
    still = augment.random_affine(2, 0, 0, 0, 0, generator())
    assert torch.allclose(augment.sample(x, augment.affine_grid(still, 8)), x, atol=1e-5)
    mirror = augment.random_affine(2, 0, 0, 0, 1, generator())
    assert torch.allclose(augment.sample(x, augment.affine_grid(mirror, 8)), x.flip(3), atol=1e-5)


def test_a_shift_moves_by_a_share_of_the_side() -> None:
    x = torch.zeros(1, 1, 16, 16)
    x[..., 8, 8] = 1
    theta = torch.tensor([[[1.0, 0, 2 * 4 / 16], [0, 1, 0]]])
    y = augment.sample(x, augment.affine_grid(theta, 16))
    assert y[0, 0, 8, 4] == pytest.approx(1, abs=1e-5)


def test_warp_fields_for_x_and_y_are_independent_and_smooth() -> None:
    still = augment.affine_grid(torch.eye(2, 3).expand(200, 2, 3), 32)
    moved = augment.random_warp(200, 32, 0.1, generator()) - still
    x, y = moved[..., 0].flatten(), moved[..., 1].flatten()
    assert abs(float(torch.corrcoef(torch.stack([x, y]))[0, 1])) < 0.05
    # The peer's warp mistook the transpose of one field for the other.
    transposed = torch.stack([moved[..., 0].flatten(), moved[..., 1].mT.flatten()])
    assert abs(float(torch.corrcoef(transposed)[0, 1])) < 0.05
    # Nodes: 10 % of a cell of half the range; between nodes a little less.
    assert 0.02 < float(x.std()) < 0.06
    assert float((moved[:, 1:] - moved[:, :-1]).abs().max()) < 0.05


def test_no_warp_is_no_warp() -> None:
    x = torch.rand(2, 3, 8, 8)
    assert torch.allclose(
        augment.sample(x, augment.random_warp(2, 8, 0, generator())), x, atol=1e-5
    )


def test_warp_does_not_fold() -> None:
    grid = augment.random_warp(200, 32, 0.1, generator(), (4,))
    assert (grid[:, :, 1:, 0] > grid[:, :, :-1, 0]).all()
    assert (grid[:, 1:, :, 1] > grid[:, :-1, :, 1]).all()


def test_color_transfer_reaches_the_wanted_tone_and_contrast_follows_the_light() -> None:
    g = generator()
    a = 0.4 + 0.1 * torch.rand(3, 3, 32, 32, generator=g)
    b = (
        0.5
        + 0.15
        * torch.rand(3, 3, 32, 32, generator=g)
        * torch.tensor([1.0, 0.8, 0.7])[:, None, None]
    )
    mask = torch.ones(3, 1, 32, 32)
    mask[..., :10] = 0
    own, wanted = augment.skin_tone(b, mask), augment.skin_tone(a, mask)
    full = augment.apply_color(b, augment.skin_tone_transfer(own, wanted, torch.ones(3)))
    assert torch.allclose(augment.skin_tone(full, mask), wanted, atol=2e-3)
    light = (wanted / own)[:, :, None, None]
    assert torch.allclose(
        full - full.mean((2, 3), keepdim=True),
        light * (b - b.mean((2, 3), keepdim=True)),
        atol=2e-3,
    )
    none = augment.apply_color(b, augment.skin_tone_transfer(own, wanted, torch.zeros(3)))
    assert torch.allclose(none, b, atol=1e-5)


def test_black_stays_black_whatever_the_skin_becomes() -> None:
    hair = torch.zeros(8, 3, 4, 4)
    warm, cool = torch.tensor([[0.8, 0.6, 0.5]]), torch.tensor([[0.5, 0.55, 0.7]])
    moved = augment.skin_tone_transfer(warm.expand(8, 3), cool.expand(8, 3), torch.ones(8))
    assert torch.equal(augment.apply_color(hair, moved), hair)
    tinted = augment.random_color(8, 0, 0, 0.1, generator())
    assert torch.equal(augment.apply_color(hair, tinted), hair)
    grey = augment.apply_color(hair + 0.5, augment.random_color(99, 0, 0, 0.1, generator())[:8])
    assert 0.02 < float((grey - 0.5).abs().max()) <= 0.1


def test_a_beard_says_nothing_about_the_skin() -> None:
    skin = 0.6 + 0.02 * torch.rand(1, 3, 32, 32, generator=generator())
    bearded = skin.clone()
    bearded[..., 20:, 8:24] = 0.15
    mask = torch.ones(1, 1, 32, 32)
    bare, with_it = (augment.skin_tone(x, mask) for x in (skin, bearded))
    assert torch.allclose(bare, with_it, atol=0.01)


def test_the_skin_tone_is_that_inside_the_mask() -> None:
    x = torch.zeros(1, 3, 4, 4)
    x[..., 2:] = 1
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:] = 1
    assert torch.allclose(augment.skin_tone(x, mask)[0], torch.ones(3))


def test_colors_compose_and_stay_in_range() -> None:
    x = torch.rand(2, 3, 8, 8) * 0.2 + 0.4
    first = augment.random_color(2, 0.05, 0.1, 0.05, generator(1))
    then = augment.random_color(2, 0.05, 0.1, 0.05, generator(2))
    one_by_one = augment.apply_color(augment.apply_color(x, first), then)
    assert torch.allclose(
        augment.apply_color(x, augment.compose_color(first, then)), one_by_one, atol=1e-6
    )
    strong = augment.random_color(2, 2.0, 0.9, 1.0, generator(3))
    y = augment.apply_color(x, strong)
    assert 0 <= y.min() <= y.max() <= 1


def test_uniform_is_uniform() -> None:
    x = augment.uniform((4000,), -1, 3, generator())
    assert -1 <= x.min() < x.max() < 3
    assert x.mean() == pytest.approx(1, abs=0.1)
    assert x.std() == pytest.approx(4 / math.sqrt(12), abs=0.05)


def test_a_dragged_picture_has_its_points_where_they_are_wanted() -> None:
    spots = torch.tensor([[[-0.5, -0.25], [0.5, 0.0], [0.0, 0.5]]])
    picture = torch.zeros(1, 1, 64, 64)
    places = ((spots[0] + 1) * 32).long()
    for x, y in places.tolist():
        picture[0, 0, y - 1 : y + 1, x - 1 : x + 1] = 1
    end = spots + torch.tensor([[[0.1, 0.0], [0.0, 0.0], [-0.1, -0.1]]])
    field = augment.displacement_field(spots, end, 32)
    still = augment.affine_grid(torch.eye(2, 3)[None], 64)
    dragged = augment.sample(picture, still + augment.resize_field(field, 64))[0, 0]
    for x, y in ((end[0] + 1) * 32).tolist():
        part = dragged[int(y) - 5 : int(y) + 5, int(x) - 5 : int(x) + 5]
        rows, columns = torch.meshgrid(torch.arange(10.0), torch.arange(10.0), indexing="ij")
        assert float((part * columns).sum() / part.sum()) + int(x) - 5 == pytest.approx(
            x - 0.5, abs=1
        )
        assert float((part * rows).sum() / part.sum()) + int(y) - 5 == pytest.approx(y - 0.5, abs=1)
    assert field[0, 0, 0].norm() < 0.05
    assert torch.equal(augment.displacement_field(spots, spots, 8), torch.zeros(1, 8, 8, 2))
