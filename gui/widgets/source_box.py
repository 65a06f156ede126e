"""Choose the footage to convert among the sources of a project."""

from collections.abc import Sequence

from PySide6.QtWidgets import QComboBox

from faceswap.preview.protocol import SourceState
from gui.widgets.person_picker import SHORT


class SourceBox(QComboBox):
    """The films of a project, those of A first; single pictures are not converted."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(SHORT)
        self.setMinimumContentsLength(8)
        self.setAccessibleName(self.tr("Footage to convert"))

    def show_sources(self, sources: Sequence[SourceState], chosen: str) -> str:
        """List ``sources``; returns the chosen one, or the first if that is gone."""
        films = sorted(
            (one for one in sources if one.source_kind != "picture"),
            key=lambda one: "a" not in one.sides,
        )
        names = [one.id for one in films]
        chosen = chosen if chosen in names or not names else names[0]
        self.blockSignals(True)
        self.clear()
        for one in films:
            self.addItem(one.path.name, one.id)
        self.setCurrentIndex(self.findData(chosen))
        self.blockSignals(False)
        return chosen
