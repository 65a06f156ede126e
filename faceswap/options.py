"""What the options of all jobs share.

An option is declared once, as a field of its job's model: type, default, bounds and help. The
command line, the window's forms and the project's saved settings are all made from it.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


@dataclass(frozen=True)
class Presentation:
    """How front ends present an option; put into a field's ``Annotated``.

    positional: on the command line it may be given without its name.
    short: a one-letter name for the command line, such as ``-o``.
    common: one of the few that a form shows first.
    flag: its name on the command line, where that is not the field's own.
    negatable: there is a ``--no-`` for it, though it is off by default.
    choices_in_help: its description lists the choices.
    """

    positional: bool = False
    short: str | None = None
    common: bool = False
    flag: str | None = None
    negatable: bool = False
    choices_in_help: bool = False


class Options(BaseModel):
    """The options of one job: frozen, complete, checked when made."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    renamed: ClassVar[Mapping[str, str]] = {}
    """Earlier names of options and the names they have now: files and scripts that use the
    earlier ones keep working."""

    @model_validator(mode="before")
    @classmethod
    def _accept_renamed(cls, values: Any) -> Any:
        return cls.current_names(values) if isinstance(values, Mapping) else values

    @classmethod
    def current_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` under the present names of their options."""
        earlier = {cls.renamed[name]: v for name, v in values.items() if name in cls.renamed}
        return earlier | {name: v for name, v in values.items() if name not in cls.renamed}


def presentation_of(options: type[Options], name: str) -> Presentation:
    """The presentation of field ``name``, with defaults where none was declared."""
    for item in options.model_fields[name].metadata:
        if isinstance(item, Presentation):
            return item
    return Presentation()


def flag_of(options: type[Options], name: str) -> str:
    """The name of field ``name`` on the command line."""
    return presentation_of(options, name).flag or f"--{name.replace('_', '-')}"


def split_command(command: str) -> list[str]:
    """The words of ``command`` as a shell would part them; raises ValueError when they can't be."""
    if os.name != "nt":
        return shlex.split(command)
    # Backslashes part folders there; of the quotes that then stay, each word loses its own.
    words = shlex.split(command, posix=False)
    return [w[1:-1] if len(w) > 1 and w[0] == w[-1] and w[0] in "\"'" else w for w in words]


def checked_command(command: str | None) -> str | None:
    """``command``, if its words can be told apart; raises ValueError."""
    if command is not None and not split_command(command):
        raise ValueError("an empty command can't be run")
    return command


Side = Literal["a", "b"]

ProjectFolder = Annotated[
    Path, Presentation(common=True), Field(description="The project folder, which 'extract' makes.")
]

Steps = Annotated[
    int | None,
    Presentation(common=True),
    Field(ge=1, description="Train until the run has done so many steps, then stop."),
]

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Field(description="Where to compute; auto takes the fastest that is there."),
]

Notify = Annotated[
    str | None,
    AfterValidator(checked_command),
    Field(
        description="A command to run when the training is in trouble and when it ends, with what "
        "happened as its last argument and in FACESWAP_MESSAGE; no shell, so no | or >."
    ),
]

Overwrite = Annotated[
    bool, Field(description="Replace the output if it exists; without this it is refused.")
]
