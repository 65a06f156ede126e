"""Create and update the environment in .venv, with the PyTorch build for the graphics card."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from faceswap.graphics_cards import (
    HOST,
    NEWEST,
    Build,
    System,
    choose_build,
    cpu_build,
    find_cards,
    this_system,
)

OLDEST, TESTED = (3, 11), (3, 13)
AS_CONFIGURED = "pip"  # label of the build that pip's own configuration selects
_DECIDES = re.compile(r"\.(index-url|extra-index-url|find-links|no-index|constraint)=")


class SetupError(Exception):
    """The set-up cannot be finished; its text is for the user."""


@dataclass(frozen=True)
class Stamp:
    """Record of an install in .venv: fingerprint, extras, and label of the PyTorch build.

    processor: installed with --cpu, which is kept until a ``setup`` without it.
    """

    fingerprint: str = ""
    extras: tuple[str, ...] = ()
    processor: bool = False
    build: str = ""


def venv_python(root: Path) -> Path:
    """Path of the interpreter in the .venv of the checkout at ``root``."""
    if os.name == "nt":
        return root / ".venv" / "Scripts" / "python.exe"
    return root / ".venv" / "bin" / "python"


def fingerprint(root: Path) -> str:
    """Hash of pyproject.toml and the checkout's path."""
    parts = (root / "pyproject.toml").read_bytes(), str(root).encode()
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read_stamp(root: Path) -> Stamp:
    """Record of the last finished install; an empty one if there is none."""
    try:
        told = json.loads((root / ".venv" / "faceswap-setup.json").read_text(encoding="utf-8"))
        return Stamp(
            str(told["fingerprint"]),
            tuple(map(str, told["extras"])),
            bool(told.get("processor", False)),
            str(told.get("build", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Stamp()  # missing or damaged: install again


def set_up(root: Path, extras: tuple[str, ...], only_processor: bool | None = None) -> Path:
    """Install the project with ``extras`` in .venv unless it is there; returns the interpreter.

    only_processor: True for the CPU build of PyTorch, False for the graphics card's, None to keep
    it. A working environment is kept whichever Python it has, unless the user names another. The
    stamp is invalid during an install, so an interrupted one is repeated. Raises SetupError.
    """
    python, before = venv_python(root), read_stamp(root)
    version, named = version_of(python), named_version(root)
    whole = before.fingerprint == fingerprint(root) and set(before.extras) >= set(extras)
    if version and named and named != version:
        told = ".".join(map(str, version))
        print(f".venv was made with Python {told}; making it anew with the one that you name.")
        version = None
    if version and whole and only_processor is None:
        return python
    alone = before.processor if only_processor is None else only_processor
    (root / ".venv").mkdir(exist_ok=True)
    if not version:
        (root / ".venv" / "faceswap-setup.json").unlink(missing_ok=True)
        make_venv(root)
        before = Stamp(extras=before.extras)
    system = this_system()
    configured = pip_configuration(python)
    build = wanted_build(system, version or sys.version_info[:2], alone, configured)
    if version and whole and build.label == before.build:
        print(f"PyTorch: {build.label}, as it is here already; {build.why}.")
        return python
    install(root, python, before, extras, alone, build, configured)
    return python


def version_of(python: Path) -> tuple[int, int] | None:
    """Version of an environment's interpreter; None if it does not run, is too old or has no
    pip."""
    code = (
        "import importlib.util as u, sys; u.find_spec('pip') or sys.exit(1); "
        "print('%d.%d' % sys.version_info[:2])"
    )
    try:
        result = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
        major, minor = map(int, result.stdout.strip().split("."))
    except (OSError, ValueError):
        return None
    return (major, minor) if result.returncode == 0 and (major, minor) >= OLDEST else None


def named_version(root: Path) -> tuple[int, int] | None:
    """Version of this Python if the user typed it (python3.13, not python3); otherwise None."""
    if Path(sys.prefix) == root / ".venv":
        return None
    typed = sys.orig_argv[0] if sys.orig_argv else ""
    if os.name != "nt":  # on Windows the version may be in the folder of the launcher's path
        typed = typed.rpartition("/")[2]
    here = (sys.version_info[0], sys.version_info[1])
    found = re.findall(r"(?<!\d)3\.?(\d\d?)(?!\d)", typed)
    return here if any(int(minor) == here[1] for minor in found) else None


def make_venv(root: Path) -> None:
    """Create .venv, replacing what is there. Raises SetupError."""
    folder, version = root / ".venv", ".".join(map(str, sys.version_info[:3]))
    untried = "; the tests ran on Python 3.11 to 3.13" if sys.version_info[:2] > TESTED else ""
    print(f"Using Python {version} ({sys.executable}){untried}.", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if subprocess.call(command) != 0:
        raise SetupError(
            f"Python could not make {folder}. On Debian and Ubuntu install its venv module: "
            "sudo apt install python3-venv; elsewhere see that the folder is writable."
        )


def pip_configuration(python: Path) -> str:
    """Settings in pip's configuration (files, environment) that select package sources."""
    command = [str(python), "-m", "pip", "config", "list", "--disable-pip-version-check"]
    try:
        told = subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return ""
    return ", ".join(sorted(set(_DECIDES.findall(told))))


def wanted_build(system: System, version: tuple[int, ...], alone: bool, configured: str) -> Build:
    """The PyTorch build to install: for the CPU (``alone``), as pip is ``configured``, or for the
    system's graphics card."""
    if alone:
        build = cpu_build(system, "--cpu asks for it")
        pinned = f"{NEWEST}+cpu" if build.folder else ""
        return Build(build.folder, pinned, build.why)
    if configured:
        why = f"pip is configured here ({configured}), which selects the build"
        return Build(AS_CONFIGURED, "", why)
    return choose_build(find_cards(system), system, version)


def pip_arguments(build: Build, configured: str) -> list[str]:
    """Arguments that make pip install ``build``.

    A build with a version is required. The CPU build without one is only smaller than the default,
    so if PyTorch's host is unreachable pip runs without it, instead of retrying for minutes.
    Raises SetupError when a required build cannot be downloaded.
    """
    if build.label in (AS_CONFIGURED, "default"):
        return []
    asked = [f"torch=={build.version}"] if build.version else []
    host = HOST.split("/")[2]
    if reachable(host):
        return [*build.pip(), *asked]
    if asked and not configured:
        raise SetupError(
            f"PyTorch's build {build.label} ({build.why}) lies at {host}, which cannot be reached "
            "from here: connect and start again, or take the one for the processor: python3 "
            "scripts/start.py setup --cpu"
            if build.folder != "cpu"
            else f"PyTorch's build for the processor lies at {host}, which cannot be reached from "
            "here: connect and start again, or go without --cpu."
        )
    print(f"{host} cannot be reached; going on without it.", flush=True)
    return asked


def reachable(host: str) -> bool:
    """Whether a host accepts connections; always True behind a proxy."""
    if "https" in urllib.request.getproxies():
        return True
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return False
    return True


def install(
    root: Path,
    python: Path,
    before: Stamp,
    extras: tuple[str, ...],
    alone: bool,
    build: Build,
    configured: str,
) -> None:
    """Install the project with ``extras`` and those of ``before``. Raises SetupError."""
    print(f"PyTorch: {build.label}, because {build.why}.", flush=True)
    arguments = pip_arguments(build, configured)
    stamp = root / ".venv" / "faceswap-setup.json"
    wanted = sorted(set(before.extras) | set(extras))
    told: dict[str, object] = {
        "fingerprint": "",
        "extras": wanted,
        "processor": alone,
        "build": before.build,
    }
    # An empty fingerprint marks the install as unfinished; extras and build are kept.
    stamp.write_text(json.dumps(told), encoding="utf-8")
    print("Installing into .venv; the first time takes a few minutes.", flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    known = {before.build, build.label} - {AS_CONFIGURED, ""}
    if len(known) == 2:
        # Otherwise pip keeps the other build, whose version satisfies the requirement.
        subprocess.call([*pip, "uninstall", "--yes", "torch"], cwd=root)
    target = str(root) + (f"[{','.join(wanted)}]" if wanted else "")
    if subprocess.call([*pip, "install", *arguments, "--editable", target], cwd=root) != 0:
        raise SetupError(pip_failure(root))
    told |= {"fingerprint": fingerprint(root), "build": build.label}
    stamp.write_text(json.dumps(told), encoding="utf-8")


def pip_failure(root: Path) -> str:
    """Error message for a failed pip, by free disk space and connection."""
    free = shutil.disk_usage(str(root)).free
    if free < 10**9:
        return (
            f"The disk of {root} is nearly full ({free // 10**6} MB left): free some space "
            "(about 3 GB are needed, 7 GB for a graphics card) and start again."
        )
    if not reachable("pypi.org"):
        return (
            "pip failed, and pypi.org cannot be reached from here. The first run needs a "
            "connection (later ones do not): connect and start again."
        )
    return "pip failed; its lines above say why. Fix that and start again: it resumes."
