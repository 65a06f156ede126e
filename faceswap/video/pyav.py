"""Where PyAV's versions differ, and its values as Python's own.

PyAV 18 (the last for Python 3.11) gives rates and time bases as a Fraction, None where unset, and
decodes metadata as it is told; 19 gives an AVRational, false where unset, and always keeps what is
not UTF-8 as lone surrogates. Behind this module there are Fractions and plain text.
"""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
from av.container import InputContainer

_UNDECODED = "surrogateescape"
# What 19 does by itself, and no longer takes as an argument.
_AS_IN_19: dict[str, Any] = (
    {"metadata_errors": _UNDECODED} if int(av.__version__.partition(".")[0]) < 19 else {}
)


class Rational(Protocol):
    """What a Fraction and an AVRational have in common; the latter is false where unset."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def open_input(path: Path, **options: Any) -> InputContainer:
    """The file at ``path`` opened for reading, whatever bytes its metadata hold.

    ``options`` are those of ``av.open``. Raises what that raises: FFmpegError, OSError.
    """
    return cast(InputContainer, av.open(str(path), "r", **_AS_IN_19, **options))


def fraction(value: Rational | None) -> Fraction | None:
    """A rate, time base or aspect of PyAV's as a Fraction; None where it is unset, 0 or n/0."""
    if value is None or not value.numerator or not value.denominator:
        return None
    return Fraction(value.numerator, value.denominator)


def printable(text: str) -> str:
    """A text of PyAV's that can be printed and written: U+FFFD for each byte that is not UTF-8."""
    return text.encode("utf-8", _UNDECODED).decode("utf-8", "replace")


def printable_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata of a container or stream with ``printable`` keys and values."""
    return {printable(key): printable(value) for key, value in metadata.items()}
