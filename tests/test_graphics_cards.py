"""Which card is found, and which PyTorch is taken for it, for systems that answer as real ones."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from faceswap import graphics_cards as module
from faceswap.graphics_cards import Card, System, choose_build, find_cards, this_system

LINUX, WINDOWS, MAC = ("linux", "x86_64"), ("win32", "AMD64"), ("darwin", "arm64")
KFD = "/sys/class/kfd/kfd/topology/nodes"


def system(
    kind: tuple[str, str] = LINUX,
    smi: str | None = None,
    files: dict[str, str] | None = None,
    tool: str = "nvidia-smi",
    knows_chips: bool = True,
) -> System:
    """A system whose nvidia-smi prints ``smi``, with these ``files``."""
    there = files or {}

    def ask(command: Sequence[str]) -> str | None:
        if smi is None or not command[0].endswith(tool):
            return None
        if "compute_cap" in command[1] and not knows_chips:
            return None  # 'Field "compute_cap" is not a valid field to query.'
        return smi

    def listed(path: str) -> list[str]:
        inside = [name[len(path) + 1 :] for name in there if name.startswith(f"{path}/")]
        return sorted({name.split("/")[0] for name in inside})

    return System(*kind, ask, there.get, listed)


def gfx(*versions: int) -> dict[str, str]:
    return {
        f"{KFD}/{n}/properties": f"cpu_cores_count 0\ngfx_target_version {v}\nvendor_id 4098\n"
        for n, v in enumerate(versions)
    }


@pytest.mark.parametrize(
    ("kind", "told", "folder", "version"),
    [
        # On Linux the registry's own file is for CUDA 13.0 already.
        (LINUX, "NVIDIA GeForce RTX 3070, 581.29, 8.6", "", ""),
        (WINDOWS, "NVIDIA GeForce RTX 3070, 581.29, 8.6", "cu130", "2.13.0+cu130"),
        (WINDOWS, "NVIDIA GeForce RTX 5090, 591.10, 12.0", "cu130", "2.13.0+cu130"),
        # The driver is too old for CUDA 13, or the chip.
        (LINUX, "Tesla T4, 535.129.03, 7.5", "cu126", "2.13.0+cu126"),
        (WINDOWS, "NVIDIA GeForce GTX 1080, 581.29, 6.1", "cu126", "2.13.0+cu126"),
        (LINUX, "Tesla V100-SXM2-16GB, 590.44, 7.0", "cu126", "2.13.0+cu126"),
        # Blackwell before CUDA 13: CUDA 12.6 has no code for it.
        (LINUX, "NVIDIA GeForce RTX 5090, 572.16, 12.0", "cu128", "2.11.0+cu128"),
        (LINUX, "NVIDIA GeForce RTX 2080, 470.223.02, 7.5", "cu118", "2.7.1+cu118"),
        (WINDOWS, "NVIDIA GeForce RTX 2080, 527.41, 7.5", "cu118", "2.7.1+cu118"),
        # Kepler, and drivers of before 2020.
        (LINUX, "Tesla K80, 470.82.01, 3.7", "cpu", ""),
        (WINDOWS, "GeForce GTX 1060, 399.24, 6.1", "", ""),
        # Two cards: what runs on both, or on the first where nothing does.
        (LINUX, "NVIDIA A100, 580.65, 8.0\nTesla V100, 580.65, 7.0", "cu126", "2.13.0+cu126"),
        (WINDOWS, "RTX 5090, 591.10, 12.0\nGTX 1080, 591.10, 6.1", "cu130", "2.13.0+cu130"),
    ],
)
def test_the_build_fits_the_driver_and_the_chip(
    kind: tuple[str, str], told: str, folder: str, version: str
) -> None:
    asked = system(kind, told)
    build = choose_build(find_cards(asked), asked, (3, 12))
    assert (build.folder, build.version) == (folder, version)
    assert told.split(",")[0] in build.why
    host = "https://download.pytorch.org/whl"
    assert build.pip() == (["--extra-index-url", f"{host}/{folder}"] if folder else [])


def test_a_python_that_old_builds_do_not_know() -> None:
    asked = system(LINUX, "NVIDIA GeForce RTX 2080, 470.223.02, 7.5")
    build = choose_build(find_cards(asked), asked, (3, 14))
    assert build.label == "cpu"
    assert "update its driver" in build.why


def test_old_drivers_do_not_know_their_chips() -> None:
    asked = system(LINUX, "GeForce GTX 1060 6GB, 470.42.01", knows_chips=False)
    assert find_cards(asked) == [Card("NVIDIA", "GeForce GTX 1060 6GB", (470, 42, 1), None)]
    assert choose_build(find_cards(asked), asked, (3, 11)).folder == "cu118"


@pytest.mark.parametrize(
    ("kind", "tool"), [(WINDOWS, r"System32\nvidia-smi.exe"), (LINUX, "wsl/lib/nvidia-smi")]
)
def test_nvidia_smi_outside_of_the_path(kind: tuple[str, str], tool: str) -> None:
    [card] = find_cards(system(kind, "NVIDIA L4, 581.29, 8.9\n", tool=tool))
    assert (card.name, card.driver, card.chip) == ("NVIDIA L4", (581, 29), (8, 9))
    assert str(card) == "NVIDIA L4, driver 581.29"


def test_a_driver_without_its_tool() -> None:
    version = (
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n"
        "GCC version:  gcc version 12.2.0\n"
    )
    files = {
        "/proc/driver/nvidia/version": version,
        "/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA T4\nIRQ: 1\n",
    }
    asked = system(files=files)
    assert find_cards(asked) == [Card("NVIDIA", "NVIDIA T4", (535, 129, 3))]
    assert choose_build(find_cards(asked), asked, (3, 12)).folder == "cu126"
    opened = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\n"
    [card] = find_cards(system(files={"/proc/driver/nvidia/version": opened}))
    assert card.driver == (580, 65, 6)


@pytest.mark.parametrize(
    ("number", "chip", "folder"),
    [
        (110000, "gfx1100", "rocm7.2"),
        (90010, "gfx90a", "rocm7.2"),
        (90402, "gfx942", "rocm7.2"),
        (120001, "gfx1201", "rocm7.2"),
        (90012, "gfx90c", "cpu"),  # a laptop's own graphics
        (100306, "gfx1036", "cpu"),
    ],
)
def test_amd_cards_by_their_chips(number: int, chip: str, folder: str) -> None:
    asked = system(files=gfx(0, number))
    assert find_cards(asked) == [Card("AMD", chip, chip=chip)]
    build = choose_build(find_cards(asked), asked, (3, 13))
    assert build.folder == folder
    assert build.version == ("2.13.0+rocm7.2" if folder != "cpu" else "")
    assert chip in build.why
    assert find_cards(System("win32", "AMD64", asked.ask, asked.read, asked.listed)) == []


def test_a_graphics_processor_beside_the_card_does_not_count() -> None:
    asked = system(files=gfx(0, 100306, 110000))
    build = choose_build(find_cards(asked), asked, (3, 13))
    assert (build.folder, "gfx1100" in build.why) == ("rocm7.2", True)


def test_an_nvidia_card_goes_before_an_amd_one() -> None:
    asked = system(LINUX, "NVIDIA L4, 581.29, 8.9", gfx(0, 110000))
    assert [card.maker for card in find_cards(asked)] == ["NVIDIA", "AMD"]
    assert "L4" in choose_build(find_cards(asked), asked, (3, 13)).why


@pytest.mark.parametrize(
    ("kind", "folder", "found"),
    [(LINUX, "cpu", 0), (WINDOWS, "", 0), (MAC, "", 1), (("darwin", "x86_64"), "", 0)],
)
def test_without_such_a_card(kind: tuple[str, str], folder: str, found: int) -> None:
    asked = system(kind, files=gfx(0))
    assert len(find_cards(asked)) == found
    build = choose_build(find_cards(asked), asked, (3, 12))
    assert (build.folder, build.version) == (folder, "")
    assert build.label == (folder or "default")


@pytest.mark.parametrize("told", ["", "No devices were found\n", "NVIDIA-SMI has failed\n"])
def test_an_nvidia_smi_that_shows_nothing(told: str) -> None:
    assert find_cards(system(LINUX, told)) == []


def test_this_system_answers() -> None:
    here = this_system()
    assert here.ask(["no-such-command-anywhere"]) is None
    assert here.read("/no/such/file") is None
    assert here.listed("/no/such/folder") == ()
    assert all(isinstance(card, Card) for card in find_cards(here))


def test_the_versions_are_in_the_range_that_the_project_asks_for() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    [torch] = [r for t in project["dependencies"] if (r := Requirement(t)).name == "torch"]
    for one in module._CUDA:
        assert torch.specifier.contains(Version(f"{one.torch}+{one.folder}"))
    assert torch.specifier.contains(module.NEWEST)
    assert f"<={module.NEWEST}" in str(torch.specifier)
