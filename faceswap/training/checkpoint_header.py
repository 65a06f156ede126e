"""What stands at the head of a run's saves, without reading the saves.

As plain JSON at the beginning of the file; see https://github.com/huggingface/safetensors#format.
"""

import json
from pathlib import Path
from typing import Any

from faceswap.training.checkpoint import CheckpointFolder

_LONGEST = 1 << 24  # bytes of a header; more is no save of ours


def header_of(path: Path) -> dict[str, Any]:
    """Kind, config and numbers of the save at ``path``; empty where it can't be read."""
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _LONGEST:
                return {}
            header = json.loads(json.loads(file.read(size))["__metadata__"]["faceswap"])
            return header if isinstance(header["numbers"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def newest_header(folder: Path) -> dict[str, Any]:
    """That of the newest save in ``folder`` that has one; empty where none has."""
    found = (header_of(path) for path in reversed(CheckpointFolder(folder).files()))
    return next((header for header in found if header), {})
