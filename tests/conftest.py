"""What several test modules share: the real clips, and small videos made on the spot."""

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Every worker taking all cores at once is slower than each taking one. Set before torch
    # and cv2 are imported, which read these once.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

from filelock import FileLock
from hypothesis import settings
from made_clips import MakeClip, write_clip

# How long an example takes is the machine's matter.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def clips() -> Path:
    """The folder of the real clips; skips the test where they are absent."""
    folder = SHARED / "clips"
    if not folder.is_dir():
        pytest.skip(f"{SHARED} is absent")
    return folder


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.mp4, b.mp4, truth.mp4 and truth.json: two rendered heads, 2 s, 256 px.

    Made once per run, whichever worker comes first; tests must not change it.
    """
    from faceswap.jobs.sample import SampleOptions, sample

    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder = place / "sample"
    with FileLock(place / "sample.lock"):
        if not folder.exists():
            for _ in sample(SampleOptions(folder=place / "sample.new", seconds=2, size=256)):
                pass
            (place / "sample.new").rename(folder)
    return folder


@pytest.fixture(scope="session")
def make_clip(tmp_path_factory: pytest.TempPathFactory) -> MakeClip:
    """A function that makes a small video, with a sine for sound, and returns its path.

    The same arguments give the same file, so tests must not change it.
    """
    folder = tmp_path_factory.mktemp("clips")
    made: dict[str, Path] = {}

    def make(**options: object) -> Path:
        key = repr(sorted(options.items()))
        if key not in made:
            suffix = str(options.pop("suffix", ".mp4"))
            made[key] = write_clip(folder / f"clip{len(made)}{suffix}", **options)  # type: ignore[arg-type]
        return made[key]

    return make
