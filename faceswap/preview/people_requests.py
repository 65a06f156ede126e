"""Handlers of requests about people."""

from collections.abc import Mapping
from pathlib import Path

from faceswap.errors import OutputError
from faceswap.faces.index import FaceIndex
from faceswap.faces.manual_exclusion import EXCLUDED
from faceswap.preview.project_access import ProjectAccess
from faceswap.preview.protocol import (
    ChoosePair,
    Correction,
    CorrectPeopleRequest,
    DropPair,
    IgnorePeople,
    MergePeople,
    MoveTracks,
    NamePerson,
    PairState,
    PeopleAnswer,
    PeopleRequest,
    PersonState,
    PersonTrack,
    PlannedPerson,
    SplitPerson,
    SwapPlanAnswer,
    SwapPlanRequest,
    Undo,
)
from faceswap.project import people_corrections as corrections
from faceswap.project.pairs import Pair, choose_pair, drop_pair, pairs_of
from faceswap.project.people import Person, people_of
from faceswap.project.project import Project
from faceswap.project.swap_plan import plan_swap


class PeopleRequests(ProjectAccess):
    """Who is who, who is A and B, and who a conversion changes."""

    def people(self, request: PeopleRequest) -> PeopleAnswer:
        """All people; tracks that are in no group yet are grouped first."""
        project = Project.open(self.folder)
        self._group(project)
        return self._people(project)

    def correct_people(self, request: CorrectPeopleRequest) -> PeopleAnswer:
        """Correct who is who."""
        project = Project.open(self.folder)
        _correct(project, request.correction)
        return self._people(project)

    def swap_plan(self, request: SwapPlanRequest) -> SwapPlanAnswer:
        """Who a conversion would change."""
        project, source = self.opened(request.source)
        with project.open_index_read_only() as index, index.snapshot():
            shown = [one for one in people_of(project, index) if source in one.tracks]
            plan = plan_swap(project, index, source, request.run, None, request.casting)

        def run_of(person: Person) -> str | None:
            numbers = person.numbers(source)
            parts = [p for p in plan.parts if p.tracks is None or p.tracks & numbers]
            return parts[0].run if parts else None

        return SwapPlanAnswer(
            people=tuple(
                PlannedPerson(person=one.id, seconds=one.seconds([source]), run=run_of(one))
                for one in shown
            ),
            notices=plan.warnings,
        )

    def _group(self, project: Project) -> None:
        """Group new tracks, unless more of them are being extracted."""
        with project.open_index_read_only() as index:
            clips = [clip for s in project.sources() if (clip := index.clip(s.id)) is not None]
            if not clips or not index.has_new_tracks() or not all(c.complete for c in clips):
                return
        from faceswap.project.grouping import group_people

        try:
            group_people(project)
        except OutputError as error:  # the project is read-only: what is known is shown
            self.session.notices.append(str(error))

    def _people(self, project: Project) -> PeopleAnswer:
        with project.open_index_read_only() as index, index.snapshot():
            found = people_of(project, index)
            crops = {
                source: _crops_of_tracks(project, index, source)
                for source in {name for person in found for name in person.tracks}
            }
        return PeopleAnswer(
            people=tuple(_state(person, crops) for person in found),
            pairs=tuple(
                PairState(run=pair.run, a=pair.a, b=pair.b) for pair in pairs_of(project.settings())
            ),
            decided=corrections.decided(project),
        )


def _correct(project: Project, correction: Correction) -> None:
    match correction:
        case Undo():
            corrections.go_back(project, correction.decided, correction.expected)
            return
        case ChoosePair():
            pair = Pair(correction.run, correction.a, correction.b)
            project.change_settings(lambda settings: choose_pair(settings, pair))
            return
        case DropPair():
            run = correction.run
            project.change_settings(lambda settings: drop_pair(settings, run))
            return
    with project.open_index_read_only() as index:
        people = people_of(project, index)
        match correction:
            case MergePeople():
                corrections.merge(project, people, map(str, correction.people))
            case SplitPerson():
                tracks = [f"{one.source}:{one.track}" for one in correction.tracks]
                corrections.split(project, index, people, [str(correction.person), *tracks])
            case NamePerson():
                name = correction.name.strip()
                corrections.rename(project, people, str(correction.person), name)
            case IgnorePeople():
                words = map(str, correction.people)
                corrections.ignore(project, people, words, correction.ignored)
            case MoveTracks():
                keys = [(one.source, one.track) for one in correction.tracks]
                corrections.move_tracks(project, people, keys, correction.person)


def _state(person: Person, crops: Mapping[str, Mapping[int, Path]]) -> PersonState:
    tracks = [
        PersonTrack(
            source=source,
            track=row.track,
            faces=row.faces,
            first=row.first,
            seconds=row.seconds,
            crop=crops[source].get(row.track),
        )
        for source, rows in person.tracks.items()
        for row in rows
    ]
    return PersonState(
        id=person.id,
        name=person.name,
        ignored=person.ignored,
        no_face=person.no_face,
        sides=person.sides,
        seconds=person.seconds(),
        faces=person.faces,
        tracks=tuple(sorted(tracks, key=lambda track: (-track.faces, track.source, track.track))),
    )


def _crops_of_tracks(project: Project, index: FaceIndex, source: str) -> dict[int, Path]:
    """A crop of each track of a source, from its middle."""
    folder = project.crops_folder(source)
    found = {}
    for track, name in index.middle_crops(source).items():
        places = (folder / name, folder / EXCLUDED / name)
        path = next((place for place in places if place.is_file()), None)
        if path is not None:
            found[track] = path
    return found
