"""An editor of a number or a word."""

import pytest
from PySide6.QtWidgets import QApplication

from gui.widgets.number_or_word import NumberOrWord


@pytest.mark.parametrize("value", [None, "auto", 12])
def test_what_is_set_is_read(qapp: QApplication, value: int | str | None) -> None:
    editor = NumberOrWord([("not set", None), ("automatic", "auto")])
    editor.set_value(value)
    assert editor.value() == value
    editor.deleteLater()


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (" 16 ", 16),
        ("automatic", "auto"),
        ("not set", None),
        ("", None),
        ("many", "many"),
        ("-3", "-3"),
    ],
)
def test_what_is_typed_is_read(qapp: QApplication, typed: str, value: int | str | None) -> None:
    editor = NumberOrWord([("not set", None), ("automatic", "auto")])
    editor.setEditText(typed)
    assert editor.value() == value
    assert editor.count() == 2
    editor.deleteLater()
