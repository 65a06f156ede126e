"""Packets of an encoder in a file, as they are, with an index of their times beside it.

No container keeps every codec, every time base and every byte alike, and a segment must give the
video the packets that one encoder for all of it would have given.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from faceswap.errors import InputError
from faceswap.io.atomic import replace_file

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


class PacketIndex(BaseModel):
    """The packets of a file, in decoding order.

    sizes: in bytes. pts, durations: in ticks of the video's time base. keys: which begin a group
    of pictures. sha256: of all their bytes. header: SHA-256 of the codec's header, without which
    they can't be decoded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sizes: tuple[int, ...]
    pts: tuple[int, ...]
    durations: tuple[int, ...]
    keys: tuple[bool, ...]
    sha256: str
    header: str


class PacketFile:
    """Writes packets to ``path``, which has another name until ``finish``.

    Raises OSError when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # A worker of a farm that is taken for lost may still be writing the same segment.
        self._partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        self._file = open(self._partial, "wb")  # noqa: SIM115  (closed by finish and discard)
        self._digest = hashlib.sha256()
        self._sizes: list[int] = []
        self._pts: list[int] = []
        self._durations: list[int] = []
        self._keys: list[bool] = []

    def add(self, packet: "Packet[VideoStream]") -> None:
        """Append a packet. Raises OSError."""
        data = bytes(packet)
        self._file.write(data)
        self._digest.update(data)
        assert packet.pts is not None  # encoders pass the pictures' on
        self._sizes.append(len(data))
        self._pts.append(packet.pts)
        self._durations.append(packet.duration or 0)
        self._keys.append(packet.is_keyframe)

    def finish(self, header: bytes) -> PacketIndex:
        """Sync to disk and rename; ``header``: the codec's. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        replace_file(self._partial, self._path)
        return PacketIndex(
            sizes=tuple(self._sizes),
            pts=tuple(self._pts),
            durations=tuple(self._durations),
            keys=tuple(self._keys),
            sha256=self._digest.hexdigest(),
            header=hashlib.sha256(header).hexdigest(),
        )

    def discard(self) -> None:
        """Remove the file, if it is not finished."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def read_packets(path: Path, index: PacketIndex) -> Iterator[bytes]:
    """The data of each packet.

    Raises InputError where the file is missing, shorter than it was, or changed: in the last case
    after its last packet.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for size in index.sizes:
                data = file.read(size)
                if len(data) < size:
                    raise InputError(f"{path} is shorter than it was written.")
                digest.update(data)
                yield data
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    if digest.hexdigest() != index.sha256:
        raise InputError(f"{path} is not as it was written.")
