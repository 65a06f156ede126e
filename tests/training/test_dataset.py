from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.training import dataset
from faceswap.training.dataset import ImageDataset, allocate_pictures, balanced_weights


def small_set(weights: list[float]) -> ImageDataset:
    n = len(weights)
    pictures = torch.arange(n, dtype=torch.uint8).view(n, 1, 1, 1).expand(n, 3, 4, 4).contiguous()
    maps = torch.zeros(n, 2, 2, 2, dtype=torch.uint8)
    return ImageDataset(pictures, maps, torch.tensor(weights))


def test_draws_follow_the_weights_and_the_seed() -> None:
    faces = small_set([0.0, 1.0, 3.0])
    first = faces.sample_indices(4000, torch.Generator().manual_seed(1))
    assert torch.equal(first, faces.sample_indices(4000, torch.Generator().manual_seed(1)))
    counts = torch.bincount(first, minlength=3)
    assert counts[0] == 0
    assert counts[2] / counts[1] == pytest.approx(3, rel=0.15)


def test_taking_gives_floats() -> None:
    pictures, maps = small_set([1.0, 1.0]).gather(torch.tensor([1, 0, 1]))
    assert pictures.shape == (3, 3, 4, 4)
    assert maps.shape == (3, 2, 2, 2)
    assert pictures[0].max() == pytest.approx(1 / 255)


def test_a_set_must_be_whole() -> None:
    with pytest.raises(ValueError, match="not all zero"):
        small_set([0.0, 0.0])
    with pytest.raises(ValueError, match="as many maps"):
        ImageDataset(torch.zeros(2, 3, 4, 4), torch.zeros(1, 2, 2, 2), torch.ones(2))
    with pytest.raises(ValueError, match=r"must be float32, not torch\.float64"):
        ImageDataset(torch.zeros(2, 3, 4, 4), torch.zeros(2, 2, 2, 2), torch.ones(2).double())


def test_portions_cover_the_set_once() -> None:
    places = torch.cat(list(small_set([1.0] * 7).index_batches(3)))
    assert places.tolist() == list(range(7))


def test_a_large_set_is_mapped_to_a_file_and_trains_all_the_same(tmp_path: Path) -> None:
    array = allocate_pictures((8, 3, 4, 4), budget=100, folder=tmp_path)
    assert isinstance(array, np.memmap)
    array[:] = np.arange(8).reshape(8, 1, 1, 1)
    faces = ImageDataset(torch.from_numpy(array), torch.zeros(8, 2, 2, 2), torch.ones(8))
    assert faces.gather(torch.tensor([5]))[0].max() == pytest.approx(5 / 255)
    assert not isinstance(allocate_pictures((8, 3, 4, 4)), np.memmap)


def test_rare_values_weigh_more_but_not_without_limit() -> None:
    values = np.concatenate([np.zeros(970), np.linspace(0.5, 1, 30)])[:, None]
    weights = balanced_weights(values)
    assert weights.mean() == pytest.approx(1)
    assert weights[-1] > 2 * weights[0]
    assert weights.max() <= 4 * np.median(weights) + 1e-9
    assert balanced_weights(np.zeros((50, 2))) == pytest.approx(np.ones(50))


def test_what_does_not_fit_on_the_device_goes_there_piece_by_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faces, device = small_set([1.0] * 4), torch.device("meta")
    size = faces.pictures.numel() + faces.maps.numel()
    monkeypatch.setattr(ImageDataset, "__post_init__", lambda _: None)  # looks at values
    for free, where in ((2 * size - 2, "cpu"), (2 * size, "meta")):
        monkeypatch.setattr(dataset, "_free", lambda _, free=free: free)
        moved = faces.to(device)
        assert moved.pictures.device.type == where
        assert moved.weights.device.type == "meta"
        places = torch.tensor([1, 2], device="meta" if where == "meta" else "cpu")
        pictures, maps = moved.gather(places)
        assert pictures.device.type == maps.device.type == "meta"
        assert pictures.shape == (2, 3, 4, 4)
