"""Settings of ``benchmark.py device``, picklable, as they are sent to its processes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from benchmarks._apart import Found, sentence
from benchmarks._measuring import wait
from faceswap.devices import Precision
from faceswap.swap.model.presets import PRESETS, SwapConfig

LEFT_OUT = "Left out or failed"
DONE = "Done"
"""Table titles: parts that were not measured, and a hidden one that marks finished parts."""

MODELS = ("df:256", "quick", "df:128", "liae:256", "classic")
"""The most informative first, as the time may end before the last."""
CHECKED = ("quick", "classic", "df:128", "liae:128")
_CHECKED_HERE = ("quick:64", "df:64", "liae:64")
"""Models checked with ``--device cpu``."""
LAYERS = "df:256"
"""Model whose layers are timed in isolation: the one that should come closest to peak FLOP/s."""
_TRACED_HERE = "quick"


@dataclass(frozen=True)
class Plan:
    """Settings. device: its name. precision: of training. faces: a file of ``write_face_sets``.
    reduced: narrow nets, few faces and few steps, to test the benchmark on a CPU; its figures say
    nothing about a GPU. faces_a_side: batch size; None for each preset's own."""

    device: str
    faces: str
    reduced: bool
    precision: Precision = "fp32"
    faces_a_side: int | None = None

    @property
    def checked(self) -> tuple[str, ...]:
        """Models compared with the CPU."""
        return _CHECKED_HERE if self.reduced else CHECKED

    @property
    def warming(self) -> int:
        """Warm-up steps, which are not timed."""
        return 1 if self.reduced else 3

    @property
    def blocks(self) -> int:
        """Number of timings, of which the median is taken."""
        return 2 if self.reduced else 3

    @property
    def seconds(self) -> float:
        """Duration of each timing in seconds."""
        return 0.1 if self.reduced else 0.5

    @property
    def swaps(self) -> int:
        """Batch size of swapping."""
        return 2 if self.reduced else 16

    def batch(self, config: SwapConfig) -> int:
        """Faces per side in a training step."""
        own = 1 if self.reduced else PRESETS[config.preset].batch
        return self.faces_a_side or own

    def narrowed(self, config: SwapConfig) -> SwapConfig:
        """``config``, with fewer channels if reduced."""
        if not self.reduced or not PRESETS[config.preset].has_variants:
            return config
        narrow = {"encoder": 8, "decoder": 8, "mask": 8, "code": 32}
        return SwapConfig.model_validate(config.model_dump() | narrow)

    def name(self, config: SwapConfig) -> str:
        """Name of the model."""
        narrow = self.reduced and PRESETS[config.preset].has_variants
        return f"{config.text()}, narrow" if narrow else config.text()

    def compiles(self, config: SwapConfig) -> bool:
        """Whether to measure the compiled model too."""
        return not self.reduced or config.preset == _TRACED_HERE


def left_out(part: str, reason: str) -> Found:
    """Row: ``part`` was left out, and why."""
    return Found(LEFT_OUT, [{"part": part, "what": "left out", "why": f"{reason}."}])


def failed(part: str, reason: str) -> Found:
    """Row: ``part`` failed, and why."""
    return Found(LEFT_OUT, [{"part": part, "what": "failed", "why": reason}])


def guarded(
    part: str, device: torch.device, work: Callable[[], Iterator[Found]]
) -> Iterator[Found]:
    """Yield the results of ``work``; if it fails, a row that ``part`` failed, and why.

    Raises the device's error when it no longer responds (a CUDA error is sticky): later results
    would be wrong.
    """
    try:
        yield from work()
    except Exception as error:  # noqa: BLE001  (any part may fail; the others go on)
        wait(device)
        yield failed(part, sentence(error))
