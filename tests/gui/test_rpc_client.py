"""Requests to the preview server, of which a fake one answers."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from stand_in import FAKE, Wait

from faceswap.preview.protocol import (
    FacesAnswer,
    FacesRequest,
    FileFrameRequest,
    FrameAnswer,
    FrameRequest,
    MeasuredFacesAnswer,
    MeasureFacesRequest,
)
from gui.ipc.rpc_client import RpcClient, wait_for_ending_processes
from gui.widgets import elements


@pytest.fixture
def client(project: Path) -> Iterator[RpcClient]:
    made = RpcClient(project, FAKE)
    yield made
    made.close()
    wait_for_ending_processes()
    made.deleteLater()


def file_frame(name: str = "x.mp4", frame: int = 0) -> FileFrameRequest:
    return FileFrameRequest(path=Path("/") / name, frame=frame)


def ignore(answer: object) -> None:
    """Take an answer that doesn't matter."""


def test_each_request_gets_its_own_answer(client: RpcClient, wait: Wait) -> None:
    frames: list[FrameAnswer] = []
    faces: list[FacesAnswer] = []
    client.send(file_frame(frame=7), frames.append)
    client.send(FacesRequest(source="a"), faces.append)
    client.send(FrameRequest(source="b", frame=8), frames.append)
    wait(lambda: len(frames) == 2)
    assert [frame.frame for frame in frames] == [7, 8]
    assert len(faces) == 1


def test_files_of_an_answer_exist_until_it_was_passed_on(
    client: RpcClient, wait: Wait, tmp_path: Path
) -> None:
    seen: list[tuple[int, int, int]] = []

    def look(answer: FrameAnswer) -> None:
        image = elements.read_picture(answer.picture)
        seen.append((image.width(), image.height(), image.pixelColor(0, 0).red()))

    client.send(FrameRequest(source="a", frame=77), look)
    wait(lambda: seen)
    assert seen == [(64, 48, 77)]
    (folder,) = (tmp_path / "temporary files").iterdir()
    assert not list(folder.iterdir())


def test_a_picture_that_is_gone_is_a_null_image(client: RpcClient, wait: Wait) -> None:
    answers: list[FrameAnswer] = []
    client.send(file_frame(), answers.append)
    wait(lambda: answers)
    assert elements.read_picture(answers[0].picture).isNull()


def test_long_answers_come_in_files_that_are_deleted(
    client: RpcClient, wait: Wait, tmp_path: Path
) -> None:
    names = tuple(f"{number}.png" for number in range(10_000))
    answers: list[MeasuredFacesAnswer] = []
    client.send(MeasureFacesRequest(source="a", names=names), answers.append)
    wait(lambda: answers)
    assert answers[0].blur == (None,) * 10_000
    (folder,) = (tmp_path / "temporary files").iterdir()
    assert not list(folder.iterdir())
    shutil.rmtree(folder)
    said: list[str] = []
    client.send(FacesRequest(source="a"), ignore, on_error=said.append)
    wait(lambda: said)
    assert "No such file" in said[0]


def test_on_a_channel_only_the_newest_request_is_queued(client: RpcClient, wait: Wait) -> None:
    answers: list[FrameAnswer] = []
    for number in range(100):
        client.send(file_frame(frame=number), answers.append, channel="slider")
    wait(lambda: not client.busy)
    assert [answer.frame for answer in answers] == [0, 99]


def test_a_failure_has_a_message(client: RpcClient, wait: Wait) -> None:
    said: list[str] = []
    client.send(file_frame("notes.txt"), ignore, on_error=said.append)
    wait(lambda: said)
    assert said == ["notes.txt is not a video."]


def test_notices_of_the_server_are_warnings(client: RpcClient, wait: Wait) -> None:
    said: list[str] = []
    client.warning.connect(said.append)
    client.send(file_frame("remark.mp4"), ignore)
    wait(lambda: said)
    assert said == ["A save is damaged."]


def test_a_server_that_dies_is_reported_and_restarted(client: RpcClient, wait: Wait) -> None:
    said: list[str] = []
    client.warning.connect(said.append)
    client.send(file_frame("die.mp4"), ignore)
    client.send(file_frame(), ignore)
    wait(lambda: len(said) == 2)
    assert "ended" in said[0]
    answers: list[FrameAnswer] = []
    client.send(file_frame(), answers.append)
    wait(lambda: answers)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_killed_server_leaves_nothing_behind(
    client: RpcClient, wait: Wait, tmp_path: Path
) -> None:
    said: list[str] = []
    client.send(file_frame(), ignore)
    wait(lambda: not client.busy)
    (folder,) = (tmp_path / "temporary files").iterdir()
    (folder / "half.ppm").write_bytes(b"P6")
    client.send(file_frame("slow.mp4"), ignore, on_error=said.append)
    process = client._process
    assert process is not None
    os.kill(process.processId(), signal.SIGKILL)
    wait(lambda: said)
    assert not list((tmp_path / "temporary files").iterdir())


def test_a_missing_program_is_reported(project: Path, wait: Wait) -> None:
    broken = RpcClient(project, (str(project / "none"),))
    said: list[str] = []
    broken.send(file_frame(), ignore, on_error=said.append)
    wait(lambda: said)
    broken.close()


def test_a_closed_client_starts_no_server(client: RpcClient, wait: Wait) -> None:
    answers: list[FrameAnswer] = []
    client.send(file_frame(), answers.append)
    wait(lambda: answers)
    client.close()
    client.send(file_frame(), answers.append)
    assert client._process is None
