"""Base class of all pages."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.models.app_context import AppContext, ProjectSession
from gui.widgets.theme import GAP


class Page(QWidget):
    """One page of the window, with hooks for being shown and for project changes."""

    name = ""

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.setObjectName("page")
        self.context = context
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(3 * GAP, 2 * GAP, 3 * GAP, 3 * GAP)
        self.body.setSpacing(2 * GAP)

    @property
    def session(self) -> ProjectSession | None:
        """The open project."""
        return self.context.session

    @property
    def writable(self) -> bool:
        """Whether a project is open and not read-only."""
        return self.session is not None and not self.session.read_only

    def on_project_changed(self) -> None:
        """Called after another project, or none, was opened."""

    def on_project_refreshed(self) -> None:
        """Called after the project's contents were read again."""

    def on_show(self) -> None:
        """Called when the page is shown."""

    def on_leave(self) -> None:
        """Called when the page is left."""

    def on_theme_changed(self) -> None:
        """Called after a theme change: redraw what the style sheet does not cover."""

    @property
    def is_ready(self) -> bool:
        """Whether everything that the page loads asynchronously is loaded."""
        return True
