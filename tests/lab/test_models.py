"""All kinds of models that the lab saves."""

from pathlib import Path

import pytest
import torch
from lab_configs import CONFIGS
from torch import Tensor, nn

from faceswap.autoencoder.dense import DenseConfig
from faceswap.autoencoder.shared_encoder import SharedAutoencoder
from faceswap.autoencoder.variational import VariationalAutoencoder
from faceswap.bf16_support import supports_bf16
from faceswap.devices import autocast, choose_precision, model_autocast, usable_precision
from faceswap.errors import OptionsError
from faceswap.events import Notice
from faceswap.lab.framework.data import PictureSet
from faceswap.lab.framework.models import (
    KINDS,
    build,
    model_name,
)
from faceswap.lab.framework.run import load_model
from faceswap.lab.framework.training_task import PictureTask, ReconstructionLoss
from faceswap.lab.tasks.comparison import architectures
from faceswap.training.checkpoint import named_weights, write_checkpoint
from faceswap.training.loop import TrainingLoop
from faceswap.training.run_identity import RunIdentity
from faceswap.training.state import LoopConfig

CPU = torch.device("cpu")


def answer(model: nn.Module, x: Tensor) -> Tensor:
    """What a model of any kind makes of pictures (N, 3, 16, 16)."""
    if isinstance(model, SharedAutoencoder):
        return model.translate(x, "b")[0]
    if isinstance(model, VariationalAutoencoder):
        return model.decode(model.encode(x))
    made: Tensor = model(x)
    return made


@pytest.mark.avx2
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_any_kind_comes_back_identical(kind: str, tmp_path: Path) -> None:
    config = CONFIGS[kind]
    assert model_name(config) == kind
    torch.manual_seed(0)
    model = build(config).eval()
    x = torch.rand(3, 3, 16, 16)
    path = tmp_path / "model.safetensors"
    weights = dict(named_weights(model, "ema"))
    write_checkpoint(path, kind, config.model_dump(mode="json"), {}, weights)
    loaded = load_model(path, CPU, kind)
    with torch.no_grad():
        assert torch.equal(answer(loaded, x), answer(model, x))
        with model_autocast(loaded, CPU):
            assert torch.equal(answer(loaded, x), answer(model, x))


@pytest.mark.avx2
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_any_kind_works_in_bfloat16_or_is_known_not_to(kind: str) -> None:
    torch.manual_seed(0)
    model = build(CONFIGS[kind])
    x = torch.rand(3, 3, 16, 16)
    whole = answer(model, x)
    found = usable_precision(model, CPU, "bf16")
    if found.reason:
        assert kind == "lab-lstm"
        assert found.reason.startswith("LSTM layers can't be computed in bfloat16")
        with autocast(CPU, "bf16"), pytest.raises(RuntimeError, match="LSTM"):
            answer(model, x)
    with autocast(CPU, found.precision):
        made = answer(model, x)
    loss: Tensor = made.float().square().mean()
    torch.autograd.backward(loss)
    assert torch.allclose(made.float(), whole, atol=0.05)
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())


@pytest.mark.avx2
def test_a_net_with_an_lstm_trains_in_what_this_machine_can_do(tmp_path: Path) -> None:
    pictures = PictureSet(torch.randint(0, 255, (12, 3, 16, 16)).to(torch.uint8))
    task, model = (
        PictureTask(pictures, pictures, ReconstructionLoss(), CPU),
        build(CONFIGS["lab-lstm"]),
    )
    loop = TrainingLoop(
        task, model, LoopConfig(steps=2, batch_size=4), RunIdentity(tmp_path, "lab-lstm", {})
    )
    told = [event.message for event in loop.run() if isinstance(event, Notice)]
    assert loop.state.step == 2
    assert loop.state.skipped == 0
    assert loop.state.precision == choose_precision(model, CPU).precision
    if supports_bf16("LSTM", CPU):
        assert told == []
    else:
        assert told == [choose_precision(model, CPU).reason]
        half = LoopConfig(steps=2, precision="bf16")
        with pytest.raises(OptionsError, match="LSTM layers can't be computed in bfloat16"):
            TrainingLoop(task, model, half, RunIdentity(tmp_path / "half", "lab-lstm", {}))


def test_the_family_is_as_large_as_its_code() -> None:
    shape = (1, 28, 28)
    for name, config in architectures(shape, 32).items():
        model = build(config)
        assert model.code == (128 if name == "convolutions with pooling" else 32)
        assert answer(model, torch.rand(2, *shape)).shape == (2, *shape)
    assert architectures(shape, 32)["128-64-32, mirrored"] == DenseConfig(
        height=28, widths=(128, 64, 32)
    )
