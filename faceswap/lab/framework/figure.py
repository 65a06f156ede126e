"""Figures: sheets of pictures, which are no charts and drawn by Pillow, and pages of blocks.

Blocks are uint8 RGB (H, W, 3); pictures are tensors (N, C, H, W) in [0, 1], C 1 or 3.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceswap.errors import OutputError
from faceswap.io.charts import FAINT, INK, PAPER
from faceswap.io.provenance import FIGURE, save_picture
from faceswap.types import UInt8Image

_MARGIN, _GAP, _CAPTION = 20, 4, 230
_SMALL = 32  # pixels: side up to which a picture is shown at 64 pixels, as digits are


def rgb(pictures: Tensor) -> UInt8Image:
    """Pictures (N, C, H, W) → uint8 (N, H, W, 3)."""
    values = (pictures.detach().float().cpu().clamp(0, 1) * 255).round().byte()
    return np.asarray(values.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy(), np.uint8)


def sheet(
    rows: Sequence[tuple[str, Tensor]], side: int | None = None, heads: Sequence[str] = ()
) -> UInt8Image:
    """Sheet of rows of pictures with captions on the left, scaled to ``side`` pixels.

    side: by default 64 for small pictures and 96 for others. heads: column headings.
    """
    if side is None:
        side = 64 if rows[0][1].shape[2] <= _SMALL else 96
    count = max(len(pictures) for _, pictures in rows)
    above = 22 if heads else 0
    shape = (above + len(rows) * (side + _GAP), _CAPTION + count * (side + _GAP), 3)
    block = np.full(shape, PAPER, np.uint8)
    for number, (_, pictures) in enumerate(rows):
        top = above + number * (side + _GAP)
        for column, picture in enumerate(rgb(pictures)):
            left = _CAPTION + column * (side + _GAP)
            block[top : top + side, left : left + side] = scaled(picture, side)
    page = Image.fromarray(block)
    draw = ImageDraw.Draw(page)
    for column, head in enumerate(heads):
        centre = _CAPTION + column * (side + _GAP) + side / 2
        draw.text((centre, above / 2), head, FAINT, _font(13), anchor="mm")
    font = _font(14)
    for number, (caption, _) in enumerate(rows):
        lines = _wrapped(caption, font, _CAPTION - 12, max(1, side // 17))
        top = above + number * (side + _GAP) + max(0, (side - 17 * len(lines)) // 2)
        for line, words in enumerate(lines):
            draw.text((0, top + 17 * line), words, INK, font)
    return np.asarray(page, np.uint8)


def scaled(picture: UInt8Image, side: int) -> UInt8Image:
    """Scale a picture (H, W, 3) to (side, side, 3); small ones by nearest neighbour first."""
    for axis in (0, 1):
        if side >= 2 * picture.shape[axis]:
            picture = picture.repeat(-(-side // picture.shape[axis]), axis)
    how = cv2.INTER_CUBIC if side > min(picture.shape[:2]) else cv2.INTER_AREA
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)


def grid(pictures: Tensor, columns: int, side: int = 36, title: str = "") -> UInt8Image:
    """Pictures in rows without gaps, below a title."""
    tiles = [scaled(one, side) for one in rgb(pictures)]
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    if not title:
        return np.concatenate(rows, 0)
    head = Image.new("RGB", (rows[0].shape[1], 28), PAPER)
    words = _shortened(title, _font(15), head.width)
    ImageDraw.Draw(head).text((0, 4), words, INK, _font(15))
    return np.concatenate([np.asarray(head, np.uint8), *rows], 0)


def page(title: str, blocks: Sequence[UInt8Image], sentence: str = "") -> UInt8Image:
    """One page: a title, the blocks stacked, and a summary sentence."""
    width = max(640, *(block.shape[1] for block in blocks)) + 2 * _MARGIN
    font = _font(15)
    lines = _wrapped(sentence, font, width - 2 * _MARGIN) if sentence else []
    height = 70 + sum(block.shape[0] + 16 for block in blocks) + 20 * len(lines) + _MARGIN
    out = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(out)
    draw.text((_MARGIN, _MARGIN), title, INK, _font(22))
    y = 66
    for block in blocks:
        out.paste(Image.fromarray(block), (_MARGIN, y))
        y += block.shape[0] + 16
    for line in lines:
        draw.text((_MARGIN, y), line, INK, font)
        y += 20
    return np.asarray(out, np.uint8)


def side_by_side(*blocks: UInt8Image) -> UInt8Image:
    """Blocks side by side, aligned at the top."""
    height = max(block.shape[0] for block in blocks)
    parts = []
    for block in blocks:
        part = np.full((height, block.shape[1] + 16, 3), PAPER, np.uint8)
        part[: block.shape[0], : block.shape[1]] = block
        parts.append(part)
    return np.concatenate(parts, 1)


def write_png(path: Path, block: UInt8Image) -> None:
    """Write a picture atomically. Raises OutputError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(block, path, FIGURE, "PNG")
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _font(size: int) -> ImageFont.FreeTypeFont:
    """The typeface that comes with Pillow."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _wrapped(
    text: str, font: ImageFont.FreeTypeFont, width: int, most: int | None = None
) -> list[str]:
    """Wrap text to lines of ``width`` pixels, ``most`` of them; longer words are broken."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
        while font.getlength(lines[-1]) > width and len(lines[-1]) > 1:
            fits = len(lines[-1]) - 1
            while fits > 1 and font.getlength(lines[-1][:fits]) > width:
                fits -= 1
            lines[-1:] = [lines[-1][:fits], lines[-1][fits:]]
    if most is not None and len(lines) > most:
        lines[most - 1 :] = [_shortened(" ".join(lines[most - 1 :]), font, width)]
    return lines


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten text to ``width`` pixels by its middle, as names often begin alike."""
    if font.getlength(text) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
        if font.getlength(shorter) <= width:
            return shorter
    return "…"
