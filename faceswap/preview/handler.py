"""What answers the requests: one method for each, whose types mypy checks."""

from collections.abc import Sequence
from typing import Protocol, assert_never

from faceswap.preview.protocol import (
    AddSourcesRequest,
    AnyAnswer,
    AnyRequest,
    CloseVideoRequest,
    CorrectPeopleRequest,
    CreateProjectRequest,
    DeleteFacesRequest,
    DoneAnswer,
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    FileFrameRequest,
    FrameAnswer,
    FrameRequest,
    KeepSnapshotRequest,
    LikenessAnswer,
    LikenessRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MetricsAnswer,
    MetricsRequest,
    MovedFacesAnswer,
    NewestCropAnswer,
    NewestCropRequest,
    PeopleAnswer,
    PeopleRequest,
    ProjectAnswer,
    ProjectRequest,
    RelocateFootageRequest,
    RemoveSourceRequest,
    RestoreFacesRequest,
    SnapshotAnswer,
    StepCostAnswer,
    StepCostRequest,
    SwapAnswer,
    SwapPlanAnswer,
    SwapPlanRequest,
    SwapRequest,
    TimelineAnswer,
    TimelineRequest,
    TrimSourceRequest,
    UndoByHandRequest,
)


class RequestHandler(Protocol):
    """Answers every request, or raises FaceswapError with a sentence for the user.

    The preview server is one; the tests' stand-in for it is another.
    """

    def take_notices(self) -> Sequence[str]:
        """Warnings for the user since the last call."""

    def frame(self, request: FrameRequest) -> FrameAnswer: ...
    def file_frame(self, request: FileFrameRequest) -> FrameAnswer: ...
    def swap(self, request: SwapRequest) -> SwapAnswer: ...
    def close_video(self, request: CloseVideoRequest) -> DoneAnswer: ...
    def faces(self, request: FacesRequest) -> FacesAnswer: ...
    def measure_faces(self, request: MeasureFacesRequest) -> MeasuredFacesAnswer: ...
    def exclude_faces(self, request: ExcludeFacesRequest) -> MovedFacesAnswer: ...
    def restore_faces(self, request: RestoreFacesRequest) -> MovedFacesAnswer: ...
    def delete_faces(self, request: DeleteFacesRequest) -> DoneAnswer: ...
    def undo_by_hand(self, request: UndoByHandRequest) -> DoneAnswer: ...
    def timeline(self, request: TimelineRequest) -> TimelineAnswer: ...
    def likeness(self, request: LikenessRequest) -> LikenessAnswer: ...
    def newest_crop(self, request: NewestCropRequest) -> NewestCropAnswer: ...
    def project(self, request: ProjectRequest) -> ProjectAnswer: ...
    def create_project(self, request: CreateProjectRequest) -> ProjectAnswer: ...
    def relocate_footage(self, request: RelocateFootageRequest) -> DoneAnswer: ...
    def add_sources(self, request: AddSourcesRequest) -> DoneAnswer: ...
    def remove_source(self, request: RemoveSourceRequest) -> DoneAnswer: ...
    def trim_source(self, request: TrimSourceRequest) -> DoneAnswer: ...
    def people(self, request: PeopleRequest) -> PeopleAnswer: ...
    def correct_people(self, request: CorrectPeopleRequest) -> PeopleAnswer: ...
    def swap_plan(self, request: SwapPlanRequest) -> SwapPlanAnswer: ...
    def metrics(self, request: MetricsRequest) -> MetricsAnswer: ...
    def step_cost(self, request: StepCostRequest) -> StepCostAnswer: ...
    def keep_snapshot(self, request: KeepSnapshotRequest) -> SnapshotAnswer: ...


def dispatch(handler: RequestHandler, request: AnyRequest) -> AnyAnswer:
    """Answer ``request`` by the handler's method for it."""
    match request:
        case FrameRequest():
            return handler.frame(request)
        case FileFrameRequest():
            return handler.file_frame(request)
        case SwapRequest():
            return handler.swap(request)
        case CloseVideoRequest():
            return handler.close_video(request)
        case FacesRequest():
            return handler.faces(request)
        case MeasureFacesRequest():
            return handler.measure_faces(request)
        case ExcludeFacesRequest():
            return handler.exclude_faces(request)
        case RestoreFacesRequest():
            return handler.restore_faces(request)
        case DeleteFacesRequest():
            return handler.delete_faces(request)
        case UndoByHandRequest():
            return handler.undo_by_hand(request)
        case TimelineRequest():
            return handler.timeline(request)
        case NewestCropRequest():
            return handler.newest_crop(request)
        case ProjectRequest():
            return handler.project(request)
        case CreateProjectRequest():
            return handler.create_project(request)
        case RelocateFootageRequest():
            return handler.relocate_footage(request)
        case LikenessRequest():
            return handler.likeness(request)
        case AddSourcesRequest():
            return handler.add_sources(request)
        case RemoveSourceRequest():
            return handler.remove_source(request)
        case TrimSourceRequest():
            return handler.trim_source(request)
        case PeopleRequest():
            return handler.people(request)
        case CorrectPeopleRequest():
            return handler.correct_people(request)
        case SwapPlanRequest():
            return handler.swap_plan(request)
        case MetricsRequest():
            return handler.metrics(request)
        case StepCostRequest():
            return handler.step_cost(request)
        case KeepSnapshotRequest():
            return handler.keep_snapshot(request)
    assert_never(request)
