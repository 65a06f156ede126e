"""Write docs/protocol.md from the messages of the preview server."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).parents[1]))

from pydantic import BaseModel

from faceswap.preview.protocol import (
    ANSWERS,
    REQUESTS,
    ChoosePair,
    DropPair,
    FailureAnswer,
    Footage,
    FrameFace,
    IgnorePeople,
    MergePeople,
    MetricCurve,
    MoveTracks,
    NamePerson,
    NewestCrop,
    PairState,
    PersonState,
    PersonTrack,
    PictureFile,
    PictureSize,
    PlannedPerson,
    RunState,
    SideState,
    SourceState,
    SplitPerson,
    TrackName,
    TrackSpans,
    Undo,
)

PARTS: tuple[type[BaseModel], ...] = (
    PictureFile, PictureSize, FrameFace, TrackSpans, NewestCrop, SideState, SourceState, Footage,
    PersonState, PersonTrack, TrackName, PairState, PlannedPerson, MergePeople, SplitPerson,
    NamePerson, IgnorePeople, MoveTracks, ChoosePair, DropPair, Undo, RunState, MetricCurve,
)  # fmt: skip

INTRODUCTION = """# The protocol of `faceswap serve`

*Written by `scripts/protocol_page.py` from `faceswap/preview/protocol/`; change it there.*

`faceswap serve --project P --exchange DIR --events jsonl` answers requests about a project until
its standard input closes. The window is one of its clients; any program can be another. In Python,
`faceswap.preview.protocol` has a class for each message.

A request is one line of JSON (UTF-8) on standard input, with a number of your choice:

    {"id": 1, "request": {"kind": "frame", "side": "a", "frame": 25}}

Its answer is one line on standard output, in the order of the requests, with the same number:

    {"kind": "answer", "id": 1, "answer": {"kind": "frame", "frame": 25, …}, "file": null}

- An answer that would make a line longer than 65,536 characters is in a file instead: `answer` is
  null, and `file` names a file with the same JSON.
- Pictures and tables are always in files, which the answer names. All files are in the exchange
  folder; delete each once it is read. What is left goes when the server ends, and so does the
  folder, unless it was there before.
- A request that fails is answered with the kind `failure`, and the server goes on. A line without
  a readable number is answered with the number null.
- Between the answers there may be lines of the kind `notice`, whose `message` is a warning for the
  user. The last line is of the kind `finished`, `failed` or `stopped`.
- A is the footage that is changed, B the face that is put on it; a side is "a" or "b". Fields with
  a default may be left out; unknown ones are refused.
"""


def messages() -> tuple[type[BaseModel], ...]:
    """All messages and their parts, in the order of the page."""
    return (*REQUESTS, *ANSWERS, *PARTS)


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Requests\n"]
    for request in REQUESTS:
        answer = request.answer_type()
        told = f"Answered with `{_kind(answer)}`."
        parts.append(f"### `{_kind(request)}`\n\n{_text(request)} {told}\n\n{_table(request)}")
    parts.append("## Answers\n")
    parts += [f"### `{_kind(m)}`\n\n{_text(m)}\n\n{_table(m)}" for m in ANSWERS]
    parts.append("## Parts of them\n")
    parts += [f"### {m.__name__}\n\n{_text(m)}\n\n{_table(m)}" for m in PARTS]
    return "\n".join(part.rstrip() + "\n" for part in parts)


def _kind(message: type[BaseModel]) -> str:
    return str(get_args(message.model_fields["kind"].annotation)[0])


def _text(message: type[BaseModel]) -> str:
    text = inspect.getdoc(message) or ""
    return text.replace("FailureAnswer", f"`{_kind(FailureAnswer)}`")


def _table(message: type[BaseModel]) -> str:
    schema = message.model_json_schema()
    rows = []
    for name, field in schema["properties"].items():
        if name == "kind":
            continue
        default = "" if name in schema.get("required", ()) else f"`{_default(field['default'])}`"
        rows.append(f"| `{name}` | {_type(field)} | {default} | {field['description']} |")
    if not rows:
        return ""
    return "\n".join(("| field | type | default | meaning |", "|---|---|---|---|", *rows))


def _default(value: object) -> str:
    return "{}" if isinstance(value, dict) else json.dumps(value)


def _type(field: dict[str, Any]) -> str:
    """A type of a JSON schema in words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return (
            "options of `faceswap preview` such as `mask_blur`" if name == "BlendOptions" else name
        )
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if "oneOf" in field:
        return " or ".join(map(_type, field["oneOf"]))
    if "enum" in field:
        return ", ".join(f'"{value}"' for value in field["enum"])
    kind = str(field["type"])
    if kind == "array" and "prefixItems" in field:
        return "[" + ", ".join(map(_type, field["prefixItems"])) + "]"
    if kind == "object":
        return f"object of {_type(field['additionalProperties'])}"
    if kind == "array":
        return f"array of {_type(field['items'])}"
    return {"string": "path" if field.get("format") == "path" else "string"}.get(kind, kind)


if __name__ == "__main__":
    (Path(__file__).parents[1] / "docs" / "protocol.md").write_text(page(), encoding="utf-8")
