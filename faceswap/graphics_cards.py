"""Which graphics cards the system has, and which build of PyTorch computes on them.

Needs nothing but the standard library: ``scripts/start.py`` asks before anything is installed,
``faceswap doctor`` afterwards. What is asked of the system goes through ``System``, so that tests
can answer in its place.
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
    """The system as it can be asked.

    name: as ``sys.platform``. machine: as ``platform.machine``. ask: what a command prints, None
    where there is none or it fails. read: a file's text, None where it cannot be read. listed: the
    names in a folder.
    """

    name: str
    machine: str
    ask: Callable[[Sequence[str]], str | None]
    read: Callable[[str], str | None]
    listed: Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Card:
    """A graphics card. driver: its version, NVIDIA's. chip: the compute capability of NVIDIA's,
    (8, 6), or AMD's gfx name; None where the system does not tell."""

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
    """A build of PyTorch: the folder of its files on PyTorch's host ("" for the registry's own),
    the version to ask for ("" for any in range), and why it is taken."""

    folder: str
    version: str
    why: str

    @property
    def label(self) -> str:
        """What it is called: cu130, rocm7.2, cpu, or default."""
        return self.folder or "default"

    def pip(self) -> list[str]:
        """Arguments that let pip find it."""
        return ["--extra-index-url", f"{HOST}/{self.folder}"] if self.folder else []


@dataclass(frozen=True)
class _Cuda:
    """A folder of CUDA builds: least driver on Linux and on Windows, capabilities from and to, the
    newest PyTorch there within our range, and the newest Python that has."""

    folder: str
    linux: Version
    windows: Version
    lowest: Version
    highest: Version
    torch: str
    python: Version


_CUDA = (
    # PyTorch's RELEASE.md has the architectures, CUDA's release notes the drivers: each runs
    # what was built for its own major version. The first that fits is taken.
    _Cuda("cu130", (580,), (580,), (7, 5), (12, 9), NEWEST, (3, 14)),
    _Cuda("cu126", (525, 60), (528, 33), (5, 0), (9, 9), NEWEST, (3, 14)),
    _Cuda("cu128", (525, 60), (528, 33), (7, 5), (12, 9), "2.11.0", (3, 14)),
    _Cuda("cu118", (450, 80), (452, 39), (5, 0), (9, 9), "2.7.1", (3, 13)),
)
_ROCM = "rocm7.2"
_GFX = (
    # What the builds for ROCm 7.2 hold code for; on other chips they stop at the first operation.
    *("gfx900", "gfx906", "gfx908", "gfx90a", "gfx942", "gfx950", "gfx1030"),
    *("gfx1100", "gfx1101", "gfx1102", "gfx1150", "gfx1151", "gfx1200", "gfx1201"),
)


def this_system() -> System:
    """The system that this runs on."""

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
    """The graphics cards that PyTorch has builds for, in the system's order."""
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
        # Drivers before 2021 do not know compute_cap, and refuse the whole question.
        for fields in ("name,driver_version,compute_cap", "name,driver_version"):
            told = system.ask((tool, f"--query-gpu={fields}", "--format=csv,noheader"))
            found = [_nvidia_card(line) for line in (told or "").splitlines() if line.count(",")]
            if found:
                return found
    told = system.read("/proc/driver/nvidia/version") if system.name == "linux" else None
    if told is None:
        return []
    found_driver = re.search(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", told)
    driver = _version(found_driver[1]) if found_driver else None
    folder = "/proc/driver/nvidia/gpus"
    about = [system.read(f"{folder}/{name}/information") or "" for name in system.listed(folder)]
    names = [m[1].strip() for text in about if (m := re.search(r"Model:(.*)", text))]
    return [Card("NVIDIA", name, driver) for name in names or ["graphics"]]


def _nvidia_card(line: str) -> Card:
    name, driver, *chip = (part.strip() for part in line.split(","))
    return Card("NVIDIA", name, _version(driver) or None, (chip and _version(chip[0])) or None)


def _version(text: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _amd(system: System) -> list[Card]:
    """What the kernel's compute driver tells, which needs no ROCm to be installed."""
    if system.name != "linux":
        return []
    found = []
    folder = "/sys/class/kfd/kfd/topology/nodes"
    for node in system.listed(folder):
        told = re.search(
            r"^gfx_target_version (\d+)$",
            system.read(f"{folder}/{node}/properties") or "",
            re.MULTILINE,
        )
        number = int(told[1]) if told else 0
        if number:  # a processor is a node too, with 0
            chip = f"gfx{number // 10000}{number // 100 % 100:x}{number % 100:x}"
            found.append(Card("AMD", chip, chip=chip))
    return found


def choose_build(found: Sequence[Card], system: System, python: Version) -> Build:
    """The build of PyTorch for the cards that were ``found`` and a Python's version.

    pip prefers 2.13.0+cu130 of PyTorch's host to the plain 2.13.0 of the registry, but 2.13.0 to
    2.11.0+cu128: so a build for a card is asked for by its version. On Linux the registry's own
    file of 2.13.0 is the one for CUDA 13.0, on Windows it is for the processor only.
    """
    if system.name == "darwin":
        why = "Apple graphics are in every build for this system" if found else "there is one build"
        return Build("", "", why)
    nvidia = [card for card in found if card.maker == "NVIDIA"]
    amd = [card for card in found if card.maker == "AMD"]
    if nvidia:
        return _for_nvidia(nvidia, system, python)
    usable = [card for card in amd if card.chip in _GFX]
    if usable and system.machine == "x86_64":
        return Build(_ROCM, f"{NEWEST}+{_ROCM}", f"{usable[0]} was found")
    if amd:
        return cpu_build(system, f"PyTorch has nothing for {amd[0]}")
    return cpu_build(system, "no card was found that PyTorch computes on")


def _for_nvidia(nvidia: Sequence[Card], system: System, python: Version) -> Build:
    best, most = None, 0
    for one in _CUDA:
        served = sum(_serves(one, card, system) for card in nvidia)
        if served > most and python[:2] <= one.python:
            best, most = one, served
    first = nvidia[0]
    if best is None:
        return cpu_build(system, f"no build is for {first}: update its driver")
    served_card = next(card for card in nvidia if _serves(best, card, system))
    if system.name == "linux" and best.folder == "cu130" and system.machine == "x86_64":
        return Build("", "", f"{served_card} was found, and the default is for CUDA 13.0")
    return Build(best.folder, f"{best.torch}+{best.folder}", f"{served_card} was found")


def _serves(one: _Cuda, card: Card, system: System) -> bool:
    """Whether a CUDA build runs on a card; what is not known is taken to fit."""
    least = one.windows if system.name == "win32" else one.linux
    if card.driver is not None and card.driver < least:
        return False
    return not isinstance(card.chip, tuple) or one.lowest <= card.chip <= one.highest


def cpu_build(system: System, why: str) -> Build:
    """The build for the processor alone: 2 GB less to load on Linux, elsewhere the default."""
    return Build("cpu" if system.name == "linux" else "", "", why)
