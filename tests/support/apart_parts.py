"""Parts of a benchmark that end in every way there is, for test_device_benchmark.py."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from benchmarks._apart import Found


def counts(number: int) -> Iterator[Found]:
    for value in range(number):
        yield Found("Numbers", [{"value": value}])
    yield Found("Last", [{"value": number}], whole=True)


def fails() -> Iterator[Found]:
    yield Found("Numbers", [{"value": 1}])
    raise RuntimeError("the kernel is wrong\nand a long story")


def hangs() -> Iterator[Found]:
    yield Found("Numbers", [{"value": 1}])
    time.sleep(600)


def dies() -> Iterator[Found]:
    yield Found("Numbers", [{"value": 1}])
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
