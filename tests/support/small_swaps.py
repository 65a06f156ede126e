"""A project whose model was trained for two steps, and what is in a converted video."""

import hashlib
from pathlib import Path
from typing import Any

import av
from driving import finished

from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.train import train
from faceswap.swap.training.options import TrainOptions


def train_briefly(project: Path, a: Path, b: Path) -> Path:
    """Extract both sides and train a small model of them; returns ``project``."""
    for side, clip in (("a", a), ("b", b)):
        options = {"inputs": (clip,), "project": project, "side": side, "size": 64, "every": 2}
        finished(extract(ExtractOptions(**options)))  # type: ignore[arg-type]
    small: dict[str, Any] = {"preset": "quick", "resolution": 64, "steps": 2, "batch": 2}
    finished(train(TrainOptions(project=project, **small)))
    return project


def contents(path: Path) -> dict[str, list[Any]]:
    """Frames with their times and hashes, times of the packets, and sound of a video."""
    found: dict[str, list[Any]] = {"frames": [], "packets": [], "sound": []}
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            data = frame.to_ndarray().tobytes()
            found["frames"].append([frame.pts, hashlib.sha256(data).hexdigest()[:16]])
    with av.open(str(path)) as container:
        for packet in container.demux():
            if not packet.size:
                continue
            mark = hashlib.sha256(bytes(packet)).hexdigest()[:16]
            kind = "packets" if packet.stream.type == "video" else "sound"
            found[kind].append([packet.pts, packet.dts, packet.duration, mark])
    return found
