"""Handlers of requests about the extracted faces."""

import math
from pathlib import Path

from faceswap.faces.crop_stats import CropStats
from faceswap.faces.index import staged_key
from faceswap.faces.index_browser import COLUMNS
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MovedFacesAnswer,
    NewestCrop,
    NewestCropAnswer,
    NewestCropRequest,
    RestoreFacesRequest,
    TimelineAnswer,
    TimelineRequest,
    TrackSpans,
)
from faceswap.project.project import Project

LOW_PRESENCE = 0.6
"""Faces with a lower presence are shown as doubtful."""


class FaceRequests(ProjectAccess):
    """The table of a side's crops, their exclusion, and where the footage has faces."""

    def __init__(self, folder: Path, exchange: ExchangeFolder, device: str = "auto") -> None:
        super().__init__(folder, exchange, device)
        self.measures = CropStats(folder)

    def faces(self, request: FacesRequest) -> FacesAnswer:
        """The table of all crops."""
        project = Project.open(self.folder)
        folder = project.crops_folder(request.side)
        table = self.browser.table(request.side, folder)
        column = COLUMNS.index("blur")
        measured = self.measures.cached(project.index_key(request.side), folder, table.names)
        table.values[:, column : column + 2] = measured
        return FacesAnswer(
            count=len(table.names),
            columns=COLUMNS,
            names=self.exchange.names(table.names),
            values=self.exchange.values(table.values),
            folder=folder,
            excluded_folder=folder / EXCLUDED,
        )

    def measure_faces(self, request: MeasureFacesRequest) -> MeasuredFacesAnswer:
        """Measure blur and brightness of as many crops as the time allows."""
        project = Project.open(self.folder)
        values = self.measures.measure(
            project.index_key(request.side),
            project.crops_folder(request.side),
            request.names,
            request.seconds,
        )
        return MeasuredFacesAnswer(
            blur=tuple(None if math.isnan(blur) else blur for blur, _ in values),
            brightness=tuple(None if math.isnan(light) else light for _, light in values),
        )

    def exclude_faces(self, request: ExcludeFacesRequest) -> MovedFacesAnswer:
        """Take crops out of training."""
        folder = Project.open(self.folder).crops_folder(request.side)
        return MovedFacesAnswer(names=tuple(exclude(folder, request.names)))

    def restore_faces(self, request: RestoreFacesRequest) -> MovedFacesAnswer:
        """Put excluded crops back into training."""
        folder = Project.open(self.folder).crops_folder(request.side)
        return MovedFacesAnswer(names=tuple(restore(folder, request.names)))

    def timeline(self, request: TimelineRequest) -> TimelineAnswer:
        """Where the footage has faces."""
        spans = self.browser.spans(request.side, LOW_PRESENCE)
        tracks = tuple(
            TrackSpans(track=track, seen=tuple(seen), low_presence=tuple(spans.low.get(track, ())))
            for track, seen in spans.tracks.items()
        )
        return TimelineAnswer(
            frames=spans.frames, tracks=tracks, gaps=tuple(spans.gaps), cuts=tuple(spans.cuts)
        )

    def newest_crop(self, request: NewestCropRequest) -> NewestCropAnswer:
        """The crop that a running extraction wrote last."""
        project, side = Project.open(self.folder), request.side
        staged = project.generation(side) + 1
        folder = project.staging_folder(side, staged)
        last = self.browser.last_seen(staged_key(side, staged))
        if last is None:
            folder, last = project.crops_folder(side), self.browser.last_seen(side)
        if last is None:
            return NewestCropAnswer(crop=None)
        return NewestCropAnswer(crop=NewestCrop(frame=last[0], path=folder / last[1]))
