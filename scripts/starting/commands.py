"""The commands of ``start.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from starting.environment import SetupError, set_up

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {
    "demo": (),
    "run": (),
    "window": ("gui",),
    "test": ("dev", "gui"),
    "setup": ("gui",),
}
"""Extras of the package that each command needs installed."""


def main(arguments: list[str], usage: str) -> int:
    """Run the command in ``arguments``; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage)
        return 0 if arguments else 2
    command, rest = arguments[0], arguments[1:]
    if command not in EXTRAS:
        print(f"There is no command {command}; the commands are: {', '.join(EXTRAS)}.")
        return 2
    if command == "setup" and rest not in ([], ["--cpu"]):
        print(f"setup takes --cpu and nothing else, not: {' '.join(rest)}.")
        return 2
    try:
        # Only `setup` looks for the graphics card again; other commands keep what is installed.
        processor = "--cpu" in rest if command == "setup" else None
        python = set_up(ROOT, EXTRAS[command], processor)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the next run resumes the set-up.", file=sys.stderr)
        return 130
    if command == "setup":
        print("Everything is installed. Next: python3 scripts/start.py demo")
        return 0
    return run(command_line(command, rest, python))


def command_line(command: str, rest: list[str], python: Path) -> list[str]:
    """Command line of ``command``."""
    start = [str(python), "-m"]
    if command == "test":
        given = any(part == "-n" or part.startswith("--numprocesses") for part in rest)
        workers = [] if given else ["-n", "auto"]
        return [*start, "pytest", *workers, *rest]
    if command == "window":
        return [*start, "gui", *rest]
    return [*start, "faceswap", *(["demo"] if command == "demo" else []), *rest]


def run(line: list[str]) -> int:
    """Execute ``line``, on Linux and macOS replacing this process; returns the exit code."""
    if line[2] == "pytest":
        os.chdir(ROOT)
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(line[0], line)
    process = subprocess.Popen(line)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the command received Ctrl-C too and handles it
