"""For compositing programs: face, mask and matrix of each frame, as 16-bit PNG and JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from faceswap.errors import OutputError
from faceswap.io.atomic import make_folder, write_atomically
from faceswap.io.provenance import SWAPPED_PICTURE
from faceswap.video.hdr import from_standard
from faceswap.video.info import VideoInfo
from faceswap.video.patch import Patch
from faceswap.video.picture_files import encode_png

_TOP = np.float32(65535)


class CompositingPasses:
    """Writes to ``folder``: face/000000.png, mask/000000.png … and faces.json.

    face: RGB of the frame's size, upright, in the footage's own transfer function and primaries,
    not multiplied by the mask. mask: grey. faces.json: size, and for each frame its number, time in
    seconds and the matrices (2, 3) from its pixels to the network's crop. Numbers are the frames'.

    Raises OutputError when the folder holds passes already, or cannot be written.
    """

    def __init__(self, folder: Path, info: VideoInfo, *, overwrite: bool = False) -> None:
        self._folder, self._info = folder, info
        if (folder / "faces.json").exists() and not overwrite:
            raise OutputError(f"{folder} has passes already; use --overwrite or another folder.")
        for name in ("face", "mask"):
            make_folder(folder / name)

    def write(self, index: int, pts: int, patches: list[Patch]) -> dict[str, JsonValue]:
        """Write the passes of frame ``index``; returns its entry in faces.json.

        Raises OutputError.
        """
        size = self._info.height, self._info.width
        face = np.zeros((*size, 3), np.float32)
        mask = np.zeros(size, np.float32)
        for patch in patches:
            rows, columns = patch.alpha.shape
            place = slice(patch.y, patch.y + rows), slice(patch.x, patch.x + columns)
            shown = patch.alpha[..., None] > 0
            values = patch.face
            if self._info.colour.hdr:
                values = from_standard(values, self._info.colour)
            face[place] = np.where(shown, np.clip(values, 0, 1), face[place])
            mask[place] = 1 - (1 - mask[place]) * (1 - patch.alpha)
        for name, image in (("face", face), ("mask", mask)):
            deep = np.round(np.clip(image, 0, 1) * _TOP).astype(np.uint16)
            path = self._folder / name / f"{index:06d}.png"
            write_atomically(path, encode_png(deep, SWAPPED_PICTURE))
        time = float(pts * self._info.time_base)
        matrices = [patch.matrix.tolist() for patch in patches]
        return {"frame": index, "time": time, "matrices": matrices}

    def finish(self, frames: Sequence[Mapping[str, JsonValue]]) -> Path:
        """Write faces.json with the entries of ``frames``; returns its path. Raises OutputError."""
        document = {
            "width": self._info.width,
            "height": self._info.height,
            "provenance": SWAPPED_PICTURE.text,
            "frames": list(frames),
        }
        path = self._folder / "faces.json"
        write_atomically(path, json.dumps(document, indent=1).encode())
        return path
