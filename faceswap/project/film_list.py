"""Which films a conversion of several takes, and what the output of each is called."""

import glob
from collections.abc import Sequence
from pathlib import Path

from faceswap.errors import InputError, OptionsError
from faceswap.video.containers import SUFFIXES

_DEFAULT = ".mp4"


def named_films(inputs: Sequence[Path]) -> list[Path]:
    """The files that ``inputs`` name, each once; patterns (``*``, ``?``, ``**``) in order of names.

    Raises InputError where a pattern fits nothing.
    """
    films: dict[Path, None] = {}
    for path in inputs:
        if path.exists() or not glob.has_magic(str(path)):
            films[path] = None
            continue
        found = sorted(Path(name) for name in glob.glob(str(path), recursive=True))
        found = [one for one in found if one.is_file()]
        if not found:
            raise InputError(f"No file fits {path}; check the pattern.")
        films |= dict.fromkeys(found)
    return list(films)


def films_outputs(films: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """The output of each film in ``folder``: of its name, and its suffix where it can be written.

    Raises OptionsError where two would have the same, or one would be its own film.
    """
    outputs: dict[Path, Path] = {}
    for film in films:
        suffix = film.suffix if film.suffix.lower() in SUFFIXES and film.is_file() else _DEFAULT
        name = film.stem if film.is_file() else film.name
        output = folder / f"{name}{suffix}"
        for other, taken in outputs.items():
            if taken == output:
                raise OptionsError(
                    f"{other} and {film} would both become {output}; convert one of them apart."
                )
        if output.absolute() == film.absolute():
            raise OptionsError(f"{film} would be its own output; choose another --out-dir.")
        outputs[film] = output
    return outputs
