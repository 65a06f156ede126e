"""What all pages have in common to the window."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.models.app_context import AppContext, ProjectSession
from gui.widgets.theme import GAP


class Page(QWidget):
    """One page: it is told when it is shown and when another project is open."""

    name = ""

    def __init__(self, desk: AppContext) -> None:
        super().__init__()
        self.setObjectName("page")
        self.desk = desk
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(3 * GAP, 2 * GAP, 3 * GAP, 3 * GAP)
        self.body.setSpacing(2 * GAP)

    @property
    def session(self) -> ProjectSession | None:
        """The open project."""
        return self.desk.session

    @property
    def writable(self) -> bool:
        """Whether a project is open and may be changed from this window."""
        return self.session is not None and not self.session.read_only

    def on_project_changed(self) -> None:
        """Another project, or none, is open."""

    def on_project_refreshed(self) -> None:
        """What is known of the project was read anew."""

    def on_show(self) -> None:
        """The page came to the front."""

    def on_leave(self) -> None:
        """Another page came to the front."""

    def on_theme_changed(self) -> None:
        """The scheme is another: draw what is not in the style sheet anew."""

    @property
    def is_ready(self) -> bool:
        """Whether all that the page loads by itself is there."""
        return True
