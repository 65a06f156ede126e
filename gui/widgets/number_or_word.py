"""Editor of an option that is a number or one of a few words, such as a batch size or "auto"."""

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox


class NumberOrWord(QComboBox):
    """A list of words in which a whole number can be typed instead.

    words: choices with their labels; None stands for an option that is not given.
    """

    def __init__(self, words: Sequence[tuple[str, str | None]]) -> None:
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        for label, word in words:
            self.addItem(label, word)

    def value(self) -> int | str | None:
        """The number, the word, or what was typed that is neither, for validation to refuse."""
        text = self.currentText().strip()
        index = self.findText(text)
        if index >= 0:
            word: str | None = self.itemData(index)
            return word
        return int(text) if text.isdecimal() else text or None

    def set_value(self, value: int | str | None) -> None:
        """Show a number or a word."""
        index = self.findData(value)
        if index >= 0:
            self.setCurrentIndex(index)
        else:
            self.setEditText("" if value is None else str(value))
