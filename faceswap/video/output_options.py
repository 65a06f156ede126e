"""Options of how a video is written, shared by all jobs that convert footage."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from faceswap.options import Options, Presentation
from faceswap.video.encoding import Encoding

QUALITY_WORDS = {"small": 24.0, "good": 19.0, "high": 14.0, "lossless": 0.0}
"""Words for a quality on x264's scale."""


def _checked_quality(value: str) -> str:
    if value == "auto" or value in QUALITY_WORDS:
        return value
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number <= 51:
        raise ValueError(f"use auto, {', '.join(QUALITY_WORDS)} or a number from 0 to 51")
    return value


Quality = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int | float) else value),
    AfterValidator(_checked_quality),
]


class OutputOptions(Options):
    """Options of how a video is written."""

    renamed: ClassVar[Mapping[str, str]] = {"crf": "quality"}

    quality: Annotated[
        Quality,
        Presentation(common=True),
        Field(
            description="Quality: auto follows the footage's bit rate and keeps what is not "
            "swapped at 40 dB or more; small, good, high or lossless; or a number on x264's scale, "
            "0 to 51, lower is better.",
        ),
    ] = "auto"
    codec: Annotated[
        Literal["auto", "h264", "h265", "av1", "vp9", "prores", "ffv1"],
        Field(
            description="Codec of the pictures; auto takes H.264 for 8 bits and H.265 for more, "
            "and keeps ProRes, FFV1 and transparency where the container can."
        ),
    ] = "auto"
    encoder_speed: Annotated[
        Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"],
        Field(description="Speed of the encoder; slower ones make smaller files."),
    ] = "veryfast"
    pixel_format: Annotated[
        str,
        Field(
            description="Pixel format such as yuv420p or yuv444p10le; auto keeps the footage's "
            "depth and chroma as far as the codec can."
        ),
    ] = "auto"
    hardware: Annotated[
        bool, Field(description="Encode on the graphics card, if it can; the files are larger.")
    ] = False
    audio: Annotated[
        Literal["auto", "copy", "aac", "none"],
        Field(
            description="Sound: auto copies what common players play and makes AAC of the rest; "
            "copy copies all that the container can hold; aac; none leaves it out."
        ),
    ] = "auto"
    deinterlace: Annotated[
        bool, Field(description="Make interlaced footage progressive (bwdif); else it stays so.")
    ] = False

    def encoding(self) -> Encoding:
        """What these options ask of the encoder; ``quality`` auto as high."""
        crf = QUALITY_WORDS["high"]
        if self.quality != "auto":
            crf = QUALITY_WORDS.get(self.quality, -1.0)
            crf = float(self.quality) if crf < 0 else crf
        return Encoding(
            crf=crf,
            preset=self.encoder_speed,
            codec=self.codec,
            pixel_format=self.pixel_format,
            hardware=self.hardware,
            audio=self.audio,
            deinterlace=self.deinterlace,
        )
