"""Aligned crops on disk: PNG files with an embedded face record.

A folder of crops is self-contained. Each file holds, in a PNG text chunk, the frame the face
came from, its landmarks in the crop and the frame → crop matrix, so that files can be copied,
sorted and deleted by hand; a deleted one is out of training.
"""

import json
import math
import re
import struct
import warnings
import zlib
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from faceswap.errors import InputError, OutputError
from faceswap.faces.align import FRAMINGS, crop_matrix, face_similarity, transform
from faceswap.faces.face import Face
from faceswap.io.atomic import partial_file

CHUNK = "faceswap"
FORMAT = 1
# In less than half the time of a search for the best filter of each row, and 7 % larger.
_PNG_OPTIONS = (
    cv2.IMWRITE_PNG_FILTER,
    cv2.IMWRITE_PNG_FILTER_AVG,
    cv2.IMWRITE_PNG_STRATEGY,
    cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY,
    cv2.IMWRITE_PNG_COMPRESSION,
    1,
)
_PNG_HEADER = 33  # bytes: signature and IHDR
_NAME = re.compile(r"(\d{6,18})_(\d{1,9})\.png")


@dataclass(frozen=True)
class FaceRecord:
    """Metadata of the face in a crop, enough to rebuild the index.

    points (68, 2) and forehead (13, 2) are float32 in crop pixels, pose is (yaw, pitch, roll)
    in degrees, matrix is the float64 (2, 3) frame → crop, blur is ``sharpness`` of the crop.
    shot is the first frame of its shot, footage the fingerprint of its file; crops of older
    versions and of single pictures have neither, and no pts.
    """

    side: str
    frame: int
    time: float
    track: int
    points: NDArray[np.float32]
    forehead: NDArray[np.float32]
    presence: float
    pose: tuple[float, float, float]
    matrix: NDArray[np.float64]
    blur: float
    pts: int | None = None
    shot: int | None = None
    footage: str | None = None

    def to_json(self) -> str:
        """The record as stored in the PNG."""
        of_footage = {"pts": self.pts, "shot": self.shot, "footage": self.footage}
        return json.dumps(
            {
                "format": FORMAT,
                "side": self.side,
                "frame": self.frame,
                "time": self.time,
                "track": self.track,
                "points": self.points.round(3).astype(float).tolist(),
                "forehead": self.forehead.round(3).astype(float).tolist(),
                "presence": self.presence,
                "pose": self.pose,
                "matrix": self.matrix.tolist(),
                "blur": self.blur,
            }
            | {name: value for name, value in of_footage.items() if value is not None},
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> "FaceRecord":
        """Parse a record; raises ValueError, KeyError or TypeError when ``text`` is not one."""
        data: dict[str, Any] = json.loads(text)
        if data["format"] > FORMAT:
            raise ValueError("the crop was made by a newer version of faceswap")
        try:
            record = cls._parse(data)
        except OverflowError as error:
            raise ValueError(f"its record holds a number out of range ({error})") from error
        numbers = (record.time, record.points, record.forehead, record.presence, record.pose)
        if not all(np.isfinite(v).all() for v in (*numbers, record.matrix, record.blur)):
            raise ValueError("its record holds numbers that are not finite")
        return record

    @classmethod
    def _parse(cls, data: dict[str, Any]) -> "FaceRecord":
        yaw, pitch, roll = (float(v) for v in data["pose"])
        pts, shot, footage = (data.get(name) for name in ("pts", "shot", "footage"))
        return cls(
            side=str(data["side"]),
            frame=int(data["frame"]),
            time=float(data["time"]),
            track=int(data["track"]),
            points=np.asarray(data["points"], np.float32).reshape(68, 2),
            forehead=np.asarray(data["forehead"], np.float32).reshape(13, 2),
            presence=float(data["presence"]),
            pose=(yaw, pitch, roll),
            matrix=np.asarray(data["matrix"], np.float64).reshape(2, 3),
            blur=float(data["blur"]),
            pts=None if pts is None else int(pts),
            shot=None if shot is None else int(shot),
            footage=None if footage is None else str(footage),
        )


@dataclass(frozen=True)
class FaceCrop:
    """A crop and its record: image uint8 RGB (S, S, 3)."""

    path: Path
    image: NDArray[np.uint8]
    record: FaceRecord


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the crop (S, S, 3), in grey, at 128 px to be comparable.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    small = cv2.resize(crop, (128, 128), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def warp_crop(
    frame: NDArray[np.uint8], matrix: NDArray[np.float64], side: int
) -> NDArray[np.uint8]:
    """Warp ``frame`` by ``matrix``, frame → crop, to a crop (side, side, 3).

    Beyond the frame its edge pixels are repeated. A face much larger than the crop is downscaled
    first, to avoid aliasing.
    """
    shrink = 1 / max(1e-6, float(np.hypot(matrix[0, 0], matrix[1, 0])))
    if shrink > 2:
        return _cut_from_smaller(frame, matrix, side, shrink)
    flags = cv2.INTER_LINEAR if shrink > 1 else cv2.INTER_CUBIC
    crop = cv2.warpAffine(frame, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)


def _cut_from_smaller(
    frame: NDArray[np.uint8], matrix: NDArray[np.float64], side: int, shrink: float
) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = crop_bounds(matrix, side, width, height, margin=round(2 * shrink))
    if x1 - x0 < 2 or y1 - y0 < 2:
        x0, y0, x1, y1 = 0, 0, width, height
    factor = 1.5 / shrink
    size = max(1, round((x1 - x0) * factor)), max(1, round((y1 - y0) * factor))
    small = cv2.resize(frame[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    fx, fy = size[0] / (x1 - x0), size[1] / (y1 - y0)
    # small pixel → frame pixel, pixel centres at integers
    back = np.array([[1 / fx, 0, x0 + 0.5 / fx - 0.5], [0, 1 / fy, y0 + 0.5 / fy - 0.5], [0, 0, 1]])
    crop = cv2.warpAffine(
        small,
        matrix @ back,
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)


def crop_bounds(
    matrix: NDArray[np.float64], side: int | tuple[int, int], width: int, height: int, margin: int
) -> tuple[int, int, int, int]:
    """Pixel rectangle x0, y0, x1, y1 of the frame that covers the crop.

    side: of the crop, or its width and height.
    """
    inverse = cv2.invertAffineTransform(matrix)
    right, bottom = side if isinstance(side, tuple) else (side, side)
    corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], np.float64) - 0.5
    places = corners @ inverse[:, :2].T + inverse[:, 2]
    x0, y0 = np.floor(places.min(0)).astype(int) - margin
    x1, y1 = np.ceil(places.max(0)).astype(int) + 1 + margin
    return max(0, int(x0)), max(0, int(y0)), min(width, int(x1)), min(height, int(y1))


def native_crop_size(points: NDArray[np.float32], most: int) -> int:
    """Side in pixels of a crop at the scale of the frame, for a face with points (68, 2).

    Rounded up to a multiple of 16, at least 64 (smaller crops show nothing useful) and at most
    ``most``.
    """
    similarity = face_similarity(points)
    side = FRAMINGS["face"].side / max(1e-6, float(np.hypot(similarity[0, 0], similarity[1, 0])))
    return min(most, max(64, 16 * math.ceil(min(side, most) / 16)))


def crop_face(
    picture: NDArray[np.uint8], face: Face, size: int, *, side: str, frame: int, time: float = 0.0
) -> tuple[NDArray[np.uint8], FaceRecord]:
    """Aligned crop (size, size, 3) of a face in ``picture`` (H, W, 3), with its record."""
    matrix = crop_matrix(face_similarity(face.points), size)
    image = warp_crop(picture, matrix, size)
    return image, FaceRecord(
        side=side,
        frame=frame,
        time=time,
        track=face.track,
        points=transform(matrix, face.points),
        forehead=transform(matrix, face.forehead),
        presence=face.presence,
        pose=face.pose,
        matrix=matrix,
        blur=sharpness(image),
    )


def write_crop(path: Path, image: NDArray[np.uint8], record: FaceRecord) -> None:
    """Write ``image`` (S, S, 3) with its record, atomically.

    Raises OutputError when it cannot be written.
    """
    data = _encoded(image, record)
    try:
        with partial_file(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error


def _encoded(image: NDArray[np.uint8], record: FaceRecord) -> bytes:
    """A PNG of ``image`` (S, S, 3) with its record in a text chunk behind the header."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    plain = cv2.imencode(".png", bgr, _PNG_OPTIONS)[1].tobytes()
    text = b"tEXt" + CHUNK.encode() + b"\0" + record.to_json().encode("ascii")
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return plain[:_PNG_HEADER] + chunk + plain[_PNG_HEADER:]


def read_record(path: Path) -> FaceRecord | None:
    """Read a crop's record without decoding the image; None when it is no crop or damaged."""
    try:
        with Image.open(path) as picture:
            return FaceRecord.from_json(picture.info[CHUNK])
    except (OSError, SyntaxError, KeyError, ValueError, TypeError, Image.DecompressionBombError):
        return None


def read_crop(path: Path) -> FaceCrop:
    """Read one crop; raises InputError when it is damaged, not square or without a record."""
    try:
        with Image.open(path) as picture:
            image = np.asarray(picture.convert("RGB"))
            text = picture.info[CHUNK]
        if image.shape[0] != image.shape[1]:
            raise ValueError(f"it is not square but {image.shape[1]} by {image.shape[0]} pixels")
        return FaceCrop(path, image, FaceRecord.from_json(text))
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise InputError(f"The crop {path} cannot be read: {error}.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not a face crop of faceswap: {error}.") from error


def crop_name(frame: int, track: int) -> str:
    """File name of the crop of a track in a frame."""
    return f"{frame:06}_{track}.png"


def parse_crop_name(name: str) -> tuple[int, int] | None:
    """Frame and track from a name made by ``crop_name``; None for any other name."""
    found = _NAME.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def crop_files(folder: Path, left_out: Collection[int] = ()) -> list[Path]:
    """PNG files in ``folder``, sorted by name; empty when there is no such folder.

    left_out: tracks whose crops are not wanted. Files with other names than crops have are.
    """
    files = sorted(folder.glob("*.png")) if folder.is_dir() else []
    if not left_out:
        return files
    return [
        file
        for file in files
        if (place := parse_crop_name(file.name)) is None or place[1] not in left_out
    ]


def read_crops(folder: Path, left_out: Collection[int] = ()) -> Iterator[FaceCrop | InputError]:
    """Read the crops of a folder in name order, prefetched by a few threads; see ``crop_files``.

    An unreadable file is yielded as its InputError, so that one bad file does not stop the rest.
    """

    def read(path: Path) -> FaceCrop | InputError:
        try:
            return read_crop(path)
        except InputError as error:
            return error

    files = crop_files(folder, left_out)
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(files), 64):
            yield from pool.map(read, files[start : start + 64])


def is_face_crop(path: Path) -> bool:
    """Whether a readable image is a face crop, with a record, rather than a plain picture."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as picture:
            return CHUNK in picture.info
