"""The cards beside the shipped weights: each is there, and says what was learnt from."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEIGHTS = sorted((ROOT / "assets").glob("*.safetensors"))


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda path: path.stem)
def test_the_card_names_its_data_and_how_it_was_chosen(weights: Path) -> None:
    card = " ".join(weights.with_suffix(".md").read_text(encoding="utf-8").split())
    for words in (
        "LFWcrop",
        "Labeled Faces in the Wild",
        "published for research",
        "MediaPipe FaceMesh (Apache-2.0)",
        "in sight",
    ):
        assert words in card, words


def test_the_landmarker_s_card_is_what_its_script_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the numbers."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    for name in ("benchmarks", "landmarker_card"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import landmarker.card as landmarker_card

    card = (ROOT / "assets" / "landmarker.md").read_text(encoding="utf-8")
    for part in landmarker_card._TEXT.split("\n\n"):
        words = re.sub(r"\\\{\w+(:[^}]*)?\\\}", ".+?", re.escape(part.strip()))
        assert re.search(words, card, re.DOTALL), part
    assert landmarker_card._REMARKS in card
