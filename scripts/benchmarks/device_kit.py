"""Make the folder that ``benchmark.py device`` needs on a bare machine: faces and pydantic.

    python scripts/benchmark.py device_kit

Run it where all of faceswap is installed. The folder, ``device-kit``, is ignored by git; copy it
with the checkout. The faces are rendered, so no real person's are passed on.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.device import KIT, Rows
from faceswap.faces.align import head_pose
from faceswap.faces.crops import FaceRecord, crop_face, write_crop
from faceswap.faces.face import Face, box_of
from faceswap.swap.training.face_selection import FaceLoadConfig, load_faces
from faceswap.swap.training.face_set import write_face_sets
from faceswap.synthetic.characters import character
from faceswap.synthetic.pair import Clip
from faceswap.synthetic.scene import Frame

FACES = 48
"""Faces per side: 24 MB in all, with pictures of 256 px and their maps."""
RESOLUTION = 256
_SIZE = 512  # pixels of the rendered frames; a face is about half of that
_RATE = 8  # frames a second: few frames with much variety of expression and pose
_CAST = (("a", "nora", "window"), ("b", "tom", "studio"))


def run(arguments: list[str]) -> dict[str, Rows]:
    """Make the folder; returns a table of its contents."""
    parser = argparse.ArgumentParser(prog="benchmark.py device_kit")
    parser.add_argument("--kit", type=Path, default=KIT)
    parser.add_argument("--faces", type=int, default=FACES, help="faces of each side")
    parser.add_argument("--no-site", action="store_true", help="do not download pydantic")
    parser.add_argument("--python", default="3.12", help="Python version of the bare machine")
    parser.add_argument("--platform", default="manylinux2014_x86_64", help="pip's name of it")
    options = parser.parse_args(arguments)
    faces = options.kit / "faces.safetensors"
    write_faces(faces, options.faces)
    if not options.no_site:
        fetch(options.kit / "site", options.python, options.platform)
    made = sorted(p for p in options.kit.iterdir() if not p.name.startswith("."))
    return {f"{options.kit}": [{"what": p.name, "MB": _size(p) / 1e6} for p in made]}


def write_faces(path: Path, count: int) -> None:
    """Render two talking heads and write ``count`` evenly spaced crops of each to one file."""
    with tempfile.TemporaryDirectory() as folder:
        sides = {}
        for number, (side, name, light) in enumerate(_CAST):
            crops = Path(folder) / side
            crops.mkdir()
            # More than ``count``, as some are held out.
            clip = Clip(character(name), _SIZE, round(1.1 * count) + 4, _RATE, number + 1, light)
            for place, shot in enumerate(clip.shots()):
                image, record = _crop(shot.frame, side, place)
                write_crop(crops / f"{place:06d}.png", image, record)
            sides[side] = load_faces(crops, side, FaceLoadConfig(RESOLUTION))
        write_face_sets(path, sides, count)


def _crop(frame: Frame, side: str, number: int) -> tuple[NDArray[np.uint8], FaceRecord]:
    face = Face(frame.points, frame.forehead, 1.0, head_pose(frame.points), box_of(frame.points))
    return crop_face(frame.picture, face, RESOLUTION, side=side, frame=number)


def fetch(site: Path, python: str, platform: str) -> None:
    """Install pydantic for another machine into ``site``. Raises SystemExit when that fails."""
    shutil.rmtree(site, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--target", str(site), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", python, "--platform", platform, "--no-compile"]
    if subprocess.run([*command, "pydantic>=2.10"], check=False).returncode:
        raise SystemExit(
            f"pip found no pydantic for Python {python} on {platform}; make the kit without it "
            "with --no-site."
        )


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(p.stat().st_size for p in files if p.is_file())
