"""scripts/benchmark.py device: what it tells where things go wrong, and that it sees what is."""

import argparse
import importlib
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import apart_parts
import pytest
import torch
from drawn_faces import draw_project
from torch import Tensor

from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.face_set import write_face_sets
from faceswap.swap.training.model_stats import StepMemory

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import benchmark  # noqa: E402
from benchmarks import _device_checks, _device_forms, _device_run, _device_speed, device  # noqa: E402
from benchmarks._apart import Apart, Failed, Found, Part  # noqa: E402
from benchmarks._device_plan import DONE, LEFT_OUT, Plan  # noqa: E402
from benchmarks._measuring import model_config  # noqa: E402


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit")
    project = draw_project(folder / "project", 16)
    sides = {
        side: load_faces(project.crops_folder(side), side, FaceLoadConfig(64))
        for side in ("a", "b")
    }
    write_face_sets(folder / "faces.safetensors", sides, 16)
    return folder


def plan(kit: Path) -> Plan:
    return Plan("cpu", str(kit / "faces.safetensors"), reduced=True)


def options(kit: Path, **changes: Any) -> argparse.Namespace:
    given = {"device": "cpu", "kit": kit, "preset": None, "batch": None, "minutes": 4.0}
    return argparse.Namespace(**(given | changes))


def refused(given: argparse.Namespace) -> str:
    with pytest.raises(SystemExit) as end:
        next(_device_run.tables(given, 0.0))
    return str(end.value)


def test_a_missing_card_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(SystemExit) as end:
        next(device.run([]))
    told = str(end.value)
    assert told.startswith("There is no graphics card to measure: this PyTorch")
    assert "was built without CUDA" in told
    assert told.endswith("Try --device cpu, which runs here.")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "built for CUDA 13.0, finds no card or no driver" in (device.refusal("cuda") or "")
    assert device.refusal("cpu") is None


def test_a_missing_kit_and_a_wrong_model_are_told_too(kit: Path, tmp_path: Path) -> None:
    assert "benchmark.py device_kit" in refused(options(tmp_path))
    assert refused(options(kit, preset=["df:100"])).startswith("--preset: ")
    assert "there is no preset 'huge'" in refused(options(kit, preset=["huge"]))


def test_without_pydantic_it_is_told_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ImportError(f"cannot import name 'ArgsKwargs' from {name}")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(SystemExit, match=r"no pydantic here, and no .*device_kit --python 3.\d"):
        next(device.run(["--device", "cpu", "--kit", str(tmp_path)]))
    (tmp_path / "site").mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert "no pydantic for this Python (3." in (device.lacking(tmp_path) or "")


def test_a_card_without_bfloat16_is_told_and_measured_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_device_run, "fastest_precision", lambda _: "fp32")
    monkeypatch.setattr(_device_run, "matrix_rate", lambda *_: 1e12)
    found = list(_device_run.machine("cpu"))
    assert found[0].rows[0]["trained in"] == "fp32"
    assert found[1].title == LEFT_OUT
    assert "multiplies no faster in bfloat16" in str(found[1].rows[0]["why"])
    assert _device_run.without_halves("a card", "bf16") is None


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (apart_parts.fails, "RuntimeError: the kernel is wrong"),
        (apart_parts.dies, "Its process ended by signal 9."),
    ],
)
def test_what_a_part_found_before_it_failed_is_kept_and_the_reason_told(
    part: Part, reason: str
) -> None:
    messages = list(Apart(part).messages(60))
    assert messages == [Found("Numbers", [{"value": 1}]), Failed(reason)]


def test_one_that_hangs_is_ended_and_its_reason_told() -> None:
    apart = Apart(apart_parts.hangs)
    assert apart.message(time.monotonic() + 60, 60) == Found("Numbers", [{"value": 1}])
    told = Failed("It was ended after the 3 s that were left for it.")
    assert apart.message(time.monotonic() + 0.1, 3) == told
    apart.end()
    assert apart._process.exitcode == -signal.SIGKILL
    assert list(Apart(apart_parts.hangs).messages(0)) == [
        Failed("It was ended after the 0 s that were left for it.")
    ]


def test_a_part_that_ends_tells_all_it_found() -> None:
    *numbers, last = Apart(apart_parts.counts, 3).messages(60)
    assert numbers == [Found("Numbers", [{"value": value}]) for value in range(3)]
    assert isinstance(last, Found)
    assert last.whole


def test_the_others_go_on_after_a_part_that_fails(
    kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known(*_: object) -> Iterator[Found]:
        row: dict[str, str | int | float | None] = {
            "device": "x",
            "trained in": "fp32",
            "float32 products, TFLOP/s": 1.0,
        }
        yield Found(_device_run.MACHINE, [row])

    def measured(_: Plan, names: list[str], rate: float) -> Iterator[Found]:
        assert rate == 1e12
        for name in names:
            yield Found("Speed", [{"model": name}])
            if name == "quick":
                raise RuntimeError("quick fails")
            yield Found(DONE, [{"part": name}])

    class Here:
        """Runs a part in this process."""

        def __init__(self, part: Callable[..., Iterator[Found]], *arguments: Any) -> None:
            given = [list(x) if isinstance(x, list) else x for x in arguments]
            self._found = part(*given)

        def message(self, *_: float) -> Found | Failed | None:
            try:
                return next(self._found, None)
            except RuntimeError as error:
                return Failed(str(error))

        def messages(self, _: float) -> Iterator[Found | Failed]:
            while (message := self.message()) is not None:
                yield message

        def end(self) -> None:
            pass

    monkeypatch.setattr(_device_run, "Apart", Here)
    monkeypatch.setattr(_device_run, "found_out", known)
    monkeypatch.setattr(_device_speed, "measure", measured)
    names = ["classic", "quick", "df:128"]
    course = _device_run._Course(plan(kit), names, 240.0, time.monotonic())
    *_, last = course.tables()
    assert [row["model"] for row in last["Speed"]] == names
    assert [row["why"] for row in last[LEFT_OUT]] == ["quick fails"]
    assert DONE not in last
    assert list(last)[-2:] == [LEFT_OUT, _device_run.TIMES]


def test_one_form_that_fails_leaves_the_others(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = _device_forms.prepared

    def prepared(name: str, stepper: Any) -> None:
        if name == "eager":
            raise ValueError("no such layout")
        real(name, stepper)

    monkeypatch.setattr(_device_speed, "prepared", prepared)
    monkeypatch.setattr(_device_speed, "step_memory", lambda *_: StepMemory(0, 0, 5 << 20))
    monkeypatch.setattr(Plan, "compiles", lambda *_: False)
    found = list(_device_speed.measure(plan(kit), ["quick:64"], 1e12))
    speeds = [row for part in found if part.title == _device_speed.SPEED for row in part.rows]
    assert [row["form"] for row in speeds] == ["channels last"]
    assert float(speeds[0]["faces/s"] or 0) > 0
    assert (speeds[0]["skipped"], speeds[0]["foretold MiB"]) == (0, 5.0)
    told = {
        row["part"]: row["why"] for part in found if part.title == LEFT_OUT for row in part.rows
    }
    assert told["quick 64 px, eager"] == "ValueError: no such layout"
    assert told["quick 64 px, graph"] == "only a graphics card has it."
    assert any(part.title.startswith("Where the time goes") for part in found)


def held(kit: Path) -> dict[str, str]:
    found = _device_checks.compared(plan(kit), model_config("quick:64"), torch.device("cpu"))
    rows = [row for part in found for row in part.rows]
    return {str(row["what"]).partition(",")[0]: str(row["held"]) for row in rows}


def test_a_right_device_holds_and_a_wrong_one_does_not(
    kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = held(kit)
    assert {*right.values()} == {"yes"}
    assert len(right) == 7
    made = _device_checks._steppers

    def one_bias_off(*given: Any) -> Any:
        there, here = made(*given)
        with torch.no_grad():
            there.state.parameters["network.decoders.a.layers.0.1.bias"].add_(0.05)
        return there, here

    monkeypatch.setattr(_device_checks, "_steppers", one_bias_off)
    wrong = held(kit)
    assert wrong["pictures and masks"] == wrong["gradients"] == "NO"
    assert wrong["faces of a batch that differ"] == "yes"


def test_checkpoints_go_both_ways(kit: Path) -> None:
    found = _device_checks.resumed(plan(kit), model_config("quick:64"), torch.device("cpu"))
    rows = [row for part in found for row in part.rows]
    assert [row["held"] for row in rows] == ["yes", "yes"]


def test_the_same_is_drawn_wherever_it_goes() -> None:
    def drawn(device: str) -> list[Tensor]:
        generator = torch.Generator()
        return [
            torch.rand(3, generator=generator, device=device),
            torch.randn((2, 2), generator=generator, device=device),
            torch.multinomial(torch.ones(5), 3, replacement=True, generator=generator),
        ]

    made = []
    for seed in (1, 1):
        with _device_checks._SameDraws(torch.Generator().manual_seed(seed)):
            made.append(drawn("cpu"))
    assert all(torch.equal(a, b) for a, b in zip(*made, strict=True))


def test_the_file_holds_what_was_found_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        @staticmethod
        def run(_: list[str]) -> Iterator[dict[str, list[dict[str, Any]]]]:
            yield {"First": [{"name": "a", "value": 1.23456, "none": None}]}
            raise KeyboardInterrupt

    target = tmp_path / "out.json"
    module = ModuleType("benchmarks.device")
    module.run = Broken.run  # type: ignore[attr-defined]
    monkeypatch.setattr(importlib, "import_module", lambda _: module)
    with pytest.raises(KeyboardInterrupt):
        benchmark.main(["device", "--json", str(target)])
    assert json.loads(target.read_text())["First"][0]["value"] == 1.23456
    module.run = lambda _: {"First": [{"name": "a", "value": 1.23456, "none": None}]}  # type: ignore[attr-defined]
    assert benchmark.main(["device"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "| name | value | none |",
        "| ---- | ----: | ---: |",
        "| a    | 1.235 |      |",
    ]


def test_a_graph_is_recorded_once_warm_and_draws_on(
    kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stand-ins for what PyTorch offers on a card alone."""
    told: list[str] = []

    class Graph:
        def register_generator_state(self, generator: torch.Generator) -> None:
            assert generator is stepper.state.generator
            told.append("draws")

        def replay(self) -> None:
            told.append("replayed")

    class Stream:
        def wait_stream(self, _: object) -> None:
            pass

    @contextmanager
    def recording(graph: Graph) -> Iterator[None]:
        told.append("recording")
        yield
        told.append("recorded")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "graph", recording)
    config = model_config("quick:64")
    stepper = _device_speed._stepper(plan(kit), config, torch.device("cpu"))
    work = stepper.graph_step

    def counted(progress: float) -> dict[str, Tensor]:
        told.append("step")
        return work(progress)

    monkeypatch.setattr(stepper, "graph_step", counted)
    form = _device_forms.Replayed("graph", stepper)
    assert told == ["step", "step", "step", "draws", "recording", "step", "recorded"]
    assert all(group["capturable"] for group in stepper.state.optimiser.param_groups)
    assert form.loss().isfinite()
    form.step()
    assert told[-1] == "replayed"
    assert form.batch_share(1.0) > 0
    assert told.count("recorded") == 2  # the batch alone besides


def test_as_many_compile_side_by_side_as_a_card_has_room_for(
    kit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    class Begun:
        def __init__(self, part: Part, given: Plan, name: str, threads: int) -> None:
            assert part is _device_speed.warm
            assert given.precision == "bf16"
            assert threads >= 1
            started.append(name)

    monkeypatch.setattr(_device_run, "Apart", Begun)
    monkeypatch.setattr(_device_run, "step_memory", lambda *_: StepMemory(0, 0, 1 << 30))
    for gibibytes, names in ((2.0, []), (4.0, ["quick"]), (80.0, ["quick", "classic", "df:128"])):
        started.clear()
        whole = Plan("cuda", str(kit), reduced=False)
        course = _device_run._Course(whole, ["quick", "classic", "df:128"], 240.0, 0.0)
        course._tables[_device_run.MACHINE] = [{"trained in": "bf16", "GiB": gibibytes}]
        course._warm()
        assert started == names
