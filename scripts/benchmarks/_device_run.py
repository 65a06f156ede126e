"""Schedule the parts of ``benchmark.py device`` within the time limit."""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from benchmarks import _device_checks, _device_speed
from benchmarks._apart import Apart, Failed, Found, Part, Row
from benchmarks._device_plan import DONE, LEFT_OUT, MODELS, Plan, failed, left_out
from benchmarks._measuring import matrix_rate, model_config, timed
from faceswap.devices import Precision, fastest_precision
from faceswap.swap.training.model_stats import step_memory
from faceswap.training.performance import configure_device

Tables = dict[str, list[Row]]

MACHINE, TIMES = "Machine", "Seconds of each part"
_WARM_UNTIL = 0.4  # share of the time limit after which measuring starts, compiled or not
_OTHERS = 0.6  # share of a card's memory for compiling models in parallel


def tables(options: argparse.Namespace, begun: float) -> Iterator[Tables]:
    """Yield the tables after every result; the time limit runs from ``begun`` (``time.monotonic``).

    Raises SystemExit with a sentence when the kit is missing or a preset unknown.
    """
    faces = options.kit / "faces.safetensors"
    if not faces.is_file():
        raise SystemExit(
            f"There is no {faces}; make it with 'python scripts/benchmark.py device_kit'."
        )
    try:
        for name in options.preset or ():
            model_config(name)
    except argparse.ArgumentTypeError as error:
        raise SystemExit(f"--preset: {error}") from error
    plan = Plan(
        options.device, str(faces), reduced=options.device == "cpu", faces_a_side=options.batch
    )
    names = options.preset or MODELS
    yield from _Course(plan, names, 60 * options.minutes, begun).tables()


def without_halves(name: str, precision: Precision) -> str | None:
    """Sentence about a device called ``name`` without fast bfloat16; None if it has it."""
    if precision == "bf16":
        return None
    return (
        f"{name} multiplies no faster in bfloat16; everything is measured in float32, against its "
        "rate in float32"
    )


def found_out(plan: Plan) -> Iterator[Found]:
    """Properties and peak rates of the device, then the correctness checks."""
    yield from machine(plan.device)
    yield from _device_checks.checks(plan)


def machine(device_name: str) -> Iterator[Found]:
    """Properties of the device, and its peak rates of matrix products and memory."""
    device = torch.device(device_name)
    configure_device(device)
    row: Row = {
        "device": device_name,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        row |= {"device": facts.name, "GiB": facts.total_memory / 2**30}
        row |= {"CUDA": torch.version.cuda, "units": facts.multi_processor_count}
    precision = fastest_precision(device)
    row |= {"trained in": precision}
    for kind in (torch.bfloat16, torch.float32):
        name = str(kind).removeprefix("torch.")
        with suppress(RuntimeError):  # a card without bfloat16, reported below
            row |= {f"{name} products, TFLOP/s": matrix_rate(device, kind) / 1e12}
    size = 1 << (30 if device.type == "cuda" else 26)  # far larger than any cache
    source, target = torch.empty(2, size, dtype=torch.uint8, device=device)
    seconds = timed(lambda: target.copy_(source), device, blocks=3, seconds=0.05).seconds
    row |= {"memory, GB/s": 2 * source.numel() / seconds / 1e9}
    yield Found(MACHINE, [row])
    told = without_halves(str(row["device"]), precision)
    if told is not None:
        yield left_out("bfloat16", told)


class _Course:
    """One run of the benchmark. seconds: its time limit."""

    def __init__(self, plan: Plan, names: Sequence[str], seconds: float, begun: float) -> None:
        self._plan, self._names, self._seconds, self._begun = plan, names, seconds, begun
        self._tables: Tables = {}
        self._warming: dict[str, Apart] = {}
        self._broken = False

    def tables(self) -> Iterator[Tables]:
        """Run all parts."""
        try:
            known = False
            for so_far in self._part("right", self._seconds / 2, found_out, self._plan):
                if MACHINE in so_far and not known:
                    known = True
                    self._warm()
                yield so_far
            if MACHINE in self._tables:
                yield from self._compiled()
        finally:
            for warm in self._warming.values():
                warm.end()
        if MACHINE in self._tables:
            yield from self._measured()
        yield self._told_last()

    def _measured(self) -> Iterator[Tables]:
        """Measure all models, in one process unless it fails: starting one takes seconds."""
        kind = "bfloat16" if self._plan.precision == "bf16" else "float32"
        rate = 1e12 * float(self._tables[MACHINE][0].get(f"{kind} products, TFLOP/s") or 0)
        names = list(self._names)
        apart: Apart | None = None
        try:
            while names and self._left() >= 1:
                apart = apart or Apart(_device_speed.measure, self._plan, names, rate)
                # Twice an equal share, as most models need less and leave time for the others.
                given = min(self._left(), 2 * self._left() / len(names))
                yield from self._model(apart, names[0], given)
                if self._broken:
                    apart.end()
                    apart = None
                self._note(names.pop(0))
        finally:
            if apart is not None:
                apart.end()
        for name in names:
            yield self._add(failed(name, "No time was left for it; give more by --minutes."))

    def _model(self, apart: Apart, name: str, given: float) -> Iterator[Tables]:
        """Results of one model; sets whether the process is broken and must be replaced."""
        until = time.monotonic() + given
        self._broken = True
        while (message := apart.message(until, given)) is not None:
            if isinstance(message, Failed):
                yield self._add(failed(name, message.reason))
                return
            if message.title == DONE:
                self._broken = False
                return
            yield self._add(message)

    def _warm(self) -> None:
        """Start compiling models in parallel, as many as fit into the card's memory.

        One after another they would take most of the time limit.
        """
        row = self._tables[MACHINE][0]
        precision: Precision = "bf16" if row["trained in"] == "bf16" else "fp32"
        self._plan = plan = replace(self._plan, precision=precision)
        if plan.reduced:
            return
        free = _OTHERS * float(row["GiB"] or 0) * 2**30
        threads = max(1, (os.cpu_count() or 1) // len(self._names))
        for name in self._names:
            config = model_config(name)
            # With a margin of half.
            free -= 1.5 * step_memory(config, plan.batch(config), precision).peak
            if free < 0:
                break
            self._warming[name] = Apart(_device_speed.warm, plan, name, threads)

    def _compiled(self) -> Iterator[Tables]:
        """Wait until all models are compiled, or it is time to measure."""
        until = self._begun + _WARM_UNTIL * self._seconds
        for name, warm in self._warming.items():
            for message in warm.messages(max(0.0, until - time.monotonic())):
                if isinstance(message, Failed):
                    yield self._add(failed(f"compiling {name} beforehand", message.reason))
        self._note("compiling beforehand, after that")

    def _part(self, name: str, limit: float, part: Part, *arguments: object) -> Iterator[Tables]:
        """Run a part in its own process, within ``limit`` seconds and the remaining time."""
        limit = min(limit, self._left())
        if limit < 1:
            yield self._add(failed(name, "No time was left for it; give more by --minutes."))
            return
        for message in Apart(part, *arguments).messages(limit):
            yield self._add(
                failed(name, message.reason) if isinstance(message, Failed) else message
            )
        self._note(name)

    def _add(self, found: Found) -> Tables:
        if found.whole:
            self._tables[found.title] = list(found.rows)
        else:
            self._tables.setdefault(found.title, []).extend(found.rows)
        for row in found.rows if not found.whole else []:
            shown = ", ".join(f"{k} {_short(v)}" for k, v in row.items() if v is not None)
            print(f"[{self._spent():4.0f} s] {found.title}: {shown}", flush=True)
        return self._tables

    def _note(self, name: str) -> None:
        rows = self._tables.setdefault(TIMES, [])
        before = sum(float(row["seconds"] or 0) for row in rows)
        rows.append({"part": name, "seconds": self._spent() - before})

    def _told_last(self) -> Tables:
        """All tables, with failures and times last."""
        last = (LEFT_OUT, TIMES)
        order = [title for title in self._tables if title not in last]
        order += [title for title in last if title in self._tables]
        return {title: self._tables[title] for title in order}

    def _spent(self) -> float:
        return time.monotonic() - self._begun

    def _left(self) -> float:
        return max(0.0, self._seconds - self._spent())


def _short(value: str | int | float | None) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
