"""What a conversion writes: a video or pictures, and what of the footage they lose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from faceswap.background import ReportProgress, no_report
from faceswap.events import Estimate
from faceswap.io.provenance import SWAPPED_PICTURE
from faceswap.video.encoding import OutputLabel
from faceswap.video.output_file import check_output
from faceswap.video.output_options import OutputOptions
from faceswap.video.output_plan import OutputPlan, plan_output
from faceswap.video.picture_output import (
    ANIMATIONS,
    PictureOutput,
    PictureSegment,
    is_picture_output,
    join_animation,
)
from faceswap.video.quality import estimate_quality
from faceswap.video.reader import VideoReader
from faceswap.video.segment_journal import FoundQuality, SegmentJournal
from faceswap.video.segments import Segment, SegmentWriter
from faceswap.video.span import Span
from faceswap.video.video_segments import VideoSegment, join_video


@dataclass(frozen=True)
class PlannedOutput:
    """How ``path`` is written: by the plan of a video, or as pictures.

    span: stretch of the footage. overwrite: whether an existing file is replaced.
    """

    path: Path
    span: Span
    kind: OutputPlan | PictureOutput
    overwrite: bool

    @property
    def notices(self) -> tuple[str, ...]:
        """What the output loses of the footage."""
        return self.kind.notices

    @property
    def has_quality(self) -> bool:
        """Whether a quality is to be found, as for videos."""
        return isinstance(self.kind, OutputPlan)

    def encoding(self) -> str:
        """How pictures are encoded, apart from their quality: segments of it fit together."""
        if isinstance(self.kind, OutputPlan):
            plan = self.kind.with_crf(0)
            words = (plan.encoder.name, plan.pixel_format, plan.size, plan.container.format)
            # These say which instructions the processor has; the packets fit together.
            chosen = {name: v for name, v in plan.options.items() if name != "x264-params"}
            return f"{words} {sorted(chosen.items())}"
        return f"{self.path.absolute()} {self.kind.deep}"

    def with_quality(self, found: FoundQuality) -> "PlannedOutput":
        """The output with a quality that was found before."""
        assert isinstance(self.kind, OutputPlan)
        return replace(self, kind=self.kind.with_crf(found.crf))

    def find_quality(
        self, options: OutputOptions, footage: VideoReader, report: ReportProgress = no_report
    ) -> FoundQuality:
        """The quality found by trials, and the size to expect; takes seconds."""
        assert isinstance(self.kind, OutputPlan)
        fixed = options.quality != "auto"
        found = estimate_quality(self.kind, footage, fixed=fixed, report=report)
        return FoundQuality(crf=found.crf, size=found.size, fidelity=found.fidelity)

    def estimate(self, found: FoundQuality) -> Estimate:
        """What to tell of a quality."""
        return Estimate(path=self.path, **found.model_dump())

    def segment(self, data: Path, first: int) -> SegmentWriter:
        """What takes the frames of a segment.

        data: where it may keep pictures until they are joined. first: number of its first frame.
        """
        if isinstance(self.kind, OutputPlan):
            return VideoSegment(self.kind, data)
        return PictureSegment(self.kind, first, data)

    def join(
        self,
        journal: SegmentJournal,
        segments: Sequence[Segment],
        report: ReportProgress = no_report,
        before_rename: Callable[[Path], object] | None = None,
    ) -> str | None:
        """Make the output of its segments; returns what of the sound was lost, in one sentence.

        before_rename: called with the complete file under its partial name. Raises
        DamagedSegmentError, OutputError.
        """

        def path_of(segment: Segment) -> Path:
            return journal.data(segment.number, segment.key)

        if isinstance(self.kind, OutputPlan):
            return join_video(
                self.kind,
                segments,
                path_of,
                report,
                overwrite=self.overwrite,
                before_rename=before_rename,
            )
        if self.kind.animated:
            join_animation(self.kind, segments, path_of, report, before_rename=before_rename)
        return None

    def as_partial(self, path: Path, end: Fraction) -> "PlannedOutput | None":
        """The same up to ``end`` seconds of the footage, to join the first segments to ``path``.

        None where pictures are not joined.
        """
        span = Span(self.span.start, end)
        if isinstance(self.kind, OutputPlan):
            plan = replace(self.kind, path=path, span=span)
            return replace(self, path=path, span=span, kind=plan, overwrite=True)
        if self.kind.animated:
            pictures = PictureOutput(path, self.kind.info, overwrite=True)
            return replace(self, path=path, span=span, kind=pictures, overwrite=True)
        return None


def plan_conversion(
    options: OutputOptions, path: Path, footage: VideoReader, span: Span, *, overwrite: bool
) -> PlannedOutput:
    """Plan the output of a conversion of ``footage`` to ``path``, before any work.

    Raises OutputError when it cannot be written.
    """
    info = footage.info
    if is_picture_output(path):
        deep = options.pixel_format.startswith("rgb48")
        animated = path.suffix.lower() in ANIMATIONS
        label = OutputLabel() if animated else OutputLabel(SWAPPED_PICTURE)
        pictures = PictureOutput(path, info, label, deep=deep, overwrite=overwrite)
        return PlannedOutput(path, span, pictures, overwrite)
    check_output(path, overwrite=overwrite, source=info.path)
    video = plan_output(path, info, options.encoding(), span)
    footage.deinterlace = video.deinterlaced
    return PlannedOutput(path, span, video, overwrite)
