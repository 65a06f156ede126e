"""Train the built-in landmarker and write it, its card and the mean face to `assets/`.

    python scripts/train_landmarker.py --data ../shared/landmarks

The recipe is described in `assets/landmarker.md`. A run can be stopped and started again with
the same command: it goes on from the last checkpoint in `--work`.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from landmarker_augment import TEXTURES, Augmenter, Batch, Batches, textures
from landmarker_card import write_card
from landmarker_data import KEPT, FaceSet, mirror_order
from landmarker_export import write_net
from landmarker_mean import write_mean_face
from landmarker_report import choose_blend, validate
from torch import Tensor, nn
from torch.utils.data import DataLoader

from faceswap.faces.landmark_net import CROP_SIZE, Heads, LandmarkNet

DENSE = 478


class Student(nn.Module):
    """The network with an extra output for all 478 points, which only training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.net = LandmarkNet()
        self.dense = nn.Linear(self.net.vector.out_features, DENSE * 3)

    def forward(self, crops: Tensor) -> tuple[Heads, Tensor]:
        heads = self.net.heads(crops)
        dense = self.dense(heads.vector).float().reshape(-1, DENSE, 3) * (CROP_SIZE / 4)
        return heads, dense + dense.new_tensor([CROP_SIZE / 2, CROP_SIZE / 2, 0.0])


def wing(distance: Tensor, width: float = 8.0, bend: float = 1.5) -> Tensor:
    """Wing loss (Feng et al. 2018) of a distance in pixels: steep near zero, linear far away."""
    near = width * torch.log1p(distance / bend)
    return torch.where(distance < width, near, distance - width + width * math.log1p(width / bend))


def distance(predicted: Tensor, labels: Tensor) -> Tensor:
    """Euclidean distance (N, K) with a finite gradient at zero."""
    return ((predicted - labels).square().sum(-1) + 1e-4).sqrt()


def loss_of(heads: Heads, dense: Tensor, points: Tensor, face: Tensor) -> dict[str, Tensor]:
    """Weighted parts of the loss. points: (P, 478, 3) of the P faces that open the batch."""
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


class Average:
    """Exponential moving average of weights and normalisation statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.count = decay, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model's present weights."""
        self.count += 1
        rate = 1 - min(self.decay, (1 + self.count) / (10 + self.count))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, rate)
            else:
                self.state[name].copy_(value)


class Run:
    """Everything a training run carries from step to step."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.options, self.step, self.seconds = options, 0, 0.0
        self.model = Student().to(memory_format=torch.channels_last)
        gains = [p for p in self.model.parameters() if p.ndim < 2]
        weights = [p for p in self.model.parameters() if p.ndim >= 2]
        groups = [{"params": weights}, {"params": gains, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=options.rate, weight_decay=0.02, fused=True)
        self.average = Average(self.model, 0.999)
        self.path = options.work / "landmarker.ckpt"

    def rate(self) -> float:
        """Learning rate of this step: short warm-up, then a cosine to zero."""
        warm = min(1.0, (self.step + 1) / 300)
        return float(
            self.options.rate
            * warm
            * (0.5 + 0.5 * math.cos(math.pi * self.step / self.options.steps))
        )

    def save(self) -> None:
        """Write the run's state under a temporary name, then rename it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state,
            "count": self.average.count,
            "step": self.step,
            "seconds": self.seconds,
        }
        torch.save(state, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def load(self) -> None:
        """Go on from the last checkpoint, where there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.state, self.average.count = state["average"], state["count"]
        self.step, self.seconds = state["step"], state["seconds"]

    def averaged(self) -> LandmarkNet:
        """A network with the averaged weights, ready for inference."""
        student = Student()
        student.load_state_dict(self.average.state)
        return student.net.eval()


def batches_from(batches: Batches, first: int) -> Iterator[Batch]:
    """Batches of the steps from `first` on, made ahead of time by one process."""
    order = range(first, len(batches))
    loader = DataLoader(batches, batch_size=None, sampler=order, num_workers=1, prefetch_factor=6)
    yield from loader


def train(run: Run, training: FaceSet, validation: FaceSet) -> None:
    """The loop, in the order of the mathematics."""
    options = run.options
    augmenter = Augmenter(training, textures(TEXTURES), mirror_order(training.points))
    batches = Batches(augmenter, options.seed, options.steps, options.batch, options.expressive)
    run.model.train()
    sums: dict[str, float] = {}
    started = time.monotonic()
    for batch in batches_from(batches, run.step):
        for group in run.optimizer.param_groups:
            group["lr"] = run.rate()
        crops = torch.as_tensor(batch.crops)[:, None].float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            heads, dense = run.model(crops)
        parts = loss_of(heads, dense, torch.as_tensor(batch.points), torch.as_tensor(batch.face))
        run.optimizer.zero_grad()
        sum(parts.values(), torch.zeros(())).backward()
        nn.utils.clip_grad_norm_(run.model.parameters(), 20.0)
        run.optimizer.step()
        run.average.update(run.model)
        run.step += 1
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if run.step % options.report == 0:
            run.seconds, started = run.seconds + time.monotonic() - started, time.monotonic()
            shown = " ".join(f"{name} {value / options.report:.3f}" for name, value in sums.items())
            print(f"{run.step} {run.seconds:.0f}s {shown}", flush=True)
            sums.clear()
        if run.step % options.check == 0 or run.step == options.steps:
            run.save()
            print(json.dumps(validate(run.averaged(), validation, quick=True)), flush=True)


def finish(run: Run, training: FaceSet, validation: FaceSet) -> None:
    """Evaluate the averaged network; write it, its card and the mean face."""
    assets: Path = run.options.assets
    assets.mkdir(parents=True, exist_ok=True)
    net = run.averaged()
    choose_blend(net, validation)
    figures = validate(net, validation)
    print(json.dumps(figures, indent=1), flush=True)
    write_mean_face(training.points, assets / "mean_face.json")
    write_net(net, assets / "landmarker.safetensors", figures["threshold"])
    write_card(assets / "landmarker.md", vars(run.options), run.seconds, figures)


def main() -> None:
    """Train, evaluate and write the assets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/landmarks"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/landmarker/run"))
    parser.add_argument("--assets", type=Path, default=Path("assets"))
    parser.add_argument("--steps", type=int, default=11000)
    parser.add_argument("--expressive", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", type=int, default=100)
    parser.add_argument("--check", type=int, default=250)
    options = parser.parse_args()
    training, validation = FaceSet.load(options.data).split()
    run = Run(options)
    run.load()
    train(run, training, validation)
    finish(run, training, validation)


if __name__ == "__main__":
    main()
