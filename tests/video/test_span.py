"""In and out points in all the ways in which people write them."""

from fractions import Fraction

import pytest
from made_clips import MakeClip

from faceswap.errors import InputError
from faceswap.video.reader import VideoReader
from faceswap.video.span import WHOLE, Span, parse_point, parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12.5", "12.5"),
        ("12.5s", "12.5"),
        ("1:02", "62"),
        ("1:02:03.5", "3723.5"),
        ("00:00:01:12", "1.48"),
        ("00:00:01;12", "1.48"),
        ("300f", "12"),
        (" 0 ", "0"),
    ],
)
def test_points(text: str, seconds: str) -> None:
    assert parse_point(text, Fraction(25)) == Fraction(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-3", "1:2:3:4:5", "3.5f", "1:-2"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no point in a video"):
        parse_point(text, Fraction(25))


def test_spans_lie_within_the_video(make_clip: MakeClip) -> None:
    info = VideoReader(make_clip()).info
    assert parse_span(None, None, info) == WHOLE
    assert parse_span("10f", "1", info) == Span(Fraction(2, 5), Fraction(1))
    with pytest.raises(InputError, match="after the end"):
        parse_span("9", None, info)
    with pytest.raises(InputError, match="after the in point"):
        parse_span("1", "0.5", info)
    span = Span(Fraction(1), Fraction(2))
    assert [span.contains(Fraction(t, 2)) for t in range(5)] == [False, False, True, True, False]
