"""Render two characters and the ground truth of their swap."""

import contextlib
import shutil
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from faceswap.background import BackgroundWorker, import_in_background, in_background
from faceswap.errors import OptionsError, OutputError
from faceswap.events import Event, Meter, Progress, Saved, Summary
from faceswap.options import Options, Overwrite, Presentation

LightName = Literal["window", "studio", "evening", "overcast"]

NAMES = ("a.mp4", "b.mp4", "truth.mp4", "truth.json")
"""Files of a sample folder."""


class SampleOptions(Options):
    """Render clips of two characters and the ground truth of their swap."""

    renamed: ClassVar[Mapping[str, str]] = {"rate": "fps"}

    folder: Annotated[
        Path,
        Presentation(positional=True, common=True),
        Field(description="Folder for a.mp4, b.mp4, truth.mp4 and truth.json; created if missing."),
    ]
    a: Annotated[
        str,
        Presentation(common=True),
        Field(description="Character of A, the footage to change, such as nora."),
    ] = "nora"
    b: Annotated[
        str,
        Presentation(common=True),
        Field(description="Character of B, the face to put on it, such as tom."),
    ] = "tom"
    seconds: Annotated[
        float,
        Presentation(common=True),
        Field(ge=0, le=600, description="Length of each clip in seconds."),
    ] = 6.0
    size: Annotated[
        int,
        Presentation(common=True),
        Field(ge=64, le=4096, multiple_of=2, description="Width and height in pixels; even."),
    ] = 384
    fps: Annotated[int, Field(ge=1, le=120, description="Frames per second.")] = 25
    seed: Annotated[int, Field(ge=0, le=2**31, description="Random seed of the motion.")] = 1
    light_a: Annotated[LightName, Field(description="Lighting of A.")] = "window"
    light_b: Annotated[LightName, Field(description="Lighting of B.")] = "studio"
    workers: Annotated[
        int, Field(ge=0, le=64, description="Rendering threads; 0 is one per CPU core.")
    ] = 0
    overwrite: Overwrite = False


class SampleSummary(Summary):
    """Result of a rendering."""

    folder: Path
    a: str
    b: str
    frames: int
    seconds: float

    def text(self) -> str:
        return (
            f"Rendered {self.frames} frames of {self.a} (A) and {self.b} (B), and the ground "
            f"truth, into {self.folder} in {self.seconds:.0f} s."
        )


def sample(options: SampleOptions) -> Generator[Event, None, SampleSummary]:
    """Render clips of two characters and the ground truth of their swap.

    Writes A's clip, B's clip, the exact swap as truth.mp4, and the landmarks, poses and expressions
    of every frame as truth.json, to test faceswap with or 'faceswap evaluate --truth'.

        faceswap sample clips --seconds 10
    """
    frames = _check(options)
    yield Progress(stage="render", done=0, total=2 * frames)
    yield from import_in_background("render", "faceswap.synthetic.pair", "faceswap.video.writer")
    import time

    from faceswap.synthetic.characters import character
    from faceswap.synthetic.pair import Clip, ground_truth_json, perfect_swap

    started = time.monotonic()
    a, b = character(options.a), character(options.b)
    with _temporary_folder(options) as place:
        meter = Meter("render", 2 * frames)
        size, rate, seed = options.size, options.fps, options.seed
        first = yield from in_background(
            "render",
            lambda _: Clip(a, size, frames, rate, seed, options.light_a, perfect_swap(a, b)),
            heartbeat=meter.progress,
        )
        records = {"a": (yield from _film(options, place, first, "a", meter))}
        second = yield from in_background(
            "render",
            lambda _: Clip(b, size, frames, rate, seed + 1, options.light_b),
            heartbeat=meter.progress,
        )
        records["b"] = yield from _film(options, place, second, "b", meter)
        text = ground_truth_json(_settings(options, a.name, b.name, frames), records)
        try:
            (place / "truth.json").write_text(text, encoding="utf-8")
        except OSError as error:
            raise _not_written(options.folder, error) from error
        for name in NAMES:
            (place / name).replace(options.folder / name)
    for name in NAMES:
        yield Saved(what=name.split(".")[0], path=options.folder / name)
    return SampleSummary(
        folder=options.folder,
        a=a.name,
        b=b.name,
        frames=frames,
        seconds=time.monotonic() - started,
    )


def _check(options: SampleOptions) -> int:
    """Return the number of frames; raises OptionsError where there is none."""
    frames = round(options.seconds * options.fps)
    if frames < 1:
        raise OptionsError(
            f"{options.seconds:g} s at {options.fps} frames per second is less than a frame; "
            "give more seconds."
        )
    return frames


@contextlib.contextmanager
def _temporary_folder(options: SampleOptions) -> Generator[Path, None, None]:
    """A hidden folder inside the sample's, removed at the end."""
    folder = options.folder
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; choose a folder.")
    present = [name for name in NAMES if (folder / name).exists()]
    if present and not options.overwrite:
        raise OutputError(
            f"{folder} already has {', '.join(present)}; use --overwrite or another folder."
        )
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".sample-", dir=folder))
    except OSError as error:
        raise _not_written(folder, error) from error
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if made:
            # Fails, and keeps the folder, if it is not empty: rendering finished or others use it.
            with contextlib.suppress(OSError):
                folder.rmdir()


def _film(
    options: SampleOptions, place: Path, clip: Any, side: Literal["a", "b"], meter: Meter
) -> Generator[Event, None, list[dict[str, Any]]]:
    """Render and write one clip, with A's also the ground truth; returns a record per frame."""
    import os

    from faceswap.io.provenance import rendered
    from faceswap.synthetic.pair import shot_record
    from faceswap.synthetic.voice import hum
    from faceswap.video.encoding import Encoding, OutputLabel
    from faceswap.video.generated_audio import SOUND_RATE, generated_video_info, write_audio
    from faceswap.video.writer import VideoWriter

    sound = place / f"{side}-sound.mp4"
    pitch = 118.0 if side == "a" else 165.0
    write_audio(sound, hum(clip.moments, options.fps, pitch, SOUND_RATE))
    like = generated_video_info(sound, options.size, options.size, len(clip.moments), options.fps)
    names = ("a.mp4", "truth.mp4") if side == "a" else ("b.mp4",)
    records: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(
                VideoWriter(
                    place / name,
                    like,
                    Encoding(deterministic=True),
                    OutputLabel(rendered(clip.person.name)),
                )
            )
            for name in names
        ]
        paced = stack.enter_context(BackgroundWorker(meter.progress))
        shots = clip.shots(options.workers or os.cpu_count() or 1)
        while (shot := (yield from paced(lambda: next(shots, None)))) is not None:
            number = len(records)
            writers[0].write(shot.frame.picture, number, 1)
            if side == "a":
                writers[1].write(shot.truth, number, 1)
            records.append(shot_record(shot))
            if event := meter.add():
                yield event
    return records


def _settings(options: SampleOptions, a: str, b: str, frames: int) -> dict[str, Any]:
    return {
        "a": a,
        "b": b,
        "size": options.size,
        "rate": options.fps,
        "frames": frames,
        "seed": options.seed,
        "light_a": options.light_a,
        "light_b": options.light_b,
    }


def _not_written(folder: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    return OutputError(f"{folder} cannot be written ({reason}); choose another folder.")
