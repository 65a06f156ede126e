"""Download detector and landmarker weights, pinned by SHA-256.

A file is loaded only if its SHA-256 matches, whoever put it there. Sources of the hashes: those of
S3FD and FAN begin as their file names say; BlazeFace's was computed from the files in its
repository, YuNet's is in its repository's LFS pointer, RetinaFace's and SCRFD's are stated by
packages of those files.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import importlib.util
import os
import urllib.request
import uuid
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from faceswap.errors import AssetError
from faceswap.events import Event, Meter

_TIMEOUT = 30  # seconds without an answer, or without a byte
_BLOCK = 2**18  # bytes per read: progress and cancelling some 350 times in 90 MB


@dataclass(frozen=True)
class WeightsFile:
    """A weights file: name on disk, URL and SHA-256."""

    file: str
    url: str
    sha256: str


_BULAT = "https://www.adrianbulat.com/downloads/python-fan/"
_BLAZE = (
    "https://github.com/hollance/BlazeFace-PyTorch/raw/852bfd8e3d44ed6775761105bdcead4ef389a538/"
)
_YUNET = "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download/v0.1.0/"

DOWNLOADS: dict[str, tuple[WeightsFile, ...]] = {
    "sfd": (
        WeightsFile(
            "s3fd-619a316812.pth",
            f"{_BULAT}s3fd-619a316812.pth",
            "619a31681264d3f7f7fc7a16a42cbbe8b23f31a256f75a366e5a1bcd59b33543",
        ),
    ),
    "blazeface": (
        WeightsFile(
            "blazeface.pth",
            f"{_BLAZE}blazeface.pth",
            "54ecff653feaaaf1f7d44b6aff28fd2fc50e483a4e847563b6dd261369c43ba4",
        ),
        WeightsFile(
            "anchors.npy",
            f"{_BLAZE}anchors.npy",
            "a10bb2fb93ab54ca426d6c750bfc3aad685028a16dcf231357d03694f261fd95",
        ),
    ),
    "yunet": (
        WeightsFile(
            "face_detection_yunet_2023mar.onnx",
            f"{_YUNET}face_detection_yunet_2023mar.onnx",
            "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        ),
    ),
    # face-alignment's own URLs of the next two have no published hashes; these are the same
    # networks' weights from URLs that do.
    "retinaface": (
        WeightsFile(
            "detection_mobilenet0.25_Final.pth",
            f"{_FACEXLIB}detection_mobilenet0.25_Final.pth",
            "2979b33ffafda5d74b6948cd7a5b9a7a62f62b949cef24e95fd15d2883a65220",
        ),
    ),
    "scrfd": (
        WeightsFile(
            "det_2.5g.onnx",
            "https://huggingface.co/immich-app/buffalo_m/resolve/main/detection/model.onnx",
            "041f73f47371333d1d17a6fee6c8ab4e6aecabefe398ff32cca4e2d5eaee0af9",
        ),
    ),
    "fan": (
        WeightsFile(
            "2DFAN4-11f355bf06.pth.tar",  # the name face-alignment looks for
            f"{_BULAT}2DFAN4-11f355bf06.pth.tar",
            "11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
        ),
    ),
}
"""Files by detector or landmarker name; the first one holds the weights."""

PACKAGES = {
    "retinaface": ("torchvision", "install the one that fits the PyTorch here"),
    "scrfd": ("onnxruntime", "pip install onnxruntime"),
}
"""Packages that a detector needs but face-alignment does not install, and how to install them."""


def download_folder() -> Path:
    """Download folder: PyTorch's hub checkpoints."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def download_weights(*names: str) -> Generator[Event, None, None]:
    """Download the missing files of the detectors and landmarkers in ``names``.

    Yields Progress in MB. Raises AssetError when a package is missing, a download fails or a file
    has the wrong hash.
    """
    for name in names:
        if name not in DOWNLOADS:
            continue
        package, install = PACKAGES.get(name, ("", ""))
        if package and importlib.util.find_spec(package) is None:
            raise AssetError(
                f"The detector {name} needs the package {package}, which is not installed: "
                f"{install}, or use {_offline_option(name)}."
            )
        for weights in DOWNLOADS[name]:
            if not (download_folder() / weights.file).exists():
                yield from _download(name, weights)
    for name in names:
        verify_weights(name)


def weights_paths(name: str) -> list[Path]:
    """Verified files of a detector or landmarker, downloaded first where they are missing.

    Raises AssetError as ``download_weights`` does.
    """
    for _ in download_weights(name):
        pass
    return [download_folder() / weights.file for weights in DOWNLOADS[name]]


def verify_weights(name: str) -> None:
    """Raise AssetError when a file of ``name`` is missing or its SHA-256 does not match."""
    for weights in DOWNLOADS.get(name, ()):
        path = download_folder() / weights.file
        try:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise AssetError(
                f"The weights {path} cannot be read ({error.strerror or error})."
            ) from error
        if found != weights.sha256:
            raise AssetError(
                f"{path} is not the file that {name} needs (its SHA-256 is {found[:12]}…, not "
                f"{weights.sha256[:12]}…), so it was not loaded: move it away, and the right one "
                "is downloaded."
            )


def _download(name: str, weights: WeightsFile) -> Generator[Event, None, None]:
    """Download to a temporary file; it is renamed only if its SHA-256 matches."""
    part = download_folder() / f".{weights.file}.{uuid.uuid4().hex[:8]}.part"
    digest = hashlib.sha256()
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        request = urllib.request.Request(weights.url, headers={"User-Agent": "faceswap"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, open(part, "wb") as file:
            size = int(answer.headers.get("Content-Length") or 0)
            meter = Meter(f"download {weights.file}", size / 1e6 if size else None, unit="MB")
            yield meter.progress()
            while block := answer.read(_BLOCK):
                file.write(block)
                digest.update(block)
                if progress := meter.add(len(block) / 1e6):
                    yield progress
            if size and file.tell() < size:
                raise OSError(f"it broke off after {file.tell() / 1e6:.1f} of {size / 1e6:.1f} MB")
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != weights.sha256:
            raise AssetError(
                f"What {weights.url} sent is not {weights.file} (its SHA-256 is "
                f"{digest.hexdigest()[:12]}…, not {weights.sha256[:12]}…), so it was thrown away: "
                f"{_by_hand(name, weights)}."
            )
        os.replace(part, part.with_name(weights.file))
        yield meter.progress()
    except (OSError, http.client.HTTPException) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise AssetError(
                f"The disk of {download_folder()} is full; free some space."
            ) from error
        reason = getattr(error, "reason", None) or error
        raise AssetError(
            f"The weights of {name} cannot be downloaded from {weights.url.split('/')[2]} "
            f"({reason}): check the connection, or {_by_hand(name, weights)}."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _by_hand(name: str, weights: WeightsFile) -> str:
    return f"put {weights.file} into {download_folder()} by hand, or use {_offline_option(name)}"


def _offline_option(name: str) -> str:
    """The option that needs no download."""
    if name == "fan":
        return "--landmarker builtin, which needs no download"
    return "--detector centerface, which needs no download"
