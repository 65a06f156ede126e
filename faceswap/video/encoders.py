"""Encoders of libav: which pixel formats they take, and our quality and speed on their scales."""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import cv2
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from faceswap.video.encoding import Encoding
from faceswap.video.info import VideoInfo
from faceswap.video.pixel_formats import PixelFormat

# SVT-AV1 writes a banner to stderr; 1: errors only.
os.environ.setdefault("SVT_LOG", "1")

_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")
_AV1_PRESETS = (13, 12, 10, 9, 8, 6, 4)
_VP9_SPEEDS = (8, 7, 6, 5, 4, 2, 1)
_AVX512 = 256  # CV_CPU_AVX512_SKX, which OpenCV does not name in Python: F, CD, BW, DQ and VL
_HARDWARE_CRF_OFFSET = 4  # their constant quality is worse at the same number


@dataclass(frozen=True)
class Encoder:
    """One encoder.

    name: libav's. codec: ours. formats: pixel formats it takes. options: makes libav's options.
    even: whether 4:2:0 needs even sizes. interlaced: whether it codes fields.
    """

    name: str
    codec: str
    formats: tuple[str, ...]
    options: Callable[[Encoding, VideoInfo], dict[str, str]]
    even: bool = False
    interlaced: bool = False
    hardware: bool = False


def _formats(samplings: str, depths: str) -> tuple[str, ...]:
    return tuple(
        f"yuv{sampling}p{'' if depth == '8' else depth + 'le'}"
        for depth in depths.split()
        for sampling in samplings.split()
    )


def _x264(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    # Fidelity rather than perceived quality: 1.5 dB more than x264's default tuning.
    options = {"crf": f"{encoding.crf:g}", "preset": encoding.preset, "tune": "psnr"}
    if info.fields:
        options["flags"] = "+ilme+ildct"
    if encoding.deterministic:
        options["threads"] = "1"
    # x264's SIMD code reads past rows that are no multiple of its widest register, and the bytes
    # there affect decisions for the last macroblocks. With AVX2 they are always the same ones.
    if info.stored[0] % 128 and (encoding.deterministic or _has_avx512()):
        options["x264-params"] = "asm=0" if encoding.deterministic else "asm=AVX2"
    return options


def _has_avx512() -> bool:
    return cv2.checkHardwareSupport(_AVX512)


def _x265(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    parameters = ["log-level=error"]
    if encoding.crf == 0:
        parameters.append("lossless=1")
    if info.hdr.mastering:
        parameters.append(f"master-display={_mastering(info.hdr.mastering)}")
    if len(info.hdr.light) >= 8:
        parameters.append("max-cll={},{}".format(*struct.unpack("=2I", info.hdr.light[:8])))
    if info.colour.hdr:
        parameters.append("repeat-headers=1")
    if encoding.deterministic:
        parameters.append("pools=none:frame-threads=1")
    return {
        "crf": f"{encoding.crf:g}",
        "preset": encoding.preset,
        "tune": "psnr",
        "x265-params": ":".join(parameters),
    }


def _mastering(data: bytes) -> str:
    """x265's form of libav's AVMasteringDisplayMetadata: ten rationals, of int32 each."""
    numbers = struct.unpack("=20i", data[:80])
    values = [Fraction(n, d or 1) for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
    chromatic = [round(value * 50000) for value in values[:8]]
    red, green, blue, white = (f"({chromatic[i]},{chromatic[i + 1]})" for i in (0, 2, 4, 6))
    darkest, brightest = (round(value * 10000) for value in values[8:])
    return f"G{green}B{blue}R{red}WP{white}L({brightest},{darkest})"


def _av1(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    preset = _AV1_PRESETS[_PRESETS.index(encoding.preset)]
    crf = max(1, min(63, round(encoding.crf * 1.3)))
    return {"crf": str(crf), "preset": str(preset), "svtav1-params": "tune=1"}


def _vp9(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    options = {
        "crf": str(max(0, min(63, round(encoding.crf * 1.15)))),
        "b": "0",
        "deadline": "good",
        "cpu-used": str(_VP9_SPEEDS[_PRESETS.index(encoding.preset)]),
        "row-mt": "1",
    }
    return options | ({"lossless": "1"} if encoding.crf == 0 else {})


def _prores(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    quantiser = max(1, min(16, round(encoding.crf / 4)))
    options = {"profile": "hq", "vendor": "apl0", "quant_mat": "auto", "qscale": str(quantiser)}
    return options | ({"flags": "+ildct"} if info.fields else {})


def _ffv1(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    return {"level": "3", "slicecrc": "1", "g": "1", "threads": "0"}


def _nvenc(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    quality = max(1, round(encoding.crf) + _HARDWARE_CRF_OFFSET)
    return {"rc": "constqp", "qp": str(quality), "preset": "p4"}


def _quick_sync(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    return {"global_quality": str(max(1, round(encoding.crf) + _HARDWARE_CRF_OFFSET))}


def _video_toolbox(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    return {"q:v": str(max(1, min(100, round(100 - 1.6 * encoding.crf))))}


def _amf(encoding: Encoding, info: VideoInfo) -> dict[str, str]:
    quality = str(max(1, round(encoding.crf) + _HARDWARE_CRF_OFFSET))
    return {"rc": "cqp", "qp_i": quality, "qp_p": quality}


_YUV = "420 422 444"
SOFTWARE = {
    one.codec: one
    for one in (
        Encoder("libx264", "h264", _formats(_YUV, "8 10"), _x264, even=True, interlaced=True),
        Encoder("libx265", "h265", _formats(_YUV, "8 10 12"), _x265, even=True),
        Encoder("libsvtav1", "av1", _formats("420", "8 10"), _av1),
        Encoder("libvpx-vp9", "vp9", _formats(_YUV, "8"), _vp9),
        Encoder(
            "prores_ks",
            "prores",
            ("yuv422p10le", "yuv444p10le", "yuva444p10le"),
            _prores,
            interlaced=True,
        ),
        Encoder(
            "ffv1",
            "ffv1",
            (
                *_formats("420 422 444", "8 10 12 16"),
                *_formats("440", "8 10 12"),
                *(f"yuva{s}p{d}" for d in ("", "10le", "16le") for s in ("420", "422", "444")),
                *("yuv411p", "yuv410p", "bgr0", "bgra"),
                *(f"gbr{a}p{d}le" for d in (10, 12, 16) for a in ("", "a")),
            ),
            _ffv1,
            interlaced=True,
        ),
    )
}
_CARD_FORMATS = ("yuv420p", "p010le")
HARDWARE = tuple(
    Encoder(f"{codec}_{card}", ours, formats, options, even=True, hardware=True)
    for card, options in (
        ("nvenc", _nvenc),
        ("qsv", _quick_sync),
        ("videotoolbox", _video_toolbox),
        ("amf", _amf),
    )
    for codec, ours, formats in (
        ("h264", "h264", ("yuv420p",)),
        ("hevc", "h265", _CARD_FORMATS),
        ("av1", "av1", _CARD_FORMATS),
    )
)


def working_hardware(codec: str, encoding: Encoding, info: VideoInfo) -> Encoder | None:
    """The first encoder of a graphics card that encodes a picture of this size; None: none does."""
    for encoder in HARDWARE:
        if encoder.codec == codec and _encodes(encoder, encoding, info):
            return encoder
    return None


def _encodes(encoder: Encoder, encoding: Encoding, info: VideoInfo) -> bool:
    try:
        context = CodecContext.create(encoder.name, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height = (side + side % 2 for side in info.stored)
        context.pix_fmt = encoder.formats[0]
        context.time_base = Fraction(1, 25)
        context.options = encoder.options(encoding, info)
        picture = VideoFrame(context.width, context.height, encoder.formats[0])
        picture.pts = 0
        return bool([*context.encode(picture), *context.encode(None)])
    except (ValueError, av.error.FFmpegError):
        return False


def best_format(formats: tuple[str, ...], footage: PixelFormat) -> str:
    """The one of an encoder's pixel formats that keeps most of the footage's, and adds least.

    RGB becomes 4:2:0 where the encoder has no RGB, which plays everywhere.
    """

    def cost(name: str) -> tuple[int, ...]:
        if name in ("bgr0", "bgra"):
            rgb, alpha, bits, chroma = True, name == "bgra", 8, (1, 1)
        elif name == "p010le":
            rgb, alpha, bits, chroma = False, False, 10, (2, 2)
        else:
            one = PixelFormat.named(name)
            rgb, alpha, bits, chroma = one.rgb, one.alpha, one.bits, one.chroma
        wanted = footage.chroma if rgb or not footage.rgb else (2, 2)
        if wanted[0] > 2 or wanted[1] > wanted[0]:
            wanted = (2, 2) if name != footage.name else wanted
        return (
            rgb != footage.rgb,
            footage.alpha and not alpha,
            max(0, footage.bits - bits),
            max(0, chroma[0] - wanted[0]) + max(0, chroma[1] - wanted[1]),
            max(0, wanted[0] - chroma[0]) + max(0, wanted[1] - chroma[1]),
            bits - footage.bits,
            alpha and not footage.alpha,
        )

    return min(formats, key=cost)
