"""Base class and shared fields of the jobs' options (Pydantic models).

An option is declared once, as a field of its job's model: type, default, bounds and help. The
command line, the window's forms and the project's saved settings are generated from it.
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
    """How front ends present an option; goes into the field's ``Annotated``.

    positional: may be given as a positional argument on the command line.
    short: one-letter flag, such as ``-o``.
    common: shown first in forms and help.
    flag: its flag on the command line, where that differs from the field's name.
    negatable: has a ``--no-`` flag although it is off by default.
    choices_in_help: its description lists the choices.
    several: takes all values that follow its flag.
    """

    positional: bool = False
    short: str | None = None
    common: bool = False
    flag: str | None = None
    negatable: bool = False
    choices_in_help: bool = False
    several: bool = False


class Options(BaseModel):
    """Options of one job: immutable and validated on construction."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    renamed: ClassVar[Mapping[str, str]] = {}
    """Former option names → current names; files and scripts with former names keep working."""
    renamed_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Option → its former values → current values, which keep working likewise."""
    moved_entries: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Option of ``entry=value,…`` → former entries → the options that they have become."""

    removed: ClassVar[Mapping[str, str]] = {}
    """Former options that have no successor → what to do instead, from "use …" on."""

    @model_validator(mode="before")
    @classmethod
    def _accept_former(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        for name, instead in cls.removed.items():
            if name in values:
                raise ValueError(f"{name} is no option any more: {instead}")
        return cls.current_names(values)

    @classmethod
    def current_names(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """``values`` with former names and values of options replaced by the current ones."""
        return cls.with_notices(values)[0]

    @classmethod
    def with_notices(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """``current_names``, and a sentence for each former value or entry that was replaced."""
        current = {cls.renamed[name]: v for name, v in values.items() if name in cls.renamed}
        current |= {name: v for name, v in values.items() if name not in cls.renamed}
        notices = []
        for name, former in cls.renamed_values.items():
            was = current.get(name)
            if isinstance(was, str) and was in former:
                current[name] = former[was]
                flag = "" if presentation_of(cls, name).positional else f"{flag_of(cls, name)} "
                notices.append(f"{flag}{was} is now called {flag}{former[was]}.")
        for name, options in cls.moved_entries.items():
            entries = current.get(name)
            if not isinstance(entries, str):
                continue
            moved, current[name] = _split_entries(entries, options)
            for (entry, option), value in moved.items():
                current.setdefault(option, value)
                flags = flag_of(cls, name), flag_of(cls, option)
                notices.append(f"{flags[0]} {entry}={value} is now {flags[1]} {value}.")
        return current, notices


def _split_entries(text: str, moved: Mapping[str, str]) -> tuple[dict[tuple[str, str], str], str]:
    """Split ``a=1,b=2``: values of the entries of ``moved`` by (entry, option), and the rest."""
    taken, kept = {}, []
    for part in text.split(","):
        entry, equals, value = (word.strip() for word in part.partition("="))
        if entry in moved and equals and value:
            taken[entry, moved[entry]] = value
        else:
            kept.append(part)
    return taken, ",".join(kept)


def presentation_of(options: type[Options], name: str) -> Presentation:
    """Presentation of field ``name``; defaults where none was declared."""
    for item in options.model_fields[name].metadata:
        if isinstance(item, Presentation):
            return item
    return Presentation()


def help_list(heading: str, texts: Mapping[str, str]) -> str:
    """Help in Markdown: ``heading`` above a list of choices, each with what it is."""
    return f"{heading}:\n\n" + "\n".join(f"* **{name}**: {text}." for name, text in texts.items())


def flag_of(options: type[Options], name: str) -> str:
    """Command-line flag of field ``name``."""
    return presentation_of(options, name).flag or f"--{name.replace('_', '-')}"


def arguments_of(options: Options) -> list[str]:
    """The options that were set explicitly, as command-line arguments."""
    arguments: list[str] = []
    for name, field in type(options).model_fields.items():
        value, undone = getattr(options, name), presentation_of(type(options), name).negatable
        if value is None or name not in options.model_fields_set:
            continue
        if value is False and field.default is False and not undone:
            continue
        flag = flag_of(type(options), name)
        if isinstance(value, bool):
            arguments.append(flag if value else flag.replace("--", "--no-", 1))
        elif isinstance(value, tuple | list):
            for item in value:
                arguments += [flag, str(item)]
        else:
            arguments += [flag, str(value)]
    return arguments


def split_command(command: str) -> list[str]:
    """Split ``command`` into words as a shell would; raises ValueError on unbalanced quotes."""
    if os.name != "nt":
        return shlex.split(command)
    # Backslash is the path separator there, and non-POSIX mode keeps quotes: strip them.
    words = shlex.split(command, posix=False)
    return [w[1:-1] if len(w) > 1 and w[0] == w[-1] and w[0] in "\"'" else w for w in words]


def checked_command(command: str | None) -> str | None:
    """Return ``command`` if it can be split into words, otherwise raise ValueError."""
    if command is not None and not split_command(command):
        raise ValueError("an empty command can't be run")
    return command


Side = Literal["a", "b"]

SIDES: tuple[Side, ...] = ("a", "b")

ProjectFolder = Annotated[
    Path, Presentation(common=True), Field(description="The project folder, created by 'extract'.")
]

Steps = Annotated[
    int | None,
    Presentation(common=True),
    Field(ge=1, description="Train until the run has reached this many steps in total."),
]

Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Field(description="Device to compute on; auto picks the fastest available."),
]

RayAddress = Annotated[
    str | None,
    Field(
        description="Work on a Ray cluster: its address, auto for the one that this machine is in, "
        "or local for workers on this machine; needs faceswap[farm], see docs/farm.md."
    ),
]

WorkersPerNode = Annotated[
    int | None,
    Field(
        ge=1,
        le=64,
        description="With --ray: workers on each machine; by default one for each graphics card "
        "or, where no machine has one, one for each machine.",
    ),
]

Notify = Annotated[
    str | None,
    AfterValidator(checked_command),
    Field(
        description="Command to run when training has a problem and when it ends; gets the message "
        "as its last argument and in FACESWAP_MESSAGE. Run without a shell, so no | or >."
    ),
]

Overwrite = Annotated[
    bool, Field(description="Replace the output if it exists, instead of stopping with an error.")
]

ResumeAndOverwrite = Annotated[
    bool,
    Field(
        description="If the output exists, resume training and replace it, instead of stopping "
        "with an error."
    ),
]
