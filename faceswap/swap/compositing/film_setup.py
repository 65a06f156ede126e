"""What a film is converted with: its footage, its models with their faces, and its output."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import torch

from faceswap import __version__
from faceswap.background import ReportProgress
from faceswap.devices import pick_device
from faceswap.errors import InputError
from faceswap.faces.index import FaceIndex
from faceswap.options import Device
from faceswap.project.project import Project
from faceswap.project.source import fingerprint
from faceswap.project.source_list import find_source
from faceswap.project.swap_plan import plan_swap
from faceswap.swap.compositing.convert_options import ConvertOptions
from faceswap.swap.compositing.face_placement import place_faces
from faceswap.swap.compositing.network_cache import DiskCachedModel, NetworkCache
from faceswap.swap.compositing.segment_key import SegmentKeys, aspects_of
from faceswap.swap.compositing.segment_pass import Place, SegmentWork
from faceswap.swap.compositing.several import Cast, SeveralSwappers
from faceswap.swap.compositing.user_mask import UserMask
from faceswap.swap.model.loading import newest_model
from faceswap.video.info import VideoInfo
from faceswap.video.passes import CompositingPasses
from faceswap.video.picture_source import is_photographs
from faceswap.video.planned_output import PlannedOutput
from faceswap.video.reader import VideoReader
from faceswap.video.segment_journal import FoundQuality, SegmentJournal
from faceswap.video.span import Span, parse_span


@dataclass(frozen=True)
class LoadedModels:
    """What swaps: the models with their faces, marks of the models' files by run, problems."""

    casts: list[Cast]
    device: torch.device
    models: dict[str, str]
    problems: list[str]


@dataclass(frozen=True)
class Film:
    """A film that is converted. mark: of its footage, which must stay as it is."""

    options: ConvertOptions
    footage: VideoReader
    planned: PlannedOutput
    loaded: LoadedModels
    mark: str

    def aspects(self) -> dict[str, str]:
        """All that every segment depends on but the quality, by its name for a person."""
        options, span = self.options, self.planned.span
        return {
            "the footage": self.mark,
            **{f"the model of the run {run!r}": mark for run, mark in self.loaded.models.items()},
            **aspects_of(options, options),
            "--quality": options.quality,
            "the in or out point": f"{span.start} {span.stop}",
            "--segment": str(options.segment),
            "--mask-video": "" if options.mask_video is None else fingerprint(options.mask_video),
            "--passes": str(options.passes and options.passes.absolute()),
            "the encoder": self.planned.encoding(),
            "the version of the program": f"{__version__} {av.__version__}",
        }

    def with_quality(self, quality: FoundQuality) -> "Film":
        """The film with a quality that was found before."""
        return replace(self, planned=self.planned.with_quality(quality))

    @contextmanager
    def work(
        self, journal: SegmentJournal, quality: FoundQuality | None, *, resumed: bool
    ) -> Iterator[SegmentWork]:
        """What makes its segments, by a film that has that quality.

        resumed: whether the output was begun before. Raises OutputError.
        """
        options, footage, loaded = self.options, self.footage, self.loaded
        span = self.planned.span
        mask = None if options.mask_video is None else UserMask(options.mask_video, footage.info)
        with SeveralSwappers(loaded.casts, loaded.device, options, mask) as swapper:
            first = 0 if span.start is None else footage.first_index(span.start)
            aspects = self.aspects() | {"CRF": f"{quality}"}
            keys = SegmentKeys(aspects, loaded.casts, options.color_smoothing)
            yield SegmentWork(
                footage=footage,
                planned=self.planned,
                swapper=swapper,
                journal=journal,
                place=partial(_place, keys, first, options.segment),
                first=first,
                batch=options.batch,
                check=self._check,
                passes=_passes(options, footage, resumed=resumed),
            )

    def frames(self) -> int | None:
        """Estimated number of frames to convert; None where unknown."""
        return _frames_in(self.footage.info, self.planned.span)

    def sizes(self, found: FoundQuality) -> tuple[int, int]:
        """Estimated bytes of the output's pictures, and of its other streams."""
        info, frames = self.footage.info, self.frames()
        part = 1.0 if frames is None else frames / max(info.frames, 1)
        seconds = float(info.frames / info.rate)
        path = self.footage.path
        whole = path.stat().st_size if path.is_file() else 0
        other = max(0.0, whole - info.bit_rate * seconds / 8) if info.audio else 0.0
        return round(found.size * part), round(other * part)

    def _check(self) -> None:
        if fingerprint(self.footage.path) != self.mark:
            raise InputError(
                f"{self.footage.path} was changed while it was converted; run it again."
            )


def open_footage_of(options: ConvertOptions, project: Project, path: Path | None) -> VideoReader:
    """Open the film at ``path``, or A's. Raises InputError."""
    path = path or project.video(project.main_source("a"))
    if is_photographs(path) and path.is_dir():
        raise InputError(
            f"{path} holds photographs, and 'faceswap convert' changes films; give a video, or "
            "numbered pictures of one film."
        )
    rate = Fraction(options.picture_rate).limit_denominator(1001)
    return VideoReader(path, tolerate_damage=True, picture_rate=rate)


def span_to_convert(options: ConvertOptions, project: Project, footage: VideoReader) -> Span:
    """In and out point: those given, or else those of the source. Raises OptionsError."""
    source = find_source(project, footage.path)
    known = (None, None) if source is None else (source.in_point, source.out_point)
    begin, end = (None if point is None else f"{point}s" for point in known)
    return parse_span(options.begin or begin, options.end or end, footage.info)


def load_models(
    options: ConvertOptions, project: Project, source: str, device: Device, report: ReportProgress
) -> LoadedModels:
    """Load the models, each with its faces by frame, and warnings about them."""
    chosen = pick_device(device)
    limit = round(options.cache * 1e9)
    cache = NetworkCache(project.folder / "cache", limit) if limit else None
    casts, models = [], {}
    with project.open_index_read_only() as index, index.snapshot():
        plan = plan_swap(project, index, source, options.run, options.person, options.map)
        problems = list(plan.notices)
        for part in plan.parts:
            model, file, told = newest_model(project.runs_folder / part.run, chosen)
            problems += told
            mark = models[part.run] = fingerprint(file)
            smoothing, keep = options.alignment_smoothing, plan.keeps(part)
            places, _ = place_faces(index, source, model.resolution, smoothing, report, keep)
            casts.append(Cast(DiskCachedModel(model, mark, cache) if cache else model, places))
        problems += project.extraction_warnings(index, source, require_complete=True)
        if not any(cast.places for cast in casts):
            problems.append(_nobody(index, source))
    return LoadedModels(casts, chosen, models, problems)


def _nobody(index: FaceIndex, source: str) -> str:
    """What to tell when no face is swapped."""
    why = "no face is found" if not index.count(source)[1] else "no face is one to be swapped"
    return (
        f"In source {source} {why}, so its frames stay as they are; 'faceswap mend' adds faces by "
        "hand, 'faceswap people' tells who is who."
    )


def _place(keys: SegmentKeys, first: int, length: int, number: int) -> Place:
    begin = first + number * length
    return Place(number, begin, begin + length, keys.key(begin, begin + length))


def _passes(
    options: ConvertOptions, footage: VideoReader, *, resumed: bool
) -> CompositingPasses | None:
    if options.passes is None:
        return None
    overwrite = options.overwrite or resumed
    return CompositingPasses(options.passes, footage.info, overwrite=overwrite)


def _frames_in(info: VideoInfo, span: Span) -> int | None:
    if not info.frames:
        return None
    first = info.start * info.time_base
    begin = 0 if span.start is None else round((span.start - first) * info.rate)
    end = info.frames if span.stop is None else round((span.stop - first) * info.rate)
    return max(1, min(end, info.frames) - begin)
