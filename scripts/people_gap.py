"""How far rendered people are from photographs: a small network learns skin and hair from them.

It is trained on nothing but rendered crops, aligned as faceswap aligns faces, and tried on the
labelled frontal photographs in ../shared/segmentation, which serve for measuring only. With
``--without`` one thing is left out of the rendering or the training, which shows what it is worth.

python scripts/people_gap.py [--pictures 3000] [--steps 1000] [--without camera]
    [--cache FILE.npz] [--sheet OUT.png]
"""

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from faceswap.faces.align import FRAMINGS, crop_matrix, face_similarity
from faceswap.faces.detect import make_detector
from faceswap.faces.finder import find_faces
from faceswap.faces.labels import Label
from faceswap.faces.landmarks import make_landmarker
from faceswap.synthetic.backgrounds import background
from faceswap.synthetic.camera import Camera
from faceswap.synthetic.identity import HAIRDOS
from faceswap.synthetic.people import Photographer
from faceswap.synthetic.random_people import random_person
from faceswap.synthetic.random_pictures import Shot
from faceswap.synthetic.scene import Light

SIDE = 96
CLASSES = ("background", "skin", "hair", "eyes", "mouth")
IGNORED = 255
Bytes = NDArray[np.uint8]

_OURS = np.full(256, IGNORED, np.uint8)
for _label, _class in (
    (Label.BACKGROUND, 0), (Label.CLOTH, 0), (Label.SKIN, 1), (Label.HAIR, 2), (Label.BROWS, 2),
    (Label.EYES, 3), (Label.LIPS, 4), (Label.MOUTH, 4),
):  # fmt: skip
    _OURS[_label] = _class
_THEIRS = np.full(256, IGNORED, np.uint8)
_THEIRS[:6] = (0, 1, 2, 3, 1, 4)


def crop(
    image: Bytes, labels: Bytes, points: NDArray[np.float32], side: int, slack: float = 0.0
) -> tuple[Bytes, Bytes]:
    """Aligned crops (side, side[, 3]) of picture and classes; outside the picture is ignored."""
    matrix = crop_matrix(face_similarity(points), side, FRAMINGS["head"])
    matrix[:, 2] += slack
    size = (side, side)
    part = cv2.warpAffine(
        image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = cv2.warpAffine(labels, matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORED)
    return np.asarray(part, np.uint8), np.asarray(mask, np.uint8)


def _perfect_camera(shot: Shot) -> Shot:
    """No blur, noise, sharpening, compression or colour cast; exposure and view stay."""
    drawn = shot.camera
    clean = Camera(drawn.distance, drawn.view, drawn.centre, noise=0.0, softness=0.0)
    return replace(shot, camera=replace(clean, exposure=drawn.exposure), jpeg=0)


def _same_hair(shot: Shot) -> Shot:
    """Everyone's hair cut short alike, in its own colour."""
    hairs = replace(shot.identity.hairs, style="short", hairdo=HAIRDOS["short"])
    return replace(shot, identity=replace(shot.identity, hairs=hairs))


def _nothing_worn(shot: Shot) -> Shot:
    """No glasses, no headwear, nothing in front."""
    bare = replace(shot.identity.wear, glasses="none", headwear="none")
    return replace(shot, identity=replace(shot.identity, wear=bare), thing="none")


def _same_light(shot: Shot) -> Shot:
    """One lamp for all; the camera exposes for it."""
    camera = replace(shot.camera, exposure=1.0, balance=(1.0, 1.0, 1.0))
    return replace(shot, light=Light(), camera=camera)


def _grey_paper(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same grey behind everyone."""
    return np.full((*size, 3), 0.3, np.float32)


_CHANGES: dict[str, Callable[[Shot], Shot]] = {
    "camera": _perfect_camera, "hair": _same_hair, "worn": _nothing_worn, "light": _same_light,
}  # fmt: skip
WITHOUT = (*_CHANGES, "backgrounds", "people", "augmentation")
"""What can be left out: the camera's faults, hairdos, things worn or in front, kinds of light,
backgrounds; people: one in twenty, in twenty pictures each; augmentation of the crops."""


def rendered_crop(number: int, seed: int, without: str = "") -> tuple[Bytes, Bytes]:
    """A rendered picture's crop, larger than the network's input, for augmentation."""
    who, variation = divmod(number, 20) if without == "people" else (number, 0)
    behind = _grey_paper if without == "backgrounds" else background
    person = random_person(seed, who)
    photographer = Photographer(person, seed, who, variation, 160, _CHANGES.get(without), behind)
    frame = photographer.take(None)
    return crop(frame.picture, _OURS[frame.labels], frame.points.astype(np.float32), 120)


def rendered_crops(count: int, seed: int, workers: int, without: str) -> tuple[Bytes, Bytes]:
    """Crops of ``count`` rendered pictures."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        render = partial(rendered_crop, seed=seed, without=without)
        found = list(pool.map(render, range(count), chunksize=8))
    return np.stack([one for one, _ in found]), np.stack([one for _, one in found])


def photographs(folder: Path, side: int) -> tuple[Bytes, Bytes]:
    """Crops of the labelled frontal photographs in which our detector finds a face."""
    detector, landmarker = make_detector(), make_landmarker()
    crops = []
    for path in sorted(folder.glob("f_*.jpg")):
        image = np.asarray(Image.open(path).convert("RGB"))
        labels = _THEIRS[np.asarray(Image.open(path.with_suffix(".png")))]
        faces = find_faces(image, landmarker, detector, max_faces=1)
        if faces:
            crops.append(crop(image, labels, faces[0].points, side))
        else:
            print(f"No face was found in {path.name}.")
    return np.stack([one for one, _ in crops]), np.stack([one for _, one in crops])


def _block(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True),
        nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True),
    )  # fmt: skip


class SmallNet(nn.Module):
    """A U-net (Ronneberger et al., 2015) of about 0.4 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 48, 64, 96)
        self.down = nn.ModuleList(
            [_block(a, b) for a, b in zip((3, *widths), widths, strict=False)]
        )
        self.up = nn.ModuleList(
            [_block(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)]
        )
        self.last = nn.Conv2d(widths[0], len(CLASSES), 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, 5, H, W) of pictures (N, 3, H, W) in -1 to 1."""
        kept = []
        for number, block in enumerate(self.down):
            x = block(x if number == 0 else functional.max_pool2d(x, 2))
            kept.append(x)
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            wide = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat([wide, skip], 1))
        out: Tensor = self.last(x)
        return out


def batches(
    images: Bytes, masks: Bytes, batch: int, rng: np.random.Generator, augmented: bool = True
) -> Iterator[tuple[Tensor, Tensor]]:
    """Random batches; augmented: with shifts, turns, scales, flips, and changes of brightness and
    colour."""
    cut = slice(12, 12 + SIDE)
    while not augmented:
        chosen = rng.integers(len(images), size=batch)
        plain = images[chosen][:, cut, cut].astype(np.float32) / 127.5 - 1
        labels = masks[chosen][:, cut, cut].astype(np.int64)
        yield torch.from_numpy(plain).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)
    while True:
        chosen = rng.integers(len(images), size=batch)
        pictures = np.empty((batch, SIDE, SIDE, 3), np.float32)
        labels = np.empty((batch, SIDE, SIDE), np.int64)
        for k, n in enumerate(chosen):
            angle, scale = rng.normal(0, 6), SIDE / 120 * np.exp(rng.normal(0, 0.09))
            turn = cv2.getRotationMatrix2D((59.5, 59.5), float(angle), float(scale))
            matrix = np.asarray(turn, np.float64)
            matrix[:, 2] += (SIDE - 1) / 2 - 59.5 + rng.normal(0, 3, 2)
            if rng.random() < 0.5:
                matrix = matrix @ np.array([[-1, 0, 119.0], [0, 1, 0], [0, 0, 1]])
            size = (SIDE, SIDE)
            part = cv2.warpAffine(
                images[n], matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            labels[k] = cv2.warpAffine(
                masks[n], matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORED
            )
            tint = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.06, 3))
            value = (part / 255.0) ** np.exp(rng.normal(0, 0.2)) * tint
            if rng.random() < 0.15:
                value = np.repeat(value.mean(-1, keepdims=True), 3, -1)
            pictures[k] = np.clip(value, 0, 1) * 2 - 1
        yield torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels)


def train(images: Bytes, masks: Bytes, steps: int, seed: int, augmented: bool = True) -> SmallNet:
    """Train a network on the crops for ``steps`` batches of 24."""
    torch.manual_seed(seed)
    net = SmallNet().train()
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-4)
    drawn = batches(images, masks, 24, np.random.default_rng(seed), augmented)
    for step, (pictures, labels) in enumerate(islice(drawn, steps), 1):
        for group in optimiser.param_groups:
            group["lr"] = 3e-3 * min(1.0, step / 50) * 0.5 * (1 + np.cos(np.pi * step / steps))
        loss = functional.cross_entropy(net(pictures), labels, ignore_index=IGNORED)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        if step % 100 == 0:
            print(f"step {step}, loss {loss.item():.3f}", flush=True)
    return net.eval()


def predicted(net: SmallNet, images: Bytes) -> Bytes:
    """Classes (N, H, W) of pictures (N, H, W, 3)."""
    found = []
    with torch.no_grad():
        for start in range(0, len(images), 32):
            part = torch.from_numpy(images[start : start + 32]).float() / 127.5 - 1
            found.append(net(part.permute(0, 3, 1, 2)).argmax(1).numpy())
    return np.concatenate(found).astype(np.uint8)


def intersection_over_union(guess: Bytes, truth: Bytes) -> dict[str, float]:
    """IoU of each class over all pixels that are not ignored."""
    known = truth != IGNORED
    table = {}
    for number, name in enumerate(CLASSES):
        a, b = (guess == number) & known, (truth == number) & known
        table[name] = float((a & b).sum() / max(1, (a | b).sum()))
    return table


def main() -> None:
    """Render or read the crops, train, and print the IoU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--steps", type=int, default=1000, help="of training")
    parser.add_argument("--without", choices=WITHOUT, default="", help="what is left out")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cache", type=Path, help="where the rendered crops are kept")
    parser.add_argument("--sheet", type=Path, help="a sheet of photographs and predictions")
    options = parser.parse_args()
    folder = options.shared / "segmentation"
    if not folder.is_dir():
        raise SystemExit(f"There is no {folder}; give the labelled photographs with --shared.")
    if options.cache and options.cache.exists():
        with np.load(options.cache) as stored:
            images, masks = stored["images"], stored["masks"]
    else:
        images, masks = rendered_crops(
            options.pictures, options.seed, options.workers, options.without
        )
        if options.cache:
            np.savez(options.cache, images=images, masks=masks)
    held = max(50, len(images) // 20)
    augmented = options.without != "augmentation"
    net = train(images[held:], masks[held:], options.steps, options.seed, augmented)
    cut = slice(12, 12 + SIDE)
    inside = (np.ascontiguousarray(images[:held, cut, cut]), masks[:held, cut, cut])
    for name, (pictures, truth) in (
        ("rendered, held out", inside),
        ("photographs", photographs(folder, SIDE)),
    ):
        guess = predicted(net, pictures)
        table = intersection_over_union(guess, truth)
        print(f"{name} ({len(pictures)}): " + ", ".join(f"{k} {v:.3f}" for k, v in table.items()))
    if options.sheet:
        _write_sheet(options.sheet, pictures, truth, guess)


def _write_sheet(path: Path, pictures: Bytes, truth: Bytes, guess: Bytes) -> None:
    colours = np.zeros((256, 3), np.uint8)
    colours[:5] = [(0, 0, 0), (236, 188, 150), (120, 70, 30), (60, 160, 230), (220, 60, 80)]
    cells = [
        np.concatenate([p, colours[t], colours[g]], 1)
        for p, t, g in zip(pictures, truth, guess, strict=True)
    ]
    rows = [np.concatenate(cells[k : k + 5], 1) for k in range(0, len(cells) - 4, 5)]
    Image.fromarray(np.concatenate(rows)).save(path)


if __name__ == "__main__":
    main()
