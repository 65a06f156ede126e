"""Evaluation report: text table, and an image with curves and the worst frames."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from faceswap.types import Curve, UInt8Image

Rows = Mapping[str, Mapping[str, float]]

_WIDTH, _MARGIN, _PLOT, _THUMB = 1200, 28, 190, 250  # pixels

_GOALS: dict[str, tuple[float | None, float | None, str]] = {
    "expression correlation": (0.75, None, ""),
    "pose error": (None, 4.0, "°"),
    "detail ratio": (0.5, None, ""),
    "eye sharpness": (0.5, None, ""),
    "flicker ratio": (None, 1.3, ""),
    "dark patches": (None, 0.03, ""),
    "odd colors": (None, 0.03, ""),
    "tone": (None, 4.0, " ΔE"),
    "contrast": (0.85, 1.15, ""),
    "edge": (None, 0.15, " L*/px"),
    "seam": (None, 2.0, " ΔE"),
    "kept in front": (0.95, None, ""),
    "background PSNR": (38.0, None, " dB"),
    "landmark error": (None, None, " %"),
    "truth expression error": (None, None, " %"),
    "truth pose error": (None, None, "°"),
}
"""The least and the most that is good, and the unit."""


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
    for name, (least, most, unit) in _GOALS.items():
        if name in values:
            wanted, met = _goal(values[name], least, most, unit)
            measured.add_row(name, f"{values[name]:.3g}{unit}", wanted, met)
    for name, ok in checks.items():
        measured.add_row(name, "yes" if ok else "no", "yes", "✓" if ok else "✗")
    console.print(measured)
    return stream.getvalue().rstrip()


def _goal(value: float, least: float | None, most: float | None, unit: str) -> tuple[str, str]:
    """What is wanted, and whether ``value`` is that, both as text."""
    if least is None and most is None:
        return "", ""
    if least is None:
        wanted = f"≤ {most:g}{unit}"
    else:
        wanted = f"≥ {least:g}{unit}" if most is None else f"{least:g} to {most:g}{unit}"
    met = (least is None or value >= least) and (most is None or value <= most)
    return wanted, "✓" if met else "✗"


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
    # Imported here: the tables of a terminal need no charts.
    from faceswap.io.charts import INK, PAPER, line_chart, monospace_font

    blocks = [
        line_chart(
            name,
            {n: np.stack([np.arange(len(c)), c], 1) for n, c in curves.items()},
            size=(_WIDTH - 2 * _MARGIN, _PLOT),
        )
        for name, curves in plots
        if any(np.isfinite(curve).any() for curve in curves.values())
    ]
    lines = text.splitlines()
    rows = [(caption, [_scaled(p, _THUMB) for p in pictures]) for caption, pictures in frames]
    height = 2 * _MARGIN + 44 + len(lines) * 17 + len(blocks) * (_PLOT + 12)
    height += len(rows) * (_THUMB + 34)
    page = Image.new("RGB", (_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((_MARGIN, _MARGIN), title, INK, ImageFont.load_default(24))
    y = _MARGIN + 44
    mono = ImageFont.truetype(monospace_font(), 14)
    for line in lines:
        draw.text((_MARGIN, y), line, INK, mono)
        y += 17
    for block in blocks:
        page.paste(Image.fromarray(block), (_MARGIN, y + 12))
        y += _PLOT + 12
    for caption, pictures in rows:
        y += 10
        draw.text((_MARGIN, y), caption, INK, ImageFont.load_default(15))
        x = _MARGIN
        for one in pictures:
            page.paste(Image.fromarray(one), (x, y + 22))
            x += one.shape[1] + 10
        y += _THUMB + 24
    return np.asarray(page, np.uint8)


def _scaled(frame: UInt8Image, height: int) -> UInt8Image:
    width = max(1, round(frame.shape[1] * height / frame.shape[0]))
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS))
