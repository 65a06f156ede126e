"""Figures: sheets of pictures, line plots and scatter plots, stacked on one page.

Blocks are uint8 RGB (H, W, 3); pictures are tensors (N, C, H, W) in [0, 1], C 1 or 3.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceswap.errors import OutputError
from faceswap.io.provenance import FIGURE, save_picture
from faceswap.types import UInt8Image

Curve = Sequence[tuple[float, float]]

INK, FAINT, PAPER, GRID = (32, 36, 44), (110, 116, 128), (250, 250, 248), (222, 224, 228)
SHADE = (250, 226, 200)
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


def curves(
    title: str,
    lines: Mapping[str, Curve],
    x_name: str,
    y_name: str,
    width: int = 760,
    *,
    log_x: bool = False,
    bands: Sequence[tuple[float, float]] = (),
) -> UInt8Image:
    """Line plot of (x, y) points; a line of one point is drawn as a horizontal line.

    log_x: logarithmic x axis. bands: shaded ranges of x.
    """
    height, left, right, top, bottom = 300, 70, width - 190, 44, 250
    points = [point for line in lines.values() for point in line]
    xs, ys = sorted({p[0] for p in points}), [p[1] for p in points]
    x_ticks, y_ticks = _x_ticks(xs, log_x), ticks(min(ys), max(ys))
    x0, x1 = min(xs[0], x_ticks[0]), max(xs[-1], x_ticks[-1])
    y0, y1 = min(*ys, y_ticks[0]), max(*ys, y_ticks[-1])
    y1 = y1 if y1 > y0 else y0 + 1e-6

    def along(x: float) -> float:
        if log_x:
            return float(np.log(x / x0) / max(1e-9, np.log(x1 / x0)))
        return (x - x0) / max(1e-9, x1 - x0)

    def place(x: float, y: float) -> tuple[float, float]:
        # Drawn at twice the size, for smooth lines.
        return (
            2 * (left + along(x) * (right - left)),
            2 * (bottom - (y - y0) / (y1 - y0) * (bottom - top)),
        )

    page = Image.new("RGB", (2 * width, 2 * height), PAPER)
    draw = ImageDraw.Draw(page)
    font = _font(26)
    draw.text((0, 4), title, INK, _font(30))
    for first, last in bands:
        draw.rectangle((place(first, y1), place(last, y0)), SHADE)
    for y in y_ticks:
        draw.line((place(x0, y), place(x1, y)), GRID, 2)
        draw.text((2 * left - 16, place(x0, y)[1]), f"{y:.4g}", FAINT, font, anchor="rm")
    for x in x_ticks:
        at = place(x, y0)
        draw.line((at, (at[0], at[1] + 8)), FAINT, 2)
        draw.text((at[0], at[1] + 14), f"{x:,.6g}", FAINT, font, anchor="ma")
    draw.text((left + right, 2 * bottom + 54), x_name, FAINT, font, anchor="ma")
    draw.text((2 * right, 2 * top - 20), y_name, FAINT, font, anchor="rs")
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        ordered = sorted(line)
        level = len(ordered) == 1
        if level:
            ordered = [(x0, ordered[0][1]), (x1, ordered[0][1])]
        draw.line([place(*p) for p in ordered], colour, 3, "curve")
        if len(ordered) <= 30 and not level:
            for p in ordered:
                x, y = place(*p)
                draw.ellipse((x - 6, y - 6, x + 6, y + 6), colour)
        words = _shortened(name, font, 2 * (width - right) - 28)
        draw.text((2 * right + 28, 2 * top + 40 * number), words, colour, font)
    return np.asarray(page.resize((width, height), Image.Resampling.BOX), np.uint8)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Axis ticks, 1, 2 or 5 times a power of ten apart, that enclose ``low`` to ``high``."""
    span = max(high - low, 1e-9, abs(high) * 1e-9)
    power = 10.0 ** np.floor(np.log10(span / (most - 1)))
    for factor in (1, 2, 5, 10, 20):
        step = factor * power
        first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
        if last - first <= most:
            break
    return [float(n * step) for n in np.arange(first, max(last, first + 1) + 1)]


def _x_ticks(xs: Sequence[float], log_x: bool) -> list[float]:
    """x ticks: the values themselves where there are few, else round numbers in their range."""
    if len(xs) <= 6:
        return list(xs)
    if not log_x:
        return [x for x in ticks(xs[0], xs[-1], 9) if xs[0] <= x <= xs[-1]]
    powers = np.arange(np.floor(np.log10(xs[0])), np.ceil(np.log10(xs[-1])) + 1)
    found = [float(f * 10.0**p) for p in powers for f in (1, 2, 5)]
    return [x for x in found if xs[0] <= x <= xs[-1]]


def plane(
    title: str,
    points: NDArray[np.float64],
    labels: NDArray[np.int64] | None,
    names: Sequence[str],
    pictures: Tensor,
    side: int = 520,
) -> UInt8Image:
    """Scatter plot of points (N, 2), coloured by class, with thumbnails of some, spread out."""
    low, high = np.percentile(points, 1, axis=0), np.percentile(points, 99, axis=0)
    places = 20 + (points - low) / np.maximum(high - low, 1e-9) * (side - 40)
    places = np.clip(places, 4, side - 5)
    font = _font(15)
    known = _legend(names) if labels is not None else []
    beside = max((_NAME, *(int(font.getlength(name)) + 1 for name, _ in known)))
    page = Image.new("RGB", (side + 10 + beside, side + 30), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((0, 4), title, INK, _font(15))
    draw.rectangle((0, 29, side, side + 29), outline=GRID)
    for number, (x, y) in enumerate(places):
        draw.ellipse((x - 2, y + 28, x + 2, y + 32), _colour(labels, number))
    thumbs = rgb(pictures)
    shown: list[int] = []
    for number, place in enumerate(places):
        far = all(np.abs(place - places[i]).max() > 52 for i in shown)
        if far and len(shown) < 60:
            shown.append(number)
            left, top = np.clip(place - 12, 2, side - 27).astype(int).tolist()
            corner = (left, top + 30)
            page.paste(Image.fromarray(scaled(thumbs[number], 24)), corner)
            around = (corner[0] - 1, corner[1] - 1, corner[0] + 24, corner[1] + 24)
            draw.rectangle(around, outline=_colour(labels, number))
    for number, (name, colour) in enumerate(known):
        draw.text((side + 10, 34 + 20 * number), name, colour, font)
    return np.asarray(page, np.uint8)


_NAME, _LONGEST, _MOST = 60, 230, 24  # least and greatest width of class names, how many


def _legend(names: Sequence[str]) -> list[tuple[str, tuple[int, int, int]]]:
    """Class names and their colours; only the first of very many."""
    font, fits = _font(15), len(names) if len(names) <= _MOST else _MOST - 1
    known = [
        (_shortened(name, font, _LONGEST), _of_class(n)) for n, name in enumerate(names[:fits])
    ]
    more = len(names) - fits
    return [*known, (f"{more} more", FAINT)] if more else known


def _of_class(number: int) -> tuple[int, int, int]:
    """The colour of a class; colours repeat, paler each time."""
    turn, place = divmod(number, len(COLOURS))
    share = max(0.25, 0.6**turn)
    red, green, blue = (
        round(p + (c - p) * share) for p, c in zip(PAPER, COLOURS[place], strict=True)
    )
    return red, green, blue


def _colour(labels: NDArray[np.int64] | None, number: int) -> tuple[int, int, int]:
    return FAINT if labels is None else _of_class(int(labels[number]))


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
