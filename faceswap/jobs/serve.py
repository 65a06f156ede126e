"""Serve: answer the window's, or another program's, requests about a project."""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from faceswap.events import Event, Summary
from faceswap.options import Device, Options, Presentation


class ServeOptions(Options):
    """Answer requests about a project."""

    project: Annotated[
        Path,
        Presentation(common=True),
        Field(
            description="The project folder. It need not exist for frames of any file, costs of a "
            "training step, and to create the project."
        ),
    ]
    exchange: Annotated[
        Path,
        Presentation(common=True),
        Field(
            description="Folder for the pictures and tables of answers; created if missing, and "
            "then removed at the end. Delete each file once it is read."
        ),
    ]
    device: Device = "auto"


class ServeSummary(Summary):
    """Result of serving: how many requests there were."""

    answered: int

    def text(self) -> str:
        """One sentence for a person."""
        return f"{self.answered} requests answered."


def serve(options: ServeOptions) -> Generator[Event, None, ServeSummary]:
    """Answer requests about a project, for the window or another program.

    Each line of standard input is a request, each line of standard output its answer, both JSON,
    until standard input closes. With them a program shows frames and swaps, lists faces, excludes
    and restores them, reads metrics, keeps snapshots and creates projects:

        faceswap serve --project P --exchange /tmp/answers --events jsonl
        {"id": 1, "request": {"kind": "frame", "side": "a", "frame": 25}}

    Pictures and tables are in files that the answers name. docs/protocol.md lists all requests.
    """
    from faceswap.preview.exchange import ExchangeFolder
    from faceswap.preview.server import PreviewServer
    from faceswap.preview.serving import serve_lines

    with (
        ExchangeFolder(options.exchange) as exchange,
        PreviewServer(options.project, exchange, options.device) as server,
    ):
        return ServeSummary(answered=(yield from serve_lines(server, exchange, sys.stdin.buffer)))
