"""Audio denoising: a U-Net over spectrograms predicts a gain for each time and frequency."""

import io
import struct
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional

from faceswap.autoencoder.unet import UNet
from faceswap.device_support import cpu_generator
from faceswap.errors import InputError, OutputError
from faceswap.events import Notice
from faceswap.io.charts import line_chart
from faceswap.lab.framework.data import fingerprint
from faceswap.lab.framework.figure import sheet, write_png
from faceswap.lab.framework.models import RepairConfig
from faceswap.lab.framework.run import TaskFunction, TaskSettings, TrainingPlan, finish, train
from faceswap.lab.framework.training_task import Losses
from faceswap.lab.task_registry import TASKS

RATE = 8000  # Hz: telephone quality, enough for speech
WINDOW, HOP = 256, 64  # samples: 32 and 8 ms
_FLOOR, _RANGE = -80.0, 100.0  # dB: levels from -80 to 20 become 0 to 1
_TRUE = "Synthetic sound, generated for faceswap's lab."
_NOISY = "Synthetic sound with added noise, generated for faceswap's lab."

Wave = NDArray[np.float32]


def spectrogram(sound: Tensor) -> Tensor:
    """Short-time Fourier transform (N, 129, T) of sounds (N, L), 32 ms windows every 8 ms."""
    window = torch.hann_window(WINDOW, device=sound.device)
    return torch.stft(sound, WINDOW, HOP, window=window, return_complex=True)


def inverse_spectrogram(spectrum: Tensor, length: int) -> Tensor:
    """Inverse short-time Fourier transform: spectra (N, 129, T) → sounds (N, length)."""
    window = torch.hann_window(WINDOW, device=spectrum.device)
    return torch.istft(spectrum, WINDOW, HOP, window=window, length=length)


def as_picture(spectrum: Tensor) -> Tensor:
    """Levels of spectra (N, 129, T) as pictures (N, 1, 128, T): 0 is −80 dB, 1 is 20 dB.

    The highest frequency is left out, for a height that the net can halve.
    """
    level = 20 * (spectrum[:, :-1].abs() / (WINDOW / 4) + 1e-6).log10()
    return ((level - _FLOOR) / _RANGE).clamp(0, 1)[:, None]


def cleaned(model: nn.Module, noisy: Tensor) -> Tensor:
    """Denoise sounds (N, L) with ``model``; the phase stays that of the noisy sound."""
    spectrum = spectrogram(noisy)
    gain = functional.pad(gains(model, as_picture(spectrum)), (0, 0, 0, 1), mode="replicate")
    return inverse_spectrogram(spectrum * gain[:, 0], noisy.shape[1])


def gains(model: nn.Module, levels: Tensor) -> Tensor:
    """Predicted gain of each time and frequency (N, 1, 128, T), 0 to 1.

    Runs on the model's device; the result is on that of ``levels``.
    """
    out: Tensor = model(levels.to(next(model.parameters()).device))
    return out.to(levels.device)


def snr(sound: Tensor, clean: Tensor) -> float:
    """Signal-to-noise ratio in dB of sounds (N, L), over all of them."""
    noise = (sound - clean).square().sum().clamp(min=1e-12)
    return float(10 * (clean.square().sum() / noise).log10())


def synthetic_sounds(count: int, seconds: float, generator: Generator) -> Tensor:
    """Synthesise clean sounds (count, L): chords of decaying tones, every second speech-like."""
    length = int(seconds * RATE)
    t = torch.arange(length) / RATE

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    tones = torch.zeros(count, length)
    for _ in range(4):
        pitch = 110 * 2 ** (uniform(count, 1) * 4)  # Hz: four octaves from A2
        start = uniform(count, 1) * seconds * 0.7
        after = (t - start).clamp(min=0)
        # Attack of 1/60 s, decay rate of 2 to 8 per second.
        shape = (after * 60).clamp(max=1) * torch.exp(-after * (2 + 6 * uniform(count, 1)))
        for partial in range(1, 4):
            tones += shape * torch.sin(2 * torch.pi * pitch * partial * t) / partial**1.5
    voice = _voice(count, t, generator)
    half = torch.arange(count)[:, None] % 2 == 0
    sound = torch.where(half, tones, voice)
    return 0.3 * sound / sound.square().mean(1, keepdim=True).sqrt().clamp(min=1e-3)


def _voice(count: int, t: Tensor, generator: Generator) -> Tensor:
    """Speech-like syllables: harmonics of a gliding pitch, shaped by three moving formants."""
    length = len(t)

    def glide(low: float, high: float, knots: int) -> Tensor:
        points = torch.rand((count, 1, knots), generator=generator) * (high - low) + low
        return functional.interpolate(points, length, mode="linear", align_corners=True)[:, 0]

    pitch = glide(90, 240, 5)
    phase = torch.cumsum(2 * torch.pi * pitch / RATE, 1)
    formants = [glide(300, 850, 8), glide(900, 2300, 8), glide(2300, 3200, 8)]
    total = torch.zeros(count, length)
    for number in range(1, 16):
        hertz = number * pitch
        loud = sum(
            torch.exp(-(((hertz - f) / (90 + 60 * i)) ** 2)) / (1 + i)
            for i, f in enumerate(formants)
        )
        # Nothing near the Nyquist frequency of 4 kHz, where it would alias.
        total += torch.where(hertz < 3800, loud + 0.02, torch.zeros(())) * torch.sin(number * phase)
    syllables = glide(-1.0, 1.5, 12).clamp(0, 1)
    return total * syllables


@dataclass(frozen=True)
class AudioBatch:
    """levels of noisy sound, target gain, and loss weight, (n, 1, 128, T) each."""

    levels: Tensor
    gain: Tensor
    weight: Tensor

    def micro_batch(self, index: int, count: int) -> "AudioBatch":
        """The ``index``-th of ``count`` equal micro-batches."""
        n = len(self.levels)
        mine = slice(index * n // count, (index + 1) * n // count)
        return AudioBatch(self.levels[mine], self.gain[mine], self.weight[mine])

    def to(self, device: torch.device) -> "AudioBatch":
        """The same on ``device``."""
        return AudioBatch(*(part.to(device) for part in (self.levels, self.gain, self.weight)))


class AudioTask:
    """Made or given sounds with noise of 0 to 15 dB; a training.loop.Task.

    What is learnt is the gain of each place that leaves the sound and takes the noise (Wiener).
    """

    def __init__(self, sounds: Tensor, held_out: Tensor, noise: float | None) -> None:
        self.fingerprint = fingerprint(sounds)
        self._sounds, self._held_out, self._noise = sounds, held_out, noise

    def batch(self, count: int, generator: Generator, progress: float) -> AudioBatch:
        """``count`` noisy segments of half a second, made on the CPU, where the sounds are, and
        moved to the device of ``generator``."""
        made = self._noisy(self._sounds, count, cpu_generator(generator))
        return made.to(generator.device)

    def _noisy(self, sounds: Tensor, count: int, generator: Generator) -> AudioBatch:
        length = RATE // 2
        which = torch.randint(len(sounds), (count,), generator=generator)
        first = torch.randint(sounds.shape[1] - length + 1, (count,), generator=generator)
        clean = sounds[which[:, None], first[:, None] + torch.arange(length)]
        noisy = with_noise(clean, self._noise, generator)
        own, seen = spectrogram(clean)[:, :-1], spectrogram(noisy)[:, :-1]
        # Target gain: the noisy spectrum's component in phase with the clean one.
        gain = ((own * seen.conj()).real / seen.abs().square().clamp(min=1e-9)).clamp(0, 1)
        # Power weighting makes the loss the squared error of the sound.
        weight = seen.abs().square()
        weight = weight / weight.mean((1, 2), keepdim=True).clamp(min=1e-9)
        return AudioBatch(as_picture(spectrogram(noisy)), gain[:, None], weight[:, None])

    def losses(self, model: nn.Module, batch: AudioBatch) -> Losses:
        """Squared error of the sound, plus 0.1 of the gain's, for times without sound."""
        d = (gains(model, batch.levels) - batch.gain).square()
        return {"loss": (d * batch.weight).mean() + 0.1 * d.mean()}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """The loss on held-out sounds."""
        batch = self._noisy(self._held_out, 32, torch.Generator().manual_seed(1))
        return {"held-out loss": float(self.losses(model, batch)["loss"])}

    @torch.no_grad()
    def preview(self, model: nn.Module, path: Path) -> None:
        """Write a picture of noisy spectrograms, predicted and target gains."""
        batch = self._noisy(self._held_out, 6, torch.Generator().manual_seed(1))
        rows = [("noisy", batch.levels), ("gain", gains(model, batch.levels))]
        write_png(path, sheet([(n, x.flip(2)) for n, x in [*rows, ("target", batch.gain)]], 128))


def with_noise(clean: Tensor, ratio: float | None, generator: Generator) -> Tensor:
    """Add white or brown noise to sounds (N, L) at an SNR of ``ratio`` dB; None: random 0 to 15."""
    n = len(clean)
    white = torch.randn(clean.shape, generator=generator)
    spectrum = torch.fft.rfft(white)
    spectrum = spectrum / torch.linspace(0.05, 1, spectrum.shape[1])  # brown: 1 / frequency
    coloured = torch.fft.irfft(spectrum, clean.shape[1])
    pick = torch.rand((n, 1), generator=generator) < 0.5
    noise = torch.where(pick, white, coloured)
    noise = noise / noise.square().mean(1, keepdim=True).sqrt()
    level = torch.rand((n, 1), generator=generator) * 15 if ratio is None else torch.tensor(ratio)
    size = clean.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)
    return clean + noise * size * 10 ** (-level / 20)


def denoise_audio(settings: TaskSettings) -> TaskFunction:
    """Train a denoiser on synthetic tones and speech-like sound, test it, and clean a WAV file.

    strength: signal-to-noise ratio of the test in dB, 5 by default.
    """
    ratio = 5.0 if settings.strength is None else settings.strength
    generator = torch.Generator().manual_seed(settings.seed)
    sounds = synthetic_sounds(240, 2.0, generator)
    given = None
    if settings.data:
        given, rate, channels = read_wav(settings.data[0])
        given = resampled(given, rate, RATE)
        if (rate, channels) != (RATE, 1):
            yield Notice(
                message=f"The sound has {rate:,} Hz and {channels} channels; it is cleaned and "
                f"written at {RATE:,} Hz with one channel."
            )
    config = RepairConfig(use="audio-denoise", widths=(12, 24, 48, 64))
    task = AudioTask(sounds[48:], sounds[:24], None)
    plan = TrainingPlan("audio-denoise", 1200, batch=8, precision=None)
    model = yield from train(task, config, settings, plan)
    assert isinstance(model, UNet)
    clean = sounds[24:48]
    noisy = with_noise(clean, ratio, generator)
    with torch.no_grad():
        made = cleaned(model, noisy)
    before, after = snr(noisy, clean), snr(made, clean)
    levels = [as_picture(spectrogram(s)).flip(2)[:6] for s in (noisy, made, clean)]
    rows = list(zip(("noisy", f"cleaned, {after - before:+.1f} dB", "true"), levels, strict=True))
    figures: dict[str, Any] = {
        "SNR before": before,
        "SNR after": after,
        "gain in dB": after - before,
    }
    for kind, first in (("tones", 0), ("speech-like", 1)):
        figures[f"gain in dB, {kind}"] = snr(made[first::2], clean[first::2]) - snr(
            noisy[first::2], clean[first::2]
        )
    # Scaled by the same factor, to compare them by ear.
    heard = normalised_peak(*(one[:4].flatten().numpy() for one in (noisy, made, clean)))
    told = {
        "noisy": _NOISY,
        "cleaned": f"{_NOISY} {TASKS['audio-denoise'].provenance.text}",
        "true": _TRUE,
    }
    for (name, words), one in zip(told.items(), heard, strict=True):
        write_wav(settings.folder / f"{name}.wav", one, RATE, words)
    sentence = (
        f"The signal-to-noise ratio of test sounds goes from {before:.1f} to "
        f"{after:.1f} dB: {figures['gain in dB, tones']:+.1f} dB for tones and "
        f"{figures['gain in dB, speech-like']:+.1f} dB for speech-like sound."
    )
    if given is not None:
        with torch.no_grad():
            own = cleaned(model, torch.from_numpy(given)[None])[0]
        target = settings.folder / f"{settings.data[0].stem}.cleaned.wav"
        write_wav(
            target, normalised_peak(own.numpy())[0], RATE, TASKS["audio-denoise"].provenance.text
        )
        sentence += f" The cleaned sound is {target}."
    # The loudest 40 ms of one sound: waves of a longer plot would be too fine to see.
    first = int(clean[1].unfold(0, 320, 80).square().sum(1).argmax()) * 80
    places = range(first, first + 320)
    line = {
        name: [(i / RATE, float(one[1, i])) for i in places]
        for name, one in (("noisy", noisy), ("true", clean), ("cleaned", made))
    }
    blocks = [sheet(rows, 150), line_chart("40 ms of sound", line, "seconds", "level", (1150, 300))]
    return (yield from finish(settings, "audio-denoise", blocks, figures, sentence))


def read_wav(path: Path) -> tuple[Wave, int, int]:
    """Read a WAV file of 8, 16 or 32 bits: mean of its channels from −1 to 1, sample rate in Hz,
    and number of channels. Raises InputError."""
    try:
        with wave.open(str(path), "rb") as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise InputError(f"{path} cannot be read as a WAV file: {error}.") from error
    kinds = {1: np.uint8, 2: np.int16, 4: np.int32}
    if width not in kinds:
        raise InputError(f"{path} has samples of {8 * width} bits; give one of 8, 16 or 32 bits.")
    whole = np.frombuffer(data[: len(data) // width * width], kinds[width])
    level = whole / 128.0 - 1 if width == 1 else whole / 2.0 ** (8 * width - 1)
    values = np.asarray(level, np.float32)
    if len(values) < channels * RATE // 10:
        raise InputError(f"{path} holds too little sound; give {RATE // 10} samples or more.")
    usable = len(values) // channels * channels
    return values[:usable].reshape(-1, channels).mean(1), rate, channels


def resampled(sound: Wave, old: int, new: int) -> Wave:
    """Resample a sound (L,) from the rate ``old`` to ``new``."""
    from scipy.signal import resample_poly

    return np.asarray(resample_poly(sound, new, old), np.float32) if old != new else sound


def normalised_peak(*sounds: Wave) -> list[Wave]:
    """Scale all sounds (L,) down by the same factor if any exceeds −1 to 1."""
    most = max(1.0, *(float(np.abs(one).max()) for one in sounds))
    return [one / np.float32(most) for one in sounds]


def write_wav(path: Path, sound: Wave, rate: int, comment: str = "") -> None:
    """Write a sound (L,), clipped to −1 to 1, as 16-bit WAV; raises OutputError.

    comment: written as RIFF metadata (LIST INFO ICMT).
    """
    whole = (np.clip(sound, -1, 1) * 32767).round().astype("<i2")
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(whole.tobytes())
    data = stream.getvalue()
    if comment:
        words = comment.encode() + b"\0"
        words += b"\0" * (len(words) % 2)  # RIFF chunks begin at even offsets
        info = b"INFO" + b"ICMT" + struct.pack("<I", len(words)) + words
        data += b"LIST" + struct.pack("<I", len(info)) + info
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from error
