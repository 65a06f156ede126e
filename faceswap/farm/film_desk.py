"""Where a worker makes segments of one film, stretch after stretch."""

from collections.abc import Generator
from contextlib import ExitStack

from faceswap.background import import_in_background, in_background
from faceswap.driver import run
from faceswap.errors import InputError
from faceswap.events import Event, Meter, Notice
from faceswap.farm.orders import FilmOpened, FilmOrder, StretchMade, StretchOrder
from faceswap.project.project import Project
from faceswap.swap.compositing.segment_pass import SegmentWork


class FilmDesk:
    """A film that a worker has opened, as long as the worker lives."""

    def __init__(self, order: FilmOrder) -> None:
        self._order = order
        self._work: SegmentWork | None = None
        self._open = ExitStack()

    def open(self) -> Generator[Event, None, FilmOpened]:
        """Open the film: its footage, models and faces.

        Raises InputError where this machine sees other files, and what a conversion raises.
        """
        order = self._order
        for path in (order.options.project, order.film, order.proof):
            if path is not None and not path.exists():
                raise InputError(
                    f"it does not see {path}; put project, footage and output on storage that all "
                    "machines share, under the same path."
                )
        yield from import_in_background("open", "faceswap.swap.compositing.film_setup")
        self._work = yield from in_background("open", lambda _: self._opened())
        return FilmOpened()

    def _opened(self) -> SegmentWork:
        from faceswap.background import no_report
        from faceswap.project.new_source import source_to_convert
        from faceswap.project.source import fingerprint
        from faceswap.swap.compositing.film_setup import (
            Film,
            load_models,
            open_footage_of,
            span_to_convert,
        )
        from faceswap.video.planned_output import plan_conversion
        from faceswap.video.segment_journal import SegmentJournal

        order = self._order
        options, project = order.options, Project.open(order.options.project)
        footage = self._open.enter_context(open_footage_of(options, project, order.film))
        span = span_to_convert(options, project, footage)
        # Whether the output may be replaced was asked where the order comes from.
        planned = plan_conversion(options, order.output, footage, span, overwrite=True)
        source = run(source_to_convert(project, order.film, options.device))
        loaded = load_models(options, project, source, options.device, no_report)
        film = Film(options, footage, planned, loaded, fingerprint(footage.path))
        self._check_same(film.aspects())
        if order.quality is not None:
            film = film.with_quality(order.quality)
        journal = SegmentJournal(order.output)
        return self._open.enter_context(film.work(journal, order.quality, resumed=True))

    def _check_same(self, aspects: dict[str, str]) -> None:
        wanted = self._order.aspects
        other = [name for name, value in aspects.items() if wanted.get(name) != value]
        if other:
            raise InputError(
                f"{' and '.join(other)} are not the same there; use the same installation, and "
                "storage that all machines share."
            )

    def make(self, order: StretchOrder) -> Generator[Event, None, StretchMade]:
        """Make a stretch, whose segments are in the journal as they are finished.

        Raises OutputError and InputError.
        """
        from faceswap.swap.compositing.segment_pass import SegmentPass

        work = self._work
        assert work is not None
        if work.place(order.number).key != order.key:
            raise InputError("the faces to swap are not the same there; start again.")
        making = SegmentPass(work, Meter("convert"))
        try:
            yield from making.run(order.number, order.end, order.before)
        finally:
            making.discard()
        for trouble in (work.footage.damage, work.footage.resized):
            if trouble:
                yield Notice(message=trouble)
        return StretchMade(segments=tuple(making.finished))
