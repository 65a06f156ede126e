from pathlib import Path

import pytest
import torch

from faceswap.autoencoder.meta_init import without_initialisation
from faceswap.errors import CheckpointError, OptionsError
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.loading import (
    freeze_part,
    load_matching_weights,
    load_model,
    shareable_weights,
)
from faceswap.swap.model.presets import KIND, SwapConfig, config_of
from faceswap.training.checkpoint import read_checkpoint, write_checkpoint
from faceswap.training.state import LoopConfig, TrainingState


def millions(config: SwapConfig) -> float:
    with torch.device("meta"):
        return sum(p.numel() for p in SwapModel(config).parameters()) / 1e6


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SwapConfig(preset="classic", resolution=64), 82.1),
        (SwapConfig(preset="df", resolution=128), 57.5),
        (SwapConfig(preset="df", resolution=128, variant="ud"), 54.5),
        (SwapConfig(preset="liae", resolution=128, variant="ud"), 82.4),
        (
            SwapConfig(preset="liae", resolution=224, variant="udt", code=512, mask=32),
            179.6,
        ),
    ],
)
def test_parameters_as_the_peers_have_them(config: SwapConfig, expected: float) -> None:
    assert millions(config) == pytest.approx(expected, abs=0.06)


def test_pixel_norm_and_cosine_have_no_parameters() -> None:
    plain, both = (millions(SwapConfig(preset="df", resolution=128, variant=v)) for v in ("", "uc"))
    assert plain == both


SMALL = {"code": 32, "encoder": 16, "decoder": 16, "mask": 8}


@pytest.mark.parametrize("preset", ["df", "liae"])
@pytest.mark.parametrize("variant", ["", "u", "d", "t", "c", "ud", "udt", "dt", "udtc"])
def test_every_variant_makes_pictures_of_its_size(preset: str, variant: str) -> None:
    config = SwapConfig.model_validate(
        {"preset": preset, "resolution": 64, "variant": variant} | SMALL
    )
    model = SwapModel(config).eval()
    made = model({"a": torch.rand(2, 3, 64, 64), "b": torch.rand(1, 3, 64, 64)})
    (a, mask_a), (b, mask_b) = made["a"], made["b"]
    assert a.shape == (2, 3, 64, 64)
    assert b.shape == (1, 3, 64, 64)
    assert mask_a is not None
    assert mask_b is not None
    assert mask_a.shape[-1] == mask_b.shape[-1] == 64


@pytest.mark.parametrize("preset", ["quick", "classic"])
def test_swap_is_b_seen_through_a(preset: str) -> None:
    torch.manual_seed(0)
    model = SwapModel(config_of(preset)).eval()
    r = model.resolution
    faces = torch.rand(2, 3, r, r)
    picture, mask = model.swap(faces)
    assert picture.shape == faces.shape
    assert picture.dtype == torch.float32
    assert 0 <= picture.min() <= picture.max() <= 1
    assert (mask is None) == (preset == "classic")
    assert mask is None or mask.shape == (2, 1, r, r)
    assert torch.equal(picture, model.reconstruct(faces, "b")[0])
    assert not torch.equal(picture, model.reconstruct(faces, "a")[0])


def test_the_small_input_gives_what_the_large_one_gives() -> None:
    model = SwapModel(config_of("quick")).eval()
    large = torch.rand(1, 3, 160, 160)
    small = torch.nn.functional.avg_pool2d(large, 2)
    assert model.input_size == 80
    with torch.no_grad():
        assert torch.equal(model.network.encode(small), model.network.encode(large))


@pytest.mark.parametrize(
    ("preset", "resolution", "variant", "reason"),
    [
        ("classic", 128, None, "classic has 64 px"),
        ("quick", 100, None, "multiple of 32"),
        ("quick", None, "u", "quick has no variants"),
        ("df", 144, None, "df-ud needs a resolution that is a multiple of 32; 144 is not"),
        ("df", 72, "", "df needs a resolution that is a multiple of 16; 72 is not"),
        ("liae", None, "x", "not made of u, d, t and c"),
        ("liae", None, "uu", "not made of u, d, t and c"),
        ("df", 1024, None, "less than or equal to 512"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    preset: str, resolution: int | None, variant: str | None, reason: str
) -> None:
    with pytest.raises(OptionsError, match=reason):
        config_of(preset, resolution, variant)


def saved(folder: Path, kind: str = KIND, resolution: int = 64) -> tuple[Path, TrainingState]:
    config = SwapConfig.model_validate(
        {"preset": "df", "resolution": resolution, "variant": "d"} | SMALL
    )
    torch.manual_seed(0)
    state = TrainingState(SwapModel(config), LoopConfig(), "fp32", torch.device("cpu"))
    for parameter in state.ema_model.parameters():
        parameter.mul_(0.9)
    path = folder / "step-000000001.safetensors"
    write_checkpoint(path, kind, config.model_dump(), state.metadata(), state.tensors())
    return path, state


def test_loading_gives_the_averaged_weights_ready_to_convert(tmp_path: Path) -> None:
    path, state = saved(tmp_path)
    model = load_model(path)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    faces = torch.rand(2, 3, 64, 64)
    assert isinstance(state.ema_model, SwapModel)
    assert torch.equal(model.swap(faces)[0], state.ema_model.swap(faces)[0])


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    path, _ = saved(tmp_path, kind="vae")
    with pytest.raises(CheckpointError, match="of the kind 'vae', not a swap model"):
        load_model(path)


def test_a_config_that_does_not_fit_its_weights_is_refused(tmp_path: Path) -> None:
    path, state = saved(tmp_path)
    other = config_of("classic").model_dump()
    write_checkpoint(path, KIND, other, state.metadata(), state.tensors())
    with pytest.raises(CheckpointError, match="another build"):
        load_model(path)
    write_checkpoint(path, KIND, {"preset": "huge"}, state.metadata(), state.tensors())
    with pytest.raises(CheckpointError, match="another build"):
        load_model(path)


def equal_parts(model: SwapModel, other: SwapModel, mine: str, theirs: str) -> bool:
    own, known = model.network.get_submodule(mine), other.network.get_submodule(theirs)
    pairs = zip(own.state_dict().values(), known.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


def test_what_fits_of_another_model_is_taken_over(tmp_path: Path) -> None:
    path, state = saved(tmp_path)
    assert isinstance(state.ema_model, SwapModel)
    torch.manual_seed(7)
    model = SwapModel(state.ema_model.config)
    parts = ["encoder", "inters.both", "decoders.a", "decoders.b"]
    assert load_matching_weights(model, read_checkpoint(path)) == parts
    assert all(equal_parts(model, state.ema_model, part, part) for part in parts)
    larger = SwapModel(SwapConfig.model_validate({"preset": "df", "resolution": 96} | SMALL))
    assert "inters.both" not in load_matching_weights(larger, read_checkpoint(path))
    assert equal_parts(larger, state.ema_model, "encoder", "encoder")
    with pytest.raises(CheckpointError, match="another shape than that of a quick 64 px"):
        load_matching_weights(
            SwapModel(SwapConfig(preset="quick", resolution=64)), read_checkpoint(path)
        )


@pytest.mark.parametrize("preset", ["quick", "liae"])
def test_both_sides_start_from_a_model_of_many_people(preset: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = SwapConfig.model_validate({"preset": preset, "resolution": 64} | SMALL)
    people = SwapModel(config)
    path = tmp_path / "people.safetensors"
    write_checkpoint(path, KIND, config.model_dump(), {}, shareable_weights(people))
    model = SwapModel(config)
    taken = load_matching_weights(model, read_checkpoint(path))
    assert taken == ["encoder", *(f"decoders.{name}" for name in model.network.decoders)]
    people.half().float()
    for name in taken:
        assert equal_parts(model, people, name, name.replace("decoders.a", "decoders.b"))


def test_frozen_parts_have_no_gradient() -> None:
    model = SwapModel(SwapConfig(preset="quick", resolution=64))
    freeze_part(model, "nothing")
    assert all(p.requires_grad for p in model.parameters())
    freeze_part(model, "encoder")
    assert not any(p.requires_grad for p in model.network.encoder.parameters())
    assert all(p.requires_grad for p in model.network.inters.parameters())
    freeze_part(model, "shared")
    assert not any(p.requires_grad for p in model.network.inters.parameters())
    assert all(p.requires_grad for p in model.network.decoders.parameters())


@pytest.mark.parametrize("preset", ["quick", "classic", "df", "liae"])
def test_a_model_to_be_filled_draws_nothing_and_takes_no_memory(preset: str) -> None:
    before = torch.get_rng_state()
    with without_initialisation():
        model = SwapModel(config_of(preset))
    assert all(tensor.is_meta for tensor in model.state_dict().values())
    assert not list(model.buffers())  # what is not in a checkpoint would stay without values
    assert torch.equal(torch.get_rng_state(), before)
