"""A preset is declared once, and everything else follows from its declaration."""

import json
import os
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import pytest

from faceswap.errors import OptionsError
from faceswap.swap.model.presets import DEFAULT_PRESET, PRESETS, config_of, initial_weights

ROOT = Path(__file__).parents[2]


def test_a_declared_preset_is_seen_everywhere(tmp_path: Path) -> None:
    support = ROOT / "tests" / "support"
    places = os.pathsep.join(map(str, (ROOT, support)))
    done = subprocess.run(
        [sys.executable, str(support / "declared_preset.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": places, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["choices"] == [*PRESETS, "fifth"]
    assert "* **fifth**: is declared by a test (ourselves)." in seen["help"]
    assert "quick at 160 px or fifth at 96 px starts from weights" in seen["pretrained"]
    assert (seen["weights"], seen["other weights"]) == ("quick.safetensors", None)
    assert seen["resolution"] == 96
    assert (seen["rate"], seen["batch"]) == (2e-4, 3)
    assert seen["stats"] == [96, "is declared by a test (ourselves)"]
    assert seen["card"] == "Is declared by a test."


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_made_and_its_parts_exist(name: str) -> None:
    preset, config = PRESETS[name], config_of(name)
    assert config.preset == name
    assert callable(resolve_name(preset.network))
    assert preset.has_variants or not config.variant
    assert len(preset.purpose) <= 45  # a line of the window's Train page
    asset = initial_weights(config)
    assert asset is None or (ROOT / "assets" / asset).is_file()


def test_the_default_is_a_preset_that_starts_from_weights() -> None:
    assert initial_weights(config_of(DEFAULT_PRESET)) is not None
    assert initial_weights(config_of(DEFAULT_PRESET, 192)) is None


def test_an_unknown_preset_is_told_with_those_there_are() -> None:
    with pytest.raises(OptionsError, match="no preset 'huge'; choose quick, classic, df, liae"):
        config_of("huge")


def test_the_table_in_the_glossary_is_as_declared() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    _, _, table = text.partition("## Presets\n")
    told = [line for line in table.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert told[1:] == [
        f"| {name} | {preset.architecture.resolution} px | {preset.learning_rate:g} "
        f"| {preset.batch} | {preset.text()} |"
        for name, preset in PRESETS.items()
    ]
