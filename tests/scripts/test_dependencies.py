"""What is imported is declared, what is declared is used, and the oldest versions are known."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from faceswap.graphics_cards import NEWEST

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
MODULES = importlib.metadata.packages_distributions()
OURS = {"faceswap", "gui", *(path.stem for path in (ROOT / "scripts").rglob("*"))}
OURS |= {path.stem for path in (ROOT / "tests").rglob("*.py")}
FOLDERS = {
    "faceswap": ("farm",),
    "gui": ("gui",),
    "scripts": ("gui", "dev"),
    "tests": ("gui", "dev"),
}
"""Each folder of code with the extras that it may count on."""


APART = {"mediapipe"}
"""What a script imports in an environment of its own, as its first lines say."""


def declared(*extras: str) -> list[Requirement]:
    """The requirements of the package itself and of ``extras``."""
    parts = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][name] for name in extras)]
    return [Requirement(entry) for part in parts for entry in part]


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def imported(folder: Path) -> dict[str, Path]:
    """The top names of all foreign modules imported anywhere in ``folder``, each with a file."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            for module in modules:
                top = module.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in OURS:
                    found.setdefault(top, path)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_import_is_declared(folder: str) -> None:
    known = names(declared(*FOLDERS[folder]))
    if "pyside6-essentials" in known:
        known.add("shiboken6")  # the half of PySide6 that comes with it in the same version
    found = {name: path for name, path in imported(ROOT / folder).items() if name not in APART}
    assert found
    for module, path in found.items():
        distributions = {canonicalize_name(name) for name in MODULES.get(module, [module])}
        assert distributions & known, f"{path} imports {module}, which pyproject.toml lacks"


def test_everything_declared_for_the_package_is_used() -> None:
    """A name in the code is enough: some are imported by name, or by another package."""
    for extra, folders in (((), ["faceswap"]), (("gui",), ["faceswap", "gui"])):
        text = "\n".join(
            path.read_text(encoding="utf-8")
            for folder in folders
            for path in (ROOT / folder).rglob("*.py")
        )
        for name in names(declared(*extra)):
            modules = [
                module
                for module, owners in MODULES.items()
                if name in {str(canonicalize_name(owner)) for owner in owners}
            ]
            used = [m for m in modules if re.search(rf"\b{re.escape(m)}\b", text)]
            assert used, f"nothing uses {name}"


def test_the_oldest_versions_are_those_of_the_project() -> None:
    """scripts/lowest.txt pins every floor, so that what is promised can be tried."""
    lines = (ROOT / "scripts" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    floors = {}
    for requirement in declared("gui", "dev"):
        lower = [part.version for part in requirement.specifier if part.operator == ">="]
        assert len(lower) == 1, f"{requirement} has no floor"
        floors[requirement.name] = lower[0]
    del floors["torch"]  # its builds differ from machine to machine
    assert pinned == floors


def test_every_ceiling_is_what_is_tried() -> None:
    """The tests run with the newest version that is allowed, which start.py asks for too."""
    ceilings = {
        requirement.name: part.version
        for requirement in declared("gui", "dev")
        for part in requirement.specifier
        if part.operator in ("<", "<=", "~=", "==")
    }
    assert ceilings == {"torch": NEWEST}
    assert Version(importlib.metadata.version("torch")).base_version == NEWEST
