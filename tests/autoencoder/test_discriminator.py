import pytest
import torch

from faceswap.autoencoder.discriminator import (
    PatchDiscriminator,
    discriminator_loss,
    generator_loss,
    seeded_discriminator,
)


def test_it_answers_patch_by_patch() -> None:
    judge = PatchDiscriminator(8)
    pictures = torch.rand(2, 3, 64, 80)
    answers = judge(pictures)
    assert answers.shape == (2, 1, 8, 10)
    pictures[:, :, :, 60:] = 0
    changed = (judge(pictures) - answers).abs().amax((0, 1, 2)) > 1e-6
    # What lies more than half of 38 pixels away is not seen.
    assert not changed[:5].any()
    assert changed[7:].all()


def test_the_seed_decides_the_start_and_nothing_else_is_touched() -> None:
    before = torch.get_rng_state()
    first, second, other = (seeded_discriminator(seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )
    assert not torch.equal(first[0].weight, other[0].weight)  # type: ignore[arg-type]


def test_losses_of_known_answers() -> None:
    ones, zeros, half = torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3), torch.full((2, 1), 0.5)
    assert generator_loss(ones) == 0
    assert generator_loss(zeros) == 1
    assert discriminator_loss(ones, zeros) == 0
    assert discriminator_loss(zeros, ones) == 1
    assert discriminator_loss(half, half) == pytest.approx(0.25)


def test_it_learns_to_tell_noise_from_flat_pictures() -> None:
    judge = seeded_discriminator(0, 8)
    optimiser = torch.optim.Adam(judge.parameters(), 2e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(80):
        noisy = torch.rand(4, 3, 32, 32, generator=generator)
        flat = torch.rand(4, 3, 1, 1, generator=generator).expand(-1, -1, 32, 32)
        loss = discriminator_loss(judge(noisy), judge(flat))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert loss < 0.05
