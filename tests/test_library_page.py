"""What README and docs/library.md show of Python works as it stands there."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUDGET = {"minutes=30": "minutes=0.05", "steps=500": "steps=40"}
"""A shorter training than a page would show."""


def examples(page: str) -> list[str]:
    """The Python of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "made"),
    [
        ("README.md", ["out.mp4", "out_sheet.png"]),
        ("docs/library.md", ["P", "circle", "out.mp4"]),
    ],
)
def test_its_examples_run(
    page: str, made: list[str], sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in "ab":
        shutil.copy(sample / f"{side}.mp4", tmp_path / f"{side.upper()}.mp4")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page}
    for number, code in enumerate(examples(page)):
        for long, short in BUDGET.items():
            code = code.replace(long, short)
        exec(compile(code, f"{page}, example {number + 1}", "exec"), names)  # noqa: S102
    assert {*made} <= {path.name for path in tmp_path.iterdir()}


def test_the_page_has_examples_of_all_it_tells_of() -> None:
    assert len(examples("docs/library.md")) == 4
    assert all(any(budget in code for code in examples("docs/library.md")) for budget in BUDGET)
