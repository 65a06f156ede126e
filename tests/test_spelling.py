"""What users read is in American English: help, labels and documents."""

import inspect
import re
from pathlib import Path

from faceswap.commands import JOBS, options_of
from faceswap.swap.model.presets import PRESETS
from gui.widgets.option_titles import _TITLES

ROOT = Path(__file__).parents[1]
BRITISH = re.compile(
    r"\w*(?:colour|grey|neighbour|centre|behaviour|labelled|licence|learnt"
    r"|(?:optim|color|colour|normal|regular|initial|organ|recogn|minim|maxim|quant)is(?:e|ing|ation))\w*",
    re.IGNORECASE,
)
_FORMER = re.compile(r"`[^`]*`")  # names of earlier versions, and of files


def test_help_is() -> None:
    texts = [preset.text() for preset in PRESETS.values()] + list(_TITLES.values())
    for job in JOBS.values():
        model = options_of(job)
        texts += [inspect.getdoc(job) or "", inspect.getdoc(model) or ""]
        texts += [field.description or "" for field in model.model_fields.values()]
    assert [word for text in texts for word in BRITISH.findall(text)] == []


def test_documents_are() -> None:
    found = []
    for path in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "assets").glob("*.md"),
    ]:
        text = _FORMER.sub("", path.read_text(encoding="utf-8"))
        found += [f"{path.name}: {word}" for word in BRITISH.findall(text)]
    assert found == []
