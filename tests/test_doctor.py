"""doctor: a report that puts what is wrong first and says what to do about it."""

import importlib.metadata
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from fake_device import apple

from faceswap.errors import AssetError
from faceswap.events import Event, Progress
from faceswap.jobs import doctor as module
from faceswap.jobs.doctor import DoctorOptions, DoctorSummary, Finding, doctor


def examine(**options: object) -> DoctorSummary:
    def run() -> Generator[Event, None, None]:
        summaries.append((yield from doctor(DoctorOptions(**options))))  # type: ignore[arg-type]

    summaries: list[DoctorSummary] = []
    events = list(run())
    assert all(isinstance(event, Progress) for event in events)
    return summaries[0]


def by_title(summary: DoctorSummary, title: str) -> Finding:
    return next(finding for finding in summary.findings if finding.title == title)


def test_what_apples_device_lacks_is_told() -> None:
    with apple():
        summary = examine()
    assert "bicubic sampling is done on the processor" in by_title(summary, "mps").value
    assert by_title(summary, "speed").value.endswith("GFLOP/s on mps; training takes fp32")


@pytest.mark.avx2
def test_it_looks_at_everything(tmp_path: Path) -> None:
    summary = examine(folder=tmp_path / "not yet there")
    titles = {finding.title for finding in summary.findings}
    assert {"system", "cores", "free space", "packages", "cpu", "speed", "ffmpeg"} <= titles
    assert {"encoders", "decoders", "landmarker", "centerface", "sfd", "fan"} <= titles
    assert "libx264" in by_title(summary, "encoders").value
    assert "GFLOP/s" in by_title(summary, "speed").value
    assert "torch" in summary.text()
    assert all(finding.advice for finding in summary.findings if finding.level != "fine")


def test_what_is_wrong_comes_first_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    def missing(name: str) -> Path:
        raise AssetError(f"{name} is missing.")

    monkeypatch.setattr("faceswap.assets.asset_path", missing)
    summary = examine(folder=tmp_path)
    assert not summary.healthy
    lines = summary.text().splitlines()
    assert lines[0] == "Wrong"
    assert "0.1 GB" in lines[1]
    assert "free some" in lines[2]
    assert "landmarker" in lines[3]
    assert "git checkout" in lines[4]


def test_damaged_weights_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "landmarker.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0{not a header!!!")
    monkeypatch.setattr("faceswap.assets.asset_path", lambda _: path)
    finding = next(f for f in module._weights() if f.title == "landmarker")
    assert finding.level == "wrong"
    assert "damaged" in finding.value


def test_missing_packages_are_told_apart_from_missing_extras(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(name: str) -> str:
        if name in ("kornia", "pyqtgraph"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    levels = {finding.title: finding.level for finding in module._packages()}
    assert levels["kornia"] == "wrong"
    assert levels["pyqtgraph"] == "optional"


def test_a_check_that_breaks_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise OSError("no such device")

    monkeypatch.setattr(module, "_machine", broken)
    summary = examine()
    assert "no such device" in by_title(summary, "machine").value
    assert by_title(summary, "packages")
