"""Render a sheet of random people, each beside its labels or alone.

python scripts/people_sheet.py OUT.png [--count 64] [--size 128] [--seed 1] [--labels] [--start 0]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from faceswap.faces.labels import PALETTE
from faceswap.synthetic.people import rendered_people


def main() -> None:
    """Render and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--variations", type=int, default=1, help="pictures of each person")
    parser.add_argument("--labels", action="store_true", help="show the labels too")
    options = parser.parse_args()
    end = options.start + options.count
    cells = []
    for person in rendered_people(
        options.seed, options.size, end, options.variations, options.start
    ):
        cells.append(person.image)
        if options.labels:
            cells.append(PALETTE[person.labels])
    rows = [cells[k : k + options.columns] for k in range(0, len(cells), options.columns)]
    Image.fromarray(np.concatenate([np.concatenate(row, 1) for row in rows])).save(options.out)


if __name__ == "__main__":
    main()
