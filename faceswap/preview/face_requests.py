"""Handlers of requests about the extracted faces."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceswap.faces.crop_stats import CropStats
from faceswap.faces.index import staged_key
from faceswap.faces.index_browser import COLUMNS
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    DeleteFacesRequest,
    DoneAnswer,
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    LikenessAnswer,
    LikenessRequest,
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
    UndoByHandRequest,
)
from faceswap.project.by_hand import Mend

LOW_PRESENCE = 0.6
"""Faces with a lower presence are shown as doubtful."""


class FaceRequests(ProjectAccess):
    """The table of a source's crops, their exclusion, and where the footage has faces."""

    def __init__(self, folder: Path, exchange: ExchangeFolder, device: str = "auto") -> None:
        super().__init__(folder, exchange, device)
        self.measures = CropStats(folder)

    def faces(self, request: FacesRequest) -> FacesAnswer:
        """The table of all crops."""
        project, source = self.opened(request.source)
        folder = project.crops_folder(source)
        table = self.browser.table(source, folder)
        people = self.people_of_tracks(project, source)
        table.values[:, COLUMNS.index("person")] = _looked_up(
            table.values[:, COLUMNS.index("track")], people
        )
        column = COLUMNS.index("blur")
        measured = self.measures.cached(project.index_key(source), folder, table.names)
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
        project, source = self.opened(request.source)
        values = self.measures.measure(
            project.index_key(source),
            project.crops_folder(source),
            request.names,
            request.seconds,
        )
        return MeasuredFacesAnswer(
            blur=tuple(None if math.isnan(blur) else blur for blur, _ in values),
            brightness=tuple(None if math.isnan(light) else light for _, light in values),
        )

    def likeness(self, request: LikenessRequest) -> LikenessAnswer:
        """How much the tracks of a source look like the face in a crop."""
        from faceswap.faces.crops import read_crop
        from faceswap.faces.embedding import Embedder
        from faceswap.faces.people_groups import likeness

        project, source = self.opened(request.source)
        folder = project.crops_folder(self.opened(request.of)[1])
        name = Path(request.name).name
        path = folder / name if (folder / name).is_file() else folder / EXCLUDED / name
        face = Embedder().embed_crops([read_crop(path).image])
        with project.open_index_read_only() as index:
            tracks = index.tracks(source)
        return LikenessAnswer(
            tracks={
                row.track: likeness(face, row.embeddings.astype(np.float32))
                for row in tracks
                if len(row.embeddings)
            }
        )

    def exclude_faces(self, request: ExcludeFacesRequest) -> MovedFacesAnswer:
        """Take crops out of training."""
        project, source = self.opened(request.source)
        return MovedFacesAnswer(names=tuple(exclude(project.crops_folder(source), request.names)))

    def restore_faces(self, request: RestoreFacesRequest) -> MovedFacesAnswer:
        """Put excluded crops back into training."""
        project, source = self.opened(request.source)
        return MovedFacesAnswer(names=tuple(restore(project.crops_folder(source), request.names)))

    def delete_faces(self, request: DeleteFacesRequest) -> DoneAnswer:
        """Delete faces of a track that are none."""
        from faceswap.project.deleting import delete

        project, source = self.opened(request.source)
        delete(project, Mend(source, request.first, request.last), lambda _: [request.track])
        return DoneAnswer()

    def undo_by_hand(self, request: UndoByHandRequest) -> DoneAnswer:
        """Take back what was last done to a source by hand."""
        from faceswap.project.mending import unmend

        unmend(*self.opened(request.source))
        return DoneAnswer()

    def timeline(self, request: TimelineRequest) -> TimelineAnswer:
        """Where the footage has faces."""
        if not (self.folder / "project.toml").is_file():
            return TimelineAnswer()
        project, source = self.opened(request.source)
        spans = self.browser.spans(source, LOW_PRESENCE)
        people = self.people_of_tracks(project, source)
        tracks = tuple(
            TrackSpans(
                track=track,
                person=people.get(track),
                seen=tuple(seen),
                low_presence=tuple(spans.low.get(track, ())),
            )
            for track, seen in spans.tracks.items()
        )
        return TimelineAnswer(
            frames=spans.frames, tracks=tracks, gaps=tuple(spans.gaps), cuts=tuple(spans.cuts)
        )

    def newest_crop(self, request: NewestCropRequest) -> NewestCropAnswer:
        """The crop that a running extraction wrote last."""
        project, source = self.opened(request.source)
        staged = project.generation(source) + 1
        folder = project.staging_folder(source, staged)
        last = self.browser.last_seen(staged_key(source, staged))
        if last is None:
            folder, last = project.crops_folder(source), self.browser.last_seen(source)
        if last is None:
            return NewestCropAnswer(crop=None)
        return NewestCropAnswer(crop=NewestCrop(frame=last[0], path=folder / last[1]))


def _looked_up(tracks: NDArray[np.float32], people: Mapping[int, int]) -> NDArray[np.float32]:
    """The person of each face by its track; NaN where there is none."""
    if not people:
        return np.full(len(tracks), np.nan, np.float32)
    known = np.array(sorted(people), np.float32)
    persons = np.array([people[int(track)] for track in known], np.float32)
    places = np.searchsorted(known, tracks).clip(max=len(known) - 1)
    return np.where(known[places] == tracks, persons[places], np.float32(np.nan))
