"""What a conversion writes: a video or pictures, and what of the footage they lose."""

from dataclasses import dataclass, replace
from pathlib import Path

from faceswap.background import ReportProgress, no_report
from faceswap.events import Estimate
from faceswap.video.output_file import check_output
from faceswap.video.output_options import OutputOptions
from faceswap.video.output_plan import OutputPlan, plan_output
from faceswap.video.picture_output import PictureOutput, is_picture_output
from faceswap.video.quality import estimate_quality
from faceswap.video.reader import VideoReader
from faceswap.video.span import Span
from faceswap.video.writer import VideoWriter


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

    def with_quality(
        self, options: OutputOptions, footage: VideoReader, report: ReportProgress = no_report
    ) -> "tuple[PlannedOutput, Estimate]":
        """The output with a quality found by trials, and the size to expect; takes seconds."""
        assert isinstance(self.kind, OutputPlan)
        fixed = options.quality != "auto"
        found = estimate_quality(self.kind, footage, fixed=fixed, report=report)
        told = Estimate(path=self.path, size=found.size, crf=found.crf, fidelity=found.fidelity)
        return replace(self, kind=self.kind.with_crf(found.crf)), told

    def writer(self) -> VideoWriter | PictureOutput:
        """What takes the frames; a context manager."""
        if isinstance(self.kind, OutputPlan):
            return VideoWriter.of_footage(self.kind, overwrite=self.overwrite)
        return self.kind


def plan_conversion(
    options: OutputOptions, path: Path, footage: VideoReader, span: Span, *, overwrite: bool
) -> PlannedOutput:
    """Plan the output of a conversion of ``footage`` to ``path``, before any work.

    Raises OutputError when it cannot be written.
    """
    info = footage.info
    if is_picture_output(path):
        deep = options.pixel_format.startswith("rgb48")
        pictures = PictureOutput(path, info, deep=deep, overwrite=overwrite)
        return PlannedOutput(path, span, pictures, overwrite)
    check_output(path, overwrite=overwrite, source=info.path)
    video = plan_output(path, info, options.encoding(), span)
    footage.deinterlace = video.deinterlaced
    return PlannedOutput(path, span, video, overwrite)
