import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from drawn_faces import draw_project

from faceswap.errors import OptionsError
from faceswap.events import Finished, Notice, parse
from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.distributed import ProcessGroup, join_process_group

TRAIN = [
    *("train", "--steps", "22", "--batch", "4", "--resolution", "64", "--precision", "fp32"),
    *("--adversarial-weight", "0.05", "--adversarial-start", "0.5", "--device", "cpu"),
    *("--events", "jsonl"),
]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def start(project: Path, name: str, rank: int, size: int, port: int) -> "subprocess.Popen[str]":
    group = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(size),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "faceswap", *TRAIN, "--project", str(project), "--run", name],
        env=os.environ | group,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    project = draw_project(tmp_path).folder
    port = free_port()
    pair = [start(project, "two", rank, 2, port) for rank in range(2)]
    for rank, process in enumerate(pair):
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, out + errors
        assert errors == ""
        told = [parse(line) for line in out.splitlines()]
        # The first alone tells what the run does, and how it ends.
        assert len([line for line in told if isinstance(line, Finished)]) == (rank == 0)
        assert any(isinstance(line, Notice) for line in told) == (rank == 0)
    alone = start(project, "one", 0, 1, port)
    out, errors = alone.communicate(timeout=120)
    assert alone.returncode == 0, out + errors
    rows = []
    for name in ("one", "two"):
        lines = (project / "model" / name / "metrics.jsonl").read_text().splitlines()
        rows.append([json.loads(line) for line in lines])
    assert [r["step"] for r in rows[0]] == [r["step"] for r in rows[1]]
    # Means over both processes' parts of the batches: what one records of the whole of them.
    for name in ("loss", "l1", "ssim"):
        recorded = [[r[name] for r in run if name in r] for run in rows]
        assert recorded[1] == pytest.approx(recorded[0], rel=0.005)
    first, second = (
        read_checkpoint(newest_checkpoint(project / "model" / name)).tensors_under("ema")
        for name in ("one", "two")
    )
    apart = max(float((first[k] - second[k]).abs().mean()) for k in first)
    size = max(float(first[k].abs().mean()) for k in first)
    assert apart < 0.05 * size


def test_alone_there_is_nothing_to_agree_on() -> None:
    group = ProcessGroup()
    model = torch.nn.Linear(1, 1)
    assert group.is_main
    assert group.wrap_model(model) is model
    assert group.broadcast(0.25) == 0.25
    assert torch.equal(group.all_reduce_mean(torch.ones(2)), torch.ones(2))


def test_half_of_what_torchrun_sets_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    with (
        pytest.raises(OptionsError, match="2, and RANK and MASTER_PORT not set; start several"),
        join_process_group(torch.device("cpu")),
    ):
        pass
