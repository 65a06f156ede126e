"""Answer requests line by line, whoever handles them."""

from collections.abc import Generator, Iterable

from faceswap.errors import FaceswapError, OptionsError
from faceswap.events import Event, Notice
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.handler import RequestHandler, dispatch
from faceswap.preview.protocol import (
    AnswerLine,
    FailureAnswer,
    RequestLine,
    id_in,
    parse_request_line,
)


def serve_lines(
    handler: RequestHandler, exchange: ExchangeFolder, lines: Iterable[str | bytes]
) -> Generator[Event, None, int]:
    """Answer ``lines`` in their order; returns how many there were.

    A request that fails, whatever the reason, is answered with a FailureAnswer.
    """
    count = 0
    for line in lines:
        if not line.strip():
            continue
        count += 1
        yield _answer_line(handler, exchange, line)
        for sentence in handler.take_notices():
            yield Notice(message=sentence)
    return count


def _answer_line(
    handler: RequestHandler, exchange: ExchangeFolder, line: str | bytes
) -> AnswerLine:
    try:
        asked = parse_request_line(line)
    except OptionsError as error:
        return AnswerLine(id=id_in(line), answer=FailureAnswer(message=str(error)))
    try:
        return _answered(handler, exchange, asked)
    except FaceswapError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.filename}: {error.strerror or error}."
    except Exception as error:  # noqa: BLE001  (one bad frame must not end the server)
        message = f"Unexpected error, please report it: {type(error).__name__}: {error}"
    return AnswerLine(id=asked.id, answer=FailureAnswer(message=message))


def _answered(handler: RequestHandler, exchange: ExchangeFolder, asked: RequestLine) -> AnswerLine:
    with exchange.request(asked.id):
        return exchange.line(dispatch(handler, asked.request))
