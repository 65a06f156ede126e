"""Requests and answers: each request names its answer, and docs/protocol.md lists them all."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from faceswap.preview.protocol import (
    ANSWERS,
    REQUESTS,
    AnswerLine,
    AnyAnswer,
    AnyRequest,
    DoneAnswer,
    FrameAnswer,
    FrameRequest,
    SwapRequest,
    parse_request_line,
    request_line,
)
from faceswap.swap.compositing.options import BlendOptions

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import protocol_page  # noqa: E402


def kind_of(message: type[AnyRequest] | type[AnyAnswer]) -> str:
    (kind,) = get_args(message.model_fields["kind"].annotation)
    return str(kind)


def test_each_request_names_its_answer() -> None:
    assert FrameRequest.answer_type() is FrameAnswer
    named = {request.answer_type() for request in REQUESTS}
    assert named == {answer for answer in ANSWERS if kind_of(answer) != "failure"}


def test_kinds_are_names_of_their_classes() -> None:
    for messages, ending in ((REQUESTS, "Request"), (ANSWERS, "Answer")):
        for message in messages:
            words = kind_of(message).split("-")
            assert message.__name__ == "".join(map(str.capitalize, words)) + ending


def test_every_field_is_described() -> None:
    for message in protocol_page.messages():
        for name, field in message.model_fields.items():
            assert name == "kind" or field.description, f"{message.__name__}.{name}"


def test_a_request_survives_its_line() -> None:
    request = SwapRequest(frame=3, blend=BlendOptions(mask_blur=0.2))
    line = parse_request_line(request_line(7, request))
    assert (line.id, line.request) == (7, request)


def test_earlier_names_of_blending_options_are_taken() -> None:
    text = '{"id": 1, "request": {"kind": "swap", "frame": 3, "blend": {"feather": 0.2}}}'
    request = parse_request_line(text).request
    assert isinstance(request, SwapRequest)
    assert request.blend.mask_blur == 0.2


def test_an_answer_is_in_the_line_or_in_a_file(tmp_path: Path) -> None:
    assert AnswerLine(id=1, answer=DoneAnswer()).read() == DoneAnswer()
    file = tmp_path / "1.json"
    file.write_text(DoneAnswer().model_dump_json())
    assert AnswerLine(id=1, file=file).read() == DoneAnswer()
    with pytest.raises(ValueError, match="no answer"):
        AnswerLine(id=1).read()


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        FrameRequest(source="a").frame = 3


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, faceswap.preview.protocol; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"torch", "cv2", "av", "numpy", "PIL"} & set(done.stdout.split())


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert page == protocol_page.page(), "run: python3 scripts/protocol_page.py"
