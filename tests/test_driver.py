import subprocess
import sys
from collections.abc import Generator, Iterator
from typing import assert_type

import pytest

import faceswap
from faceswap.driver import forward, run


class Job:
    """A job of three events. closed: it was, and what came of that."""

    def __init__(self) -> None:
        self.closed = False

    def events(self) -> Generator[int, None, str]:
        try:
            yield 1
            yield 2
            yield 3
            return "done"
        finally:
            self.closed = True


def test_it_returns_what_the_job_does_and_shows_its_events() -> None:
    seen: list[int] = []
    result = run(Job().events(), seen.append)
    assert_type(result, str)
    assert (result, seen) == ("done", [1, 2, 3])
    assert run(Job().events()) == "done"
    assert faceswap.run is run


def test_a_job_without_events_has_a_result_too() -> None:
    def job() -> Generator[int, None, int]:
        yield from ()
        return 7

    assert run(job()) == 7


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_the_job_is_closed_before_it_comes_out(
    error: type[BaseException],
) -> None:
    job, seen = Job(), []

    def stop(event: int) -> None:
        seen.append(event)
        if event == 2:
            raise error

    with pytest.raises(error):
        run(job.events(), stop)
    assert job.closed
    assert seen == [1, 2]


def test_an_error_of_the_job_comes_out_as_it_is() -> None:
    def job() -> Generator[int, None, None]:
        yield 1
        raise LookupError("no face")

    with pytest.raises(LookupError, match="no face"):
        run(job())


def test_an_error_while_it_is_closed_comes_out() -> None:
    def job() -> Generator[int, None, None]:
        try:
            yield 1
        finally:
            raise OSError("the last save failed")

    def stop(event: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(OSError, match="last save"):
        run(job(), stop)


def twice(event: int) -> Iterator[str]:
    yield from [f"{event}"] * event


def test_a_forwarded_job_has_other_events_and_the_same_result() -> None:
    seen: list[str] = []
    assert run(forward(Job().events(), twice), seen.append) == "done"
    assert seen == ["1", "2", "2", "3", "3", "3"]


def test_a_forwarded_job_is_closed_with_the_one_around_it() -> None:
    job = Job()
    outer = forward(job.events(), twice)
    assert next(outer) == "1"
    outer.close()
    assert job.closed


def test_an_error_in_the_change_closes_the_job() -> None:
    job = Job()

    def broken(event: int) -> Iterator[int]:
        yield event
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  (it is the one above)
        run(forward(job.events(), broken))
    assert job.closed


def test_importing_faceswap_is_light() -> None:
    code = "import sys, faceswap; print(*sorted(m for m in sys.modules if 'pydantic' in m or m in "
    code += "('torch', 'cv2', 'av', 'numpy', 'cyclopts', 'rich', 'PySide6')))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == ""
