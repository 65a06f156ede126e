"""Questions to the preview process."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from stand_in import FAKE, Wait

from gui.link import Link, wait_for_the_leaving


@pytest.fixture
def link(project: Path) -> Any:
    made = Link(project, FAKE)
    yield made
    made.close()
    wait_for_the_leaving()
    made.deleteLater()


def test_answers_come_to_who_asked(link: Link, wait: Wait) -> None:
    answers: list[Any] = []
    link.ask("echo", answers.append, word="ä")
    link.ask("echo", answers.append, word="b")
    wait(lambda: len(answers) == 2)
    assert [a["given"]["word"] for a in answers] == ["ä", "b"]


def test_long_answers_lie_in_files_that_do_not_stay(
    link: Link, project: Path, wait: Wait, tmp_path: Path
) -> None:
    answers: list[Any] = []
    link.ask("faces", answers.append, side="a")
    wait(lambda: answers)
    assert len(answers[0]["names"].split("\n")) == 10
    (folder,) = (tmp_path / "temporary files").iterdir()
    assert not list(folder.iterdir())
    shutil.rmtree(folder)
    said: list[str] = []
    link.ask("faces", answers.append, sorry=said.append, side="a")
    wait(lambda: said)
    assert "No such file" in said[0]
    assert len(answers) == 1


def test_on_a_channel_only_the_newest_waits(link: Link, wait: Wait) -> None:
    answers: list[Any] = []
    for number in range(100):
        link.ask("echo", answers.append, channel="slider", number=number)
    wait(lambda: not link.busy)
    assert [a["given"]["number"] for a in answers] == [0, 99]


def test_a_failure_is_a_sentence(link: Link, wait: Wait) -> None:
    said: list[str] = []
    link.ask("frame", lambda _: None, sorry=said.append, path="/x/notes.txt")
    wait(lambda: said)
    assert said == ["notes.txt is not a video."]


def test_what_the_process_notices_is_told(link: Link, wait: Wait) -> None:
    said: list[str] = []
    link.trouble.connect(said.append)
    answers: list[Any] = []
    link.ask("remark", answers.append)
    wait(lambda: answers)
    assert said == ["A save is damaged."]


def test_a_process_that_dies_is_told_and_started_again(link: Link, wait: Wait) -> None:
    said: list[str] = []
    link.trouble.connect(said.append)
    link.ask("die", lambda _: None)
    link.ask("echo", lambda _: None)
    wait(lambda: len(said) == 2)
    assert "ended" in said[0]
    answers: list[Any] = []
    link.ask("echo", answers.append)
    wait(lambda: answers)


def test_a_program_that_is_missing_is_told(project: Path, wait: Wait) -> None:
    broken = Link(project, (str(project / "none"),))
    said: list[str] = []
    broken.ask("echo", lambda _: None, sorry=said.append)
    wait(lambda: said)
    broken.close()


def test_one_that_is_closed_answers_no_more_and_starts_nothing(link: Link, wait: Wait) -> None:
    answers: list[Any] = []
    link.ask("echo", answers.append)
    wait(lambda: answers)
    link.close()
    link.ask("echo", answers.append)
    assert link._process is None
