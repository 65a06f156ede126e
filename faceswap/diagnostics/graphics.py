"""What ``doctor`` tells of the graphics cards: whether PyTorch uses them, and how to change it."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from faceswap.graphics_cards import Build, Card

Told = tuple[Literal["wrong", "optional", "fine"], str, str]
"""How it is, what was found, and what to do."""


def build_target() -> str:
    """What the PyTorch that is installed computes on besides the processor."""
    import torch

    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    if torch.version.hip:
        return f"ROCm {torch.version.hip}"
    return "Apple graphics" if torch.backends.mps.is_built() else "the processor only"


def describe_card(card: "Card", best: "Build") -> Told:
    """A card of the system, and whether the installed PyTorch goes with it.

    best: what ``faceswap.graphics_cards.choose`` takes for the cards of the system.
    """
    import torch

    if card.maker == "Apple":
        return _apple(card, best)
    mine = torch.version.cuda if card.maker == "NVIDIA" else torch.version.hip
    other = torch.version.hip if card.maker == "NVIDIA" else torch.version.cuda
    if not mine and other and torch.cuda.is_available():
        advice = "a PyTorch serves the cards of one maker."
        return "optional", f"{card} is not used: PyTorch computes on {build_target()}", advice
    if mine and torch.cuda.is_available():
        return "fine", str(card), ""
    if best.label == "cpu" or (best.label == "default" and sys.platform == "win32"):
        return "optional", f"{card} is not used: {best.why}", "the processor does the work."
    if _set_up_with("processor"):
        value = f"{card} is not used: it was set up with --cpu"
        return "optional", value, f"to use it, {reinstall_command(best)}"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", os.environ.get("HIP_VISIBLE_DEVICES"))
    if mine and hidden is not None and hidden.strip() in ("", "-1"):
        advice = "to use it, unset CUDA_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES."
        return "optional", f"{card} is hidden", advice
    why = "and the two do not go together" if mine else "so that it is not used"
    return (
        "wrong",
        f"{card}, but PyTorch is built for {build_target()}, {why}",
        reinstall_command(best),
    )


def _apple(card: "Card", best: "Build") -> Told:
    import torch

    if torch.backends.mps.is_available():
        return "fine", str(card), ""
    advice = (
        "a newer macOS is needed." if torch.backends.mps.is_built() else reinstall_command(best)
    )
    return "wrong", f"{card}, but PyTorch does not use it", advice


def miscounts(device: str) -> str:
    """Why a device does not compute a small product as the processor does; "" where it does."""
    import torch

    rows = torch.arange(64.0).reshape(8, 8) / 64
    try:
        made = (rows.to(device) @ rows.to(device)).cpu()
    except (RuntimeError, AssertionError) as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    # A card's multipliers may round to 10 bits (TF32); the numbers are up to 4.
    return "" if torch.allclose(made, rows @ rows, atol=0.02) else "its results are wrong"


def reinstall_command(best: "Build") -> str:
    """The command that gets the PyTorch that fits the card."""
    from faceswap.graphics_cards import NEWEST

    if _set_up_with("build") not in (None, "", "pip"):
        return "run: python3 scripts/start.py setup"
    # Set up otherwise, or as pip is configured here, which would take the same again.
    asked = f"torch=={best.version or NEWEST}"
    words = [sys.executable, "-m", "pip", "install", "--force-reinstall", asked, *best.pip()]
    return "run: " + " ".join(f'"{word}"' if " " in word else word for word in words)


def _set_up_with(name: str) -> object:
    """What ``start.py`` wrote down when it set this environment up; None: it did not."""
    try:
        told = json.loads((Path(sys.prefix) / "faceswap-setup.json").read_text(encoding="utf-8"))
        return told.get(name) if isinstance(told, dict) else None
    except (OSError, ValueError):
        return None
