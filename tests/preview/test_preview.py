"""Single pictures and answers: what programs may ask, and what they are told when it goes wrong."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw_side, landmarks
from driving import finished
from made_clips import write_clip
from PIL import Image
from safetensors import safe_open

from faceswap.cli import run
from faceswap.errors import CheckpointError, InputError, OptionsError, OutputError, ProjectError
from faceswap.events import Answer, Finished, Notice, parse
from faceswap.faces.index import FaceRow, FrameRow
from faceswap.faces.index_browser import COLUMNS, IndexBrowser, to_spans
from faceswap.faces.manual_exclusion import EXCLUDED, exclude, restore
from faceswap.io.provenance import SWAPPED_PICTURE, picture_provenance
from faceswap.jobs.preview import PreviewOptions, preview
from faceswap.preview.server import PreviewServer
from faceswap.preview.session import FrameReader
from faceswap.project.project import Project
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import KIND, config_of
from faceswap.training import checkpoint
from faceswap.training.checkpoint import CheckpointFolder, named_weights
from faceswap.video.reader import VideoReader

FRAMES = 40
COMMAND = (sys.executable, "-m", "faceswap", "preview", "--serve")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, make_clip: Any) -> Path:
    """A project with footage, an index with a gap and a doubtful stretch, crops and a model."""
    clip = make_clip(width=128, height=96, frames=FRAMES)
    project = Project.open_or_create(tmp_path_factory.mktemp("preview") / "p ä")
    with project.open_index() as index:
        for side in ("a", "b"):
            project.set_video(side, clip)
            names = sorted(p.name for p in draw_side(project, side, FRAMES).glob("*.png"))
            index.reset_side(side, {})
            frames = [FrameRow(n, n, n / 25, n == 20) for n in range(FRAMES)]
            index.add(side, frames, [face(n, names[n]) for n in range(30)], {}, complete=True)
    torch.manual_seed(0)
    config = config_of("quick", 64)
    tensors = dict(named_weights(SwapModel(config), "model"))
    checkpoints = CheckpointFolder(project.runs_folder / "main")
    notes = {"begun": {"warp": 0.05, "batch": "auto", "rate": "auto"}, "found": {"batch": 3}}
    checkpoints.save(7, KIND, config.model_dump(), {"notes": notes}, tensors)
    return project.folder


def face(number: int, name: str) -> FaceRow:
    points, forehead = landmarks(0, 0.5)
    presence = 0.3 if 10 <= number < 15 else 0.9
    return FaceRow(number, 0, points, forehead, presence, (0.0, 0.0, 0.0), name)


def decoded(values: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(values["image"]))))


def ask(project: Path, do: str, **values: Any) -> dict[str, Any]:
    with PreviewServer(project, "cpu") as answers:
        return answers.answer(do, values)


def test_the_project_is_told(made: Path) -> None:
    told = ask(made, "project")
    side = told["sides"]["a"]
    assert (side["size"], side["looked_at"], side["faces"]) == ([128, 96], FRAMES, 30)
    assert side["complete"]
    assert [(r["name"], r["step"], r["preset"]) for r in told["runs"]] == [("main", 7, "quick")]
    assert told["runs"][0]["options"] == {"warp": 0.05, "batch": 3}


def test_frames_come_in_any_order_with_their_faces(made: Path) -> None:
    with PreviewServer(made, "cpu") as answers:
        seen: dict[int, Any] = {
            n: answers.answer("frame", {"side": "a", "frame": n}) for n in (30, 3, 4, 39, 3)
        }
        late = answers.answer("frame", {"side": "a", "frame": 4000})
    assert {n: told["frame"] for n, told in seen.items()} == {30: 30, 3: 3, 4: 4, 39: 39}
    assert late["frame"] == FRAMES - 1
    assert len(seen[3]["faces"][0]["points"]) == 68
    assert seen[39]["faces"] == []
    assert decoded(seen[3]).shape == (96, 128, 3)
    assert np.abs(decoded(seen[3]).astype(int) - decoded(seen[39])).mean() > 2
    small = ask(made, "frame", side="a", frame=3, width=64, height=64)
    assert decoded(small).shape == (48, 64, 3)


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    with PreviewServer(tmp_path, "cpu") as answers:
        for level in (10, 200):
            part = tmp_path / "part.png"
            Image.new("L", (32, 32), level).save(part)
            os.utime(part, (level, level))
            os.replace(part, path)
            told = answers.answer("frame", {"path": str(path)})
            assert told["frames"] == 1
            assert abs(decoded(told).mean() - level) < 3


def test_a_clip_is_told_along_its_frames(made: Path) -> None:
    told = ask(made, "spans", side="a")
    assert told["tracks"] == {"0": [[0, 29]]}
    assert told["low"] == {"0": [[10, 14]]}
    assert told["gaps"] == [[30, 39]]
    assert told["cuts"] == [20]
    assert to_spans([]) == []


def test_faces_are_told_measured_excluded_and_restored(made: Path) -> None:
    with PreviewServer(made, "cpu") as answers:
        told = answers.answer("faces", {"side": "b"})
        names = str(told["names"]).split("\n")
        assert len(names) == FRAMES
        count = answers.answer("measure", {"side": "b", "names": names, "seconds": 60})["count"]
        assert count == FRAMES
        assert answers.answer("exclude", {"side": "b", "names": names[:2]})["moved"] == names[:2]
        told = answers.answer("faces", {"side": "b"})
        values = np.frombuffer(base64.b64decode(str(told["values"])), np.float32)
        table = values.reshape(FRAMES, len(COLUMNS))
        assert not np.isnan(table).any()
        assert table[:, COLUMNS.index("excluded")].tolist() == [1, 1] + [0] * (FRAMES - 2)
        assert 0.1 < table[:, COLUMNS.index("brightness")].mean() < 0.9
        assert answers.answer("restore", {"side": "b", "names": names})["moved"] == names[:2]


def test_excluding_never_leaves_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    (folder / "x.png").write_text("")
    (tmp_path / "y.png").write_text("")
    assert exclude(folder, ["x.png", "../y.png", "gone.png"]) == ["x.png"]
    assert (tmp_path / "y.png").exists()
    assert restore(folder, ["x.png"]) == ["x.png"]
    assert not list((folder / EXCLUDED).iterdir())
    with pytest.raises(OutputError, match="Cannot move faces"):
        exclude(tmp_path / "none" / "none", ["x.png"])


def test_the_swap_follows_the_look(made: Path) -> None:
    with PreviewServer(made, "cpu") as answers:
        question = {"frame": 5, "run": "main"}
        full = answers.answer("swap", {**question, "look": {}})
        none = answers.answer("swap", {**question, "look": {"opacity": 0.0}})
        plain = answers.answer("frame", {"side": "a", "frame": 5})
        gap = answers.answer("swap", {**question, "frame": 35, "look": {}})
    assert (full["faces"], gap["faces"]) == (1, 0)
    assert np.abs(decoded(none).astype(int) - decoded(plain)).max() <= 2
    assert np.abs(decoded(full).astype(int) - decoded(plain)).max() > 20


def test_of_a_model_the_weights_are_read_once(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "p"
    shutil.copytree(made, project)
    folder = CheckpointFolder(project / "model" / "main")
    read: list[str] = []

    class Opened:
        def __init__(self, path: Path, framework: str) -> None:
            read.append(path.stem)
            self._file: Any = safe_open(path, framework=framework)

        def __enter__(self) -> Any:
            return self._file.__enter__()

        def __exit__(self, *error: Any) -> None:
            self._file.__exit__(*error)

    def asked(answers: PreviewServer) -> tuple[list[str], str, bytes]:
        read.clear()
        told = answers.answer("swap", {"frame": 5, "look": {}})
        said, answers.session.notices = answers.session.notices, []
        return [*read], " ".join(said), base64.b64decode(str(told["image"]))

    monkeypatch.setattr(checkpoint, "safe_open", Opened)
    config = config_of("quick", 64)
    with PreviewServer(project, "cpu") as answers:
        first = asked(answers)
        assert first[0] == ["step-000000007"]
        assert asked(answers) == ([], "", first[2])
        os.utime(folder.path(7))
        assert asked(answers)[0] == ["step-000000007"]
        torch.manual_seed(1)
        other = dict(named_weights(SwapModel(config), "ema"))
        folder.save(8, KIND, config.model_dump(), {}, other)
        read_anew = asked(answers)
        assert read_anew[:2] == (["step-000000008"], "")
        assert read_anew[2] != first[2]
        damaged = folder.path(9)
        damaged.write_bytes(folder.path(8).read_bytes()[:-1000])
        fell_back = asked(answers)
        assert fell_back[0] == ["step-000000009", "step-000000008"]
        assert "step-000000009.safetensors is damaged" in fell_back[1]
        assert fell_back[1].endswith("The model of step 8 is used instead.")
        assert asked(answers) == ([], "", read_anew[2])
        damaged.unlink()
        assert asked(answers)[1:] == ("", read_anew[2])
    events, _ = finished(preview(preview_of(project, tmp_path / "whole.png", 5)))
    assert not [e for e in events if isinstance(e, Notice)]
    damaged.write_bytes(b"")
    events, _ = finished(preview(preview_of(project, tmp_path / "damaged.png", 5)))
    assert len([e for e in events if isinstance(e, Notice)]) == 2


def preview_of(project: Path, output: Path, frame: int) -> PreviewOptions:
    return PreviewOptions(project=project, frame=frame, output=output, device="cpu")


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that says that it has 1,400 frames and breaks off long before."""
    folder = tmp_path_factory.mktemp("short")
    whole = write_clip(folder / "whole.mkv", width=32, height=32, frames=1400, tracks=0)
    path = folder / "short.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 8])
    return path


def test_a_file_that_breaks_off_shows_its_last_frame(cut_short: Path) -> None:
    numbers = [frame.index for frame in VideoReader(cut_short, tolerate_damage=True)]
    footage = FrameReader(cut_short)
    assert footage.reader.info.frames == 1400
    assert len(numbers) < 300
    for number in (1399, 10**6, len(numbers), 3, len(numbers) - 1, 1200):
        assert footage.frame(number).index == min(number, numbers[-1])
    assert footage.frame(-1).index == 0
    footage.close()


def test_a_frame_that_a_does_not_have_is_told(
    made: Path, cut_short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.png"
    with pytest.raises(InputError, match=r"clip\d+.mp4 has no frame 40; its last one is 39\.$"):
        list(preview(preview_of(made, out, FRAMES)))
    project = tmp_path / "p"
    shutil.copytree(made, project)
    Project.open(project).set_video("a", cut_short)
    with pytest.raises(InputError, match=r"no frame 1390; .* \d+, as the file breaks off there\.$"):
        list(preview(preview_of(project, out, 1390)))
    with PreviewServer(project, "cpu") as answers:
        last = answers.answer("frame", {"frame": 1390})["frame"]
        assert answers.answer("swap", {"frame": 1390, "look": {}})["frame"] == last
    arguments = ["preview", "--project", str(made), "-o", str(out), "--frame"]
    assert run([*arguments, "4000"]) == 1
    assert run([*arguments, "-1"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "no frame 4000; its last one is 39." in said
    assert "--frame" in said
    assert "Traceback" not in said
    assert not out.exists()


def test_a_frame_without_a_face_is_as_it_is_and_told(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.png"
    _, summary = finished(preview(preview_of(made, out, 35)))
    assert summary.text() == (
        f"{out}: A unchanged, as frame 35 has no face; the nearest frame with one is 29."
    )
    with VideoReader(Project.open(made).video("a")) as video:
        (frame,) = video.frames(35, 36)
    assert np.array_equal(np.asarray(Image.open(out)), frame.image)


def test_a_picture_from_the_command_line(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    options = PreviewOptions(project=made, frame=5, output=out, device="cpu")
    list(preview(options))
    assert np.asarray(Image.open(out)).shape == (96, 128, 3)
    assert picture_provenance(out) == SWAPPED_PICTURE
    with pytest.raises(OutputError, match="exists"):
        list(preview(options))
    with pytest.raises(OptionsError, match="either"):
        list(preview(PreviewOptions(project=made)))


def test_what_is_missing_is_said(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no project"):
        ask(tmp_path, "project")
    with pytest.raises(CheckpointError, match="no trained model"):
        ask(made, "swap", frame=1, look={}, run="other")
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(InputError, match="as a video"):
        ask(made, "frame", path=str(tmp_path / "notes.txt"))
    with pytest.raises(OptionsError, match="no request"):
        ask(made, "dance")
    damaged = tmp_path / "index.sqlite"
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(ProjectError, match="damaged"):
        IndexBrowser(damaged).faces_at("a", 0)


def test_a_video_is_let_go_of_for_one_that_is_to_be_written(made: Path) -> None:
    video = Project.open(made).video("a")
    with PreviewServer(made, "cpu") as answers:
        answers.answer("frame", {"path": str(video)})
        before = answers.session.footage(video)
        answers.answer("release", {"path": str(video)})
        assert answers.session.footage(video) is not before


def test_other_footage_is_not_taken_for_the_moved_one(
    made: Path, make_clip: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"is not A's footage"):
        ask(made, "relink", side="a", path=str(make_clip(frames=10)))
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(make_clip(width=128, height=96, frames=FRAMES).read_bytes())
    assert ask(made, "relink", side="b", path=str(moved)) == {}
    assert Project.open(made).video("b") == moved


def test_a_snapshot_outlives_later_saves(made: Path) -> None:
    kept = Path(str(ask(made, "snapshot", run="main")["path"]))
    assert kept.is_file()
    assert kept.parent.name == "snapshots"
    assert len(CheckpointFolder(made / "model" / "main").files()) == 1


def test_a_process_answers_line_by_line_and_survives_nonsense(made: Path, tmp_path: Path) -> None:
    into = tmp_path / "ä 1.json"
    questions = [
        json.dumps({"id": 1, "do": "spans", "side": "a", "into": str(into)}),
        "nonsense",
        '{"id": 3, "do": "faces"}',
        '{"id": 4, "do": "frame", "frame": 2}',
        json.dumps({"id": 5, "do": "spans", "side": "a", "into": str(tmp_path / "no" / "5.json")}),
    ]
    done = subprocess.run(
        [*COMMAND, "--project", str(made), "--events", "jsonl"],
        input="\n".join(questions),
        capture_output=True,
        encoding="utf-8",
        timeout=200,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},  # as pipes are on Windows
    )
    *answers, end = (parse(line) for line in done.stdout.splitlines())
    assert isinstance(end, Finished)
    told = [a for a in answers if isinstance(a, Answer)]
    assert [a.id for a in told] == [1, 0, 3, 4, 5]
    assert [bool(a.error) for a in told] == [False, True, True, False, True]
    assert 'give it a file with "into"' in told[2].error
    assert "No such file" in told[4].error
    assert (told[0].path, told[0].values) == (into, {})
    assert json.loads(into.read_bytes())["cuts"] == [20]
    assert told[3].values["frames"] == FRAMES
