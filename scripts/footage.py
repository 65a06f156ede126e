"""Derived clips for benchmarks, and the peak memory of a command."""

import contextlib
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import psutil

CLIPS = Path(__file__).parents[2] / "shared" / "clips"


def enlarged(source: Path, target: Path, width: int, height: int) -> Path:
    """Scale a clip to ``height`` and pad it to ``width``, without sound."""
    graph = f"scale=-2:{height},pad={width}:{height}:(ow-iw)/2:0"
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = old.streams.video[0]
        chain = av.filter.Graph()
        nodes = [chain.add_buffer(template=stream)]
        for part in graph.split(","):
            name, _, values = part.partition("=")
            nodes.append(chain.add(name, values))
        nodes.append(chain.add("buffersink"))
        chain.link_nodes(*nodes).configure()
        out = new.add_stream("libx264", stream.average_rate, {"preset": "veryfast", "crf": "16"})
        out.width, out.height, out.pix_fmt = width, height, "yuv420p"
        for frame in old.decode(stream):
            chain.push(frame)
            picture = chain.vpull()
            picture.pict_type = 0
            new.mux(out.encode(picture))
        new.mux(out.encode(None))
    return target


def repeated(source: Path, target: Path, times: int) -> Path:
    """Concatenate a clip ``times`` times without re-encoding, without sound."""
    with av.open(str(target), "w") as new:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(source)) as old:
                video = old.streams.video[0]
                if stream is None:
                    stream = new.add_stream_from_template(video)
                base = video.time_base or Fraction(1, 90000)
                end = offset
                for packet in old.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, offset + packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.time_base, packet.stream = base, stream
                    new.mux(packet)
                offset = end
    return target


def peak_memory(arguments: list[str]) -> int:
    """Peak resident set size of one faceswap command in bytes, sampled every 20 ms."""
    # Not the system's own peak, which starts with the memory of the parent process.
    process = psutil.Popen(
        [sys.executable, "-m", "faceswap", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, process.memory_info().rss)
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"faceswap {' '.join(arguments)} ended with {process.returncode}.")
    return peak
