from pathlib import Path

import pytest
import torch

from faceswap.training import threads
from faceswap.training.threads import physical_core_count, set_current_device, use_physical_cores


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Four cores with two processors each."""
    for number in range(8):
        folder = tmp_path / f"cpu{number}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{number % 4},{number % 4 + 4}\n")
    return tmp_path


def test_processors_that_share_a_core_count_once(machine: Path) -> None:
    none = machine / "none"
    assert physical_core_count(machine, none, set(range(8))) == 4
    assert physical_core_count(machine, none, {0, 4, 1}) == 2
    assert physical_core_count(machine, none, {0, 9}) is None


def test_a_container_gets_what_its_quota_says(machine: Path) -> None:
    for text, count in (("max 100000", 4), ("250000 100000", 2), ("50000 100000", 1)):
        (machine / "cpu.max").write_text(text + "\n")
        assert physical_core_count(machine, machine, set(range(8))) == count


def test_threads_are_set_unless_the_user_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "physical_core_count", lambda: 3)
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    use_physical_cores()
    assert asked == []
    monkeypatch.delenv("OMP_NUM_THREADS")
    use_physical_cores()
    assert asked == [3]
    monkeypatch.setattr(threads, "physical_core_count", lambda: None)
    use_physical_cores()
    assert asked == [3]


def test_a_card_without_a_number_is_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_current_device(torch.device("cuda"))  # which PyTorch's own call refuses
    set_current_device(torch.device("cpu"))
    made: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", made.append)
    set_current_device(torch.device("cuda", 1))
    assert made == [torch.device("cuda", 1)]
