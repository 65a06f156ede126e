"""What all handlers of requests about a project share."""

from pathlib import Path

from faceswap.faces.index_browser import IndexBrowser
from faceswap.preview.exchange import ExchangeFolder
from faceswap.preview.session import PreviewSession
from faceswap.project.project import Project


class ProjectAccess:
    """A project's folder, which need not exist, its frames and its index.

    exchange: where pictures and tables of answers go.
    """

    def __init__(self, folder: Path, exchange: ExchangeFolder, device: str = "auto") -> None:
        self.folder, self.exchange = folder, exchange
        self.session = PreviewSession(folder, device)
        self.browser = IndexBrowser(folder / "index.sqlite", Project(folder).index_key)
