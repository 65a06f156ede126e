"""Train the built-in landmarker and write it, its card and the mean face to `assets/`.

    python scripts/landmarker/train.py --data ../shared/landmarks

The recipe is described in `assets/landmarker.md`. Started again with the same command, a run
resumes from the last checkpoint in `--work`. With `--first WEIGHTS` only the second stage runs,
from weights that a first stage exported.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from faceswap.faces.landmark_net import CROP_SIZE, HeadOutputs, LandmarkNet
from faceswap.faces.landmarks import load_net
from landmarker.augment import TEXTURES, Augmenter, Batch, Batches, textures
from landmarker.card import write_card
from landmarker.data import KEPT, FaceSet, mirror_order
from landmarker.export import write_net
from landmarker.heads import RenderedHeads
from landmarker.mean_face import write_mean_face
from landmarker.refine import Refinement, refine
from landmarker.report import choose_blend, validate
from landmarker.run import Report, Run, distance, wing

DENSE = 478


class Student(nn.Module):
    """The network with an auxiliary output of all 478 points, for training only."""

    def __init__(self) -> None:
        super().__init__()
        self.net = LandmarkNet()
        self.dense = nn.Linear(self.net.vector.out_features, DENSE * 3)

    def forward(self, crops: Tensor) -> tuple[HeadOutputs, Tensor]:
        heads = self.net.heads(crops)
        dense = self.dense(heads.vector).float().reshape(-1, DENSE, 3) * (CROP_SIZE / 4)
        return heads, dense + dense.new_tensor([CROP_SIZE / 2, CROP_SIZE / 2, 0.0])


def loss_of(heads: HeadOutputs, dense: Tensor, points: Tensor, face: Tensor) -> dict[str, Tensor]:
    """Weighted loss terms. points: (P, 478, 3) of the first P crops, the positives."""
    count = len(points)
    kept = points[:, KEPT]
    weight = torch.ones(len(KEPT), device=points.device)
    weight[:17], weight[68:] = 0.5, 0.4
    mapped, regressed = heads.mapped[:count], heads.regressed[:count]
    blend = (mapped + regressed[..., :2]) / 2
    target = kept[..., :2]

    def part(guess: Tensor) -> Tensor:
        return (wing(distance(guess, target)) * weight).mean()

    depth = kept[..., 2] - kept[..., 2].mean(1, keepdim=True)
    dense_depth = points[..., 2] - points[..., 2].mean(1, keepdim=True)
    return {
        "blend": part(blend),
        "mapped": 0.5 * part(mapped),
        "regressed": 0.5 * part(regressed[..., :2]),
        "dense": 0.25 * wing(distance(dense[:count, :, :2], points[..., :2])).mean(),
        "depth": 0.1 * wing((regressed[..., 2] - depth).abs()).mean()
        + 0.05 * wing((dense[:count, :, 2] - dense_depth).abs()).mean(),
        "presence": 2.0
        * nn.functional.binary_cross_entropy_with_logits(heads.presence, face.float()),
    }


def batches_from(batches: Batches, first: int) -> Iterator[Batch]:
    """Batches of the steps from `first` on, prefetched by one worker process."""
    order = range(first, len(batches))
    loader = DataLoader(batches, batch_size=None, sampler=order, num_workers=1, prefetch_factor=6)
    yield from loader


def first_stage(
    options: argparse.Namespace, training: FaceSet, validation: FaceSet
) -> tuple[LandmarkNet, float]:
    """Train the first stage; returns the network with averaged weights, folded, and seconds."""
    model = Student()
    path = options.work / "landmarker.ckpt"
    run = Run(model, path, options.steps, options.rate, warm=300, decay=0.999)
    run.load()
    augmenter = Augmenter(training, textures(TEXTURES), mirror_order(training.points))
    batches = Batches(augmenter, options.seed, options.steps, options.batch, options.expressive)
    model.train()
    report, spent, started = Report(options.report), run.seconds, time.monotonic()
    for batch in batches_from(batches, run.step):
        crops = torch.as_tensor(batch.crops)[:, None].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            heads, dense = model(crops)
        parts = loss_of(heads, dense, torch.as_tensor(batch.points), torch.as_tensor(batch.face))
        run.learn(parts)
        run.seconds = spent + time.monotonic() - started
        report.add(run.step, run.seconds, parts)
        if run.step % options.check == 0 or run.step == options.steps:
            run.save()
            averaged = Student()
            averaged.load_state_dict(run.average.state)
            print(json.dumps(validate(averaged.net.eval(), validation, quick=True)), flush=True)
    model.load_state_dict(run.average.state)
    return model.net.fold(), run.seconds


def finish(
    options: argparse.Namespace,
    net: LandmarkNet,
    seconds: tuple[float, float],
    training: FaceSet,
    validation: FaceSet,
) -> None:
    """Evaluate the network; write it, its model card and the mean face."""
    assets: Path = options.assets
    assets.mkdir(parents=True, exist_ok=True)
    choose_blend(net, validation)
    figures = validate(net, validation)
    print(json.dumps(figures, indent=1), flush=True)
    write_mean_face(training.points, assets / "mean_face.json")
    write_net(net, assets / "landmarker.safetensors", figures["threshold"])
    write_card(assets / "landmarker.md", vars(options), seconds, figures)


def main() -> None:
    """Train both stages, evaluate and write the assets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/landmarks"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/landmarker/run"))
    parser.add_argument("--assets", type=Path, default=Path("assets"))
    parser.add_argument("--first", type=Path, help="weights of stage one, to run stage two only")
    parser.add_argument("--steps", type=int, default=11000)
    parser.add_argument("--expressive", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--refine-steps", type=int, default=1200)
    parser.add_argument("--refine-rate", type=float, default=1.5e-4)
    parser.add_argument("--quiet", type=float, default=2.0, help="consistency loss in stage two")
    parser.add_argument("--keep", type=float, default=0.2, help="share of stage one's weights")
    parser.add_argument("--people", type=int, default=110, help="rendered heads; 24 pictures each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", type=int, default=100)
    parser.add_argument("--check", type=int, default=250)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    training, validation = FaceSet.load(options.data).split()
    first, spent = options.first or options.work / "first.safetensors", 0.0
    if options.first is None:
        net, spent = first_stage(options, training, validation)
        write_net(net, first, threshold=0.0)
    drawn = options.work / f"heads-{options.people}-{options.seed}.npz"
    plan = Refinement(
        steps=options.refine_steps,
        rate=options.refine_rate,
        batch=options.batch,
        seed=options.seed,
        quiet=options.quiet,
        keep=options.keep,
        report=options.report,
        check=options.check,
    )
    net, more = refine(
        load_net(first),
        training,
        RenderedHeads.load(drawn, options.people, 24, options.seed, options.threads),
        options.work / "refined.ckpt",
        plan,
    )
    finish(options, net, (spent, more), training, validation)


if __name__ == "__main__":
    main()
