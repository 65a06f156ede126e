"""Measure what the README claims: speed, memory and quality, one table for each.

    python scripts/benchmark.py NAME [ARGUMENTS] [--json FILE]

Names are the modules of scripts/benchmarks; each has ``run(arguments)``, which returns tables:
a title for each, and under it rows of columns. One that takes long may yield what it has so far,
again and again: the file then always holds it, whatever ends the benchmark. Medians come with the
number of repetitions; compare only what one run measured, machines are noisy.

Tables are printed as Markdown, for the documentation, and by nothing that has to be installed.
"""

import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

Value = str | int | float | None
Tables = dict[str, list[dict[str, Value]]]

FOLDER = Path(__file__).parent / "benchmarks"


def main(arguments: list[str]) -> int:
    """Run the benchmark named first; the exit code."""
    names = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
    if not arguments or arguments[0] not in names:
        print(f"{__doc__}\nNames: {', '.join(names)}")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    name, *rest = arguments
    target = None
    if "--json" in rest:
        place = rest.index("--json")
        if place + 1 == len(rest):
            print("--json needs the name of a file.")
            return 2
        target = Path(rest[place + 1])
        del rest[place : place + 2]
    tables: Tables = {}
    for tables in results(importlib.import_module(f"benchmarks.{name}").run(rest)):
        if target is not None:
            write(target, tables)
    for title, rows in tables.items():
        print(markdown(title, rows))
    return 0


def results(returned: Tables | Iterator[Tables]) -> Iterator[Tables]:
    """What a benchmark returned, all at once or as it went on."""
    if isinstance(returned, dict):
        yield returned
    else:
        yield from returned


def write(target: Path, tables: Tables) -> None:
    """Write the tables as JSON, whole or not at all."""
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(tables, indent=1), encoding="utf-8")
    os.replace(part, target)


def markdown(title: str, rows: list[dict[str, Value]]) -> str:
    """One table; columns are the keys of its rows in the order they first appear."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    body = [[text(row.get(column)) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *body, strict=True)]
    numbers = [not any(isinstance(row.get(column), str) for row in rows) for column in columns]

    def line(cells: list[str]) -> str:
        fitted = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(cells, widths, numbers, strict=True)
        )
        return f"| {' | '.join(fitted)} |"

    rule = [
        "-" * (width - 1) + (":" if number else "-")
        for width, number in zip(widths, numbers, strict=True)
    ]
    return "\n".join([f"\n{title}\n", line(columns), line(rule), *map(line, body)])


def text(value: Value) -> str:
    """A value for people: three or four digits that count."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
