"""What a disk must hold for a conversion is asked before it begins."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from faceswap.errors import OutputError
from faceswap.video.disk_space import check_space


@pytest.mark.parametrize(
    ("free", "finished", "fits"),
    [
        (2_100, 0, True),
        (2_099, 0, False),
        (1_500, 600, True),
        (1_499, 600, False),
        (1_100, 9_000, True),
    ],
)
def test_segments_and_the_joined_file_must_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, finished: int, fits: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free * 10**6))
    sizes = (1_000 * 10**6, 100 * 10**6, finished * 10**6)
    if fits:
        check_space(tmp_path, *sizes)
        return
    with pytest.raises(OutputError) as told:
        check_space(tmp_path, *sizes)
    assert f"{free / 1000:.1f} GB left" in str(told.value)
    assert "1.1 GB); free some space" in str(told.value)
