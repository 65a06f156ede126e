"""What a model made is kept exactly, within a bound, and never trusted when it is damaged."""

from pathlib import Path

import torch
from torch import Tensor

from faceswap.swap.compositing.network_cache import DiskCachedModel, NetworkCache


class Counted:
    """A model that says how often it ran, with or without masks."""

    resolution = 8

    def __init__(self, masks: bool = True) -> None:
        self.ran = 0
        self._masks = masks

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        self.ran += 1
        made = (faces * 0.3 + 0.123456).to(torch.bfloat16)
        return made, faces[:, :1] * 0.7 if self._masks else None


def crops(seed: int, count: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, 8, 8), generator=generator).float() / 255


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.safetensors"))


def test_a_batch_is_made_once_and_kept_exactly(tmp_path: Path) -> None:
    for masks in (True, False):
        model = Counted(masks)
        made = DiskCachedModel(model, f"{masks}", NetworkCache(tmp_path, 10**6)).swap(crops(0))
        # Another process finds it.
        again = DiskCachedModel(model, f"{masks}", NetworkCache(tmp_path, 10**6)).swap(crops(0))
        assert model.ran == 1
        assert again[0].dtype == made[0].dtype
        assert torch.equal(again[0], made[0])
        assert (again[1] is None) == (made[1] is None) == (not masks)
        if made[1] is not None and again[1] is not None:
            assert torch.equal(again[1], made[1])


def test_other_crops_batches_and_models_are_made(tmp_path: Path) -> None:
    model, cache = Counted(), NetworkCache(tmp_path, 10**6)
    for number, (mark, batch) in enumerate(
        [("m", crops(0)), ("m", crops(1)), ("m", crops(0)[:1]), ("n", crops(0))], 1
    ):
        DiskCachedModel(model, mark, cache).swap(batch)
        assert model.ran == number
    DiskCachedModel(model, "m", cache).swap(crops(1))
    assert model.ran == 4


def test_it_is_bounded_and_another_model_makes_room(tmp_path: Path) -> None:
    model, limit = Counted(), 6000
    cache = NetworkCache(tmp_path, limit)
    first = DiskCachedModel(model, "m", cache)
    for seed in range(10):
        first.swap(crops(seed))
    kept = files(tmp_path)
    assert 2 <= len(kept) < 10
    assert sum(path.stat().st_size for path in kept) <= limit + 1000
    model.ran = 0
    first.swap(crops(0))  # the beginning of the film is still there
    assert model.ran == 0
    DiskCachedModel(model, "n", cache).swap(crops(0))
    assert [path.parent.name for path in files(tmp_path)] == ["n-cpu"]


def test_a_damaged_or_read_only_cache_does_no_harm(tmp_path: Path) -> None:
    model, cache = Counted(), NetworkCache(tmp_path / "c", 10**6)
    cached = DiskCachedModel(model, "m", cache)
    made, _ = cached.swap(crops(0))
    (file,) = files(tmp_path / "c")
    file.write_bytes(file.read_bytes()[:-7])
    again, _ = cached.swap(crops(0))
    assert model.ran == 2
    assert torch.equal(made, again)
    (tmp_path / "file").touch()
    nowhere = DiskCachedModel(model, "m", NetworkCache(tmp_path / "file", 10**6))
    assert torch.equal(nowhere.swap(crops(0))[0], made)
