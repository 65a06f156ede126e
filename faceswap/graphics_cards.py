"""Detect graphics cards and choose the PyTorch build for them.

Standard library only: ``scripts/start.py`` uses it before anything is installed, ``faceswap
doctor`` afterwards. All queries of the system go through ``System``, which tests replace.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

HOST = "https://download.pytorch.org/whl"
NEWEST = "2.13.0"  # as in pyproject.toml

Version = tuple[int, ...]


@dataclass(frozen=True)
class System:
    """Queries of the operating system.

    name: ``sys.platform``. machine: ``platform.machine()``. ask: stdout of a command, None where
    it is missing or fails. read: text of a file, None where it cannot be read. listed: the names
    in a folder.
    """

    name: str
    machine: str
    ask: Callable[[Sequence[str]], str | None]
    read: Callable[[str], str | None]
    listed: Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Card:
    """A graphics card. driver: driver version (NVIDIA). chip: compute capability (NVIDIA), such
    as (8, 6), or gfx name (AMD). None where unknown."""

    maker: Literal["NVIDIA", "AMD", "Apple"]
    name: str
    driver: Version | None = None
    chip: Version | str | None = None

    def __str__(self) -> str:
        driver = f", driver {'.'.join(map(str, self.driver))}" if self.driver else ""
        known = f"{self.maker} {self.name}" if self.maker not in self.name else self.name
        return f"{known}{driver}"


@dataclass(frozen=True)
class Build:
    """A build of PyTorch: folder on PyTorch's package index ("" for PyPI), version to install
    ("" for any in range), and why it was chosen."""

    folder: str
    version: str
    why: str

    @property
    def label(self) -> str:
        """Name of the build: cu130, rocm7.2, cpu, or default."""
        return self.folder or "default"

    def pip(self) -> list[str]:
        """pip arguments for the package index."""
        return ["--extra-index-url", f"{HOST}/{self.folder}"] if self.folder else []


@dataclass(frozen=True)
class _Cuda:
    """A folder of CUDA builds: minimum driver on Linux and Windows, lowest and highest compute
    capability, newest PyTorch there within our range, newest Python it supports."""

    folder: str
    linux: Version
    windows: Version
    lowest: Version
    highest: Version
    torch: str
    python: Version


_CUDA = (
    # Architectures from PyTorch's RELEASE.md, drivers from CUDA's release notes (a driver runs
    # builds of its CUDA major version). The first build that serves most cards is taken.
    _Cuda("cu130", (580,), (580,), (7, 5), (12, 9), NEWEST, (3, 14)),
    _Cuda("cu126", (525, 60), (528, 33), (5, 0), (9, 9), NEWEST, (3, 14)),
    _Cuda("cu128", (525, 60), (528, 33), (7, 5), (12, 9), "2.11.0", (3, 14)),
    _Cuda("cu118", (450, 80), (452, 39), (5, 0), (9, 9), "2.7.1", (3, 13)),
)
_ROCM = "rocm7.2"
_GFX = (
    # Architectures in the ROCm 7.2 builds; other chips fail at the first kernel launch.
    *("gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx950", "gfx1030"),
    *("gfx1100", "gfx1101", "gfx1102", "gfx1150", "gfx1151", "gfx1200", "gfx1201"),
)


def this_system() -> System:
    """The operating system that this process runs on."""

    def ask(command: Sequence[str]) -> str | None:
        try:
            answer = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=20
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout if answer.returncode == 0 else None

    def read(path: str) -> str | None:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return None

    def listed(path: str) -> Sequence[str]:
        try:
            return sorted(os.listdir(path))
        except OSError:
            return ()

    return System(sys.platform, platform.machine(), ask, read, listed)


def find_cards(system: System) -> list[Card]:
    """Graphics cards of makers that PyTorch supports, in the system's order."""
    if system.name == "darwin":
        return [Card("Apple", "graphics")] if system.machine == "arm64" else []
    return [*_nvidia(system), *_amd(system)]


def _nvidia(system: System) -> list[Card]:
    tools = [shutil.which("nvidia-smi") or "nvidia-smi"]
    if system.name == "win32":
        root = os.environ.get("SYSTEMROOT", r"C:\Windows")
        tools.append(rf"{root}\System32\nvidia-smi.exe")
        tools.append(r"C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe")
    elif system.name == "linux":
        tools.append("/usr/lib/wsl/lib/nvidia-smi")
    for tool in tools:
        # nvidia-smi before 2021 has no compute_cap and then fails the whole query.
        for fields in ("name,driver_version,compute_cap", "name,driver_version"):
            output = system.ask((tool, f"--query-gpu={fields}", "--format=csv,noheader"))
            found = [_nvidia_card(line) for line in (output or "").splitlines() if line.count(",")]
            if found:
                return found
    output = system.read("/proc/driver/nvidia/version") if system.name == "linux" else None
    if output is None:
        return []
    found_driver = re.search(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", output)
    driver = _version(found_driver[1]) if found_driver else None
    folder = "/proc/driver/nvidia/gpus"
    details = [system.read(f"{folder}/{name}/information") or "" for name in system.listed(folder)]
    names = [m[1].strip() for text in details if (m := re.search(r"Model:(.*)", text))]
    return [Card("NVIDIA", name, driver) for name in names or ["graphics"]]


def _nvidia_card(line: str) -> Card:
    name, driver, *chip = (part.strip() for part in line.split(","))
    return Card("NVIDIA", name, _version(driver) or None, (chip and _version(chip[0])) or None)


def _version(text: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _amd(system: System) -> list[Card]:
    """AMD cards by the kernel's KFD topology in sysfs, which exists without ROCm."""
    if system.name != "linux":
        return []
    found = []
    folder = "/sys/class/kfd/kfd/topology/nodes"
    for node in system.listed(folder):
        match = re.search(
            r"^gfx_target_version (\d+)$",
            system.read(f"{folder}/{node}/properties") or "",
            re.MULTILINE,
        )
        number = int(match[1]) if match else 0
        if number:  # a CPU is a node too, with 0
            chip = f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}"
            found.append(Card("AMD", chip, chip=chip))
    return found


def choose_build(found: Sequence[Card], system: System, python: Version) -> Build:
    """Choose the PyTorch build for the cards ``found`` and a Python version.

    pip prefers 2.13.0+cu130 of PyTorch's index to the plain 2.13.0 of PyPI, but 2.13.0 to
    2.11.0+cu128, so builds for a card are pinned by version. PyPI's wheel of 2.13.0 is built for
    CUDA 13.0 on Linux, for the CPU only on Windows.
    """
    if system.name == "darwin":
        why = "every macOS build supports Apple graphics" if found else "macOS has only one build"
        return Build("", "", why)
    nvidia = [card for card in found if card.maker == "NVIDIA"]
    amd = [card for card in found if card.maker == "AMD"]
    if nvidia:
        return _for_nvidia(nvidia, system, python)
    usable = [card for card in amd if card.chip in _GFX]
    if usable and system.machine == "x86_64":
        return Build(_ROCM, f"{NEWEST}+{_ROCM}", f"{usable[0]} was found")
    if amd:
        return cpu_build(system, f"PyTorch has no build for {amd[0]}")
    return cpu_build(system, "no supported graphics card was found")


def _for_nvidia(nvidia: Sequence[Card], system: System, python: Version) -> Build:
    best, most = None, 0
    for build in _CUDA:
        count = sum(_supports(build, card, system) for card in nvidia)
        if count > most and python[:2] <= build.python:
            best, most = build, count
    first = nvidia[0]
    if best is None:
        return cpu_build(system, f"no build supports {first}: update its driver")
    supported = next(card for card in nvidia if _supports(best, card, system))
    if system.name == "linux" and best.folder == "cu130" and system.machine == "x86_64":
        return Build("", "", f"{supported} was found, and the default build is for CUDA 13.0")
    return Build(best.folder, f"{best.torch}+{best.folder}", f"{supported} was found")


def _supports(build: _Cuda, card: Card, system: System) -> bool:
    """Whether a CUDA build runs on a card; unknown properties are assumed to fit."""
    minimum = build.windows if system.name == "win32" else build.linux
    if card.driver is not None and card.driver < minimum:
        return False
    return not isinstance(card.chip, tuple) or build.lowest <= card.chip <= build.highest


def cpu_build(system: System, why: str) -> Build:
    """The CPU-only build: 2 GB less to download on Linux, the default elsewhere."""
    return Build("cpu" if system.name == "linux" else "", "", why)
