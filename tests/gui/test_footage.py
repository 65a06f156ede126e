"""Footage page: many sources; dropped, removed, located, trimmed; gaps; what has gone wrong."""

from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from pytestqt.qtbot import QtBot
from stand_in import Wait

from faceswap.jobs.mend import MendOptions
from faceswap.preview.protocol import SourceState, TimelineAnswer, TrackSpans
from gui.pages.footage import FootagePage
from gui.widgets import elements
from gui.widgets.file_drops import dropped_footage, patterns
from gui.widgets.timeline import Timeline
from gui.window import Window


@pytest.fixture
def page(window: Window, project: Path, wait: Wait) -> FootagePage:
    """The page showing A's only source."""
    window.context.open(project)
    window.go("footage")
    made = window.page
    assert isinstance(made, FootagePage)
    wait(lambda: made.source == "a" and not made.canvas.image.isNull())
    return made


def clips(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.write_text("")
    return paths


def known(page: FootagePage, name: str) -> SourceState | None:
    assert page.session is not None
    return page.session.source(name)


def test_many_files_are_dropped_at_once(page: FootagePage, tmp_path: Path, wait: Wait) -> None:
    folder = tmp_path / "D"
    folder.mkdir()
    paths = clips(folder, "one.mp4", "two.mp4")
    page.sources.list.dropped.emit(paths)
    wait(lambda: page.sources.list.count() == 3)
    assert page.sources.title.text() == "Footage of A (3)"
    wait(lambda: len(page.sources.list._pictures) == 3)
    page.sources.list.item(2).setSelected(True)
    wait(lambda: page.source == "a3")
    page.set_side("b")
    wait(lambda: page.source == "b" and page.sources.list.count() == 1)


def test_of_dropped_files_all_or_none_are_added(
    page: FootagePage, tmp_path: Path, window: Window, wait: Wait
) -> None:
    page.add(clips(tmp_path, "one.mp4", "notes.txt"))
    wait(lambda: "notes.txt is not a video" in window.banner.text)
    assert page.sources.list.count() == 1


def test_a_source_is_removed_after_a_question(
    page: FootagePage, tmp_path: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.add(clips(tmp_path, "one.mp4"))
    wait(lambda: known(page, "a2") is not None)
    page.show_source("a2")
    asked: list[str] = []

    def confirm(parent: object, question: str, yes: str) -> bool:
        asked.append(question)
        return len(asked) > 1

    monkeypatch.setattr(elements, "confirm", confirm)
    page.remove()
    assert known(page, "a2") is not None
    page.remove()
    wait(lambda: known(page, "a2") is None)
    assert page.source == "a"
    assert "one.mp4" in asked[0]


def test_in_and_out_points_are_set_and_removed(page: FootagePage, wait: Wait) -> None:
    page.timeline.set_frame(50)
    page.trim(True)
    wait(partial(_has_points, page, (2.0, None)))
    page.timeline.set_frame(99)
    page.trim(False)
    wait(partial(_has_points, page, (2.0, 4.0)))
    assert page.timeline._inside == (50, 100)
    page.trim(False)
    wait(partial(_has_points, page, (2.0, None)))


def _has_points(page: FootagePage, points: tuple[float | None, float | None]) -> bool:
    source = known(page, "a")
    return source is not None and (source.in_point, source.out_point) == points


def test_the_playhead_jumps_to_gaps_and_doubtful_stretches(page: FootagePage, wait: Wait) -> None:
    wait(lambda: page.timeline.low_presence_frames() == [40, 151])
    page.controls.doubtful[1].click()
    assert page.timeline.frame == 40
    page.controls.doubtful[1].click()
    assert page.timeline.frame == 151
    page.controls.doubtful[1].click()
    assert page.timeline.frame == 151
    page.controls.doubtful[0].click()
    assert page.timeline.frame == 40


def test_a_lane_of_the_timeline_is_a_person() -> None:
    def track(number: int, person: int | None, last: int) -> TrackSpans:
        return TrackSpans(track=number, person=person, seen=((0, last),), low_presence=())

    timeline = Timeline()
    spans = [track(0, 1, 5), track(1, 2, 50), track(2, 1, 9), track(3, None, 2)]
    timeline.set_spans(TimelineAnswer(frames=60, tracks=tuple(spans)))
    lanes = [[one.track for one in lane] for lane in timeline.lanes()]
    assert lanes == [[1], [0, 2], [3]]
    many = [track(n, n, 50 - n) for n in range(6)]
    timeline.set_spans(TimelineAnswer(frames=60, tracks=tuple(many)))
    assert [[one.track for one in lane] for lane in timeline.lanes()] == [[0], [1], [2], [3, 4, 5]]
    timeline.deleteLater()


def test_a_deleted_file_is_shown_and_located(
    page: FootagePage, wait: Wait, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, qtbot: QtBot
) -> None:
    session, source = page.session, known(page, "a")
    assert session is not None
    assert session.info is not None
    assert source is not None
    gone = source.model_copy(update={"problem": "A's footage is missing.", "footage": None})
    others = session.info.sources[1:]
    session.info = session.info.model_copy(update={"sources": (gone, *others)})
    page.on_project_refreshed()
    assert "cannot be read" in page.sources.list.item(0).text()
    assert page.canvas._hint == "A's footage is missing."
    assert page.faces.facts.text() == "A's footage is missing."
    assert page.sources.locate.isVisible()
    page.sources.located.emit(clips(tmp_path, "moved.mp4")[0])
    wait(lambda: (found := known(page, "a")) is not None and found.path.name == "moved.mp4")
    wait(lambda: not page.canvas.image.isNull())
    assert not page.sources.locate.isVisible()


def test_kinds_of_files_are_the_librarys_in_any_case(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    inside = clips(folder, "A.MTS", "b.gif")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in (folder, tmp_path / "C.WMV")])
    assert dropped_footage(data) == [*inside, tmp_path / "C.WMV"]
    assert patterns((".ts",)) == "*.ts *.TS"


def test_a_click_beside_a_face_asks_nothing(page: FootagePage, qtbot: QtBot, wait: Wait) -> None:
    pressed: list[object] = []
    page.canvas.face_pressed.disconnect()
    page.canvas.face_pressed.connect(lambda face, _: pressed.append(face))
    wait(lambda: bool(page.canvas.faces))
    qtbot.mouseClick(page.canvas, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert not pressed
    rect = page.canvas.picture_rect()
    x, y = page.canvas.faces[0].points[34]
    scale = rect.width() / page.canvas.frame_size.width()
    place = (rect.topLeft() + QPoint(round(x * scale), round(y * scale))).toPoint()
    qtbot.mouseClick(page.canvas, Qt.MouseButton.LeftButton, pos=place)
    assert pressed == [page.canvas.faces[0]]


def test_a_face_is_drawn_and_taken_back(
    page: FootagePage, window: Window, wait: Wait, qtbot: QtBot
) -> None:
    wait(page.hand.draw.isEnabled)
    page.timeline.go(20)
    page.hand.draw.click()
    rect = page.canvas.picture_rect()
    first, last = (rect.topLeft() + rect.bottomRight() * n / 10 for n in (1, 3))
    qtbot.mousePress(page.canvas, Qt.MouseButton.LeftButton, pos=first.toPoint())
    qtbot.mouseMove(page.canvas, last.toPoint())
    qtbot.mouseRelease(page.canvas, Qt.MouseButton.LeftButton, pos=last.toPoint())
    (job,) = window.context.jobs.jobs
    assert not page.hand.draw.isChecked()
    assert page.status_bar.job is job
    options = MendOptions.model_validate(job.record.options)
    assert (job.record.command, options.source, options.frames) == ("mend", "a", "20-199")
    left, top, right, bottom = options.box
    assert 0 < left < right < 64
    assert 0 < top < bottom < 48
    wait(lambda: not job.running)


def test_a_gap_at_the_playhead_is_detected_anew(
    page: FootagePage, window: Window, wait: Wait
) -> None:
    wait(lambda: page.timeline.stretch_at(160) == (151, 199))
    assert not page.hand.anew.isEnabled()
    page.timeline.go(160)
    wait(page.hand.anew.isEnabled)
    page.hand.detector.setCurrentText("sfd")
    page.hand.detect()
    (job,) = window.context.jobs.jobs
    options = MendOptions.model_validate(job.record.options)
    assert (options.frames, options.detector, options.box) == ("151-199", "sfd", ())
    wait(lambda: not job.running)


def test_a_false_face_is_deleted_and_brought_back(
    page: FootagePage, window: Window, wait: Wait
) -> None:
    wait(lambda: page.hand.draw.isEnabled() and page.canvas.faces)
    assert not page.hand.undo.isVisible()
    page.timeline.go(20)
    wait(lambda: page.player.frame == 20 and page.canvas.faces)
    menu = page.menu.menu("a", page.canvas.faces[0], 20, 199)
    titles = [action.text() for action in menu.actions() if action.isEnabled()]
    assert titles[-3:] == [
        "", "Delete it in this frame: no face here", "Delete it from here on"
    ]  # fmt: skip
    menu.actions()[-2].trigger()
    menu.deleteLater()
    wait(lambda: not page.canvas.faces)
    wait(page.hand.undo.isVisible)
    page.timeline.go(21)
    wait(lambda: page.canvas.faces)
    page.timeline.go(20)
    wait(lambda: page.player.frame == 20 and not page.canvas.faces)
    page.hand.undo.click()
    wait(lambda: page.canvas.faces)
    wait(lambda: not page.hand.undo.isVisible())
    page.hand.delete(9, 20, 20)
    wait(lambda: "no such face" in window.banner.text)
