"""Train the built-in segmenter: ``assets/segmenter.safetensors``.

    VENV/bin/python scripts/segmenter/person_masks.py ../shared/landmarks /tmp/segmenter/person.npz
    python scripts/segmenter/train.py --shared ../shared

The recipe is described in ``assets/segmenter.md``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from faceswap.autoencoder.blocks import to_channels_last
from faceswap.faces.labels import Label
from faceswap.faces.segment_net import SegmentNet
from segmenter.augment import Batches, Worn, cut_outs
from segmenter.data import Canvases, kept, photographs, rendered
from segmenter.press import press_photographs
from segmenter.report import measure, print_table

ASSET = Path(__file__).parents[2] / "assets" / "segmenter.safetensors"
_FULL_SEED = 11


_RARE = {
    Label.EYES: 4.0, Label.GLASSES: 4.0, Label.MOUTH: 3.0, Label.LIPS: 2.0, Label.BROWS: 2.0,
    Label.BEARD: 2.0, Label.IN_FRONT: 2.0, Label.HAIR: 1.5,
}  # fmt: skip
"""Weights of pixels that are certainly of a label that is rare or matters."""


def set_loss(scores: Tensor, sets: Tensor) -> Tensor:
    """Mean negative log probability (scalar) that a pixel is one of its set.

    scores (N, 11, H, W), sets (N, H, W) with a bit for each label. A pixel that may be anything
    costs nothing; one that is of a rare label for certain counts more.
    """
    numbers = torch.arange(len(Label), device=sets.device)[None, :, None, None]
    allowed = ((sets[:, None] >> numbers) & 1).bool()
    possible = scores.masked_fill(~allowed, -torch.inf).logsumexp(1) - scores.logsumexp(1)
    weights = (~allowed.all(1)).float()
    for label, weight in _RARE.items():
        weights = weights.masked_fill(sets == 1 << label, weight)
    return -(possible * weights).sum() / weights.sum().clamp(min=1)


def train(options: argparse.Namespace, sources: list[tuple[Canvases, float, bool]]) -> SegmentNet:
    """Train on batches of ``sources``; the network with averaged weights, not folded."""
    torch.manual_seed(options.seed)
    net = SegmentNet().train()
    to_channels_last(net)
    if options.resume:
        net.load_state_dict(torch.load(options.resume, weights_only=True))
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.998), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), options.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options.rate, total_steps=options.steps, pct_start=0.05, final_div_factor=100
    )
    things = cut_outs(sources[0][0])
    print(f"{len(things)} cut-outs", flush=True)
    worn = Worn.of(sources[0][0])
    print(f"{len(worn.glasses)} glasses, {len(worn.hair)} with hair before the face", flush=True)
    batches = Batches(sources, things, worn, options.batch, options.steps, options.seed)
    started = time.monotonic()
    loader = DataLoader(batches, batch_size=None, num_workers=options.workers, prefetch_factor=4)
    for step, (crops, sets) in enumerate(loader, 1):
        with torch.autocast("cpu", torch.bfloat16):
            scores = net(crops.contiguous(memory_format=torch.channels_last))
        # Neighbours say the same: every second row and column, others each step, cost a quarter.
        part = (..., slice(step % 2, None, 2), slice(step // 2 % 2, None, 2))
        loss = set_loss(scores[part].float(), sets[part])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        average.update_parameters(net)
        if step % 50 == 0:
            rate = step / (time.monotonic() - started)
            print(f"step {step}, loss {loss.item():.4f}, {rate:.2f} steps/s", flush=True)
        if step % 500 == 0 or step == options.steps:
            torch.save(average.module.state_dict(), options.work / f"{options.name}.pt")
            print_table(measure(average.module, options.shared, options.work))
    trained = average.module
    assert isinstance(trained, SegmentNet)
    return trained


def export(net: SegmentNet, path: Path) -> None:
    """Write the folded network, float16."""
    folded = net.fold()
    weights = {name: value.half().contiguous() for name, value in folded.state_dict().items()}
    save_file(weights, path, {"format": "1"})
    path.chmod(0o644)


def main() -> None:
    """Render, label, train, and write the asset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, default=Path("/tmp/segmenter"))
    parser.add_argument("--asset", type=Path, default=ASSET)
    parser.add_argument("--name", default="net", help="of the weights that are kept in --work")
    parser.add_argument("--rendered", type=int, default=3000)
    parser.add_argument("--press", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--share-photographs", type=float, default=0.3)
    parser.add_argument("--share-press", type=float, default=0.15)
    parser.add_argument("--resume", type=Path, help="weights in --work to begin with")
    options = parser.parse_args()
    folder = options.shared / "segmentation"
    drawn = rendered(options.work, options.rendered, _FULL_SEED, 2)
    turned = kept(options.work / "p.npz", lambda: photographs(folder, "p_*.jpg"))
    press = kept(
        options.work / "press.npz",
        lambda: press_photographs(
            options.shared / "landmarks", options.work / "person.npz", options.press
        ),
    )
    rest = 1 - options.share_photographs - options.share_press
    sources = [
        (drawn, rest, False), (turned, options.share_photographs, True),
        (press, options.share_press, True),
    ]  # fmt: skip
    net = train(options, [source for source in sources if source[1] > 0])
    export(net, options.asset)


if __name__ == "__main__":
    main()
