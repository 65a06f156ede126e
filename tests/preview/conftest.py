"""The project that the preview server is asked about."""

from pathlib import Path

import pytest
from made_clips import MakeClip
from preview_project import FRAMES, make_preview_project


@pytest.fixture(scope="session")
def clip(make_clip: MakeClip) -> Path:
    """The footage of both sides."""
    return make_clip(width=128, height=96, frames=FRAMES)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """The project; tests leave it as it was."""
    return make_preview_project(tmp_path_factory.mktemp("preview") / "p ä", clip)
