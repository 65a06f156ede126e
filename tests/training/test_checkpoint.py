import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from faceswap.errors import CheckpointError, NewerCheckpointError, OutputError
from faceswap.training import checkpoint
from faceswap.training.checkpoint import (
    CheckpointFolder,
    newest_checkpoint,
    newest_weights,
    read_checkpoint,
    write_checkpoint,
)
from faceswap.training.checkpoint_verification import FORMAT

TENSORS = {
    "model/w": torch.arange(6.0).reshape(2, 3),
    "model/half": torch.ones(3, dtype=torch.bfloat16),
    "ema/w": torch.zeros(2, 3),
    "state/n": torch.tensor(7),
    "state/none": torch.empty(0),
}


def save(folder: CheckpointFolder, step: int) -> Path:
    return folder.save(step, "toy", {"size": 3}, {"step": step}, TENSORS)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "füße and spaces.safetensors"
    write_checkpoint(path, "toy", {"size": 3}, {"step": 5, "name": "ä"}, TENSORS)
    got = read_checkpoint(path)
    assert (got.kind, got.config, got.metadata) == ("toy", {"size": 3}, {"step": 5, "name": "ä"})
    assert got.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(got.tensors[name], value) for name, value in TENSORS.items())
    assert all(got.tensors[name].dtype == value.dtype for name, value in TENSORS.items())
    assert got.tensors_under("model").keys() == {"w", "half"}


def test_channels_last_weights_come_back_with_their_values(tmp_path: Path) -> None:
    weight = torch.rand(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    write_checkpoint(tmp_path / "x.safetensors", "toy", {}, {}, {"model/w": weight})
    assert torch.equal(read_checkpoint(tmp_path / "x.safetensors").tensors["model/w"], weight)


class Counted:
    """In place of ``safe_open``: what is asked of files, in bytes."""

    bytes = 0

    def __init__(self, path: Path, framework: str) -> None:
        self._opened: Any = safe_open(path, framework=framework)

    def __enter__(self) -> "Counted":
        self._file = self._opened.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._opened.__exit__(*error)

    def metadata(self) -> dict[str, str]:
        return dict(self._file.metadata())

    def keys(self) -> list[str]:
        return list(self._file.keys())

    def get_tensor(self, name: str) -> torch.Tensor:
        tensor: torch.Tensor = self._file.get_tensor(name)
        Counted.bytes += tensor.nbytes
        return tensor


def heavy(folder: CheckpointFolder, step: int) -> Path:
    """A checkpoint in which the optimiser's state dwarfs the averaged weights."""
    tensors = TENSORS | {"ema/w": torch.rand(1000), "optimiser/w/m": torch.rand(1_000_000)}
    return folder.save(step, "toy", {}, {"step": step}, tensors)


def test_a_save_that_cannot_be_removed_yet_does_not_stop_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, unlink = CheckpointFolder(tmp_path, keep=1), Path.unlink

    def mapped(path: Path, *given: Any, **named: Any) -> None:  # as Windows has it
        if path == folder.path(1):
            raise PermissionError(13, "The process cannot access the file")
        unlink(path, *given, **named)

    heavy(folder, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", mapped)
        heavy(folder, 2)
        assert folder.steps() == [1, 2]
    heavy(folder, 3)
    assert folder.steps() == [3]


def test_of_the_weights_nothing_else_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    path = heavy(folder, 1)
    monkeypatch.setattr(checkpoint, "safe_open", Counted)
    monkeypatch.setattr(Counted, "bytes", 0)
    got, problems = newest_weights(tmp_path)
    assert Counted.bytes == 4000
    assert (got.path, set(got.tensors), problems) == (path, {"ema/w"}, [])
    whole = read_checkpoint(path)
    assert Counted.bytes > 4_000_000
    assert torch.equal(got.tensors["ema/w"], whole.tensors["ema/w"])


def test_weights_are_verified_for_themselves(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    first, second = (heavy(folder, step) for step in (1, 2))
    weights = read_checkpoint(second, weights=True).tensors["ema/w"].numpy().tobytes()
    data = bytearray(second.read_bytes())
    place = data.find(weights)
    data[-2_000_000] ^= 4  # in the optimiser's state
    second.write_bytes(data)
    assert newest_weights(tmp_path)[0].path == second
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(second)
    data[place + 1000] ^= 4
    second.write_bytes(data)
    got, problems = newest_weights(tmp_path)
    assert got.path == first
    assert len(problems) == 2
    assert problems[1] == "The model of step 1 is used instead."


def test_without_averaged_weights_the_trained_ones_are_used(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, "toy", {}, {}, {"model/w": torch.ones(2), "state/n": torch.zeros(3)})
    assert read_checkpoint(path, weights=True).tensors.keys() == {"model/w"}


def test_weights_outlive_their_file(tmp_path: Path) -> None:
    path = heavy(CheckpointFolder(tmp_path), 1)
    got = read_checkpoint(path, weights=True).tensors["ema/w"]
    before = got.clone()
    with open(path, "r+b") as file:
        file.write(bytes(path.stat().st_size))
    assert torch.equal(got, before)


def of_format_1(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """As it was written before each tensor had a checksum of its own."""
    total = 0
    for name, tensor in sorted(tensors.items()):
        data = tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b""
        total = zlib.crc32(data, zlib.crc32(name.encode(), total))
    header = {"format": 1, "kind": "toy", "config": {}, "numbers": {"step": 1}, "checksum": total}
    save_file(tensors, path, metadata={"faceswap": json.dumps(header)})


def test_files_of_before_are_read_and_verified(tmp_path: Path) -> None:
    path = CheckpointFolder(tmp_path).path(1)
    of_format_1(path, TENSORS)
    assert read_checkpoint(path).tensors.keys() == TENSORS.keys()
    assert read_checkpoint(path, weights=True).tensors.keys() == {"ema/w"}
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)
    for weights in (False, True):
        with pytest.raises(CheckpointError, match="its checksum"):
            read_checkpoint(path, weights=weights)


@pytest.mark.parametrize(("known", "other"), [(b"size", b"sice"), (b'"ema/w":', b'"ema/v":')])
def test_a_damaged_header_is_noticed(tmp_path: Path, known: bytes, other: bytes) -> None:
    path = save(CheckpointFolder(tmp_path), 1)
    data = path.read_bytes()
    assert data.count(known) == 1
    path.write_bytes(data.replace(known, other))
    for weights in (False, True):
        with pytest.raises(CheckpointError, match="its checksum"):
            read_checkpoint(path, weights=weights)


def test_the_last_few_are_kept_and_leftovers_removed(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "run", keep=2)
    for step in (1, 20, 300):
        save(folder, step)
    part = folder.folder / "step-000000400.part"
    part.mkdir()
    (part / ".tmpAbCdEf").write_bytes(b"half")
    (folder.folder / "notes.txt").write_text("mine")
    folder.load_for_resume(leads=False)
    assert part.exists()
    assert folder.load_for_resume()[1] == []
    assert {p.name for p in folder.folder.iterdir()} == {
        "step-000000020.safetensors",
        "step-000000300.safetensors",
        "notes.txt",
    }
    assert newest_checkpoint(folder.folder) == folder.path(300)


@pytest.mark.parametrize("damage", ["truncated", "bit", "empty", "header"])
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    folder = CheckpointFolder(tmp_path)
    save(folder, 1)
    path = save(folder, 2)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        data = data[:-5]
    elif damage == "bit":
        data[-3] ^= 4
    elif damage == "empty":
        data = bytearray()
    else:
        data[12] ^= 255
    path.write_bytes(data)
    assert len(folder.newest()[1]) == 1
    folder.load_for_resume(leads=False)
    assert len(folder.files()) == 2
    got, problems = folder.load_for_resume()
    assert got is not None
    assert got.metadata["step"] == 1
    assert len(problems) == 2
    assert problems[1] == "Training resumes from step 1."
    assert folder.files() == [folder.path(1)]
    assert (tmp_path / "step-000000002.damaged").exists()


def test_what_was_set_aside_does_not_fill_the_disk(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=2)
    save(folder, 1)
    for step in range(2, 7):
        save(folder, step)
        folder.quarantine(newer_than=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "step-000000001.safetensors",
        "step-000000005.damaged",
        "step-000000006.damaged",
    ]


def test_the_best_and_the_last_good_one_are_kept_besides(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, keep=2)
    scores = {10: 0.5, 20: 0.9, 30: 0.7, 40: None, 50: 0.8, 60: 0.6, 70: 0.9, 80: 0.3, 90: 0.2}
    for step, score in scores.items():
        numbers = {"step": step} | ({} if score is None else {"score": score})
        folder.save(step, "toy", {}, numbers, TENSORS, good=min(step, 55))
        if step == 60:
            assert folder.files() == [folder.path(n) for n in (20, 50, 60)]
    assert folder.files() == [folder.path(n) for n in (50, 70, 80, 90)]


def test_an_older_one_can_be_asked_for(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for step in (10, 20, 30):
        save(folder, step)
    for until, step in ((30, 30), (29, 20), (10, 10)):
        found, _ = folder.newest(until)
        assert found is not None
        assert found.metadata["step"] == step
    assert folder.newest(9) == (None, [])


@pytest.mark.skipif(os.name == "nt", reason="modes are those of Unix")
def test_a_checkpoint_can_be_read_by_whom_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = save(CheckpointFolder(tmp_path), 1)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path / "missing").newest() == (None, [])
    with pytest.raises(CheckpointError, match="run 'faceswap train' first"):
        newest_checkpoint(tmp_path)


def test_when_all_are_damaged_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for step in (1, 2):
        save(folder, step).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="None of the 2 checkpoints"):
        folder.newest()
    assert len(folder.files()) == 2


def test_a_newer_version_is_refused_not_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path)
    save(folder, 1)
    monkeypatch.setattr(checkpoint, "FORMAT", FORMAT + 1)
    save(folder, 2)
    monkeypatch.undo()
    with pytest.raises(NewerCheckpointError, match="newer version"):
        folder.newest()


def test_what_a_folder_is_called_tells_no_version(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "newer version")
    save(folder, 1)
    save(folder, 2).write_bytes(b"damaged")
    found, problems = folder.newest()
    assert found is not None
    assert found.metadata["step"] == 1
    assert "newer version" in problems[0]


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of faceswap"):
        read_checkpoint(path)
    save_file({"w": torch.zeros(1)}, path, metadata={"faceswap": json.dumps([1])})
    with pytest.raises(CheckpointError, match="not a checkpoint of faceswap"):
        read_checkpoint(path)
    with pytest.raises(CheckpointError, match="no model file"):
        read_checkpoint(tmp_path / "gone.safetensors")


def test_a_full_disk_leaves_the_old_one_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = CheckpointFolder(tmp_path, keep=1)
    save(folder, 1)

    def full(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"as much as fits")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OutputError, match="No space left"):
        save(folder, 2)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001.safetensors"]
    read_checkpoint(folder.path(1))


SAVER = """
import sys, torch
from pathlib import Path
from faceswap.training.checkpoint import CheckpointFolder
folder = CheckpointFolder(Path(sys.argv[1]), keep=2)
first = int(sys.argv[2])
for step in range(first, first + 10000):
    value = torch.full((200_000,), float(step))
    folder.save(step, "toy", {}, {"step": step}, {"model/w": value})
    print(step, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_kill_at_random_moments_never_loses_an_announced_save(tmp_path: Path) -> None:
    chance = random.Random(1)
    folder = CheckpointFolder(tmp_path, keep=2)
    first, kills = 1, int(os.environ.get("FACESWAP_KILLS", "4"))
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        announced = int(process.stdout.readline())
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        announced = max([announced, *(int(line) for line in process.stdout if line.endswith("\n"))])
        process.stdout.close()
        process.wait()
        found, problems = folder.newest()
        assert found is not None
        assert not problems
        assert found.metadata["step"] >= announced
        folder.load_for_resume()
        assert {p.suffix for p in tmp_path.iterdir()} == {".safetensors"}
        assert bool((found.tensors["model/w"] == found.metadata["step"]).all())
        first = found.metadata["step"] + 1
