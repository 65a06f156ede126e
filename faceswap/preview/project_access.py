"""What all handlers of requests about a project share."""

from pathlib import Path

from faceswap.faces.index_browser import IndexBrowser
from faceswap.options import SIDES
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.session import PreviewSession
from faceswap.project.people import pinned
from faceswap.project.project import Project


class ProjectAccess:
    """A project's folder, which need not exist, its frames and its index.

    exchange: where pictures and tables of answers go.
    """

    def __init__(self, folder: Path, exchange: ExchangeFolder, device: str = "auto") -> None:
        self.folder, self.exchange = folder, exchange
        self.session = PreviewSession(folder, device, tells_choice=False)
        self.browser = IndexBrowser(folder / "index.sqlite", Project(folder).index_key)

    def opened(self, source: str) -> tuple[Project, str]:
        """The project, and the id of a source, which may be that of a side's first one."""
        project = Project.open(self.folder)
        known = {one.id for one in project.sources()}
        return project, source if source in known or source not in SIDES else project.main_source(
            source
        )

    def people_of_tracks(self, project: Project, source: str) -> dict[int, int]:
        """The person of each track of a source, as grouped or as corrected."""
        said = {
            track: who for (of, track), who in pinned(project.settings()).items() if of == source
        }
        return self.browser.people(source) | said
