"""``doctor``'s checks of graphics cards: whether PyTorch uses them, and how to fix it."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from faceswap.graphics_cards import Build, Card

CardStatus = tuple[Literal["wrong", "optional", "fine"], str, str]
"""A finding: its status, what was found, and what to do."""


def build_target() -> str:
    """The accelerator that the installed PyTorch is built for."""
    import torch

    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    if torch.version.hip:
        return f"ROCm {torch.version.hip}"
    return "Apple graphics" if torch.backends.mps.is_built() else "the CPU only"


def describe_card(card: "Card", best: "Build") -> CardStatus:
    """Check whether the installed PyTorch uses ``card``.

    best: the build that ``graphics_cards.choose_build`` chooses for this system.
    """
    import torch

    if card.maker == "Apple":
        return _apple(card, best)
    own_build = torch.version.cuda if card.maker == "NVIDIA" else torch.version.hip
    other_build = torch.version.hip if card.maker == "NVIDIA" else torch.version.cuda
    if not own_build and other_build and torch.cuda.is_available():
        advice = "PyTorch can use the cards of one maker only."
        return "optional", f"{card} is not used: PyTorch computes on {build_target()}", advice
    if own_build and torch.cuda.is_available():
        return "fine", str(card), ""
    if best.label == "cpu" or (best.label == "default" and sys.platform == "win32"):
        return "optional", f"{card} is not used: {best.why}", "the CPU is used instead."
    if _setup_record("processor"):
        value = f"{card} is not used: it was set up with --cpu"
        return "optional", value, f"to use it, {reinstall_command(best)}"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", os.environ.get("HIP_VISIBLE_DEVICES"))
    if own_build and hidden is not None and hidden.strip() in ("", "-1"):
        advice = "to use it, unset CUDA_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES."
        return "optional", f"{card} is hidden", advice
    why = "but can't use it" if own_build else "so the card is not used"
    return (
        "wrong",
        f"{card}: PyTorch is built for {build_target()}, {why}",
        reinstall_command(best),
    )


def _apple(card: "Card", best: "Build") -> CardStatus:
    import torch

    if torch.backends.mps.is_available():
        return "fine", str(card), ""
    advice = "update macOS." if torch.backends.mps.is_built() else reinstall_command(best)
    return "wrong", f"{card}, but PyTorch does not use it", advice


def matmul_problem(device: str) -> str:
    """Compare a small matrix product with the CPU's; returns the problem, or "" if equal."""
    import torch

    rows = torch.arange(64.0).reshape(8, 8) / 64
    try:
        result = (rows.to(device) @ rows.to(device)).cpu()
    except (RuntimeError, AssertionError) as error:
        return (str(error).splitlines() or [type(error).__name__])[0]
    # TF32 rounds to 10 bits of mantissa; the values go up to 4.
    return "" if torch.allclose(result, rows @ rows, atol=0.02) else "its results are wrong"


def reinstall_command(best: "Build") -> str:
    """The command that installs the PyTorch build for the card."""
    from faceswap.graphics_cards import NEWEST

    if _setup_record("build") not in (None, "", "pip"):
        return "run: python3 scripts/start.py setup"
    # Not set up by start.py, or with the user's pip configuration, which gives the same again.
    asked = f"torch=={best.version or NEWEST}"
    words = [sys.executable, "-m", "pip", "install", "--force-reinstall", asked, *best.pip()]
    return "run: " + " ".join(f'"{word}"' if " " in word else word for word in words)


def _setup_record(name: str) -> object:
    """A setting recorded by ``start.py setup``; None where this environment is not from it."""
    try:
        record = json.loads((Path(sys.prefix) / "faceswap-setup.json").read_text(encoding="utf-8"))
        return record.get(name) if isinstance(record, dict) else None
    except (OSError, ValueError):
        return None
