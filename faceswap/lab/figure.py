"""Figures: sheets of pictures, curves, maps of a plane, stacked on one page.

Blocks are uint8 RGB (H, W, 3); pictures are tensors (N, C, H, W) in [0, 1], C 1 or 3.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceswap.errors import OutputError

Block = NDArray[np.uint8]
Curve = Sequence[tuple[float, float]]

INK, FAINT, PAPER, GRID = (32, 36, 44), (110, 116, 128), (250, 250, 248), (222, 224, 228)
COLOURS = (
    (28, 98, 186),
    (208, 88, 32),
    (38, 140, 90),
    (150, 60, 160),
    (200, 160, 20),
    (20, 160, 180),
    (190, 40, 70),
    (120, 100, 80),
    (90, 90, 200),
    (110, 150, 40),
)
_MARGIN, _GAP, _CAPTION = 20, 4, 230


def rgb(pictures: Tensor) -> Block:
    """Pictures (N, C, H, W) → uint8 (N, H, W, 3)."""
    values = (pictures.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    return np.asarray(values.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy(), np.uint8)


def sheet(rows: Sequence[tuple[str, Tensor]], side: int = 64) -> Block:
    """Rows of pictures, each with its caption to the left, scaled to ``side`` pixels."""
    count = max(len(pictures) for _, pictures in rows)
    width = _CAPTION + count * (side + _GAP)
    block = np.full((len(rows) * (side + _GAP), width, 3), PAPER, np.uint8)
    for number, (_, pictures) in enumerate(rows):
        top = number * (side + _GAP)
        for column, picture in enumerate(rgb(pictures)):
            left = _CAPTION + column * (side + _GAP)
            block[top : top + side, left : left + side] = scaled(picture, side)
    page = Image.fromarray(block)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(14)
    for number, (caption, _) in enumerate(rows):
        lines = _wrapped(caption, 30)
        top = number * (side + _GAP) + max(0, (side - 17 * len(lines)) // 2)
        for line, words in enumerate(lines):
            draw.text((0, top + 17 * line), words, INK, font)
    return np.asarray(page, np.uint8)


def scaled(picture: Block, side: int) -> Block:
    """A picture (H, W, 3) at (side, side, 3); small ones keep hard pixels."""
    how = cv2.INTER_NEAREST if side >= 2 * picture.shape[0] else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)


def grid(pictures: Tensor, columns: int, side: int = 36) -> Block:
    """Pictures row after row without gaps."""
    tiles = [scaled(one, side) for one in rgb(pictures)]
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows, 0)


def curves(
    title: str, lines: Mapping[str, Curve], x_name: str, y_name: str, width: int = 760
) -> Block:
    """Curves of (x, y) points with axes; a line of one point is drawn as a level."""
    height, left, right, top, bottom = 300, 70, width - 200, 34, 250
    page = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(13)
    draw.text((0, 4), title, INK, ImageFont.load_default(15))
    points = [point for line in lines.values() for point in line]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x0, x1, y0, y1 = min(xs), max(xs), min(ys), max(ys)
    x1, y1 = (x1 if x1 > x0 else x0 + 1), (y1 if y1 > y0 else y0 + 1e-6)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (x - x0) / (x1 - x0) * (right - left), bottom - (y - y0) / (y1 - y0) * (
            bottom - top
        )

    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
        draw.line((place(x0, y), place(x1, y)), GRID)
        draw.text((0, place(x0, y)[1] - 8), f"{y:.3g}", FAINT, font)
        draw.text((place(x, y0)[0] - 8, bottom + 6), f"{x:.3g}", FAINT, font)
    draw.text((left, bottom + 26), f"{y_name} over {x_name}", FAINT, font)
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        ordered = sorted(line)
        if len(ordered) == 1:
            ordered = [(x0, ordered[0][1]), (x1, ordered[0][1])]
        draw.line([place(*p) for p in ordered], colour, 2)
        if len(ordered) <= 30:
            for p in ordered:
                x, y = place(*p)
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), colour)
        draw.text((right + 14, top + 19 * number), name[:28], colour, font)
    return np.asarray(page, np.uint8)


def plane(
    title: str,
    points: NDArray[np.float64],
    labels: NDArray[np.int64] | None,
    names: Sequence[str],
    pictures: Tensor,
    side: int = 520,
) -> Block:
    """Points (N, 2) in the colours of their classes, thumbnails of a spread-out few on top."""
    low, high = np.percentile(points, 1, axis=0), np.percentile(points, 99, axis=0)
    places = 20 + (points - low) / np.maximum(high - low, 1e-9) * (side - 40)
    places = np.clip(places, 4, side - 5)
    page = Image.new("RGB", (side + 70, side + 30), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((0, 4), title, INK, ImageFont.load_default(15))
    draw.rectangle((0, 29, side, side + 29), outline=GRID)
    for number, (x, y) in enumerate(places):
        colour = FAINT if labels is None else COLOURS[int(labels[number]) % len(COLOURS)]
        draw.ellipse((x - 2, y + 28, x + 2, y + 32), colour)
    thumbs = rgb(pictures)
    shown: list[int] = []
    for number, place in enumerate(places):
        far = all(np.abs(place - places[i]).max() > 52 for i in shown)
        if far and len(shown) < 60:
            shown.append(number)
            corner = (int(place[0]) - 12, int(place[1]) + 18)
            page.paste(Image.fromarray(scaled(thumbs[number], 24)), corner)
    if labels is not None:
        for number, name in enumerate(names[:20]):
            colour = COLOURS[number % len(COLOURS)]
            draw.text((side + 10, 34 + 20 * number), name[:8], colour, ImageFont.load_default(15))
    return np.asarray(page, np.uint8)


def page(title: str, blocks: Sequence[Block], sentence: str = "") -> Block:
    """One page: a title, the blocks one below the other, and what they mean."""
    width = max(640, *(block.shape[1] for block in blocks)) + 2 * _MARGIN
    lines = _wrapped(sentence, (width - 2 * _MARGIN) // 8) if sentence else []
    height = 70 + sum(block.shape[0] + 16 for block in blocks) + 20 * len(lines) + _MARGIN
    out = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(out)
    draw.text((_MARGIN, _MARGIN), title, INK, ImageFont.load_default(22))
    y = 66
    for block in blocks:
        out.paste(Image.fromarray(block), (_MARGIN, y))
        y += block.shape[0] + 16
    for line in lines:
        draw.text((_MARGIN, y), line, INK, ImageFont.load_default(15))
        y += 20
    return np.asarray(out, np.uint8)


def beside(*blocks: Block) -> Block:
    """Blocks side by side, their tops level."""
    height = max(block.shape[0] for block in blocks)
    parts = []
    for block in blocks:
        part = np.full((height, block.shape[1] + 16, 3), PAPER, np.uint8)
        part[: block.shape[0], : block.shape[1]] = block
        parts.append(part)
    return np.concatenate(parts, 1)


def write_png(path: Path, block: Block) -> None:
    """Write a picture; it appears whole or not at all. Raises OutputError when it cannot be."""
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(block).save(part, format="PNG")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines
