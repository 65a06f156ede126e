"""What is measured of crops is of those that are there."""

import os
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import draw, draw_project

from faceswap.faces.crop_stats import CropStats
from faceswap.faces.crops import write_crop
from faceswap.faces.manual_exclusion import exclude


def test_a_crop_that_was_replaced_is_measured_again(tmp_path: Path) -> None:
    folder = draw_project(tmp_path / "p", 12).crops_folder("b")
    names = sorted(path.name for path in folder.glob("*.png"))[:3]
    kept = CropStats(tmp_path / "p")
    first = np.array(kept.measure("b", folder, names, 60), np.float32)
    assert kept.cached("b", folder, names) == pytest.approx(first)
    image, record = draw("b", 0.0, 0.5, 1)
    write_crop(folder / names[1], image // 2, record)  # as a new extraction does, or a person
    os.utime(folder / names[1], ns=(1, 1))
    exclude(folder, names[2:])
    known = kept.cached("b", folder, names)
    assert known[[0, 2]] == pytest.approx(first[[0, 2]])
    assert np.isnan(known[1]).all()
    again = np.array(kept.measure("b", folder, names[1:2], 60), np.float32)
    assert again[0, 1] < 0.6 * first[1, 1]
    assert kept.cached("b", folder, names)[1] == pytest.approx(again[0])
    (folder / names[0]).unlink()
    assert np.isnan(kept.cached("b", folder, names)[0]).all()
    kept.close()
