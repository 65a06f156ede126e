"""doctor: a report that puts what is wrong first and says what to do about it."""

import importlib.metadata
import json
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fake_device import apple

from faceswap.diagnostics import graphics, trials
from faceswap.errors import AssetError, InputError
from faceswap.events import Event, Progress
from faceswap.faces.detect import CenterFace
from faceswap.faces.face import Detection
from faceswap.graphics_cards import Build, Card, System
from faceswap.jobs import doctor as module
from faceswap.jobs.doctor import DoctorOptions, DoctorSummary, Finding, doctor
from faceswap.video import pyav
from faceswap.video.color import RgbToYuv


def examine(**options: object) -> DoctorSummary:
    def run() -> Generator[Event, None, None]:
        summaries.append((yield from doctor(DoctorOptions(**options))))  # type: ignore[arg-type]

    summaries: list[DoctorSummary] = []
    events = list(run())
    assert all(isinstance(event, Progress) for event in events)
    return summaries[0]


def by_title(summary: DoctorSummary, title: str) -> Finding:
    return next(finding for finding in summary.findings if finding.title == title)


def test_what_apples_device_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "matmul_problem", lambda name: "")
    with apple():
        summary = examine()
    assert "bicubic sampling runs on the CPU" in by_title(summary, "mps").value
    assert by_title(summary, "speed").value.endswith("GFLOP/s on mps; training uses fp32")


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
    assert "free some space" in lines[2]
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
        if name in ("safetensors", "pyqtgraph"):
            raise importlib.metadata.PackageNotFoundError(name)
        return installed(name)

    installed = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", version)
    levels = {finding.title: finding.level for finding in module._packages()}
    assert levels["safetensors"] == "wrong"
    assert levels["pyqtgraph"] == "optional"


def test_versions_that_do_not_fit_are_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"numpy": "1.26.4", "pyside6-essentials": "6.12.0"}
    installed = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: old.get(name.lower()) or installed(name)
    )
    # What builds the package may write names in small letters.
    found = {finding.title.lower(): finding for finding in module._packages()}
    assert found["numpy"].level == "wrong"
    assert "1.26.4 is installed, >=" in found["numpy"].value
    assert "start.py setup" in found["numpy"].advice
    assert "6.12.0 is installed" in found["pyside6-essentials"].value
    assert "[gui]" in found["pyside6-essentials"].advice
    assert "torch" not in found


def test_what_packages_are_for_is_tried() -> None:
    findings = list(module._trials())
    assert {"video", "faces", "rendering", "curves", "lab"} <= {f.title for f in findings}
    assert [f for f in findings if f.level != "fine"] == []


def test_a_pyav_that_does_not_fit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyAV 19 once was: imported, with all its codecs, and no video could be opened."""
    monkeypatch.setitem(pyav._METADATA_OPTIONS, "no_such_argument", "replace")
    summary = examine()
    finding = by_title(summary, "video")
    assert not summary.healthy
    assert (finding.level, "TypeError" in finding.value) == ("wrong", True)
    assert "start.py setup" in finding.advice


def test_a_video_that_comes_back_otherwise_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    convert = RgbToYuv.__call__
    monkeypatch.setattr(RgbToYuv, "__call__", lambda self, image: convert(self, image // 2))
    with pytest.raises(InputError, match="frames read differ"):
        trials.try_video()
    monkeypatch.undo()
    monkeypatch.setattr(
        "faceswap.video.tracks.TrackCopy.copy_until", lambda self, time: None, raising=True
    )
    with pytest.raises(InputError, match="sound read differs"):
        trials.try_video()


def test_a_detector_that_sees_ghosts_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    ghost = Detection((0.0, 0.0, 9.0, 9.0), 1.0)
    monkeypatch.setattr(CenterFace, "detect", lambda self, frame: [ghost])
    finding = next(f for f in module._trials() if f.title == "faces")
    assert finding.level == "wrong"
    assert "gray picture" in finding.value


def test_a_missing_library_of_the_system_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError("libEGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("faceswap.diagnostics.trials.importlib.import_module", missing)
    finding = next(f for f in module._trials() if f.title == "curves")
    assert "libEGL.so.1" in finding.value
    assert "apt install" in finding.advice


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_a_check_that_breaks_does_not_stop_the_others(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise error("no such device")

    monkeypatch.setattr(module, "_machine", broken)
    summary = examine()
    assert "no such device" in by_title(summary, "machine").value
    assert by_title(summary, "packages")


A100 = "NVIDIA A100-SXM4-40GB, 550.54.15, 8.0"


def system(monkeypatch: pytest.MonkeyPatch, smi: str | None, name: str = "linux") -> None:
    """Let the system have what an nvidia-smi prints, and nothing else."""
    machine = {"linux": "x86_64", "darwin": "arm64", "win32": "AMD64"}[name]
    here = System(name, machine, lambda command: smi, lambda path: None, lambda path: ())
    monkeypatch.setattr("faceswap.graphics_cards.this_system", lambda: here)


def torch_with(
    monkeypatch: pytest.MonkeyPatch, cuda: str | None, devices: int = 0, wrong: str = ""
) -> None:
    """Let PyTorch be built for ``cuda`` and see so many cards."""
    about = SimpleNamespace(name="NVIDIA A100-SXM4-40GB", total_memory=42_000_000_000)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: devices > 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: about)
    monkeypatch.setattr(graphics, "matmul_problem", lambda device: wrong)
    for variable in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


def stamped(monkeypatch: pytest.MonkeyPatch, folder: Path, **content: object) -> None:
    """Let the environment be one that start.py set up so; with nothing, one that it did not."""
    monkeypatch.setattr(sys, "prefix", str(folder))
    if content:
        (folder / "faceswap-setup.json").write_text(json.dumps(content))


def devices() -> dict[str, Finding]:
    return {finding.title: finding for finding in module._devices()}


def test_a_card_that_computes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, A100)
    torch_with(monkeypatch, "12.6", devices=1)
    found = devices()
    assert found["PyTorch"].value.endswith("built for CUDA 12.6")
    assert found["graphics card"].value == "NVIDIA A100-SXM4-40GB, driver 550.54.15"
    assert found["cuda:0"].value == "NVIDIA A100-SXM4-40GB, 42 GB, computes"
    assert {finding.level for finding in found.values()} == {"fine"}


def test_a_card_that_does_not_compute_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stamped(monkeypatch, tmp_path)
    system(monkeypatch, "NVIDIA GeForce GTX 1080, 581.29, 6.1")
    torch_with(monkeypatch, "13.0", devices=1, wrong="no kernel image is available")
    found = devices()["cuda:0"]
    assert found.level == "wrong"
    assert "no kernel image is available" in found.value
    python = sys.executable
    python = f'"{python}"' if " " in python else python
    assert found.advice == (
        f"run: {python} -m pip install --force-reinstall torch==2.13.0+cu126 "
        "--extra-index-url https://download.pytorch.org/whl/cu126"
    )


@pytest.mark.parametrize("cuda", [None, "13.0"])
def test_a_card_that_pytorch_does_not_fit_is_wrong_with_the_command_that_mends_it(
    cuda: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stamped(monkeypatch, tmp_path, build="cpu", processor=False)
    system(monkeypatch, A100)
    torch_with(monkeypatch, cuda)
    found = devices()["graphics card"]
    assert found.level == "wrong"
    built = f"built for CUDA {cuda}, but can't use it" if cuda else "built for the CPU only"
    assert built in found.value
    assert found.advice == "run: python3 scripts/start.py setup"
    # Where pip's own configuration decides, another set-up would take the same again.
    stamped(monkeypatch, tmp_path, build="pip", processor=False)
    assert "torch==2.13.0+cu126" in devices()["graphics card"].advice


def test_a_card_beside_one_of_another_maker_is_not_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stamped(monkeypatch, tmp_path, build="cu130", processor=False)
    torch_with(monkeypatch, "13.0", devices=1)
    told = graphics.describe_card(Card("AMD", "gfx90c"), Build("", "", "x"))
    assert told[0] == "optional"
    assert "gfx90c is not used: PyTorch computes on CUDA 13.0" in told[1]


def test_a_card_that_is_left_out_on_purpose_is_not_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stamped(monkeypatch, tmp_path, build="cpu", processor=True)
    system(monkeypatch, A100)
    torch_with(monkeypatch, None)
    found = devices()["graphics card"]
    assert found.level == "optional"
    assert "--cpu" in found.value
    assert "start.py setup" in found.advice
    stamped(monkeypatch, tmp_path, build="cu126", processor=False)
    torch_with(monkeypatch, "12.6")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    found = devices()["graphics card"]
    assert (found.level, "unset CUDA_VISIBLE_DEVICES" in found.advice) == ("optional", True)


def test_a_card_that_nothing_is_built_for_is_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, "Tesla K80, 470.82.01, 3.7")
    torch_with(monkeypatch, None)
    found = devices()["graphics card"]
    assert found.level == "optional"
    assert "no build supports NVIDIA Tesla K80" in found.value


def test_apple_s_graphics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stamped(monkeypatch, tmp_path)
    system(monkeypatch, None, "darwin")
    torch_with(monkeypatch, None)
    for built, usable, level in ((True, True, "fine"), (True, False, "wrong")):
        monkeypatch.setattr(torch.backends.mps, "is_built", lambda built=built: built)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda usable=usable: usable)
        found = devices()
        assert found["graphics card"].level == level
        assert ("mps" in found) == usable


def test_no_card_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    system(monkeypatch, None)
    torch_with(monkeypatch, None)
    assert devices()["graphics card"].value == "none that PyTorch supports"


def test_the_small_product() -> None:
    assert graphics.matmul_problem("cpu") == ""
    assert graphics.matmul_problem("cuda:99") != ""
    assert graphics.matmul_problem("meta") != ""
