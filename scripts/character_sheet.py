"""Render a sheet of the characters: one row per person, each expression in three poses.

python scripts/character_sheet.py OUT.png [--size 160] [--names clara tom …]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from faceswap.synthetic.characters import CHARACTERS, character
from faceswap.synthetic.expression import EXPRESSIONS
from faceswap.synthetic.head_mesh import Pose
from faceswap.synthetic.pair import build_head
from faceswap.synthetic.scene import LIGHTS, Scene

POSES = (Pose(), Pose(yaw=-28, pitch=4), Pose(yaw=22, pitch=-8, roll=6))


def main() -> None:
    """Render and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--names", nargs="+", default=list(CHARACTERS)[:6])
    options = parser.parse_args()
    rows = []
    for name in options.names:
        person = character(name)
        figure = build_head(person)
        scene = Scene((options.size, options.size), LIGHTS["window"], background=person.seed)
        rows.append(
            np.concatenate(
                [
                    scene.frame(figure, pose, expression).picture
                    for expression in EXPRESSIONS.values()
                    for pose in POSES
                ],
                1,
            )
        )
    Image.fromarray(np.concatenate(rows)).save(options.out)


if __name__ == "__main__":
    main()
