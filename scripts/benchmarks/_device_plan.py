"""What the parts of ``benchmark.py device`` are told: sent to their processes as it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from benchmarks._apart import Found, sentence
from benchmarks._measuring import wait
from faceswap.swap.model.presets import SwapConfig
from faceswap.swap.training.options import PRESET_DEFAULTS
from faceswap.training.precision import Precision

LEFT_OUT = "Left out or failed"
DONE = "Done"
"""Tables: what was not measured, and one that is not shown but tells how far a part is."""

MODELS = ("df:256", "quick", "df:128", "liae:256", "classic")
"""By what they say: time may end before the last."""
CHECKED = ("quick", "classic", "df:128", "liae:128")
_CHECKED_HERE = ("quick:64", "df:64", "liae:64")
"""On a processor."""
LAYERS = "df:256"
"""Whose layers are timed alone: the model that should come nearest to what a card can do."""
_TRACED_HERE = "quick"


@dataclass(frozen=True)
class Plan:
    """device: its name. precision: what it trains in. faces: a file of ``write_face_sets``.
    reduced: for a processor, where narrow nets, few faces and few steps show that all of it runs,
    and no figure says anything of a graphics card. faces_a_side: None takes each preset's own."""

    device: str
    faces: str
    reduced: bool
    precision: Precision = "fp32"
    faces_a_side: int | None = None

    @property
    def checked(self) -> tuple[str, ...]:
        """What is compared with the processor."""
        return _CHECKED_HERE if self.reduced else CHECKED

    @property
    def warming(self) -> int:
        """Steps before any that counts."""
        return 1 if self.reduced else 3

    @property
    def blocks(self) -> int:
        """How often a time is taken."""
        return 2 if self.reduced else 3

    @property
    def seconds(self) -> float:
        """How long each of them lasts."""
        return 0.1 if self.reduced else 0.5

    @property
    def swaps(self) -> int:
        """Faces swapped at a time."""
        return 2 if self.reduced else 16

    def batch(self, config: SwapConfig) -> int:
        """Faces a side in a step."""
        own = 1 if self.reduced else PRESET_DEFAULTS[config.preset][1]
        return self.faces_a_side or own

    def narrowed(self, config: SwapConfig) -> SwapConfig:
        """``config``, or on a processor its net with fewer channels."""
        if not self.reduced or config.preset not in ("df", "liae"):
            return config
        narrow = {"encoder": 8, "decoder": 8, "mask": 8, "code": 32}
        return SwapConfig.model_validate(config.model_dump() | narrow)

    def name(self, config: SwapConfig) -> str:
        """The model in a few words."""
        narrow = self.reduced and config.preset in ("df", "liae")
        return f"{config.text()}, narrow" if narrow else config.text()

    def compiles(self, config: SwapConfig) -> bool:
        """Whether the model is compiled too."""
        return not self.reduced or config.preset == _TRACED_HERE


def left_out(part: str, reason: str) -> Found:
    """That ``part`` was not done, and why."""
    return Found(LEFT_OUT, [{"part": part, "what": "left out", "why": f"{reason}."}])


def failed(part: str, reason: str) -> Found:
    """That ``part`` failed, and why."""
    return Found(LEFT_OUT, [{"part": part, "what": "failed", "why": reason}])


def guarded(
    part: str, device: torch.device, work: Callable[[], Iterator[Found]]
) -> Iterator[Found]:
    """What ``work`` finds; where it fails, that ``part`` did, and why.

    Raises what it does where the device answers no more: nothing that follows would be right.
    """
    try:
        yield from work()
    except Exception as error:  # noqa: BLE001  (any part may fail, and the others count)
        wait(device)
        yield failed(part, sentence(error))
