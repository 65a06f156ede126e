"""The journal of an output: what is finished stays, what is not goes, one process at a time."""

from pathlib import Path

import pytest

from faceswap.errors import ProjectError
from faceswap.video.segment_journal import RenderFacts, SegmentJournal
from faceswap.video.segments import Pictures, Segment

PICTURES = Pictures(frames=3, last_pts=2, end_pts=3)


def segment(number: int, key: str = "k") -> Segment:
    return Segment(number=number, key=key, pictures=PICTURES, swapped=1, last=False)


def test_finished_segments_are_found_by_number_and_key(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "o.mp4")
    with journal.locked():
        for one in (segment(0), segment(1), segment(1, "other")):
            journal.data(one.number, one.key).write_bytes(b"packets")
            journal.add(one)
    assert dict(journal.segment_files()) == {0: ["k"], 1: ["k", "other"]}
    again = SegmentJournal(tmp_path / "o.mp4")
    with again.locked():
        assert again.segment(1, "other") == segment(1, "other")
        assert again.segment(2, "k") is None
        assert again.data(1, "k").read_bytes() == b"packets"
        again.forget(segment(1))
    assert dict(again.segment_files()) == {0: ["k"], 1: ["other"]}


def test_one_finished_segment_is_enough_to_keep_the_folder(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "o.mp4")
    with journal.locked():
        journal.add(segment(0))
    assert journal.folder.is_dir()
    with journal.locked():
        journal.forget(segment(0))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "o.mp4")
    with journal.locked():
        journal.add(segment(0))
    left = ("000001-k.pictures", "000002-k.pictures.part", ".partial.0123abcd.part.mp4")
    for name in left:
        (journal.folder / name).write_bytes(b"half")
    (journal.folder / "000003-k.json").write_bytes(b'{"number": 3')
    with journal.locked():
        assert not [name for name in left if (journal.folder / name).exists()]
        assert journal.segment(3, "k") is None


def test_a_damaged_list_of_facts_is_none(tmp_path: Path) -> None:
    journal = SegmentJournal(tmp_path / "o.mp4")
    with journal.locked():
        journal.write_facts(RenderFacts(aspects={"the footage": "1"}))
        assert journal.facts() == RenderFacts(aspects={"the footage": "1"})
        (journal.folder / "render.json").write_bytes(b"{")
        assert journal.facts() is None


def test_the_output_is_known_until_it_is_changed(tmp_path: Path) -> None:
    output = tmp_path / "o.mp4"
    journal = SegmentJournal(output)
    with journal.locked():
        journal.add(segment(0))
        journal.write_facts(RenderFacts(aspects={}))
        assert journal.finished() is None
        output.write_bytes(b"whole")
        journal.note_finished(output, 3, 1)
        found = journal.finished()
        assert found is not None
        assert (found.frames, found.swapped) == (3, 1)
        output.write_bytes(b"another")
        assert journal.finished() is None
        output.unlink()
        assert journal.finished() is None


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    first, second = (SegmentJournal(tmp_path / "o.mp4") for _ in range(2))
    with first.locked():
        first.add(segment(0))
        with pytest.raises(ProjectError, match="already being written"), second.locked():
            pass
        assert first.segment(0, "k") is not None


def test_a_name_may_be_as_long_as_names_may_be(tmp_path: Path) -> None:
    names = ["ü" * 120 + f"{number}.mp4" for number in (1, 2)]
    journals = [SegmentJournal(tmp_path / name) for name in names]
    for journal in journals:
        with journal.locked():
            journal.add(segment(0))
    assert len({journal.folder for journal in journals}) == 2
