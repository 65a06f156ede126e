"""Small videos made on the spot."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

MakeClip = Callable[..., Path]


def picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Coloured gradients, a moving disc and a little noise: different for every ``number``."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    image = np.stack([x * 200 / width, y * 200 / height, (x + y) * 200 / (width + height)], 2)
    centre = width * (0.2 + 0.6 * (number % 20) / 20), height / 3
    disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (height / 6) ** 2
    image[disc] = (240, 60, 40 + 5 * (number % 40))
    noise = np.random.default_rng(number).normal(0, 2, image.shape)
    return np.clip(image + noise + 20, 0, 255).astype(np.uint8)


def write_clip(
    path: Path,
    *,
    width: int = 128,
    height: int = 96,
    frames: int = 40,
    rate: int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    tracks: int = 1,
    audio_codec: str = "aac",
    rotation: int = 0,
    colour: tuple[int, int, int, int] = (2, 2, 2, 0),
    options: dict[str, str] | None = None,
    aspect: Fraction = Fraction(1),
    offset: int = 0,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a test video; ``colour`` is matrix, primaries, transfer and range (1 limited).

    aspect: of a pixel. offset: seconds at which all streams begin.
    """
    base = time_base or Fraction(1, rate)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        chosen = options if options is not None else {"crf": "10"} if "264" in codec else {}
        video = container.add_stream(codec, rate, chosen)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        video.codec_context.time_base = video.time_base = base
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = colour
        context.sample_aspect_ratio = aspect
        if rotation:
            video.set_display_rotation(rotation)
        sounds = [container.add_stream(audio_codec, 16000) for _ in range(tracks)]
        for number in range(frames):
            image = av.VideoFrame.from_ndarray(picture(number, width, height), format="rgb24")
            frame = image.reformat(
                format=pixel_format,
                dst_colorspace=1 if colour[0] == 1 else None,
                dst_color_range=2 if colour[3] == 2 else None,
            )
            frame.pts = (pts[number] if pts is not None else number) + int(offset / base)
            frame.time_base = base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        seconds = float((pts[-1] if pts is not None else frames) * base)
        for number, sound in enumerate(sounds):
            assert isinstance(sound, av.AudioStream)
            for start in range(0, round(seconds * 16000), 1024):
                wave = np.sin((start + np.arange(1024)) * (0.1 + 0.05 * number)) * 0.3
                block = av.AudioFrame.from_ndarray(
                    wave.astype(np.float32)[None], format="fltp", layout="mono"
                )
                block.sample_rate, block.time_base = 16000, Fraction(1, 16000)
                block.pts = start + offset * 16000
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path


def write_cut_short(folder: Path) -> Path:
    """Write a video that says that it has 1,400 frames and breaks off long before."""
    whole = write_clip(folder / "whole.mkv", width=32, height=32, frames=1400, tracks=0)
    path = folder / "short.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 8])
    return path
