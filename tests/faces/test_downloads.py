"""Downloads of weights: which bytes are taken, and what is said when they cannot be had."""

import errno
import hashlib
import http.server
import os
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faceswap.errors import AssetError
from faceswap.events import Progress
from faceswap.faces import downloads as module
from faceswap.faces.detect import make_detector
from faceswap.faces.downloads import (
    DOWNLOADS,
    WeightsFile,
    download_folder,
    download_weights,
    verify_weights,
    weights_paths,
)
from faceswap.faces.landmarks import make_landmarker
from faceswap.jobs.doctor import _downloads
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.landmarks import LandmarksOptions, landmarks

CONTENT = np.random.default_rng(0).bytes(700_000)


class Server(http.server.BaseHTTPRequestHandler):
    """/whole and /wrong are files, /short breaks off, all else is not there."""

    def do_GET(self) -> None:
        if self.path not in ("/whole", "/wrong", "/short"):
            self.send_error(404)
            return
        data = CONTENT[::-1] if self.path == "/wrong" else CONTENT
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:1000] if self.path == "/short" else data)

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as answering:
        thread = threading.Thread(target=answering.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{answering.server_port}"
        answering.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of PyTorch's."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(module, "PACKAGES", {})
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hub" / "checkpoints"


def offer(monkeypatch: pytest.MonkeyPatch, url: str, name: str = "sfd") -> WeightsFile:
    """Let ``name`` be downloaded from ``url``, and expect the content of /whole."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    one = replace(DOWNLOADS[name][0], url=url, sha256=sha256)
    monkeypatch.setitem(DOWNLOADS, name, (one,))
    return one


def left(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def test_the_table_is_whole() -> None:
    from face_alignment.api import models_urls
    from face_alignment.detection.sfd.sfd_detector import models_urls as sfd_urls

    files = [weights for some in DOWNLOADS.values() for weights in some]
    assert len({weights.file for weights in files}) == len(files) == 7
    assert len({weights.sha256 for weights in files}) == 7
    for weights in files:
        assert re.fullmatch("[0-9a-f]{64}", weights.sha256)
        assert weights.url.startswith("https://")
        # Names that tell how their SHA-256 begins, as PyTorch's hub has it.
        if told := re.search("-([a-f0-9]{8,})[.]", weights.file):
            assert weights.sha256.startswith(told[1])
    assert DOWNLOADS["fan"][0].url == models_urls["2DFAN-4"]
    assert DOWNLOADS["sfd"][0].url == sfd_urls["s3fd"]


def test_a_download_is_shown_kept_and_not_done_twice(
    place: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = offer(monkeypatch, f"{server}/whole")
    events = list(download_weights("sfd", "centerface", "builtin"))
    assert all(isinstance(event, Progress) for event in events)
    last = events[-1]
    assert isinstance(last, Progress)
    assert (last.stage, last.unit) == (f"download {one.file}", "MB")
    assert last.done == pytest.approx(0.7)
    assert last.total == pytest.approx(0.7)
    assert left(place) == [one.file]
    offer(monkeypatch, f"{server}/gone")
    assert list(download_weights("sfd")) == []
    assert [path.read_bytes() for path in weights_paths("sfd")] == [CONTENT]
    assert next(f for f in _downloads() if f.title == "sfd").level == "fine"


def test_other_bytes_are_thrown_away(
    place: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, f"{server}/wrong")
    with pytest.raises(AssetError, match=r"/wrong sent is not s3fd.*thrown away.*by hand"):
        make_detector("sfd", "cpu")
    assert left(place) == []


def test_a_file_of_other_bytes_is_never_loaded(
    place: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, make in (("sfd", make_detector), ("fan", make_landmarker)):
        one = offer(monkeypatch, f"{server}/whole", name)
        place.mkdir(parents=True, exist_ok=True)
        (place / one.file).write_bytes(b"something else")
        with pytest.raises(AssetError, match=r"is not the file that .* so it was not loaded"):
            make(name, "cpu")
        assert (place / one.file).read_bytes() == b"something else"
        told = next(f for f in _downloads() if f.title == name)
        assert told.level == "wrong"
        assert "move it away" in told.advice


@pytest.mark.parametrize(
    ("path", "reason"), [("/short", r"broke off after 0\.0 of 0\.7 MB"), ("/gone", "404|Not Found")]
)
def test_what_does_not_come_whole_leaves_nothing(
    path: str, reason: str, place: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, f"{server}{path}")
    with pytest.raises(AssetError, match=rf"{reason}.*check the connection.*centerface"):
        list(download_weights("sfd"))
    assert left(place) == []


def test_stopping_leaves_nothing(place: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, f"{server}/whole")
    with closing(download_weights("sfd")) as job:
        next(job)
        assert left(place)
    assert left(place) == []


def test_a_full_disk_is_told(place: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, f"{server}/whole")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AssetError, match=r"disk of .* is full"):
        list(download_weights("sfd"))
    assert left(place) == []


@pytest.mark.parametrize("name", list(DOWNLOADS))
def test_offline_it_is_said_before_the_work(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_clip: object
) -> None:
    offer(monkeypatch, "http://127.0.0.1:1/x", name)
    clip = make_clip(frames=5, tracks=0)  # type: ignore[operator]
    which = {"landmarks": name} if name == "fan" else {"detector": name}
    instead = "--landmarker builtin" if name == "fan" else "--detector centerface"
    words = rf"{name} cannot be downloaded from 127\.0\.0\.1:1 \(.*{instead}"
    project = tmp_path / "p"
    with pytest.raises(AssetError, match=words):
        list(extract(ExtractOptions(video=clip, project=project, side="a", **which)))  # type: ignore[arg-type]
    assert not project.exists()
    out = tmp_path / "l.npz"
    with pytest.raises(AssetError, match=words):
        list(landmarks(LandmarksOptions(footage=clip, output=out, **which)))  # type: ignore[arg-type]
    assert not out.exists()


@pytest.mark.parametrize("name", ["retinaface", "scrfd"])
def test_a_missing_package_is_told_before_anything_is_downloaded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PACKAGES", {name: ("no_such_package", "get it")})
    with pytest.raises(
        AssetError, match=r"needs the package no_such_package, .*: get it, or .*centerface"
    ):
        make_detector(name, "cpu")


def keep(place: Path, monkeypatch: pytest.MonkeyPatch, name: str, *paths: Path) -> None:
    """Let ``paths`` be what ``name`` needs."""
    found = tuple(
        WeightsFile(path.name, "", hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths
    )
    monkeypatch.setitem(DOWNLOADS, name, found)
    verify_weights(name)


def test_face_alignment_loads_the_checked_files(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from face_alignment.detection.blazeface.net_blazeface import BlazeFace

    place.mkdir(parents=True)
    net = BlazeFace()
    for layer in (net.classifier_8, net.classifier_16):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, -9.0)  # a net that is sure that there is no face
    torch.save(net.state_dict(), place / "mine.pth")
    np.save(place / "mine.npy", np.full((896, 4), 0.5, np.float32))
    keep(place, monkeypatch, "blazeface", place / "mine.pth", place / "mine.npy")
    detector = make_detector("blazeface", "cpu")
    assert detector.detect(np.zeros((64, 64, 3), np.uint8)) == []


class Sly:
    """What a hostile file would run when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("it ran",)


@pytest.mark.parametrize("name", ["sfd", "blazeface", "fan"])
def test_nothing_in_a_file_is_executed(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place.mkdir(parents=True)
    path = place / DOWNLOADS[name][0].file
    torch.save({"x": Sly()}, path)
    np.save(place / "mine.npy", np.zeros((896, 4), np.float32))
    keep(place, monkeypatch, name, path, *([place / "mine.npy"] if name == "blazeface" else []))
    with pytest.raises(AssetError, match="cannot be loaded"):
        (make_landmarker if name == "fan" else make_detector)(name, "cpu")
    assert "it ran" not in capsys.readouterr().out


def test_the_folder_is_pytorch_s(place: Path) -> None:
    assert download_folder() == place
