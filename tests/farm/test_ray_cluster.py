"""A film on a Ray of this machine, with two workers of which one is killed; Ray's absence."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from driving import finished
from small_swaps import contents, train_briefly

from faceswap.errors import FarmError
from faceswap.events import Failed, Finished, Notice, parse
from faceswap.farm.ray_cluster import RayCluster
from faceswap.jobs.convert import ConvertOptions, convert

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="the package ray is not installed: pip install 'faceswap[farm]'",
)


def test_where_ray_is_missing_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FarmError, match=r"pip install 'faceswap\[farm\]'$"):
        RayCluster("local", None)


def told(arguments: list[str], on_notice: Any = None) -> list[Any]:
    """All lines of a command; it runs apart, as Ray leaves no process as it was."""
    command = [sys.executable, "-m", "faceswap", *arguments, "--events", "jsonl"]
    lines: list[Any] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for text in process.stdout:
            lines.append(parse(text))
            if on_notice is not None:
                on_notice(process.pid)
    return lines


class KillOne:
    """Kills one of the workers under a process, once a segment is finished in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.killed: int | None = None
        self._folder = folder

    def __call__(self, pid: int) -> None:
        if self.killed is not None or not list(self._folder.glob("0*.json")):
            return
        for child in psutil.Process(pid).children(recursive=True):
            if any(word.startswith("ray::Worker") for word in child.cmdline()):
                self.killed = child.pid
                os.kill(child.pid, signal.SIGKILL)
                return


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_film_on_two_workers_of_which_one_is_killed(sample: Path, tmp_path: Path) -> None:
    project = train_briefly(tmp_path / "p", sample / "a.mp4", sample / "b.mp4")
    one, shared = tmp_path / "one.mp4", tmp_path / "shared.mp4"
    given: dict[str, Any] = {"segment": 5, "batch": 4, "cache": 0}
    finished(convert(ConvertOptions(project=project, output=one, **given)))
    kill = KillOne(tmp_path / "shared.mp4.unfinished")
    words = ["convert", "--project", str(project), "-o", str(shared), "--ray", "local"]
    words += ["--workers-per-node", "2", "--cache", "0", "--segment", "5", "--batch", "4"]
    lines = told(words, kill)
    assert isinstance(lines[-1], Finished), lines[-1]
    assert kill.killed is not None
    notices = [line.message for line in lines if isinstance(line, Notice)]
    assert any("was lost" in notice for notice in notices)
    assert contents(shared) == contents(one)
    assert not shared.with_name("shared.mp4.unfinished").exists()


@needs_ray
@pytest.mark.slow
def test_a_queue_on_two_workers(tmp_path: Path) -> None:
    file = tmp_path / "q.toml"
    jobs = [f'[[job]]\nname = "{n}"\ncommand = "models"\n' for n in range(3)]
    jobs.append('[[job]]\nname = "bad"\ncommand = "train"\noptions = { project = "none" }\n')
    file.write_text("\n".join(jobs))
    begun = time.monotonic()
    lines = told(["queue", str(file), "--ray", "local", "--workers-per-node", "2"])
    assert isinstance(lines[-1], Finished), lines[-1]
    assert "4 jobs: 3 done, 0 done before, 1 failed, 0 left out." in lines[-1].text
    assert time.monotonic() - begun < 300


@needs_ray
@pytest.mark.slow
def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "q.toml"
    file.write_text('[[job]]\ncommand = "models"\n')
    lines = told(["queue", str(file), "--ray", "auto"])
    assert isinstance(lines[-1], Failed)
    assert lines[-1].message.startswith("No Ray cluster can be used at auto (")
