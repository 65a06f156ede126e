"""Find the quality at which an output keeps the footage, and how large it becomes.

A few stretches of the footage are encoded before the work. Between measured qualities, the
logarithm of the size and the fidelity in dB are nearly linear.
"""

import io
from dataclasses import dataclass

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from faceswap.background import ReportProgress, no_report
from faceswap.video.encoded_pictures import EncodedPictures
from faceswap.video.output_plan import OutputPlan
from faceswap.video.planes import plane
from faceswap.video.reader import VideoReader

FIDELITY = 42.0
"""PSNR in dB that unchanged parts keep at least; two more than is promised."""
LEAST = 40.5  # where more would cost a multiple of the footage's bits
_COSTLY = 3.0  # times the footage's bits
_LONG = 80  # frames of a film from which x264 looks ahead farther than a stretch is long
_AHEAD = 1.0  # dB that this gains at least; 1.1 to 1.7 were measured
_GENEROUS = 1.6  # times the footage's bits that are spent if they buy quality
_BEST, _WORST = 14.0, 34.0  # CRF
_FINEST = 2.0  # for noise of many bits, which costs much
_STRETCHES, _FEWEST, _MOST = 3, 3, 8  # frames of a stretch
_SHARE = 0.05  # of the footage, which is encoded in vain
_CHROMA = (1.16, 0.90)
"""Mean squared gain of Cb and Cr in BT.709's R, G and B."""
_RANGE_GAIN = 1.36
"""Of limited range, which is stretched in RGB."""
_KEY_FRAMES = 250  # frames from one to the next


@dataclass(frozen=True)
class QualityEstimate:
    """A quality, its fidelity in dB, and the size of the pictures in bytes."""

    crf: float
    fidelity: float
    size: int


@dataclass(frozen=True)
class _Trial:
    crf: float
    fidelity: float
    rate: float  # bit/s


def estimate_quality(
    plan: OutputPlan, video: VideoReader, *, fixed: bool, report: ReportProgress = no_report
) -> QualityEstimate:
    """The quality to encode ``plan`` with: following the bits of ``video``, its footage.

    fixed: keep the plan's, and only estimate the size. Raises InputError as reading does.
    """
    stretches = list(_stretches(plan, video))
    frames = max(plan.info.frames, 1)
    seconds = float(frames / plan.info.rate)
    report(0, 4)
    if fixed or plan.encoder.codec in ("ffv1", "prores"):
        trial = _tried(plan, stretches, plan.encoding.crf)
    else:
        trial = _chosen(plan, stretches, report)
    return QualityEstimate(trial.crf, trial.fidelity, round(trial.rate * seconds / 8))


def _chosen(plan: OutputPlan, stretches: list[list[VideoFrame]], report: ReportProgress) -> _Trial:
    best = _tried(plan, stretches, _BEST)
    report(1, 4)
    allowed = _GENEROUS * plan.info.bit_rate
    costly = 0 < _COSTLY * plan.info.bit_rate < best.rate
    aim = FIDELITY
    if costly:
        aim = LEAST - (_AHEAD if plan.info.frames >= _LONG else 0)
    if best.fidelity < aim:
        return _improved(plan, stretches, best, aim)
    if best.rate <= allowed:
        return best
    worse = _tried(plan, stretches, _BEST + 6)
    report(2, 4)
    slope = max(0.1, (best.fidelity - worse.fidelity) / 6)
    faithful = _BEST + (best.fidelity - aim) / slope
    decay = max(0.02, float(np.log(best.rate / max(worse.rate, 1.0))) / 6)
    frugal = _BEST + float(np.log(best.rate / allowed)) / decay if allowed else _BEST + 4
    crf = round(min(faithful, frugal, _WORST) * 2) / 2
    trial = _tried(plan, stretches, max(_BEST, crf))
    while trial.fidelity < aim and trial.crf > _BEST:
        trial = _tried(plan, stretches, max(_BEST, trial.crf - 0.5 if costly else trial.crf - 1))
    return trial


def _improved(
    plan: OutputPlan, stretches: list[list[VideoFrame]], trial: _Trial, aim: float
) -> _Trial:
    """Lower CRFs, until fidelity is as promised or lower ones do not help."""
    while trial.fidelity < aim and trial.crf > _FINEST:
        step = max(1.0, min(4.0, round((aim - trial.fidelity) * 1.2)))
        trial = _tried(plan, stretches, max(_FINEST, trial.crf - step))
    return trial


def _stretches(plan: OutputPlan, video: VideoReader) -> "list[list[VideoFrame]]":
    """Pictures from the beginning, the middle and near the end, as they are encoded."""
    pictures = EncodedPictures(plan)
    frames = max(1, plan.info.frames)
    length = int(np.clip(frames * _SHARE / _STRETCHES, _FEWEST, _MOST))
    found = []
    for number in range(_STRETCHES):
        start = max(0, min(round(frames * (0.1 + 0.4 * number)), frames - length))
        stretch = [
            pictures.of_footage(one.picture, []) for one in video.footage(start, start + length)
        ]
        if stretch:
            found.append(stretch)
        if not video.seekable:
            break  # the other stretches would be reached by decoding all before them
    return found


def _tried(plan: OutputPlan, stretches: list[list[VideoFrame]], crf: float) -> _Trial:
    tries = [_encoded(plan.with_crf(crf), stretch) for stretch in stretches]
    if not tries:
        return _Trial(crf, 0.0, 0.0)
    fidelity = min(one[0] for one in tries)
    return _Trial(crf, fidelity, float(np.mean([one[1] for one in tries])))


def _encoded(plan: OutputPlan, stretch: list[VideoFrame]) -> tuple[float, float]:
    """PSNR in dB of the worst picture of a stretch, and its bit rate."""
    file = io.BytesIO()
    sizes: list[int] = []
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(plan.encoder.name, plan.info.rate, plan.options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = plan.size
        stream.pix_fmt = plan.pixel_format
        stream.codec_context.color_range = stretch[0].color_range
        stream.codec_context.time_base = 1 / plan.info.rate
        packets: list[Packet[VideoStream]] = []
        for number, picture in enumerate(stretch):
            picture.pts, picture.time_base = number, 1 / plan.info.rate
            packets += stream.encode(picture)
        packets += stream.encode(None)
        sizes = [packet.size for packet in packets]
        for packet in packets:
            container.mux(packet)
    file.seek(0)
    with av.open(file, "r") as made:
        decoded = list(made.decode(video=0))
    errors = [_error(a, b) for a, b in zip(stretch, decoded, strict=False)]
    worst = max(errors, default=1.0)
    later = float(np.mean(sizes[1:])) if len(sizes) > 1 else float(sizes[0])
    group = max(1, min(_KEY_FRAMES, plan.info.frames or _KEY_FRAMES))
    mean = (sizes[0] + (group - 1) * later) / group
    return -10 * float(np.log10(worst + 1e-12)), mean * 8 * float(plan.info.rate)


def _error(one: VideoFrame, other: VideoFrame) -> float:
    """Mean squared error of values from 0 to 1, about as it is in RGB.

    Of planes: swscale's RGB also depends on where files say that chroma samples lie.
    """
    top = float((1 << max(component.bits for component in one.format.components)) - 1)
    errors = [
        float(np.mean((plane(one, n).astype(np.float32) - plane(other, n)) ** 2)) / top**2
        for n in range(min(3, len(one.planes)))
    ]
    if len(errors) < 3 or one.format.is_rgb:
        return float(np.mean(errors))
    gain = 1.0 if one.color_range == ColorRange.JPEG else _RANGE_GAIN
    return gain * (errors[0] + _CHROMA[0] * errors[1] + _CHROMA[1] * errors[2])
