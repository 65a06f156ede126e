import pytest
import torch
from torch import nn

from faceswap.autoencoder.networks import ConvDecoder, ConvEncoder, DenseBottleneck, Upscaling
from faceswap.autoencoder.shared_encoder import DecoderPath, SharedAutoencoder


def two_domains() -> SharedAutoencoder:
    torch.manual_seed(0)
    encoder = ConvEncoder(16, (8, 16), (3, 3))
    inter = DenseBottleneck(16 * 16, 8, 4, 16, upscale=False)
    decoders = {d: ConvDecoder(16, Upscaling((8, 8))) for d in ("day", "night")}
    routes = {d: DecoderPath(("both",), d) for d in decoders}
    return SharedAutoencoder(encoder, {"both": inter}, decoders, routes)


def test_forward_is_each_domain_decoded_as_itself() -> None:
    model = two_domains()
    day, night = torch.rand(3, 3, 16, 16), torch.rand(2, 3, 16, 16)
    out = model({"day": day, "night": night})
    assert torch.allclose(out["day"][0], model.translate(day, "day")[0], atol=1e-6)
    assert torch.allclose(out["night"][0], model.translate(night, "night")[0], atol=1e-6)
    assert not torch.allclose(out["day"][0], model.translate(day, "night")[0], atol=1e-3)


def test_pairs_of_pictures_exchange_their_features() -> None:
    model = two_domains()
    day, night = torch.rand(3, 3, 16, 16), torch.rand(3, 3, 16, 16)
    out = model({"day": day, "night": night}, torch.tensor([False, True, False]))
    plain = model({"day": day, "night": night})
    for domain, other in (("day", night), ("night", day)):
        assert torch.allclose(out[domain][0][::2], plain[domain][0][::2], atol=1e-6)
        swapped = model.translate(other[1:2], domain)[0]
        assert torch.allclose(out[domain][0][1:2], swapped, atol=1e-6)


def test_joined_bottlenecks_run_once_and_keep_their_order() -> None:
    routes = {"a": DecoderPath(("own", "both"), "d"), "b": DecoderPath(("both", "both"), "d")}

    class Times(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor, self.calls = factor, 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x * self.factor

    class Plain(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
            return x, None

    inters = {"own": Times(2.0), "both": Times(3.0)}
    model = SharedAutoencoder(nn.Identity(), inters, {"d": Plain()}, routes)
    x = torch.ones(1, 1, 1, 1)
    assert model.translate(x, "a")[0].flatten().tolist() == [2.0, 3.0]
    assert model.translate(x, "b")[0].flatten().tolist() == [3.0, 3.0]
    assert inters["both"].calls == 2


def test_a_route_to_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="route of 'a' names unknown parts"):
        SharedAutoencoder(nn.Identity(), {}, {}, {"a": DecoderPath((), "gone")})


def test_it_overfits_one_batch() -> None:
    model = two_domains()
    pictures = {d: torch.rand(2, 3, 4, 4) for d in ("day", "night")}
    pictures = {d: nn.functional.interpolate(x, (16, 16)) for d, x in pictures.items()}
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(150):
        loss = sum((model(pictures)[d][0] - x).square().mean() for d, x in pictures.items())
        assert isinstance(loss, torch.Tensor)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 4e-3
