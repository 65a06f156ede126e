"""Every autoencoder: shapes, gradients, bfloat16, memory of one batch; and what each promises."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch import nn

from faceswap.autoencoder.convolutional import ConvAutoencoder, ConvConfig, transposed_size
from faceswap.autoencoder.dense import DEEP, SHALLOW, DenseAutoencoder, DenseConfig, linear
from faceswap.autoencoder.interface import Autoencoder
from faceswap.autoencoder.lstm import LstmAutoencoder, LstmConfig
from faceswap.autoencoder.stacked import Classifier, LayerAutoencoder, unfreeze_layers
from faceswap.autoencoder.transformer import PatchAutoencoder, PatchConfig
from faceswap.autoencoder.unet import UNet, UNetConfig, masked_input
from faceswap.bf16_support import unsupported_layers
from faceswap.devices import autocast, usable_precision

CPU = torch.device("cpu")

MODELS: dict[str, Callable[[], Autoencoder]] = {
    "shallow": lambda: DenseAutoencoder(SHALLOW),
    "deep": lambda: DenseAutoencoder(DEEP),
    "overcomplete": lambda: DenseAutoencoder(
        DenseConfig(size=8, widths=(100,), hidden="sigmoid", code_active="sigmoid")
    ),
    "linear": lambda: DenseAutoencoder(linear(32)),
    "pool": lambda: ConvAutoencoder(ConvConfig()),
    "pool, 32 numbers": lambda: ConvAutoencoder(ConvConfig(latent_dim=32, dense=64)),
    "strided": lambda: ConvAutoencoder(ConvConfig(kind="strided", latent_dim=16)),
    "strided, colour, odd": lambda: ConvAutoencoder(
        ConvConfig(kind="strided", channels=3, height=21, size=30)
    ),
    "lstm": lambda: LstmAutoencoder(LstmConfig()),
    "lstm, series": lambda: LstmAutoencoder(
        LstmConfig(height=20, size=3, hidden=32, latent_dim=8, output_activation="none")
    ),
    "transformer": lambda: PatchAutoencoder(PatchConfig(channels=3, height=14, size=28)),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Autoencoder:
    torch.manual_seed(0)
    return MODELS[request.param]()


def smooth(count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Pictures that a code can hold."""
    coarse = torch.rand(count, shape[0], 3, 3)
    return nn.functional.interpolate(coarse, shape[1:], mode="bilinear", align_corners=True)


@pytest.mark.avx2
def test_shapes_gradients_and_bfloat16(model: Autoencoder) -> None:
    x = smooth(3, model.shape)
    code = model.encode(x)
    assert code.shape == (3, model.code)
    y = model(x)
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    if model.output_activation == "sigmoid":
        assert 0 <= y.min().item() <= y.max().item() <= 1
    (y - x).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
    precision = usable_precision(model, CPU, "bf16").precision
    with autocast(CPU, precision):
        half = model(x)
    assert (half - y).abs().max().item() < 0.1
    if precision == "fp32":  # on an older processor, and not without need
        assert unsupported_layers(model, CPU) == ("LSTM",)
        assert torch.equal(half, y)
        with autocast(CPU, "bf16"), pytest.raises(RuntimeError, match="LSTM"):
            model(x)
    with pytest.raises(ValueError, match="of the shape"):
        model.check_shape(x[:, :, 1:])


def test_each_learns_one_batch_by_heart(model: Autoencoder) -> None:
    x = smooth(4, model.shape)
    before = ((model(x) - x).square().mean()).item()
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(600):
        optimiser.zero_grad()
        loss = (model(x) - x).square().mean()
        if loss.item() < 0.15 * before:
            return
        loss.backward()
        optimiser.step()
    pytest.fail(f"from {before:.4f} to {loss.item():.4f} only")


def test_the_classic_sizes() -> None:
    sizes = [tuple(p.shape) for p in DenseAutoencoder(DEEP).parameters() if p.dim() == 2]
    assert sizes == [(128, 784), (64, 128), (32, 64), (784, 128), (128, 64), (64, 32)]
    pool = ConvAutoencoder(ConvConfig())
    x = torch.rand(1, 1, 28, 28)
    assert pool.down(x).shape == (1, 8, 4, 4)
    assert pool(x).shape == x.shape


def test_transposed_size_is_what_torch_makes() -> None:
    for m in (1, 4, 7):
        for kernel in (2, 3, 5):
            for stride in (1, 2, 3):
                for padding in (0, 1):
                    for extra in range(stride):
                        layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding, extra)
                        wanted = transposed_size(m, kernel, stride, padding, extra)
                        if wanted > 0:
                            assert layer(torch.zeros(1, 1, m)).shape[-1] == wanted


def test_a_linear_autoencoder_learns_the_subspace_of_pca() -> None:
    rng = np.random.default_rng(0)
    scales = np.linspace(3, 0.3, 16)
    data = rng.normal(size=(400, 16)) * scales @ np.linalg.qr(rng.normal(size=(16, 16)))[0]
    data -= data.mean(0)
    x = torch.tensor(data).view(-1, 1, 4, 4)
    torch.manual_seed(0)
    model = DenseAutoencoder(linear(5, size=4)).double()
    # The wrapper's pictures are float32; the comparison wants all the digits there are.
    optimiser = torch.optim.LBFGS(model.parameters(), max_iter=600, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = (model.decode_logits(model.encode(x)) - x).square().sum(1).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    first = model.encoders[0]
    assert isinstance(first, nn.Linear)
    basis = first.weight.detach().numpy().T
    angles = subspace_angles(basis, PCA(5).fit(data).components_.T)
    assert angles.max() < 1e-3


def test_stages_learn_one_layer_at_a_time() -> None:
    torch.manual_seed(0)
    whole = DenseAutoencoder(DenseConfig(size=8, widths=(32, 16, 8)))
    x = smooth(16, (1, 8, 8))
    for number in range(whole.depth):
        stage = LayerAutoencoder(whole, number)
        again, wanted = stage(x)
        assert again.shape == wanted.shape == (16, (64, 32, 16)[number])
        before = [p.detach().clone() for p in whole.parameters()]
        learning = [p for p in stage.parameters() if p.requires_grad]
        assert len(learning) == 4
        optimiser = torch.optim.Adam(learning, 1e-2)
        first = ((again - wanted).square().mean()).item()
        for _ in range(60):
            optimiser.zero_grad()
            again, wanted = stage(x)
            loss = (again - wanted).square().mean()
            loss.backward()
            optimiser.step()
        assert loss.item() < 0.7 * first
        moved = [not torch.equal(a, b) for a, b in zip(before, whole.parameters(), strict=True)]
        assert sum(moved) == 4
    unfreeze_layers(whole)
    assert all(p.requires_grad for p in whole.parameters())
    with pytest.raises(ValueError, match="no layer 3"):
        LayerAutoencoder(whole, 3)


def test_a_classifier_on_an_encoder_learns_labels() -> None:
    torch.manual_seed(0)
    model = Classifier(DenseAutoencoder(DenseConfig(size=8, widths=(16,))), 3)
    x, labels = torch.rand(12, 1, 8, 8), torch.arange(12) % 3
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimiser.step()
    assert bool((model(x).argmax(1) == labels).all())


def test_a_restoring_net_takes_any_size_and_begins_by_changing_little() -> None:
    torch.manual_seed(0)
    net = UNet(UNetConfig(inputs=4, channels=3, widths=(8, 8, 8)))
    x = torch.rand(2, 4, 21, 30)
    y = net(x)
    assert y.shape == (2, 3, 21, 30)
    assert (y - x[:, :3]).abs().mean().item() < 0.2
    colours = UNet(UNetConfig(inputs=1, channels=3, widths=(8, 8)))
    assert colours(x[:, :1]).shape == (2, 3, 21, 30)
    with torch.no_grad():  # it can leave out all it has seen
        assert net.last.bias is not None
        net.last.weight.zero_()
        net.last.bias.copy_(torch.tensor([0.0] * 3 + [-1.0] * 3))
        assert torch.equal(net(x), torch.full_like(y, 0.5))
    net = UNet(net.config)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    wanted = smooth(2, (3, 21, 30))
    before = ((y - wanted).square().mean()).item()
    for _ in range(250):
        optimiser.zero_grad()
        loss = (net(x) - wanted).square().mean()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.2 * before


def test_a_standardised_net_does_the_same_in_any_light() -> None:
    torch.manual_seed(0)
    net = UNet(UNetConfig(inputs=3, channels=3, widths=(8, 8), standardised=True))
    x = 0.3 + 0.4 * smooth(2, (3, 16, 16))
    tint = torch.tensor([0.1, 0.0, -0.05]).view(1, 3, 1, 1)
    made, dim = net(x) - x, net(0.8 * x + tint) - (0.8 * x + tint)
    assert made.abs().mean() > 0.01
    # Not exactly: what keeps plain pictures plain counts for more where contrast is low.
    assert torch.allclose(dim, 0.8 * made, atol=0.15 * float(made.detach().std()))


@pytest.mark.parametrize("standardised", [False, True])
def test_a_masked_net_changes_holes_alone(standardised: bool) -> None:
    torch.manual_seed(0)
    config = UNetConfig(inputs=4, channels=3, widths=(8, 8), masked=True, standardised=standardised)
    x, hole = torch.rand(2, 3, 19, 24), torch.zeros(2, 1, 19, 24)
    hole[:, :, 3:9, 5:20] = 1
    hole[1] = 1  # nothing is known of it
    seen = masked_input(x, hole)
    made = UNet(config)(seen)
    known = (hole == 0).expand_as(x)
    assert torch.equal(made[known], x[known])
    assert not torch.equal(made, seen[:, :3])
    assert bool(made.isfinite().all())
    # What was in the hole is not looked at.
    again = masked_input(torch.where(hole > 0, torch.rand_like(x), x), hole)
    assert torch.equal(seen, again)


def test_holes_are_filled_smoothly_from_around_them() -> None:
    hole = torch.zeros(1, 1, 23, 30)
    hole[:, :, 6:15, 8:22] = 1
    plain = torch.full((1, 2, 23, 30), 0.7)
    assert torch.allclose(masked_input(plain, hole)[:, :2], plain)
    slope = torch.linspace(0, 1, 30).expand(1, 1, 23, 30)
    filled = masked_input(slope, hole)[:, :1]
    assert torch.equal(filled[:, :, :6], slope[:, :, :6])
    assert (filled - slope).abs().max() < 0.15
    assert (filled.diff(dim=3).abs() < 0.15).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ConvConfig(size=4, widths=(8, 8, 8, 8)), "cannot be halved 4 times"),
        (lambda: ConvConfig(dense=64), "needs a latent_dim"),
        (lambda: PatchConfig(patch=5), "do not divide"),
        (lambda: PatchConfig(width=30), "heads do not divide"),
        (lambda: DenseConfig(widths=(0,)), "greater than or equal to 1"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        make()


def test_a_code_is_as_long_as_asked_for() -> None:
    for numbers in (2, 5, 16, 32):
        assert ConvAutoencoder(ConvConfig(latent_dim=numbers)).code == numbers
    assert ConvAutoencoder(ConvConfig()).code == math.prod((8, 4, 4))


@torch.no_grad()
def test_a_new_model_makes_pictures_of_the_mean_it_is_told(model: Autoencoder) -> None:
    code, means = torch.zeros(2, model.code), []
    for mean in (0.2, 0.6):
        model.init_output_bias(mean)
        means.append(float(model.decode(code).mean()))
    assert 0.3 < means[1] - means[0] < 0.45


def test_a_small_net_lives_through_dark_pictures() -> None:
    torch.manual_seed(0)
    model = ConvAutoencoder(ConvConfig())
    x = torch.zeros(32, 1, 28, 28)
    for number in range(32):
        x[number, :, 6:22, 4 + number % 20 : 7 + number % 20] = 1
    model.init_output_bias(float(x.mean()))
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (model(x) - x).square().mean()
        loss.backward()
        optimiser.step()
    plain = (x - x.mean(0)).square().mean()
    assert loss.item() < 0.6 * float(plain)
