import pytest
import torch
from torch.distributions import Bernoulli, Normal
from torch.distributions import kl_divergence as torch_kl
from torch.nn import functional

from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.variational import (
    Posterior,
    VariationalAutoencoder,
    kl_divergence,
    negative_elbo,
    reconstruction_nats,
    warmed_up_beta,
)


def make(words: int = 0) -> VariationalAutoencoder:
    torch.manual_seed(0)
    body = DenseAutoencoder(DenseConfig(size=8, widths=(32,), code_active="relu"))
    return VariationalAutoencoder(body, 4, words)


def elbo(
    model: VariationalAutoencoder, x: torch.Tensor, noise: torch.Tensor, *text: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    raw, q = model(x, noise, *text)
    return negative_elbo(raw, q, x)


def test_kl_and_likelihoods_are_those_of_torch() -> None:
    torch.manual_seed(0)
    q = Posterior(torch.randn(5, 3), torch.randn(5, 3))
    wanted = torch_kl(Normal(q.mean, (0.5 * q.log_variance).exp()), Normal(0.0, 1.0))
    assert torch.allclose(kl_divergence(q), wanted, atol=1e-6)
    raw, x = torch.randn(5, 1, 4, 4), torch.rand(5, 1, 4, 4).round()
    wanted = -Bernoulli(logits=raw).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(reconstruction_nats(raw, x, "bernoulli"), wanted, atol=1e-5)
    wanted = -Normal(raw, 1.0).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(reconstruction_nats(raw, x, "gaussian"), wanted, atol=1e-5)


def test_elbo_of_several_samples_beta_and_free_bits() -> None:
    model = make()
    x, noise = torch.rand(3, 1, 8, 8), torch.randn(2, 3, 4)
    raw, q = model(x, noise)
    assert raw.shape == (6, 1, 8, 8)
    single = [elbo(model, x, noise[i : i + 1])[1] for i in range(2)]
    loss, told, kl = negative_elbo(raw, q, x)
    assert torch.allclose(told, torch.stack(single).mean(0))
    assert torch.allclose(loss, told + kl)
    assert torch.allclose(negative_elbo(raw, q, x, beta=4.0)[0], told + 4 * kl)
    free, _, same = negative_elbo(raw, q, x, free_bits=1.0)
    assert free.item() >= told.item() + 4.0 - 1e-4  # four numbers, a nat each at least
    assert torch.equal(same, kl)
    assert [warmed_up_beta(2.0, p, 0.5) for p in (0.0, 0.25, 0.5, 1.0)] == [0.0, 1.0, 2.0, 2.0]
    assert warmed_up_beta(2.0, 0.0, 0.0) == 2.0


def test_it_learns_one_batch_by_heart() -> None:
    model = make()
    x = functional.interpolate(torch.rand(4, 1, 2, 2), (8, 8)).round()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    first = elbo(model, x, torch.randn(1, 4, 4))[0].item()
    for _ in range(200):
        optimiser.zero_grad()
        loss, _, _ = elbo(model, x, torch.randn(1, 4, 4))
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.4 * first
    assert model.decode(model.encode(x)).shape == x.shape


def test_a_conditional_one_draws_what_it_is_told() -> None:
    model = make(words=2)
    x = torch.zeros(8, 1, 8, 8)
    x[:4, :, :4] = 1  # word 1: the upper half is white; word 2: the lower
    x[4:, :, 4:] = 1
    text = torch.tensor([1] * 4 + [2] * 4)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(150):
        optimiser.zero_grad()
        elbo(model, x, torch.randn(1, 8, 4), text)[0].backward()
        optimiser.step()
    drawn = model.decode(torch.randn(6, 4), torch.tensor([[1, 0]] * 3 + [[2, 0]] * 3))
    assert drawn[:3, :, :4].mean().item() > 0.8 > 0.2 > drawn[:3, :, 4:].mean().item()
    assert drawn[3:, :, 4:].mean().item() > 0.8 > 0.2 > drawn[3:, :, :4].mean().item()
    with pytest.raises(ValueError, match="needs a text for each picture"):
        model.encode(x)
