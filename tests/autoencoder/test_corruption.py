from collections.abc import Callable

import pytest
import torch
from torch import Generator, Tensor

from faceswap.autoencoder import corruption


def dice(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


GREY = torch.full((400, 1, 28, 28), 0.5)


def test_noise_is_as_strong_as_asked_for() -> None:
    assert abs(float((corruption.gaussian(GREY, 0.1, dice()) - 0.5).std()) - 0.1) < 0.002
    peppered = corruption.salt_and_pepper(GREY.expand(-1, 3, -1, -1), 0.3, dice())
    assert abs(float((peppered != 0.5).float().mean()) - 0.3) < 0.01
    assert torch.equal(peppered[:, 0], peppered[:, 2])
    counted = corruption.poisson(GREY, 50, dice())
    assert abs(float(counted.mean()) - 0.5) < 0.01
    assert abs(float(counted.var()) - 0.5 / 50) < 0.001


def test_the_classic_occluder_hides_two_rows_that_begin_at_0_to_25() -> None:
    where = corruption.row_masks(GREY.repeat(5, 1, 1, 1), dice())[:, 0]
    assert bool((where == where[:, :, :1]).all())
    rows = where[:, :, 0]
    assert bool((rows.sum(1) == 2).all())
    first = rows.argmax(1)
    assert bool((rows[torch.arange(len(rows)), first + 1] == 1).all())
    assert sorted(first.unique().tolist()) == list(range(26))


@pytest.mark.parametrize(
    "make", [corruption.rectangle_masks, corruption.stroke_masks, corruption.inpainting_masks]
)
def test_masks_hide_some_of_each_picture(make: Callable[[Tensor, Generator], Tensor]) -> None:
    where = make(GREY, dice())
    assert where.shape == (400, 1, 28, 28)
    assert set(where.unique().tolist()) == {0.0, 1.0}
    share = where.flatten(1).mean(1)
    assert float(share.min()) > 0
    assert 0.03 < float(share.mean()) < 0.4
    assert torch.equal(where, make(GREY, dice()))


def test_reduced_keeps_the_size_and_what_is_smooth() -> None:
    ramp = torch.linspace(0, 1, 28).expand(1, 1, 28, 28)
    assert float((corruption.downsampled(ramp, 4) - ramp).abs().max()) < 0.06
    with pytest.raises(ValueError, match="does not divide"):
        corruption.downsampled(ramp, 3)


def test_displaced_moves_whole_pictures() -> None:
    x = torch.zeros(50, 2, 9, 9)
    x[:, :, 4, 4] = torch.tensor([1.0, 0.5])
    moved = corruption.shifted(x, 3, dice())
    assert torch.allclose(moved.sum((2, 3)), x.sum((2, 3)))
    places = {divmod(int(row.argmax()), 9) for row in moved[:, 0].flatten(1)}
    assert len(places) > 10
    assert all(1 <= y <= 7 and 1 <= z <= 7 for y, z in places)
    assert torch.equal(moved[:, 0].flatten(1).argmax(1), moved[:, 1].flatten(1).argmax(1))
