import pytest
import torch

from faceswap.errors import OptionsError
from faceswap.training import precision
from faceswap.training.precision import autocast, fastest_precision, pick_device, prepare

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def measured_anew() -> None:
    fastest_precision.cache_clear()


@pytest.mark.parametrize(
    ("bf16", "fp32", "taken"), [(1.0, 2.0, "bf16"), (1.0, 1.05, "fp32"), (3.0, 1.0, "fp32")]
)
def test_a_processor_takes_what_is_measured_to_be_clearly_faster(
    bf16: float, fp32: float, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"bf16": bf16, "fp32": fp32}
    monkeypatch.setattr(precision, "_seconds", lambda name: times[name])
    assert fastest_precision(CPU) == taken
    fastest_precision.cache_clear()


def test_measuring_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    assert fastest_precision(CPU) in ("bf16", "fp32")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_card_is_known_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for able in (True, False):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, able=able: able
        )
        assert fastest_precision(CUDA) == ("bf16" if able else "fp32")
        fastest_precision.cache_clear()


def test_autocast_is_on_only_for_bf16() -> None:
    a = torch.ones(2, 2)
    with autocast(CPU, "bf16"):
        assert (a @ a).dtype == torch.bfloat16
    with autocast(CPU, "fp32"):
        assert (a @ a).dtype == torch.float32


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device("auto") == pick_device("cpu") == CPU
    with pytest.raises(OptionsError, match="no device cuda here; use --device auto"):
        pick_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto") == pick_device("cuda") == CUDA


def test_a_card_multiplies_in_tf32_and_looks_for_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_float32_matmul_precision()
    asked: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    prepare(CPU)
    assert asked == []
    assert not torch.backends.cudnn.benchmark
    prepare(CUDA)
    assert asked == ["high"]
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == before
