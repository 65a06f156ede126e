"""The rules that a machine can check: style, types, layers, and what an import brings along."""

import importlib
import inspect
import json
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

import faceswap
from faceswap import errors
from faceswap.commands import JOBS

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "cv2", "av", "kornia", "matplotlib", "sklearn", "skimage", "PySide6"}


CHECKS = ("ruff check .", "ruff format --check .", "mypy", "lint-imports")


@pytest.mark.slow
@pytest.mark.parametrize("command", CHECKS)
def test_a_check_finds_nothing(command: str) -> None:
    """What each looks at is in pyproject.toml: mypy, say, at the tests and scripts too."""
    tool, *arguments = command.split()
    program = shutil.which(tool, path=sysconfig.get_path("scripts"))
    assert program, f"{tool} is not installed beside this Python"
    result = subprocess.run(
        [program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        pytest.fail(f"{command}\n{result.stdout}{result.stderr}", pytrace=False)


def test_a_commit_is_checked_by_the_same_commands() -> None:
    """By the tools that are installed, too: a hook with its own would drift from them."""
    path = ROOT / ".pre-commit-config.yaml"
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config", str(path)], check=True, cwd=ROOT
    )
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    hooks = [hook for part in told["repos"] for hook in part["hooks"]]
    assert [part["repo"] for part in told["repos"]] == ["local"]
    assert tuple(hook["entry"] for hook in hooks) == CHECKS
    assert {hook["language"] for hook in hooks} == {"system"}
    assert not any(hook["pass_filenames"] for hook in hooks)


def test_contributors_are_told_of_the_same_commands() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for command in CHECKS:
        assert f"\n{command} " in text, command


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
