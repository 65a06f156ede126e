"""A queue file: what it may say, and that a mistake is told with its line."""

from pathlib import Path

import pytest

from faceswap.errors import InputError
from faceswap.jobs.queue import model_of
from faceswap.queue.queue_file import QueueFileError, read_queue

WHOLE = """\
retries = 2

[[job]]
name = "faces"
command = "extract"
options = { inputs = ["a b.mp4", "c.mp4"], project = "P", side = "a" }

[[job]]
command = "convert"
after = ["faces"]
order = -1
retries = 0
start_at = 2026-12-24T22:00:00+01:00
[job.options]
project = "P"
output = "o.mp4"
overwrite = true
color_transfer = 0.5
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "q.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_jobs_are_read_with_their_options(tmp_path: Path) -> None:
    faces, film = read_queue(written(tmp_path, WHOLE), model_of)
    assert faces.arguments[0] == "extract"
    words = " ".join(faces.arguments)
    assert "--inputs a b.mp4 --inputs c.mp4" in words
    assert "--side a" in words
    assert (faces.retries, faces.order, faces.start_at) == (2, 0, None)
    assert film.name == "convert 2"
    assert (film.after, film.order, film.retries) == (("faces",), -1, 0)
    assert film.start_at is not None
    assert film.start_at.utcoffset() is not None
    assert "--overwrite" in film.arguments
    assert film.arguments[film.arguments.index("--color-transfer") + 1] == "0.5"


def test_a_job_has_another_key_when_its_options_change(tmp_path: Path) -> None:
    before = read_queue(written(tmp_path, WHOLE), model_of)
    text = WHOLE.replace("0.5", "0.6").replace("order = -1", "order = 7")
    after = read_queue(written(tmp_path, text), model_of)
    assert before[0].key == after[0].key
    assert before[1].key != after[1].key


@pytest.mark.parametrize(
    ("was", "now", "line", "said"),
    [
        ("retries = 2", "retries = ", 1, "Invalid value"),
        ("retries = 2", "retires = 2", 1, "'retires' is not known"),
        ('name = "faces"', 'nam = "faces"', 4, "nam"),
        ('command = "extract"', 'command = "extrakt"', 5, "no command 'extrakt'"),
        ('command = "extract"', 'command = "serve"', 5, "no command 'serve'"),
        ('command = "extract"', 'command = "queue"', 5, "no command 'queue'"),
        ('project = "P", side', 'projekt = "P", side', 6, "no option 'projekt'"),
        ('side = "a"', 'side = "c"', 6, "--side"),
        ('after = ["faces"]', 'after = ["face"]', 10, "no job 'face'"),
        ('after = ["faces"]', 'after = ["convert 2"]', 10, "waits for itself"),
        ("order = -1", 'order = "first"', 11, "order"),
        ("retries = 0", "retries = -1", 12, "retries"),
        ("start_at = 2026-12-24T22:00:00+01:00", 'start_at = "soon"', 13, "start_at"),
        ("color_transfer = 0.5", "color_transfer = 5", 18, "--color-transfer"),
        ("color_transfer = 0.5", "color_transfr = 0.5", 18, "no option 'color_transfr'"),
        ("overwrite = true", 'out_dir = "d"', 8, "--out-dir"),
    ],
)
def test_a_mistake_is_told_with_its_line(
    tmp_path: Path, was: str, now: str, line: int, said: str
) -> None:
    assert was in WHOLE
    path = written(tmp_path, WHOLE.replace(was, now, 1))
    with pytest.raises(QueueFileError) as told:
        read_queue(path, model_of)
    assert f"q.toml, line {line}:" in str(told.value)
    assert said in str(told.value)


def test_the_queue_of_the_page_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "queue.md").read_text("utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    jobs = read_queue(written(tmp_path, text), model_of)
    assert [job.name for job in jobs][2:] == ["training", "convert 4"]
    assert jobs[2].start_at is not None


def test_two_jobs_of_one_name_and_none_at_all_are_refused(tmp_path: Path) -> None:
    twice = WHOLE.replace('command = "convert"', 'name = "faces"\ncommand = "convert"')
    with pytest.raises(QueueFileError, match="line 9: there are two jobs called 'faces'"):
        read_queue(written(tmp_path, twice), model_of)
    with pytest.raises(QueueFileError, match="no job"):
        read_queue(written(tmp_path, "retries = 1\n"), model_of)
    with pytest.raises(InputError, match="Cannot read"):
        read_queue(tmp_path / "none.toml", model_of)
