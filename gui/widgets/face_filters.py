"""What faces are shown, and in which order: choices above the grid of faces."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QSlider, QWidget

from faceswap.preview.protocol import PersonState, SourceState
from gui.models.people import PeopleModel
from gui.widgets.elements import column, label, row
from gui.widgets.theme import GAP


class FaceFilters(QWidget):
    """Sort, filters by kind, person and source, folding, and the size of the thumbnails.

    changed: another choice. resized: another size, in pixels.
    """

    changed = Signal()
    resized = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.sort = self._chooser(
            self.tr("Sort"),
            [
                ("time", self.tr("By time")),
                ("likeness", self.tr("By likeness to the chosen face")),
                ("blur", self.tr("By sharpness, most blurred first")),
                ("yaw", self.tr("By yaw, left to right")),
                ("pitch", self.tr("By pitch, down to up")),
                ("mouth", self.tr("By mouth, shut to open")),
                ("lids", self.tr("By eyes, shut to open")),
                ("presence", self.tr("By landmark confidence, lowest first")),
                ("brightness", self.tr("By brightness, darkest first")),
            ],
        )
        self.filter = self._chooser(
            self.tr("Filter"),
            [
                ("all", self.tr("All faces")),
                ("in", self.tr("Included")),
                ("out", self.tr("Excluded")),
                ("low presence", self.tr("Low confidence")),
                ("side", self.tr("Side views (yaw over 35°)")),
                ("frontal", self.tr("Frontal")),
                ("track", self.tr("Track of the chosen face")),
            ],
        )
        self.person = self._chooser(self.tr("Person"), [("", self.tr("All people"))])
        self.source = self._chooser(self.tr("Source"), [("", self.tr("All sources"))])
        self.fold = QCheckBox(self.tr("Fold near-duplicates"))
        self.fold.setToolTip(
            self.tr("Show one face for those of a track in the same pose and expression")
        )
        self.fold.toggled.connect(lambda _: self.changed.emit())
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(48, 192)
        self.size_slider.setValue(96)
        self.size_slider.setFixedWidth(14 * GAP)
        self.size_slider.setAccessibleName(self.tr("Thumbnail size"))
        self.size_slider.setToolTip(self.tr("Thumbnail size"))
        self.size_slider.valueChanged.connect(self.resized)
        self.counts = label("", "muted")
        self.progress = label("", "small")
        self.setLayout(
            column(
                row(self.sort, self.filter, self.person, self.source, None),
                row(self.size_slider, self.fold, None, self.progress, self.counts, gap=2 * GAP),
            )
        )

    def show_choices(
        self, model: PeopleModel, people: Sequence[PersonState], sources: Sequence[SourceState]
    ) -> None:
        """List the people and sources of a side; what was chosen stays if it is there."""
        persons = [(one.id, model.label(one.id)) for one in people]
        self._refill(self.person, self.tr("All people"), persons)
        self._refill(self.source, self.tr("All sources"), [(s.id, s.path.name) for s in sources])
        self.source.setVisible(len(sources) > 1)
        self.person.setVisible(len(people) > 1)

    def chosen_person(self) -> int | None:
        """Number of the chosen person; None for all."""
        number = self.person.currentData()
        return number if isinstance(number, int) else None

    def chosen_source(self) -> str | None:
        """Id of the chosen source; None for all."""
        return self.source.currentData() or None

    def _refill(
        self, chooser: QComboBox, everything: str, entries: Sequence[tuple[object, str]]
    ) -> None:
        before = chooser.currentData()
        chooser.blockSignals(True)
        chooser.clear()
        chooser.addItem(everything, "")
        for key, text in entries:
            chooser.addItem(text, key)
        chooser.setCurrentIndex(max(0, chooser.findData(before)))
        chooser.blockSignals(False)

    def _chooser(self, name: str, entries: list[tuple[str, str]]) -> QComboBox:
        chooser = QComboBox()
        for key, text in entries:
            chooser.addItem(text, key)
        chooser.setAccessibleName(name)
        chooser.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        chooser.setMinimumContentsLength(13)
        chooser.currentIndexChanged.connect(lambda: self.changed.emit())
        return chooser
