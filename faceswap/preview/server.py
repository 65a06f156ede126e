"""The preview server: handles every request about one project."""

from collections.abc import Sequence
from typing import Self

from faceswap.preview.face_requests import FaceRequests
from faceswap.preview.frame_requests import FrameRequests
from faceswap.preview.people_requests import PeopleRequests
from faceswap.preview.project_requests import ProjectRequests
from faceswap.preview.run_requests import RunRequests
from faceswap.preview.source_requests import SourceRequests


class PreviewServer(
    FrameRequests, FaceRequests, ProjectRequests, SourceRequests, PeopleRequests, RunRequests
):
    """The handler (``RequestHandler``) of all requests about the project in a folder.

    The folder need not exist at first. Keeps videos and the model open until it is closed.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.use_index(None)
        self.measures.close()
        self.session.__exit__()

    def take_notices(self) -> Sequence[str]:
        """Warnings for the user since the last call."""
        notices, self.session.notices = self.session.notices, []
        return notices
