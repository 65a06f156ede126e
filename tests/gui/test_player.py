"""Playback asks for one frame at a time, and ends with the last one shown."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from stand_in import Wait

from faceswap.preview.protocol import (
    AnswerT,
    FileFrameRequest,
    FrameAnswer,
    FrameRequest,
    PictureFile,
    PictureSize,
    Request,
)
from gui.ipc.rpc_client import OnError, RpcClient
from gui.models.player import Player


class HeldClient(RpcClient):
    """Keeps requests until the test answers them."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.requests: list[FrameRequest | FileFrameRequest] = []
        self._on_answer: Callable[[FrameAnswer], None] | None = None

    def send(
        self,
        request: Request[AnswerT],
        on_answer: Callable[[AnswerT], None],
        *,
        on_error: OnError | None = None,
        channel: str | None = None,
    ) -> None:
        assert isinstance(request, FrameRequest | FileFrameRequest)
        self.requests.append(request)
        self._on_answer = on_answer  # type: ignore[assignment]  # such requests have frames as answers

    def answer(self) -> None:
        """Answer the newest request."""
        assert self._on_answer is not None
        picture = PictureFile(path=Path("/nowhere/1.ppm"), width=1, height=1)
        self._on_answer(
            FrameAnswer(
                frame=self.requests[-1].frame,
                time=0,
                frames=3,
                rate=1000,
                width=1,
                height=1,
                picture=picture,
                faces=(),
            )
        )


def test_playback_ends_when_the_last_frame_is_shown(qapp: QApplication, wait: Wait) -> None:
    client, player, shown = HeldClient(), Player("test"), list[int]()
    player.frame_ready.connect(lambda answer: shown.append(answer.frame))
    player.open(client, Path("/x.mp4"), frames=3, rate=1000)
    player.play()
    wait(lambda: client.requests)
    if client.requests[-1].frame < 2:
        client.answer()
        wait(lambda: len(client.requests) == 2)
    QTest.qWait(100)
    assert player.playing
    assert client.requests[-1].frame == 2
    client.answer()
    wait(lambda: not player.playing)
    assert shown[-1] == 2
    player.deleteLater()
    client.deleteLater()


def test_frames_are_requested_of_a_side_or_a_file_and_fit_the_canvas(qapp: QApplication) -> None:
    client, player = HeldClient(), Player("test")
    player.size = QSize(0, 30)
    player.open(client, "b", frames=9)
    player.go(20)
    player.open(client, Path("/x.mp4"), frames=9)
    player.go(-1)
    player.close()
    player.go(3)
    fit = PictureSize(width=1, height=30)
    assert client.requests == [
        FrameRequest(source="b", frame=8, fit=fit),
        FileFrameRequest(path=Path("/x.mp4"), frame=0, fit=fit),
    ]
    player.deleteLater()
    client.deleteLater()
