import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from drawn_faces import draw_project
from driving import finished
from filelock import FileLock
from made_clips import MakeClip
from small_runs import options
from standing_faces import StandIn, untaught

from faceswap.errors import OutputError, ProjectError
from faceswap.events import Metrics
from faceswap.faces.manual_exclusion import exclude, restore
from faceswap.jobs.convert import ConvertOptions, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.jobs.train import train
from faceswap.project import frame_pass as module
from faceswap.training.run_lock import LOCK_NAME, lock_run

HOLDER = """
import sys, time
from pathlib import Path
from faceswap.training.run_lock import lock_run
with lock_run(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_run_is_held_by_one_process_and_let_go_of_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "model" / "main"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ProjectError, match="is being trained already"), lock_run(folder):
            pass
        with lock_run(folder, leads=False), lock_run(folder.with_name("other")):
            pass
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    with lock_run(folder):
        (folder / "made").touch()
    assert sorted(p.name for p in folder.iterdir()) == [LOCK_NAME, "made"]


def test_a_run_that_leaves_nothing_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="refused"), lock_run(tmp_path / "model" / "main"):
        raise ValueError("refused")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    with lock_run(tmp_path / "old"):
        pass
    assert (tmp_path / "old").is_dir()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write to"), lock_run(tmp_path / "file"):
        pass


def test_a_disk_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", lacking)
    with pytest.raises(OutputError, match="not support file locks"), lock_run(tmp_path / "run"):
        pass


def test_training_stands_in_nobody_s_way(
    tmp_path: Path, make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_tracker", StandIn)
    clip, project = make_clip(frames=8), draw_project(tmp_path / "p", 20)
    finding = ExtractOptions(inputs=(clip,), project=project.folder, side="a", size=64)
    turn = ConvertOptions(
        project=project.folder, run="other", output=tmp_path / "o.mkv", device="cpu"
    )
    untaught(project.runs_folder / "other")
    teaching = options(project.folder, steps=1000)
    with closing(train(teaching)) as job:
        while not isinstance(next(job), Metrics):
            pass
        with pytest.raises(ProjectError, match="is being trained already"):
            finished(train(teaching))
        finished(extract(finding))
        finished(extract(finding.model_copy(update={"redo": True, "size": 80})))
        assert exclude(project.crops_folder("a"), ["000003.png"])
        assert restore(project.crops_folder("a"), ["000003.png"])
        project.set_video("b", clip)
        assert finished(convert(turn))[1].swapped == 8
        next(job)
