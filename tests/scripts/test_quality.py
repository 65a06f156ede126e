"""The rules that a machine can check: style, types, layers, and what an import brings along."""

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import faceswap
from faceswap import errors
from faceswap.commands import JOBS

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "cv2", "av", "kornia", "sklearn", "skimage", "PySide6"}


def check(*command: str) -> None:
    """Run a tool of this environment in the root; its output is the failure's text."""
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.fail(f"{' '.join(command)}\n{result.stdout}{result.stderr}", pytrace=False)


def test_ruff_finds_nothing() -> None:
    check("ruff", "check", ".")


def test_the_code_is_formatted() -> None:
    check("ruff", "format", "--check", ".")


@pytest.mark.slow
def test_types_are_right() -> None:
    """As pyproject.toml says: strict, over the tests and scripts too."""
    check("mypy")


def test_no_part_imports_what_lies_above_it() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.fail(result.stdout + result.stderr, pytrace=False)


def modules_after(imports: str) -> set[str]:
    """The top names of every module that a fresh interpreter has after ``imports``."""
    code = f"{imports}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}


def test_jobs_and_the_command_line_import_nothing_heavy() -> None:
    """Jobs bring it in when they run, so that ``--help`` and the window open at once."""
    jobs = sorted({job.__module__ for job in JOBS.values()})
    assert "faceswap.jobs.doctor" in jobs
    parts = [
        *jobs,
        "faceswap.commands",
        "faceswap.cli",
        "faceswap.__main__",
        "faceswap.project.project",
    ]
    assert modules_after("\n".join(f"import {part}" for part in parts)) & HEAVY == set()


def test_every_public_error_is_a_faceswap_error() -> None:
    found = []
    for item in pkgutil.walk_packages(faceswap.__path__, "faceswap."):
        if not item.name.endswith("__main__"):
            module = importlib.import_module(item.name)
            found += [
                value
                for name, value in vars(module).items()
                if inspect.isclass(value)
                and issubclass(value, Exception)
                and value.__module__ == item.name
                and not name.startswith("_")
            ]
    assert errors.InputError in found
    assert [error for error in found if not issubclass(error, errors.FaceswapError)] == []


def test_the_tree_of_errors_is_drawn_completely() -> None:
    drawn = errors.__doc__ or ""
    for name, value in vars(errors).items():
        if inspect.isclass(value):
            assert name in drawn


def test_nothing_is_pickled_and_no_shell_is_asked() -> None:
    """What ruff's rules cannot see: torch.load without weights_only, and pickle in disguise."""
    for path in sorted((ROOT / "faceswap").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for word in ("import pickle", "allow_pickle=True", "weights_only=False", "shell=True"):
            assert word not in text, f"{path}: {word}"
        assert "torch.load(" not in text or "weights_only=True" in text, path


def test_files_and_names_stay_readable() -> None:
    """Few lines to a file, a table of people aside, and no file named after nothing."""
    empty = ("utils", "helper", "helpers", "manager", "base", "common")
    for folder in ("faceswap", "gui", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines = path.read_text(encoding="utf-8").count("\n")
            assert lines <= 400 or path.stem == "characters", f"{path}: {lines} lines"
            assert path.stem not in empty, path
