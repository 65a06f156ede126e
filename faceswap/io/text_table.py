"""Tables for a terminal."""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

_WIDTH = 100


def text_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under the headings ``columns``, ``_WIDTH`` characters wide at most; cells are wrapped.

    The last column takes the room that is left.
    """
    table = Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", ratio=int(number == len(columns) - 1) or None)
    for row in rows:
        table.add_row(*row)
    stream = io.StringIO()
    console = Console(file=stream, width=_WIDTH, no_color=True, markup=False, highlight=False)
    console.print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def duration(seconds: float) -> str:
    """Format seconds as ``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
