"""Train the built-in face embedder and write it to ``assets/embedder.safetensors``.

    python scripts/embedder/train.py --data ../shared/landmarks

The recipe is described in ``assets/embedder.md``. Started again with the same command, a run
resumes from its last checkpoint in ``--work``.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

import torch
from safetensors.torch import save_file

from embedder.data import photographs, rendered
from embedder.task import SamePersonTask
from faceswap.events import Metrics, Notice
from faceswap.faces.embedding_net import EmbeddingNet
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.training.loop import TrainingLoop
from faceswap.training.state import LoopConfig
from landmarker.export import checksum

ASSET = Path(__file__).parents[2] / "assets" / "embedder.safetensors"


def train(options: argparse.Namespace) -> EmbeddingNet:
    """Train, or resume training; returns the network with averaged weights."""
    real = photographs(options.data, options.work / "photographs.npz")
    drawn = None
    if options.people:
        path = options.work / f"rendered-{options.people}.npz"
        drawn = rendered(path, options.people, 12, options.seed, 2)
    torch.manual_seed(options.seed)
    config = LoopConfig(
        steps=options.steps,
        batch_size=options.batch,
        learning_rate=options.rate,
        warmup=200,
        ema_decay=0.998,
        seed=options.seed,
        report_steps=50,
        save_seconds=120,
        preview_seconds=600,
        keep_checkpoints=1,
        unit_name="views",
        samples_per_item=2,
    )
    folder = options.work / "run"
    loop = TrainingLoop(
        SamePersonTask(real, drawn),
        EmbeddingNet(),
        config,
        folder,
        "embedder",
        {},
        torch.device("cpu"),
    )
    checkpoint, _ = CheckpointFolder(folder).load_for_resume()
    if checkpoint is not None:
        loop.resume(checkpoint)
    with closing(loop.run()) as events:
        for event in events:
            if isinstance(event, Metrics | Notice):
                print(event.model_dump_json(), flush=True)
    net = loop.state.ema_model
    assert isinstance(net, EmbeddingNet)
    return net


def write_net(net: EmbeddingNet, path: Path) -> None:
    """Fold the normalisation into the weights and write them as float16."""
    weights = {name: v.half().contiguous() for name, v in net.fold().state_dict().items()}
    save_file(weights, path, {"crc32": str(checksum(weights)), "format": "1"})
    path.chmod(0o644)


def main() -> None:
    """Train and write the asset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/landmarks"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/embedder"))
    parser.add_argument("--asset", type=Path, default=ASSET)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=128, help="people of a step, two views each")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--people", type=int, default=120, help="rendered people, 12 pictures each")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    write_net(train(options), options.asset)


if __name__ == "__main__":
    main()
