import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from drawn_faces import draw_project

from faceswap.training.checkpoint import newest_checkpoint, read_checkpoint
from faceswap.training.distributed import Group

TRAIN = """
import sys
from pathlib import Path
from faceswap.jobs.train import train
from faceswap.jobs.train_options import TrainOptions
options = TrainOptions(project=Path(sys.argv[1]), name=sys.argv[2], steps=22, batch=4,
    resolution=64, precision="fp32", device="cpu", adversarial=0.05, adversarial_begin=0.5)
print(len(list(train(options))))
"""


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
        [sys.executable, "-c", TRAIN, str(project), name],
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
    told = []
    for process in pair:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        told.append(int(out.strip()))
    # The load notices are everyone's; what the loop tells is the leader's.
    assert told[0] > told[1]
    alone = start(project, "one", 0, 1, port)
    _, errors = alone.communicate(timeout=120)
    assert alone.returncode == 0, errors
    rows = []
    for name in ("one", "two"):
        lines = (project / "model" / name / "metrics.jsonl").read_text().splitlines()
        rows.append([json.loads(line) for line in lines])
    assert [r["step"] for r in rows[0]] == [r["step"] for r in rows[1]]
    losses = [next(r["loss"] for r in run if "loss" in r) for run in rows]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    first, second = (
        read_checkpoint(newest_checkpoint(project / "model" / name)).part("ema")
        for name in ("one", "two")
    )
    apart = max(float((first[k] - second[k]).abs().mean()) for k in first)
    size = max(float(first[k].abs().mean()) for k in first)
    assert apart < 0.05 * size


def test_alone_there_is_nothing_to_agree_on() -> None:
    group = Group()
    model = torch.nn.Linear(1, 1)
    assert group.leads
    assert group.wrapped(model) is model
    assert group.agreed(0.25) == 0.25
