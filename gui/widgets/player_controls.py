"""The line below the timeline: play, jump to gaps, in and out point, landmarks."""

from collections.abc import Callable
from functools import partial

from PySide6.QtGui import QShortcut
from PySide6.QtWidgets import QCheckBox, QPushButton, QWidget

from gui.models.player import Player
from gui.widgets import icons
from gui.widgets.canvas import FaceCanvas
from gui.widgets.elements import button, label, row
from gui.widgets.theme import GAP
from gui.widgets.timeline import Timeline


class PlayerControls(QWidget):
    """Buttons for the player and the timeline; trim: sets the in (True) or the out point."""

    def __init__(
        self,
        player: Player,
        timeline: Timeline,
        canvas: FaceCanvas,
        trim: Callable[[bool], None],
    ) -> None:
        super().__init__()
        self._player, self._canvas = player, canvas
        self.play = button("", player.toggle, "", "Ctrl+Space", self.tr("Play"))
        self.play.setAccessibleName(self.tr("Play or pause"))
        self.clock = label("", "muted")
        self.doubtful = [
            self._step(partial(timeline.jump, -1), "Ctrl+[", self.tr("Gap before")),
            self._step(partial(timeline.jump, 1), "Ctrl+]", self.tr("Next gap")),
        ]
        self.points = [
            button(self.tr("In"), partial(trim, True), "", "Ctrl+I"),
            button(self.tr("Out"), partial(trim, False), "", "Ctrl+E"),
        ]
        self.points[0].setToolTip(self.tr("Convert from this frame on; once more: from the start"))
        self.points[1].setToolTip(self.tr("Convert up to this frame; once more: to the end"))
        self.landmarks = QCheckBox(self.tr("Landmarks"))
        self.landmarks.setChecked(True)
        self.landmarks.setToolTip(self.tr("Draw face landmarks over the frame (Ctrl+L)"))
        self.landmarks.toggled.connect(self._show_landmarks)
        QShortcut("Ctrl+L", self).activated.connect(self.landmarks.toggle)
        before, after = self.doubtful
        gaps = label(self.tr("gaps"), "muted")
        line = row(self.play, self.clock, None, before, gaps, after, *self.points, self.landmarks)
        self.setLayout(line)
        player.playing_changed.connect(lambda _: self.draw_icons())
        self.draw_icons()

    def draw_icons(self) -> None:
        """Draw the icons in the current theme."""
        self.play.setIcon(icons.icon("pause" if self._player.playing else "play"))
        for step, name in zip(self.doubtful, ("back", "forward"), strict=True):
            step.setIcon(icons.icon(name))

    def show_time(self, frame: int, seconds: float) -> None:
        """Show which frame the player is at."""
        message = self.tr("frame %1, %2 s").replace("%1", f"{frame:,}")
        self.clock.setText(message.replace("%2", f"{seconds:.2f}"))

    def _step(self, pressed: Callable[[], None], keys: str, name: str) -> QPushButton:
        made = button("", pressed, "", keys)
        made.setFixedWidth(4 * GAP)
        made.setAccessibleName(name)
        made.setToolTip(
            self.tr("Go to the frames without a face (red) or with a doubtful one (yellow)")
        )
        return made

    def _show_landmarks(self, shown: bool) -> None:
        self._canvas.landmarks = shown
        self._canvas.update()
