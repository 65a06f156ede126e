"""Who is A and who is B in each training run, as the user chose it.

::

    [[pairs]]
    run = "main"
    a = 1    # number of the person that is changed; whoever is longest on screen where left out
    b = 2
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faceswap.errors import OptionsError, ProjectError


@dataclass(frozen=True)
class Pair:
    """Who is changed (A) and whose face is put on (B) in a run; None is not chosen."""

    run: str
    a: int | None = None
    b: int | None = None


def pairs_of(settings: Mapping[str, Any]) -> list[Pair]:
    """All pairs that were chosen; raises ProjectError when they are damaged."""
    entries = settings.get("pairs", [])
    for entry in entries if isinstance(entries, list) else [None]:
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("run"), str)
            or not all(isinstance(entry.get(side, 0), int) for side in "ab")
        ):
            raise ProjectError("The pairs in project.toml are damaged; correct or remove them.")
    return [Pair(entry["run"], entry.get("a"), entry.get("b")) for entry in entries]


def choose_pair(settings: dict[str, Any], pair: Pair) -> None:
    """Say who is A and who is B in a run, in ``settings``.

    Raises OptionsError when both are the same person or the run's name can't be one.
    """
    if pair.a is not None and pair.a == pair.b:
        raise OptionsError(f"A and B would both be person {pair.a}; choose two people.")
    if not pair.run.strip() or "/" in pair.run or "\\" in pair.run or pair.run.startswith("."):
        raise OptionsError(f"{pair.run!r} can't be the name of a run; use letters and digits.")
    entry: dict[str, Any] = {"run": pair.run}
    entry |= {side: who for side, who in (("a", pair.a), ("b", pair.b)) if who is not None}
    others = [known for known in settings.get("pairs", []) if known["run"] != pair.run]
    settings["pairs"] = [*others, entry]


def drop_pair(settings: dict[str, Any], run: str) -> None:
    """Forget who is A and who is B in a run, in ``settings``."""
    settings["pairs"] = [known for known in settings.get("pairs", []) if known["run"] != run]


def replace_people(settings: dict[str, Any], goal: int, merged: set[int]) -> None:
    """Let ``goal`` take the place of the people that were merged with it, in ``settings``.

    Raises OptionsError when it would then be A and B of one run.
    """
    for pair in pairs_of(settings):
        a, b = (goal if who in merged else who for who in (pair.a, pair.b))
        if a is not None and a == b:
            raise OptionsError(
                f"The run {pair.run!r} puts the face of person {pair.b} on person {pair.a}, so "
                "they can't be one; choose others for that run first."
            )
    for entry in settings.get("pairs", []):
        entry.update({side: goal for side in "ab" if entry.get(side) in merged})
