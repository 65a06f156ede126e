"""Requests to the preview server."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from stand_in import FAKE, Wait

from gui.ipc.rpc_client import RpcClient, wait_for_ending_processes


@pytest.fixture
def client(project: Path) -> Any:
    made = RpcClient(project, FAKE)
    yield made
    made.close()
    wait_for_ending_processes()
    made.deleteLater()


def test_each_request_gets_its_own_answer(client: RpcClient, wait: Wait) -> None:
    answers: list[Any] = []
    client.request("echo", answers.append, word="ä")
    client.request("echo", answers.append, word="b")
    wait(lambda: len(answers) == 2)
    assert [a["given"]["word"] for a in answers] == ["ä", "b"]


def test_large_answers_come_in_files_that_are_deleted(
    client: RpcClient, project: Path, wait: Wait, tmp_path: Path
) -> None:
    answers: list[Any] = []
    client.request("faces", answers.append, side="a")
    wait(lambda: answers)
    assert len(answers[0]["names"].split("\n")) == 10
    (folder,) = (tmp_path / "temporary files").iterdir()
    assert not list(folder.iterdir())
    shutil.rmtree(folder)
    said: list[str] = []
    client.request("faces", answers.append, on_error=said.append, side="a")
    wait(lambda: said)
    assert "No such file" in said[0]
    assert len(answers) == 1


def test_on_a_channel_only_the_newest_request_is_queued(client: RpcClient, wait: Wait) -> None:
    answers: list[Any] = []
    for number in range(100):
        client.request("echo", answers.append, channel="slider", number=number)
    wait(lambda: not client.busy)
    assert [a["given"]["number"] for a in answers] == [0, 99]


def test_a_failure_has_a_message(client: RpcClient, wait: Wait) -> None:
    said: list[str] = []
    client.request("frame", lambda _: None, on_error=said.append, path="/x/notes.txt")
    wait(lambda: said)
    assert said == ["notes.txt is not a video."]


def test_notices_of_the_server_are_warnings(client: RpcClient, wait: Wait) -> None:
    said: list[str] = []
    client.warning.connect(said.append)
    answers: list[Any] = []
    client.request("remark", answers.append)
    wait(lambda: answers)
    assert said == ["A save is damaged."]


def test_a_server_that_dies_is_reported_and_restarted(client: RpcClient, wait: Wait) -> None:
    said: list[str] = []
    client.warning.connect(said.append)
    client.request("die", lambda _: None)
    client.request("echo", lambda _: None)
    wait(lambda: len(said) == 2)
    assert "ended" in said[0]
    answers: list[Any] = []
    client.request("echo", answers.append)
    wait(lambda: answers)


def test_a_missing_program_is_reported(project: Path, wait: Wait) -> None:
    broken = RpcClient(project, (str(project / "none"),))
    said: list[str] = []
    broken.request("echo", lambda _: None, on_error=said.append)
    wait(lambda: said)
    broken.close()


def test_a_closed_client_starts_no_server(client: RpcClient, wait: Wait) -> None:
    answers: list[Any] = []
    client.request("echo", answers.append)
    wait(lambda: answers)
    client.close()
    client.request("echo", answers.append)
    assert client._process is None
