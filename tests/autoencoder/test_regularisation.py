import torch

from faceswap.autoencoder.dense import DenseAutoencoder, DenseConfig
from faceswap.autoencoder.regularisation import (
    contractive_estimate,
    contractive_exact,
    contractive_sigmoid,
    sparse_kl,
    sparse_l1,
)


def test_three_ways_to_a_contractive_penalty_agree() -> None:
    torch.manual_seed(0)
    model = DenseAutoencoder(DenseConfig(size=5, widths=(6,), code_active="sigmoid"))
    x = torch.rand(4, 1, 5, 5)
    layer = model.encoders[0]
    assert isinstance(layer, torch.nn.Linear)
    closed = contractive_sigmoid(layer.weight, model.encode(x))
    exact = contractive_exact(model.encode, x)
    assert torch.allclose(closed, exact, rtol=1e-5)
    jacobians = [torch.autograd.functional.jacobian(model.encode, row[None]) for row in x]
    assert torch.allclose(exact, sum(j.square().sum() for j in jacobians) / 4, rtol=1e-5)
    v = torch.randn(3000, 4, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(contractive_estimate(model.encode, x, v), exact, rtol=0.05)
    with torch.no_grad():  # as the loop measures
        assert torch.allclose(contractive_exact(model.encode, x), exact)
        assert not contractive_estimate(model.encode, x, v[:1]).requires_grad
    wanted = torch.autograd.grad(closed, layer.weight, retain_graph=True)[0]
    assert torch.allclose(torch.autograd.grad(exact, layer.weight)[0], wanted, atol=1e-6)


def test_sparseness() -> None:
    code = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert float(sparse_l1(code)) == 3.0
    active = torch.full((10, 4), 0.05)
    assert float(sparse_kl(active, 0.05)) < 1e-6
    wanted = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(0.05), torch.distributions.Bernoulli(0.3)
    )
    assert torch.allclose(sparse_kl(torch.full((10, 4), 0.3), 0.05), 4 * wanted, atol=1e-5)
