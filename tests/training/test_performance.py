import pytest
import torch

from faceswap.training.performance import configure_device

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_a_card_multiplies_in_tf32_and_looks_for_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_float32_matmul_precision()
    asked: list[str] = []
    monkeypatch.setattr(torch, "set_float32_matmul_precision", asked.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    configure_device(CPU)
    assert asked == []
    assert not torch.backends.cudnn.benchmark
    configure_device(CUDA)
    assert asked == ["high"]
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == before
