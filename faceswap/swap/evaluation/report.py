"""Evaluation report: text table, and an image with curves and the worst frames."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from faceswap.types import Curve, UInt8Image

Rows = Mapping[str, Mapping[str, float]]
Colour = tuple[int, int, int]

_INK, _FAINT, _PAPER, _GRID = (32, 36, 44), (120, 126, 138), (250, 250, 248), (222, 224, 228)
_COLOURS: tuple[Colour, ...] = ((28, 98, 186), (208, 88, 32), (120, 130, 140), (38, 140, 90))
_WIDTH, _MARGIN, _PLOT = 1200, 28, 130

_GOALS = {
    "expression correlation": (">", 0.75, ""),
    "pose error": ("<", 4.0, "°"),
    "detail ratio": (">", 0.5, ""),
    "flicker ratio": ("<", 1.3, ""),
    "seam": ("<", 2.0, " ΔE"),
    "background PSNR": (">", 38.0, " dB"),
    "landmark error": ("", 0.0, " %"),
    "truth expression error": ("", 0.0, " %"),
    "truth pose error": ("", 0.0, "°"),
}


def metrics_table(values: Mapping[str, float], rows: Rows, checks: Mapping[str, bool]) -> str:
    """Format the metrics as tables for a terminal; ``✓`` where a goal is met."""
    stream = io.StringIO()
    console = Console(file=stream, width=88, no_color=True)
    if rows:
        against = Table(title="Inside the face mask, against the ground truth")
        against.add_column("")
        for metric in ("PSNR", "SSIM", "MS-SSIM"):
            against.add_column(metric, justify="right")
        for name, scores in rows.items():
            against.add_row(
                name,
                f"{scores['PSNR']:.2f} dB",
                f"{scores['SSIM']:.3f}",
                f"{scores['MS-SSIM']:.3f}",
            )
        console.print(against)
    measured = Table(title="The swap beside A")
    for column in ("", "value", "goal", ""):
        measured.add_column(column, justify="left" if column == "" else "right")
    for name, (sense, goal, unit) in _GOALS.items():
        if name in values:
            met = values[name] >= goal if sense == ">" else values[name] <= goal
            mark = "" if not sense else "✓" if met else "✗"
            wanted = f"{'≥' if sense == '>' else '≤'} {goal:g}{unit}" if sense else ""
            measured.add_row(name, f"{values[name]:.3g}{unit}", wanted, mark)
    for name, ok in checks.items():
        measured.add_row(name, "yes" if ok else "no", "yes", "✓" if ok else "✗")
    console.print(measured)
    return stream.getvalue().rstrip()


def worst_frames(curve: Curve, count: int, apart: int, *, lowest: bool) -> list[int]:
    """Frames with the lowest (or highest) values, at least ``apart`` frames from each other."""
    order = np.argsort(curve if lowest else -curve)
    found: list[int] = []
    for number in order:
        if np.isfinite(curve[number]) and all(abs(int(number) - f) >= apart for f in found):
            found.append(int(number))
        if len(found) == count:
            break
    return found


def draw_report(
    title: str,
    text: str,
    plots: Sequence[tuple[str, Mapping[str, Curve]]],
    frames: Sequence[tuple[str, Sequence[UInt8Image]]],
) -> UInt8Image:
    """Draw the report: ``text``, one plot per entry of ``plots``, then rows of ``frames``."""
    lines = text.splitlines()
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    plots = [(name, curves) for name, curves in plots if _any_finite(curves)]
    thumb = 250
    rows = [(caption, [_scaled(p, thumb) for p in pictures]) for caption, pictures in frames]
    height = 2 * _MARGIN + 44 + len(lines) * 17 + len(plots) * (_PLOT + 34)
    height += len(rows) * (thumb + 34)
    page = Image.new("RGB", (_WIDTH, height), _PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN), title, _INK, ImageFont.load_default(24))
    y = _MARGIN + 44
    mono = _monospace_font(14)
    for line in lines:
        draw.text((_MARGIN, y), line, _INK, mono)
        y += 17
    for name, curves in plots:
        y += 12
        draw.text((_MARGIN, y), name, _INK, font)
        _plot(draw, y + 22, curves, small)
        y += _PLOT + 22
    for caption, pictures in rows:
        y += 10
        draw.text((_MARGIN, y), caption, _INK, font)
        x = _MARGIN
        for one in pictures:
            page.paste(Image.fromarray(one), (x, y + 22))
            x += one.shape[1] + 10
        y += thumb + 24
    return np.asarray(page, np.uint8)


def _any_finite(curves: Mapping[str, Curve]) -> bool:
    return any(np.isfinite(curve).any() for curve in curves.values())


def _monospace_font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in ("DejaVuSansMono.ttf", "Menlo.ttc", "consola.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _plot(
    draw: ImageDraw.ImageDraw,
    top: int,
    curves: Mapping[str, Curve],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    left, right, bottom = _MARGIN + 52, _WIDTH - _MARGIN - 190, top + _PLOT - 22
    known = np.concatenate([curve[np.isfinite(curve)] for curve in curves.values()])
    low, high = float(known.min()), float(known.max())
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    for share in (0.0, 0.5, 1.0):
        y = bottom - share * (bottom - top)
        draw.line((left, y, right, y), _GRID)
        draw.text((_MARGIN, y - 8), f"{low + share * (high - low):.3g}", _FAINT, font)
    for number, (name, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        x = left + np.arange(len(curve)) / max(len(curve) - 1, 1) * (right - left)
        y_of = bottom - (curve - low) / (high - low) * (bottom - top)
        for run in _runs(np.isfinite(curve)):
            points = [(float(x[i]), float(y_of[i])) for i in run]
            if len(points) > 1:
                draw.line(points, colour, 2)
            else:
                draw.point(points, colour)
        draw.text((right + 14, top + 18 * number), name, colour, font)


def _runs(known: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Runs of consecutive known frames, as indices."""
    where = np.flatnonzero(known)
    if not len(where):
        return []
    return list(np.split(where, np.flatnonzero(np.diff(where) > 1) + 1))


def _scaled(frame: UInt8Image, height: int) -> UInt8Image:
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))
