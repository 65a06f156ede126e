"""Files of answers: named after process and request, gone at the end or when a request fails."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faceswap.errors import OutputError
from faceswap.preview.exchange import LONGEST_LINE, ExchangeFolder
from faceswap.preview.protocol import MovedFacesAnswer, PictureSize

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def test_the_folder_is_private_and_removed_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "exchange"
    with ExchangeFolder(folder) as exchange, exchange.request(7):
        exchange.picture(PICTURE, None)
        assert [path.name for path in folder.iterdir()] == [f"{os.getpid()}-7.ppm"]
        if os.name != "nt":
            assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_folder_that_was_there_stays_with_what_is_not_the_servers(tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("")
    with ExchangeFolder(tmp_path) as exchange, exchange.request(1):
        exchange.names(["a.png"])
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_files_of_a_failed_request_are_removed(tmp_path: Path) -> None:
    def fail(exchange: ExchangeFolder) -> None:
        with exchange.request(11):
            exchange.names(["b.png"])
            raise ValueError("no")

    with ExchangeFolder(tmp_path) as exchange:
        with exchange.request(1):
            kept = exchange.names(["a.png"])
        with pytest.raises(ValueError, match="no"):
            fail(exchange)
        assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("what", ["picture", "names", "values", "line"])
def test_a_full_disk_is_told_in_a_sentence(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("builtins.open", full)
    monkeypatch.setattr(np, "save", full)
    long = MovedFacesAnswer(names=("x" * LONGEST_LINE,))
    with ExchangeFolder(tmp_path) as exchange:
        writes: dict[str, Callable[[], object]] = {
            "picture": lambda: exchange.picture(PICTURE, None),
            "names": lambda: exchange.names(["a.png"]),
            "values": lambda: exchange.values(np.zeros((2, 2), np.float32)),
            "line": lambda: exchange.line(long),
        }
        with pytest.raises(OutputError) as error:
            writes[what]()
    sentence = f"Cannot write the answer to {tmp_path}: {os.strerror(errno.ENOSPC)}."
    assert str(error.value) == sentence


def test_names_that_are_no_text_come_back(tmp_path: Path) -> None:
    names = ["ä.png", os.fsdecode(b"\xe4.png") if os.name != "nt" else "b.png"]
    with ExchangeFolder(tmp_path) as exchange:
        assert os.fsdecode(exchange.names(names).read_bytes()).split("\n") == names


@pytest.mark.parametrize(
    ("fit", "size"), [((3, 9), (3, 2)), ((9, 2), (3, 2)), ((9, 9), (6, 4)), ((1, 1), (1, 1))]
)
def test_a_picture_is_scaled_down_in_its_proportions(
    fit: tuple[int, int], size: tuple[int, int], tmp_path: Path
) -> None:
    with ExchangeFolder(tmp_path) as exchange:
        made = exchange.picture(PICTURE, PictureSize(width=fit[0], height=fit[1]))
        assert (made.width, made.height) == size
        data = made.path.read_bytes()
    assert data[: -3 * size[0] * size[1]] == f"P6 {size[0]} {size[1]} 255\n".encode()
