"""Stands in for ``python -m faceswap``: quick, without a model, and as bad as asked for.

FAKE_JOB in the environment says what a job does: finish, fail, crash, kill, hang, stubborn, burst,
long (its result is a line of a MiB), cut (it dies while it writes that). FAKE_LOG says how many
bytes its log may have.
"""

import base64
import json
import os
import signal
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from faceswap import event_log
from faceswap.event_log import EventLog
from faceswap.events import (
    Answer,
    Event,
    Failed,
    Finished,
    Metrics,
    Notice,
    Preview,
    Progress,
    Stopped,
)
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.jobs.preview import FILE_REQUESTS

FRAMES = 200


LONG = 1 << 20


def say(line: Event | Finished | Failed | Stopped) -> None:
    """Into the log if there is one, as the command line does."""
    if LOG:
        LOG[0].show(line)
        return
    sys.stdout.write(line.model_dump_json() + "\n")
    sys.stdout.flush()


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


def answer(project: Path, do: str, given: dict[str, Any]) -> dict[str, Any]:
    """The answers that the pages need, of a project that exists on paper."""
    if do == "make":
        project.mkdir(parents=True, exist_ok=True)
        (project / "project.toml").write_text("format = 1\n")
        do = "project"
    if do == "project":
        if not (project / "project.toml").is_file():
            raise ValueError(f"There is no project in {project}.")
        return {
            "sides": {side: side_of(project, side) for side in "ab"},
            "runs": runs(),
            "outputs": [],
        }
    if do == "frame":
        path = Path(given.get("path", "x.mp4"))
        if path.suffix != ".mp4":
            raise ValueError(f"{path.name} is not a video.")
        picture = png(64, 48, (given.get("frame", 0) % 256, 90, 90))
        return {
            "frame": given.get("frame", 0),
            "time": given.get("frame", 0) / 25,
            "frames": FRAMES,
            "rate": 25.0,
            "size": [64, 48],
            "image": base64.b64encode(picture).decode(),
            "faces": [
                {"track": 0, "presence": 0.9, "points": [[20.0 + i / 4, 20.0] for i in range(68)]}
            ],
        }
    if do == "swap":
        return {
            "frame": given["frame"],
            "faces": 1,
            "seconds": 0.1,
            "image": base64.b64encode(png(64, 48, (200, 0, 0))).decode(),
        }
    if do == "spans":
        return {
            "frames": FRAMES,
            "tracks": {"0": [[0, 150]]},
            "low": {"0": [[40, 50]]},
            "gaps": [[151, 199]],
            "cuts": [100],
        }
    if do == "faces":
        return faces(project, given["side"])
    if do == "measure":
        values = struct.pack(f"<{2 * len(given['names'])}f", *([0.5] * 2 * len(given["names"])))
        return {"count": len(given["names"]), "values": base64.b64encode(values).decode()}
    if do in ("exclude", "restore"):
        move = exclude if do == "exclude" else restore
        return {"moved": move(project / "faces" / given["side"], given["names"])}
    if do == "metrics":
        series = {"loss": {"step": [1, 2, 3], "value": [3.0, 2.0, 1.0]}}
        return {"series": series, "state": "still improving", "previews": [], "seconds": 60.0}
    if do == "die":
        os._exit(3)
    if do == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if do == "wait":
        time.sleep(given["seconds"])
    return {"given": given}


def side_of(project: Path, side: str) -> dict[str, Any]:
    folder = project / "faces" / side
    return {
        "video": f"/{side}.mp4",
        "problem": "",
        "size": [64, 48],
        "frames": FRAMES,
        "rate": 25.0,
        "seconds": 8.0,
        "complete": True,
        "looked_at": FRAMES,
        "faces": 10,
        "tracks": 1,
        "crops": len(list(folder.glob("*.png"))),
        "excluded": len(list((folder / EXCLUDED).glob("*.png"))),
    }


def runs() -> list[dict[str, Any]]:
    has = {"warp": 0.05}
    return [{"name": "main", "step": 100, "saved": 1.0, "preset": "quick", "options": has}]


def faces(project: Path, side: str) -> dict[str, Any]:
    folder = project / "faces" / side
    inside = {p.name: 0.0 for p in folder.glob("*.png")}
    inside |= {p.name: 1.0 for p in (folder / EXCLUDED).glob("*.png")}
    names = sorted(inside)
    columns = [
        "frame",
        "track",
        "time",
        "yaw",
        "pitch",
        "presence",
        "blur",
        "brightness",
        "excluded",
    ]
    nan = float("nan")
    flat: list[float] = []
    for number, name in enumerate(names):
        flat += [
            number,
            0,
            number / 25,
            90 - number,
            number % 7,
            0.5 + number % 5 / 10,
            nan,
            nan,
            inside[name],
        ]
    values = base64.b64encode(struct.pack(f"<{len(flat)}f", *flat)).decode()
    return {
        "folder": str(folder),
        "excluded": EXCLUDED,
        "columns": columns,
        "names": "\n".join(names),
        "values": values,
    }


def serve(project: Path) -> None:
    for line in sys.stdin:
        question = json.loads(line)
        number, do, path = (question.pop(name) for name in ("id", "do", "into"))
        try:
            values = answer(project, do, question)
        except ValueError as error:
            say(Answer(id=number, error=str(error)))
            continue
        if do == "remark":
            say(Notice(message="A save is damaged."))
        if do in FILE_REQUESTS:
            Path(path).write_text(json.dumps(values))
            say(Answer(id=number, path=Path(path)))
        else:
            say(Answer(id=number, values=values))


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
    if arguments[0] == "preview":
        serve(Path(arguments[arguments.index("--project") + 1]))
        return 0
    if "FAKE_LOG" in os.environ:
        size = int(os.environ["FAKE_LOG"])
        event_log.LIMIT, event_log.TAIL, event_log.HEAD = size, size // 8, size // 4
    LOG.append(EventLog(Path(arguments[arguments.index("--log") + 1])))
    return job(os.environ.get("FAKE_JOB", "finish"))


if __name__ == "__main__":
    sys.exit(main())
