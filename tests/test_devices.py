from collections.abc import Iterator

import pytest
import torch
from torch import nn

from faceswap import bf16_support, device_support, devices, run
from faceswap.bf16_support import supports_bf16
from faceswap.device_support import EDGES, MEDIANS, Capability
from faceswap.devices import (
    Precision,
    PrecisionChoice,
    autocast,
    choose_precision,
    fastest_precision,
    model_autocast,
    pick_device,
    resolve_device,
    usable_precision,
)
from faceswap.errors import OptionsError
from faceswap.events import Notice

pytestmark = pytest.mark.avx2
CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
LSTM, PLAIN = nn.LSTM(2, 2), nn.Conv2d(1, 1, 1)


@pytest.fixture(autouse=True)
def measured_anew() -> Iterator[None]:
    fastest_precision.cache_clear()
    yield
    fastest_precision.cache_clear()


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that is fast in bfloat16, but has no LSTM in it."""
    monkeypatch.setattr(bf16_support, "supports_bf16", lambda name, device: name != "LSTM")
    monkeypatch.setattr(devices, "_seconds", lambda name: 1.0 if name == "bf16" else 2.0)


@pytest.mark.usefixtures("old")
def test_what_a_layer_cannot_do_counts_more_than_speed() -> None:
    assert choose_precision(PLAIN, CPU) == PrecisionChoice("bf16")
    for asked in (None, "fp32"):
        assert choose_precision(LSTM, CPU, asked).precision == "fp32"
    reason = choose_precision(LSTM, CPU).reason
    assert reason == (
        "LSTM layers can't be computed in bfloat16 on this machine's cpu; all of this model is "
        "computed in float32."
    )
    assert usable_precision(LSTM, CPU, "bf16") == PrecisionChoice("fp32", reason)
    assert (
        choose_precision(LSTM, CPU, "fp32").reason
        == usable_precision(LSTM, CPU, "fp32").reason
        == ""
    )
    a = torch.ones(2, 2)
    with model_autocast(LSTM, CPU):
        assert (a @ a).dtype == torch.float32
    with model_autocast(PLAIN, CPU):
        assert (a @ a).dtype == torch.bfloat16


@pytest.mark.usefixtures("old")
def test_what_is_asked_for_by_name_is_had_or_refused() -> None:
    asked: tuple[Precision, ...] = ("bf16", "fp32")
    assert [choose_precision(PLAIN, CPU, name).precision for name in asked] == ["bf16", "fp32"]
    with pytest.raises(OptionsError, match="use --precision auto or fp32"):
        choose_precision(LSTM, CPU, "bf16")


def test_this_machine_is_judged_by_what_it_does() -> None:
    found = usable_precision(LSTM, CPU, "bf16")
    assert found.precision == ("bf16" if supports_bf16("LSTM", CPU) else "fp32")
    assert bool(found.reason) != supports_bf16("LSTM", CPU)
    with autocast(CPU, found.precision):
        LSTM(torch.ones(3, 2))[0].float().sum().backward()


def test_a_processor_without_bfloat16_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "supports_bf16", lambda name, device: False)
    monkeypatch.setattr(devices, "_seconds", lambda name: pytest.fail(name))
    assert fastest_precision(CPU) == "fp32"


def test_bfloat16_is_not_taken_unasked_where_nobody_measured_it() -> None:
    assert choose_precision(PLAIN, MPS) == PrecisionChoice("fp32")


@pytest.mark.parametrize(
    ("bf16", "fp32", "taken"), [(1.0, 2.0, "bf16"), (1.0, 1.05, "fp32"), (3.0, 1.0, "fp32")]
)
def test_a_processor_takes_what_is_measured_to_be_clearly_faster(
    bf16: float, fp32: float, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, measured = {"bf16": bf16, "fp32": fp32}, []

    def seconds(name: str) -> float:
        measured.append(name)
        return times[name]

    monkeypatch.setattr(devices, "_seconds", seconds)
    assert fastest_precision(CPU) == taken
    # Where it is hopeless, it is not measured for seconds.
    assert len(measured) == (4 if bf16 > 2 * fp32 else 16)


def test_measuring_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    assert fastest_precision(CPU) in ("bf16", "fp32")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_card_is_known_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, has=has: has
        )
        assert fastest_precision(CUDA) == ("bf16" if has else "fp32")
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


def test_apple_is_picked_unasked_only_where_it_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert (pick_device("auto"), pick_device("auto", apple=False)) == (MPS, CPU)
    assert pick_device("mps", apple=False) == MPS


def test_what_a_device_lacks_is_told_once_and_only_if_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device_support, "supports", lambda ability, device: ability is EDGES)

    def told(*needed: Capability) -> list[str]:
        notices: list[Notice] = []
        assert run(resolve_device("cpu", needed), notices.append) == CPU
        return [notice.message for notice in notices]

    assert told(EDGES) == []
    assert told(EDGES, MEDIANS) == [
        "The device cpu lacks some operators: nanmedian runs on the CPU."
    ]
