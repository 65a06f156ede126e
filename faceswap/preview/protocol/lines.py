"""The lines between the preview server and its client, and what is wrong with a bad one."""

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from faceswap import events
from faceswap.errors import OptionsError
from faceswap.preview.protocol.faces import (
    DeleteFacesRequest,
    ExcludeFacesRequest,
    FacesAnswer,
    FacesRequest,
    LikenessAnswer,
    LikenessRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
    MovedFacesAnswer,
    NewestCropAnswer,
    NewestCropRequest,
    RestoreFacesRequest,
    TimelineAnswer,
    TimelineRequest,
    UndoByHandRequest,
)
from faceswap.preview.protocol.frames import (
    CloseVideoRequest,
    FileFrameRequest,
    FrameAnswer,
    FrameRequest,
    SwapAnswer,
    SwapRequest,
)
from faceswap.preview.protocol.message import DoneAnswer, FailureAnswer, Message, Request
from faceswap.preview.protocol.people import (
    CorrectPeopleRequest,
    PeopleAnswer,
    PeopleRequest,
    SwapPlanAnswer,
    SwapPlanRequest,
)
from faceswap.preview.protocol.project import (
    CreateProjectRequest,
    ProjectAnswer,
    ProjectRequest,
    RelocateFootageRequest,
)
from faceswap.preview.protocol.runs import (
    KeepSnapshotRequest,
    MetricsAnswer,
    MetricsRequest,
    SnapshotAnswer,
    StepCostAnswer,
    StepCostRequest,
)
from faceswap.preview.protocol.sources import (
    AddSourcesRequest,
    RemoveSourceRequest,
    TrimSourceRequest,
)

AnyRequest = (
    FrameRequest
    | FileFrameRequest
    | SwapRequest
    | CloseVideoRequest
    | FacesRequest
    | MeasureFacesRequest
    | ExcludeFacesRequest
    | RestoreFacesRequest
    | DeleteFacesRequest
    | UndoByHandRequest
    | TimelineRequest
    | NewestCropRequest
    | LikenessRequest
    | ProjectRequest
    | CreateProjectRequest
    | RelocateFootageRequest
    | AddSourcesRequest
    | RemoveSourceRequest
    | TrimSourceRequest
    | PeopleRequest
    | CorrectPeopleRequest
    | SwapPlanRequest
    | MetricsRequest
    | StepCostRequest
    | KeepSnapshotRequest
)
"""Everything that the server can be asked."""

AnyAnswer = (
    FrameAnswer
    | SwapAnswer
    | FacesAnswer
    | MeasuredFacesAnswer
    | MovedFacesAnswer
    | TimelineAnswer
    | NewestCropAnswer
    | LikenessAnswer
    | ProjectAnswer
    | PeopleAnswer
    | SwapPlanAnswer
    | MetricsAnswer
    | StepCostAnswer
    | SnapshotAnswer
    | DoneAnswer
    | FailureAnswer
)
"""Everything that it answers."""


class RequestLine(Message):
    """A request: one line of JSON on the server's standard input."""

    id: int = Field(description="Any number; the answer has the same.")
    request: Annotated[AnyRequest, Field(discriminator="kind")]


class AnswerLine(events.Answer):
    """An answer: one line of JSON on the server's standard output, in the order of the requests.

    id: that of the request; None where the line had none. Exactly one of ``answer`` and ``file``
    is given.
    """

    answer: Annotated[AnyAnswer, Field(discriminator="kind")] | None = None
    file: Path | None = None
    """File in the exchange folder with an answer that would make a long line, as JSON."""

    def read(self) -> AnyAnswer:
        """The answer, which may be in a file. Raises OSError or ValueError."""
        if self.answer is not None:
            return self.answer
        if self.file is None:
            raise ValueError("The line has no answer.")
        return _ANSWER.validate_json(self.file.read_bytes())


ServerLine = AnswerLine | events.Notice | events.Finished | events.Failed | events.Stopped
"""Output of a server: answers and warnings, then exactly one of the last three."""

_ANSWER: TypeAdapter[AnyAnswer] = TypeAdapter(Annotated[AnyAnswer, Field(discriminator="kind")])
_SERVER_LINE: TypeAdapter[ServerLine] = TypeAdapter(
    Annotated[ServerLine, Field(discriminator="kind")]
)


def request_line(number: int, request: Request[Any]) -> str:
    """The line of JSON that sends ``request`` under an ID."""
    return RequestLine.model_validate({"id": number, "request": request}).model_dump_json()


def parse_server_line(line: str | bytes) -> ServerLine:
    """Parse a line of a server's output. Raises ``pydantic.ValidationError``."""
    return _SERVER_LINE.validate_json(line)


def parse_request_line(line: str | bytes) -> RequestLine:
    """Parse a line of a server's input; raises OptionsError, a sentence on what is wrong."""
    try:
        return RequestLine.model_validate_json(line)
    except ValidationError as error:
        raise OptionsError(_sentence(error)) from error


def id_in(line: str | bytes) -> int | None:
    """The ID in a line that may have other faults."""
    try:
        return _Numbered.model_validate_json(line).id
    except ValidationError:
        return None


class _Numbered(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: int


def _sentence(error: ValidationError) -> str:
    """The first fault as a sentence."""
    fault = error.errors()[0]
    kind, place = fault["type"], [str(part) for part in fault["loc"]]
    where = " ".join(place[1:] or place)
    kinds = ", ".join(str(get_args(r.model_fields["kind"].annotation)[0]) for r in REQUESTS)
    match kind:
        case "json_invalid":
            return 'The line is not JSON; write {"id": 1, "request": {"kind": …}} in one line.'
        case "union_tag_not_found":
            return f"The request has no kind; choose {kinds}."
        case "union_tag_invalid":
            return f"There is no request {fault['ctx']['tag']!r}; choose {kinds}."
        case "missing":
            return f"The request lacks {where}; add it."
        case "extra_forbidden":
            return f"The request has no field {where}; remove it."
    return f"The request is not valid: {where}: {fault['msg']}."


REQUESTS: tuple[type[AnyRequest], ...] = get_args(AnyRequest)
"""The classes of all requests."""

ANSWERS: tuple[type[AnyAnswer], ...] = get_args(AnyAnswer)
"""The classes of all answers."""
