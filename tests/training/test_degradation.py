import io

import numpy as np
import pytest
import torch
from PIL import Image

from faceswap.training import degradation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_blur_spreads_a_point_and_keeps_its_sum() -> None:
    x = torch.zeros(2, 1, 7, 7)
    x[:, :, 3, 3] = 1
    y = degradation.blur(x, torch.tensor([0.0, 1.0]))
    assert torch.equal(y[0], x[0])
    assert y[1, 0, 3, 3] == pytest.approx(0.25)
    assert y[1, 0, 2, 2] == pytest.approx(1 / 16)
    assert y[1].sum() == pytest.approx(1)


def test_noise_has_the_strength_asked_for() -> None:
    x = torch.full((2, 3, 64, 64), 0.5)
    y = degradation.noise(x, torch.tensor([0.0, 0.05]), generator())
    assert torch.equal(y[0], x[0])
    assert (y[1] - 0.5).std() == pytest.approx(0.05, rel=0.05)
    assert torch.equal(y, degradation.noise(x, torch.tensor([0.0, 0.05]), generator()))


def test_the_cosine_matrix_is_orthonormal() -> None:
    dct = degradation._dct_matrix(torch.zeros(1, dtype=torch.double))
    assert torch.allclose(dct @ dct.T, torch.eye(8, dtype=torch.double), atol=1e-12)


def test_compression_spoils_like_jpeg() -> None:
    g = generator()
    x = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 72, 72, generator=g), 5, 1)[..., :64, :64]
    picture = Image.fromarray((x[0].permute(1, 2, 0) * 255).byte().numpy())
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=40, subsampling=0)
    jpeg = torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1)[None] / 255
    ours = degradation.compress(x, torch.tensor([0.08]))
    error, theirs = (ours - x).abs().mean(), (jpeg - x).abs().mean()
    assert 0.5 < float(error / theirs) < 2
    assert torch.allclose(degradation.compress(x, torch.tensor([0.0])), x, atol=1e-5)
    coarse = degradation.compress(x, torch.tensor([50.0]))
    assert coarse.std() < 1e-4
    with pytest.raises(ValueError, match="multiples of 8, not 60 × 64"):
        degradation.compress(x[:, :, :60], torch.tensor([0.1]))


def test_occluders_come_as_often_as_asked_and_differ() -> None:
    where = degradation.random_occluders(400, 32, 0.5, generator())
    assert where.shape == (400, 1, 32, 32)
    assert 0 <= where.min() <= where.max() <= 1
    covered = where.mean((1, 2, 3))
    assert 0.4 < float((covered > 0.01).float().mean()) < 0.6
    assert 0.08 < float(covered[covered > 0.01].mean()) < 0.35
    assert degradation.random_occluders(8, 32, 0.0, generator()).sum() == 0
    assert torch.equal(where, degradation.random_occluders(400, 32, 0.5, generator()))


def test_only_what_is_covered_changes() -> None:
    x = torch.rand(4, 3, 32, 32)
    where = torch.zeros(4, 1, 32, 32)
    where[..., 8:16, 8:16] = 1
    y = degradation.occlude(x, where, generator())
    assert torch.equal(y * (1 - where), x * (1 - where))
    assert ((y - x) * where).abs().sum((1, 2, 3)).min() > 1
    assert 0 <= y.min() <= y.max() <= 1
