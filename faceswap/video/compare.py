"""Compare sound and timestamps of two videos, which a swap must not change."""

import hashlib
from pathlib import Path

import av.error
import numpy as np

from faceswap.background import ReportProgress, no_report
from faceswap.errors import InputError
from faceswap.video.pyav import open_input
from faceswap.video.reader import VideoReader


def audio_digests(path: Path, report: ReportProgress = no_report) -> list[str]:
    """SHA-256 of the packets of each audio stream of the file at ``path``.

    report: called for each packet. Raises InputError when it cannot be read.
    """
    try:
        with open_input(path) as container:
            digests = {stream.index: hashlib.sha256() for stream in container.streams.audio}
            if not digests:
                return []
            for number, packet in enumerate(container.demux(container.streams.audio)):
                report(number)
                if packet.size:
                    digests[packet.stream.index].update(bytes(packet))
            return [digest.hexdigest() for digest in digests.values()]
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"The sound of {path.name} cannot be read.") from error


def same_timestamps(first: VideoReader, second: VideoReader) -> bool:
    """Whether both have the same number of frames with the same timestamps.

    Tolerance is 0.51 ms, as some containers round to milliseconds.
    """
    times_a, times_b = (
        reader.timestamps() * float(reader.info.time_base) for reader in (first, second)
    )
    return len(times_a) == len(times_b) and bool(np.all(np.abs(times_a - times_b) <= 5.1e-4))
