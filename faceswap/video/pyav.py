"""Compatibility layer for PyAV 18 and 19: rationals as Fraction, metadata as printable text.

PyAV 18 (the last for Python 3.11) has rates and time bases as Fraction, None where unset, and
takes the error handler for metadata; 19 has AVRational, false where unset, and always decodes
metadata that is not UTF-8 to lone surrogates.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
from av.container import InputContainer

_UNDECODED = "surrogateescape"
# The default in 19, which no longer accepts the argument.
_METADATA_OPTIONS: dict[str, Any] = (
    {"metadata_errors": _UNDECODED} if int(av.__version__.partition(".")[0]) < 19 else {}
)


class Rational(Protocol):
    """Common interface of Fraction and AVRational; the latter is false where unset."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def open_input(path: Path, **options: Any) -> InputContainer:
    """Open the file at ``path`` for reading; accepts metadata that is not UTF-8.

    ``options`` are passed to ``av.open``. Raises FFmpegError or OSError as that does.
    """
    return cast(InputContainer, av.open(str(path), "r", **_METADATA_OPTIONS, **options))


def fraction(value: Rational | None) -> Fraction | None:
    """Convert a PyAV rate, time base or aspect to Fraction; None where unset, 0 or n/0."""
    if value is None or not value.numerator or not value.denominator:
        return None
    return Fraction(value.numerator, value.denominator)


def printable(text: str) -> str:
    """Make a PyAV string printable: U+FFFD for each byte that is not UTF-8."""
    return text.encode("utf-8", _UNDECODED).decode("utf-8", "replace")


def printable_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata of a container or stream with ``printable`` keys and values."""
    return {printable(key): printable(value) for key, value in metadata.items()}
