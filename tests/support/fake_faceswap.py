"""Stands in for ``python -m faceswap``: quick, without a model, and as bad as asked for.

FAKE_JOB in the environment says what a job does: finish, fail, crash, kill, hang, stubborn, burst,
long (its result is a line of a MiB), cut (it dies while it writes that). FAKE_LOG says how many
bytes its log may have.
"""

import os
import signal
import struct
import sys
import time
import zlib
from pathlib import Path

from fake_server import FakeServer

from faceswap import event_log
from faceswap.event_log import EventLog
from faceswap.events import (
    Event,
    Failed,
    Finished,
    Metrics,
    Notice,
    Preview,
    Progress,
    Stopped,
)
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.serving import serve_lines

LONG = 1 << 20


def say(line: Event | Finished | Failed | Stopped) -> None:
    """Into the log if there is one, as the command line does."""
    if LOG:
        LOG[0].show(line)
        return
    sys.stdout.buffer.write(line.model_dump_json().encode() + b"\n")
    sys.stdout.buffer.flush()


LOG: list[EventLog] = []


def png(width: int, height: int, color: tuple[int, int, int]) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(color) * width) * height
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def serve(project: Path, exchange: Path) -> None:
    with ExchangeFolder(exchange) as folder:
        for line in serve_lines(FakeServer(project, folder), folder, sys.stdin.buffer):
            say(line)


def stopped(*_: object) -> None:
    say(Stopped())
    os._exit(130)


def job(behaviour: str) -> int:
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, stopped)
    steps = 1000 if behaviour in ("hang", "stubborn") else 20
    for step in range(1, steps):
        say(Progress(stage="fake", done=step, total=steps, rate=10.0, eta=1.0))
        say(Metrics(step=step, values={"loss": 1 / step, "faces/s": 100.0}))
        time.sleep(0.02)
        if step == 5:
            say(Notice(message="Something odd.", frame=7))
            if behaviour == "fail":
                say(Failed(message="It cannot be done; do another thing.", details="Traceback …"))
                return 1
            if behaviour == "crash":
                sys.stderr.write("Segmentation fault\n")
                os._exit(139)
            if behaviour == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
    for number in range(20_000 if behaviour == "burst" else 0):
        say(Metrics(step=steps + number, values={"loss": 1.0}))
    say(Preview(path=Path("/nowhere/previews/step-000000100.png")))
    if behaviour in ("long", "cut"):
        result = Finished(summary={"output": "/nowhere/out.mp4", "long": "x" * LONG}, text="Long.")
        data = result.model_dump_json().encode() + b"\n"
        path = Path(sys.argv[sys.argv.index("--log") + 1])
        with path.open("ab", buffering=0) as file:
            file.write(data if behaviour == "long" else data[: LONG // 2])
        os._exit(0 if behaviour == "long" else 137)
    say(Finished(summary={"output": "/nowhere/out.mp4"}, text="All done."))
    return 0


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[0] == "serve":
        serve(*(Path(arguments[arguments.index(f"--{n}") + 1]) for n in ("project", "exchange")))
        return 0
    if "FAKE_LOG" in os.environ:
        size = int(os.environ["FAKE_LOG"])
        event_log.LIMIT, event_log.TAIL, event_log.HEAD = size, size // 8, size // 4
    LOG.append(EventLog(Path(arguments[arguments.index("--log") + 1])))
    return job(os.environ.get("FAKE_JOB", "finish"))


if __name__ == "__main__":
    sys.exit(main())
