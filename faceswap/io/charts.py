"""Line and scatter charts as pictures, uint8 RGB (H, W, 3), drawn by Matplotlib.

Without pyplot, which keeps every figure in a global list.
"""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from faceswap.types import UInt8Image

Points = Sequence[tuple[float, float]] | NDArray[np.float64]

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

_DPI = 100  # pixels per inch; a figure of (W / 100, H / 100) inches is (H, W) pixels
_FONT = FontProperties(family="DejaVu Sans", size=9)  # comes with Matplotlib
_LEGEND = 190  # pixels at the right for the names of the lines
_STEPS = (1, 2, 5, 10)  # between the ticks of an axis, times a power of ten
_MARKED = 30  # points up to which each is marked
_MOST_NAMES = 24  # in a legend; of more, the first of them
_THUMB, _APART, _MOST_THUMBS = 24, 52, 60  # pixels, pixels between thumbnails, how many

Colour = tuple[float, float, float]


def line_chart(
    title: str,
    lines: Mapping[str, Points],
    x_name: str = "",
    y_name: str = "",
    size: tuple[int, int] = (760, 300),
    *,
    log_x: bool = False,
    bands: Sequence[tuple[float, float]] = (),
) -> UInt8Image:
    """Lines through points (x, y), sorted by x; gaps where y is NaN. (H, W, 3), ``size`` is (W, H).

    A line of one point is a horizontal line. log_x: logarithmic x axis. bands: shaded ranges of x.
    """
    figure, axes = _axes(title, size, right=_LEGEND, below=50 if x_name else 30)
    axes.grid(axis="y", color=_colour(GRID))
    if log_x:
        axes.set_xscale("log")
    for first, last in bands:
        axes.axvspan(first, last, color=_colour(SHADE), linewidth=0)
    xs: set[float] = set()
    for number, points in enumerate(lines.values()):
        line = np.array(sorted(map(tuple, points)), np.float64)
        xs.update(line[:, 0])
        colour = _of_class(number)
        if len(line) == 1:
            axes.axhline(line[0, 1], color=colour, linewidth=1.5)
        else:
            marker = "o" if len(line) <= _MARKED else ""
            axes.plot(*line.T, color=colour, linewidth=1.5, marker=marker, markersize=4)
    _scale_x(axes, sorted(xs), log_x=log_x)
    axes.set_xlabel(_shown(x_name), font=_FONT, color=_colour(FAINT), parse_math=False)
    axes.set_ylabel(_shown(y_name), font=_FONT, color=_colour(FAINT), parse_math=False)
    _legend(axes, [(name, _of_class(number)) for number, name in enumerate(lines)])
    return _drawn(figure)


def scatter_chart(
    title: str,
    points: NDArray[np.float64],
    labels: NDArray[np.int64] | None,
    names: Sequence[str],
    pictures: UInt8Image,
    side: int = 520,
) -> UInt8Image:
    """Scatter plot of points (N, 2), coloured by class, with pictures of some, spread out.

    names: of the classes. pictures: (N, S, S, 3), shown 24 by 24 pixels large. The plot is
    ``side`` pixels wide and high.
    """
    beside = _LEGEND if labels is not None and names else 10
    figure, axes = _axes(title, (side + beside, side + 30), left=1, right=beside, below=1)
    axes.set_xticks([])
    axes.set_yticks([])
    low, high = np.percentile(points, 1, axis=0), np.percentile(points, 99, axis=0)
    places = 20 + (points - low) / np.maximum(high - low, 1e-9) * (side - 40)
    places = np.clip(places, 4, side - 5)
    axes.set(xlim=(0, side), ylim=(side, 0))
    classes = [None] * len(points) if labels is None else labels.tolist()
    colours = [_colour(FAINT) if n is None else _of_class(n) for n in classes]
    axes.scatter(places[:, 0], places[:, 1], s=9, c=colours, linewidths=0)
    for number in _spread_out(places):
        centre = np.clip(places[number], _THUMB / 2 + 2, side - _THUMB / 2 - 3)
        image = OffsetImage(pictures[number], zoom=_THUMB / pictures.shape[1] * 72 / _DPI)
        edge = {"edgecolor": colours[number], "linewidth": 1}
        axes.add_artist(AnnotationBbox(image, centre.tolist(), pad=0, bboxprops=edge))
    if labels is not None:
        fits = len(names) if len(names) <= _MOST_NAMES else _MOST_NAMES - 1
        shown = [(name, _of_class(number)) for number, name in enumerate(names[:fits])]
        if len(names) > fits:
            shown.append((f"{len(names) - fits} more", _colour(FAINT)))
        _legend(axes, shown)
    return _drawn(figure)


def _axes(
    title: str, size: tuple[int, int], left: int = 70, right: int = 10, below: int = 50
) -> tuple[Figure, Axes]:
    """A figure of ``size`` pixels with one plot, which has a margin on each side in pixels."""
    width, height = size
    # A little more: some versions of Matplotlib cut 229.99 pixels off to 229.
    inches = ((width + 0.01) / _DPI, (height + 0.01) / _DPI)
    figure = Figure(inches, dpi=_DPI, facecolor=_colour(PAPER))
    FigureCanvasAgg(figure)
    above = 29 if below == 1 else 40
    place = (
        left / width,
        below / height,
        (width - left - right) / width,
        (height - above - below) / height,
    )
    axes = figure.add_axes(place, facecolor=_colour(PAPER))
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_color(_colour(GRID))
        spine.set_visible(below == 1 or name == "bottom")
    axes.tick_params(color=_colour(GRID), labelcolor=_colour(FAINT), labelsize=9, left=False)
    y = 1 - 11 / height
    font = _FONT.copy()
    font.set_size(11)
    figure.text(0, y, _shown(title), font=font, color=_colour(INK), va="center", parse_math=False)
    return figure, axes


def _scale_x(axes: Axes, xs: Sequence[float], *, log_x: bool) -> None:
    """x axis: ticks at the values themselves where there are few, else at round numbers."""
    few = len(xs) <= 6
    if log_x:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(9, steps=_STEPS))
    if few:
        axes.set_xticks(list(xs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.6g}"))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=_STEPS))
    axes.margins(x=0.01)


def _legend(axes: Axes, names: Sequence[tuple[str, Colour]]) -> None:
    """Names at the right, each in its colour."""
    for row, (name, colour) in enumerate(names):
        axes.annotate(
            _shortened(_shown(name)),
            (1, 1),
            (14, -19 * row),
            xycoords="axes fraction",
            textcoords="offset pixels",
            color=colour,
            font=_FONT,
            va="top",
            parse_math=False,
        )


def _spread_out(places: NDArray[np.float64]) -> list[int]:
    """The first points that are far from each other."""
    shown: list[int] = []
    for number, place in enumerate(places):
        if len(shown) == _MOST_THUMBS:
            break
        if all(np.abs(place - places[i]).max() > _APART for i in shown):
            shown.append(number)
    return shown


def _drawn(figure: Figure) -> UInt8Image:
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(pixels[..., :3])


def _colour(colour: tuple[int, int, int]) -> Colour:
    """Matplotlib's form of a colour, 0 to 1."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def _of_class(number: int) -> Colour:
    """The colour of a class; colours repeat, paler each time."""
    turn, place = divmod(number, len(COLOURS))
    share = max(0.25, 0.6**turn)
    red, green, blue = (
        p + (c - p) * share for p, c in zip(_colour(PAPER), _colour(COLOURS[place]), strict=True)
    )
    return red, green, blue


def _shortened(name: str) -> str:
    """Shorten a name to its place in a legend by its middle, as names often begin alike."""
    font = get_font(findfont(_FONT))
    font.set_size(_FONT.get_size_in_points(), _DPI)

    def fits(text: str) -> bool:
        font.set_text(text)
        width: int = font.get_width_height()[0]
        return width / 64 <= _LEGEND - 24

    kept, shorter = len(name), name
    while kept > 1 and not fits(shorter):
        kept -= 1
        shorter = f"{name[: (kept + 1) // 2]}…{name[len(name) - kept // 2 :]}"
    return shorter


def _shown(text: str) -> str:
    """Text with a box for each character that the typeface lacks, of which Matplotlib warns."""
    known = _characters()
    return "".join(c if ord(c) in known else "□" for c in text)


def monospace_font() -> str:
    """File of a typeface of one width, for tables."""
    return str(findfont(FontProperties(family="DejaVu Sans Mono")))


@cache
def _characters() -> frozenset[int]:
    return frozenset(get_font(findfont(_FONT)).get_charmap())
