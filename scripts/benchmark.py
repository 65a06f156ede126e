"""Run a benchmark of speed, memory or quality and print its tables.

    python scripts/benchmark.py NAME [ARGUMENTS] [--json FILE]

Names are the modules of scripts/benchmarks. Each has ``run(arguments)``, which returns tables as
{title: rows}, or yields the tables so far; the JSON file is rewritten each time, so it survives an
interrupted benchmark. Medians come with the number of repetitions. Machines are noisy: compare
only figures of the same run.

Tables are printed as Markdown, for the documentation. This module needs no packages.
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
SETUP = (
    "Install it with 'python3 scripts/start.py test --version', and run benchmarks with the Python "
    "of .venv."
)


def main(arguments: list[str]) -> int:
    """Run the benchmark that the first argument names; returns the exit code."""
    names = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
    if not arguments or arguments[0] not in names:
        print(f"{__doc__}\nNames: {', '.join(names)}")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    name, *rest = arguments
    target = None
    if "--json" in rest:
        place = rest.index("--json")
        if place + 1 == len(rest):
            print("Give the name of a file after --json.")
            return 2
        target = Path(rest[place + 1])
        del rest[place : place + 2]
    try:
        benchmark = importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        print(f"This benchmark needs the package {error.name}. {SETUP}")
        return 1
    tables: Tables = {}
    for tables in results(benchmark.run(rest)):
        if target is not None:
            write(target, tables)
    for title, rows in tables.items():
        print(markdown(title, rows))
    return 0


def results(returned: Tables | Iterator[Tables]) -> Iterator[Tables]:
    """Iterate over a benchmark's tables, returned once or yielded several times."""
    if isinstance(returned, dict):
        yield returned
    else:
        yield from returned


def write(target: Path, tables: Tables) -> None:
    """Write the tables as JSON, atomically."""
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(tables, indent=1), encoding="utf-8")
    os.replace(part, target)


def markdown(title: str, rows: list[dict[str, Value]]) -> str:
    """Format a table as Markdown; columns are the rows' keys in the order they first appear."""
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
    """Format a value with up to four significant digits."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
