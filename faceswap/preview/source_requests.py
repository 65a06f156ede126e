"""Handlers of requests about the sources of a project."""

from faceswap.errors import InputError
from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    AddSourcesRequest,
    DoneAnswer,
    RelocateFootageRequest,
    RemoveSourceRequest,
    TrimSourceRequest,
)
from faceswap.project.project import Project
from faceswap.project.source_list import add_source, remove_source, set_points, source_of


class SourceRequests(ProjectAccess):
    """Add, relink, trim and remove sources."""

    def add_sources(self, request: AddSourcesRequest) -> DoneAnswer:
        """Add files and folders to a side, once all of them can be read."""
        project = Project.open(self.folder)
        for path in request.paths:
            self.session.footage(path).frame(0)
        for path in request.paths:
            add_source(project, path, request.side)
        return DoneAnswer()

    def remove_source(self, request: RemoveSourceRequest) -> DoneAnswer:
        """Remove a source with its faces."""
        project = Project.open(self.folder)
        self.session.release(source_of(project, request.source).path)
        remove_source(project, request.source)
        return DoneAnswer()

    def trim_source(self, request: TrimSourceRequest) -> DoneAnswer:
        """Set the in and out point of a source."""
        project = Project.open(self.folder)
        set_points(project, request.source, request.in_point, request.out_point)
        return DoneAnswer()

    def relocate_footage(self, request: RelocateFootageRequest) -> DoneAnswer:
        """Update the path of a source, which must be the same file as before."""
        project, source = self.opened(request.source)
        if not project.is_same_video(source, request.path):
            raise InputError(
                f"{request.path.name} is not {source.upper()}'s footage; choose the file that was "
                "moved, or add this one as another source."
            )
        project.set_video(source, request.path)
        return DoneAnswer()
