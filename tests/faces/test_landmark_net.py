"""The built-in landmark network and its asset."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from faceswap.assets import asset_path
from faceswap.errors import AssetError
from faceswap.faces.folded_conv import ConvUnit
from faceswap.faces.landmark_net import CROP_SIZE, NET_POINTS, LandmarkNet
from faceswap.faces.landmarks import checksum, load_net

ASSET = "landmarker.safetensors"


@pytest.fixture(scope="module")
def net() -> LandmarkNet:
    return load_net(asset_path(ASSET))


def test_folding_changes_nothing_but_the_speed() -> None:
    torch.manual_seed(0)
    net = LandmarkNet().train()
    for _ in range(3):
        net.heads(torch.rand(8, 1, CROP_SIZE, CROP_SIZE))
    net.eval()
    crops = torch.rand(4, 1, CROP_SIZE, CROP_SIZE)
    with torch.no_grad():
        before = net(crops)
        after = net.fold()(crops)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)
    assert net.fold() is net  # folding twice is harmless


@pytest.mark.avx2
def test_packing_changes_nothing_but_the_speed(net: LandmarkNet) -> None:
    packed = load_net(asset_path(ASSET))
    packed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
    if not packed.pack():
        pytest.skip("this build of PyTorch lacks the fused operators")
    names = set(packed.state_dict())
    assert names == set(net.state_dict())
    crops = torch.rand(3, 1, CROP_SIZE, CROP_SIZE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        for batch in (crops, crops[:1]):
            for one, other in zip(net(batch), packed(batch), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_wrong_fused_operators_are_not_made_use_of(monkeypatch: pytest.MonkeyPatch) -> None:
    net = load_net(asset_path(ASSET))
    crop = torch.rand(1, 1, CROP_SIZE, CROP_SIZE, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        before = net(crop).points
        wrong = lambda unit, x, other=None: unit.norm(unit.conv(x))  # noqa: E731
        monkeypatch.setattr(ConvUnit, "_fused", wrong)
        assert not net.pack()
        monkeypatch.setattr(ConvUnit, "pack", _absent)
        assert not net.pack()
        torch.testing.assert_close(net(crop).points, before)


def _absent(unit: ConvUnit, side: int) -> None:
    raise AttributeError(f"no fused operator for {unit} at {side}")


def test_shapes_and_a_batch_is_the_sum_of_its_parts(net: LandmarkNet) -> None:
    crops = torch.rand(3, 1, CROP_SIZE, CROP_SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole, single = net(crops), net(crops[1:2])
    assert whole.points.shape == (3, NET_POINTS, 2)
    assert whole.depth.shape == (3, NET_POINTS)
    assert whole.presence.shape == (3,)
    torch.testing.assert_close(whole.points[1:2], single.points, rtol=0, atol=0.01)


def test_brightness_and_contrast_hardly_matter(net: LandmarkNet) -> None:
    crops = torch.rand(1, 1, CROP_SIZE, CROP_SIZE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(
            net(crops).points, net(crops * 0.5 + 0.3).points, rtol=0, atol=4.0
        )


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_flat_crop_is_no_face_and_finite(net: LandmarkNet, value: float) -> None:
    with torch.inference_mode():
        answer = net(torch.full((1, 1, CROP_SIZE, CROP_SIZE), value))
    assert torch.isfinite(answer.points).all()
    assert torch.isfinite(answer.depth).all()
    assert answer.presence.item() < 0


def test_the_asset_is_small_and_half_precision() -> None:
    path = asset_path(ASSET)
    assert path.stat().st_size <= 4_000_000
    assert {value.dtype for value in load_file(path).values()} == {torch.float16}


def test_gradients_reach_every_weight() -> None:
    net = LandmarkNet().train()
    heads = net.heads(torch.rand(2, 1, CROP_SIZE, CROP_SIZE))
    (heads.mapped.sum() + heads.regressed.square().sum() + heads.presence.sum()).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name


def test_a_missing_asset_says_how_to_restore_it(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="git checkout assets"):
        load_net(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "other network", "text"])
def test_a_damaged_asset_says_how_to_restore_it(tmp_path: Path, damage: str) -> None:
    data = bytearray(asset_path(ASSET).read_bytes())
    path = tmp_path / ASSET
    if damage == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        data[-1000] ^= 0x10
        path.write_bytes(data)
    elif damage == "text":
        path.write_text("version https://git-lfs.github.com/spec/v1\n")
    else:
        weights = {"weight": torch.zeros(3)}
        save_file(weights, path, {"crc32": str(checksum(weights))})
    with pytest.raises(AssetError, match="install faceswap again"):
        load_net(path)


def test_the_checksum_depends_on_names_order_free_and_on_every_byte() -> None:
    one = {"a": torch.arange(4.0), "b": torch.ones(2)}
    other = {"b": torch.ones(2), "a": torch.arange(4.0)}
    assert checksum(one) == checksum(other)
    changed = {**one, "b": torch.tensor([1.0, np.nextafter(np.float32(1), np.float32(2)).item()])}
    assert checksum(changed) != checksum(one)
