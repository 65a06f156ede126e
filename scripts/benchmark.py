"""Measure what the README claims: speed, memory and quality, one table for each.

    python scripts/benchmark.py NAME [ARGUMENTS] [--json FILE]

Names are the modules of scripts/benchmarks; each has ``run(arguments)``, which returns tables:
a title for each, and under it rows of columns. Medians come with the number of repetitions;
compare only what one run measured, machines are noisy.
"""

import importlib
import json
import sys
from pathlib import Path

Value = str | int | float | None
Tables = dict[str, list[dict[str, Value]]]

FOLDER = Path(__file__).parent / "benchmarks"
SETUP = (
    "Install what tests and benchmarks need by 'python3 scripts/start.py test --version', and run "
    "benchmarks with the Python of .venv."
)


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
    try:
        benchmark = importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        print(f"This benchmark needs the package {error.name}. {SETUP}")
        return 1
    tables: Tables = benchmark.run(rest)
    for title, rows in tables.items():
        show(title, rows)
    if target is not None:
        target.write_text(json.dumps(tables, indent=1), encoding="utf-8")
    return 0


def show(title: str, rows: list[dict[str, Value]]) -> None:
    """Print one table; columns are the keys of its rows in the order they first appear."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    for column in columns:
        numbers = all(not isinstance(row.get(column), str) for row in rows)
        table.add_column(column, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(text(row.get(column)) for column in columns))
    # A file or a pipe has no width; a table must not lose its figures there.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def text(value: Value) -> str:
    """A value for people: three or four digits that count."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
