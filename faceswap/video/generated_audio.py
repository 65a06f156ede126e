"""Synthetic test audio and metadata for generated clips."""

from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt

from faceswap.errors import OutputError
from faceswap.video.info import AudioInfo, Colour, VideoInfo

SOUND_RATE = 44100
_BLOCK = 1024  # samples in a frame of AAC


def write_audio(path: Path, samples: npt.NDArray[np.float32]) -> None:
    """Write mono ``samples`` (N,), -1 to 1 at 44.1 kHz, as AAC to an mp4 at ``path``.

    Raises OutputError when it cannot be written.
    """
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", SOUND_RATE, {"b": "96000"})
            stream.layout = "mono"
            for start in range(0, len(samples), _BLOCK):
                block = np.ascontiguousarray(samples[None, start : start + _BLOCK], np.float32)
                frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                frame.sample_rate, frame.pts = SOUND_RATE, start
                frame.time_base = Fraction(1, SOUND_RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        raise OutputError(
            f"{path.parent} cannot be written ({error.strerror or error}); "
            "free some space or choose another folder."
        ) from error


def generated_video_info(sound: Path, width: int, height: int, frames: int, rate: int) -> VideoInfo:
    """VideoInfo for ``VideoWriter`` to generate a video with the audio of the mp4 ``sound``.

    A frame lasts one tick of 1/rate seconds.
    """
    base = Fraction(1, rate)
    audio = AudioInfo(0, "aac", SOUND_RATE, 1, None, 0, Fraction(1, SOUND_RATE))
    return VideoInfo(
        path=sound.absolute(),
        width=width,
        height=height,
        turn=(False, False, False),
        time_base=base,
        rate=Fraction(rate),
        start=0,
        duration=frames / rate,
        frames=frames,
        codec="h264",
        pixel_format="yuv420p",
        colour=Colour(1, 1, 1),
        sample_aspect=Fraction(1),
        still=False,
        audio=(audio,),
        metadata={},
        stored=(width, height),
    )
