"""Conversion: what changes, what must not, and what goes wrong."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from driving import finished
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from small_swaps import train_briefly
from torch import Tensor

from faceswap.devices import choose_precision
from faceswap.driver import run as run_job
from faceswap.errors import CheckpointError, FaceswapError, InputError, OutputError, ProjectError
from faceswap.events import Estimate, Event, Notice, Progress
from faceswap.faces.align import crop_matrix, invert, mean_face, transform
from faceswap.faces.index import FaceIndex, FaceRow, FrameRow
from faceswap.io.pictures import read_picture
from faceswap.io.provenance import SWAPPED_PICTURE, picture_provenance
from faceswap.jobs.convert import ConvertOptions, ConvertSummary, FilmsSummary, convert
from faceswap.jobs.extract import ExtractOptions, extract
from faceswap.preview.session import Casting, PreviewSession
from faceswap.project.project import Project
from faceswap.project.source_list import set_points
from faceswap.swap.compositing.face_placement import place_faces
from faceswap.swap.compositing.options import BlendOptions
from faceswap.swap.compositing.swapper import AlignedFace, Swapper
from faceswap.swap.model.architectures import SwapModel
from faceswap.swap.model.presets import SwapConfig
from faceswap.training.checkpoint import CheckpointFolder
from faceswap.video.patch import Patch
from faceswap.video.provenance import is_marked_synthetic
from faceswap.video.reader import Footage, VideoReader
from faceswap.video.video_segments import VideoSegment


@pytest.fixture(scope="module")
def trained(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the sample with a model of two steps."""
    return train_briefly(
        tmp_path_factory.mktemp("trained") / "p", sample / "a.mp4", sample / "b.mp4"
    )


def run(options: ConvertOptions) -> tuple[list[Event], ConvertSummary]:
    return finished(convert(options))


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]


def test_only_the_face_changes_and_all_else_is_kept(
    trained: Path, sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "öut put.mp4"
    _, summary = run(ConvertOptions(project=trained, output=out))
    assert summary.swapped == summary.frames > 0
    with VideoReader(sample / "a.mp4") as before, VideoReader(out) as after:
        assert after.info.rate == before.info.rate
        assert (after.info.width, after.info.height) == (before.info.width, before.info.height)
        pairs = list(zip(before, after, strict=True))
    assert [a.time for a, _ in pairs] == pytest.approx([b.time for _, b in pairs])
    with FaceIndex(trained / "index.sqlite") as index:
        faces = {face.frame: face for face in index.faces("a")}
    for a, b in pairs[::9]:
        points = np.concatenate([faces[a.index].points, faces[a.index].forehead])
        (left, top), (right, bottom) = points.min(0).astype(int), points.max(0).astype(int) + 1
        change = np.abs(a.image.astype(int) - b.image).mean(2)
        inside = change[top:bottom, left:right].mean()
        change[max(0, top - 16) : bottom + 16, max(0, left - 16) : right + 16] = 0
        assert inside > 2.5  # its face is not learned yet, and hair is no face
        assert np.sqrt((change**2).mean()) < 3.2  # 38 dB
    assert sound(out) == sound(sample / "a.mp4")
    assert is_marked_synthetic(out)


def test_an_opacity_of_zero_leaves_every_frame(trained: Path, sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.mkv"
    run(ConvertOptions(project=trained, output=out, opacity=0, quality="lossless"))
    with VideoReader(sample / "a.mp4") as before, VideoReader(out) as after:
        for a, b in zip(before, after, strict=True):
            assert np.abs(a.image.astype(int) - b.image).mean() < 1.5


def test_the_batch_size_does_not_show(trained: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"{batch}.mkv" for batch in (1, 7)]
    for out, batch in zip(outs, (1, 7), strict=True):
        run(ConvertOptions(project=trained, output=out, batch=batch, quality="lossless"))
    with VideoReader(outs[0]) as one, VideoReader(outs[1]) as seven:
        for a, b in zip(one, seven, strict=True):
            # bfloat16 sums in another order for another batch.
            assert np.abs(a.image.astype(int) - b.image).mean() < 0.1


def test_a_part_is_the_same_as_in_the_whole(trained: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.mkv", tmp_path / "part.mkv"
    run(ConvertOptions(project=trained, output=whole, codec="ffv1"))
    events, summary = run(
        ConvertOptions(project=trained, output=part, codec="ffv1", begin="8f", end="0:00:01")
    )
    assert summary.frames == 17
    assert any(isinstance(event, Estimate) and event.size > 0 for event in events)
    with VideoReader(whole) as one, VideoReader(part) as other:
        frames = list(other)
        assert frames[0].pts == 0
        for a, b in zip(one.frames(8, 25), frames, strict=True):
            # Colours depend on a few frames before, also on those before the in point.
            assert np.abs(a.image.astype(int) - b.image).mean() < 0.1
    with pytest.raises(InputError, match="no point in a video"):
        run(ConvertOptions(project=trained, output=part, begin="soon", overwrite=True))


def test_the_points_of_the_source_hold_where_none_are_given(trained: Path, tmp_path: Path) -> None:
    project = Project.open(trained)
    set_points(project, "a", 0.2, 0.6)
    try:
        _, kept = run(ConvertOptions(project=trained, output=tmp_path / "kept.mkv"))
        _, longer = run(ConvertOptions(project=trained, output=tmp_path / "l.mkv", end="0.8"))
    finally:
        set_points(project, "a", None, None)
    assert (kept.frames, longer.frames) == (10, 15)


def test_a_missing_run_is_told_before_qualities_are_tried(trained: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    options = ConvertOptions(project=trained, output=tmp_path / "o.mp4", map=("1=none",))
    with pytest.raises(FaceswapError, match="none"):
        run_job(convert(options), events.append)
    assert not any(isinstance(event, Progress) and event.unit == "trials" for event in events)


def test_pictures_and_passes_are_written(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "shots" / "%04d.png"
    options = ConvertOptions(project=trained, output=out, end="5f", passes=tmp_path / "passes")
    events, summary = run(options)
    assert summary.frames == 5
    assert any("1 sound track" in e.message for e in events if isinstance(e, Notice))
    assert len(list(out.parent.glob("*.png"))) == 5
    mask = read_picture(tmp_path / "passes" / "mask" / "000003.png")
    assert mask is not None
    assert mask.max() > 200
    assert len(list((tmp_path / "passes" / "face").glob("*.png"))) == summary.swapped


def test_a_picture_is_converted_to_a_picture(trained: Path, sample: Path, tmp_path: Path) -> None:
    with VideoReader(sample / "a.mp4") as video:
        before = next(video.frames(20)).image
    Image.fromarray(before).save(tmp_path / "photo.png")
    out = tmp_path / "swap.png"
    options = ConvertOptions(project=trained, input=[tmp_path / "photo.png"], output=out)
    _, summary = run(options)
    assert (summary.frames, summary.swapped) == (1, 1)
    with Image.open(out) as picture:
        after = np.asarray(picture.convert("RGB")).astype(int)
    apart = np.abs(after - before).max(2)
    assert apart[:8].max() == 0
    assert (apart > 8).mean() > 0.02
    assert picture_provenance(out) == SWAPPED_PICTURE
    with pytest.raises(OutputError, match="exists already"):
        run(options)


def test_without_a_name_it_goes_into_the_project(trained: Path) -> None:
    _, summary = run(ConvertOptions(project=trained))
    assert summary.output == trained / "out" / "main.mp4"
    with pytest.raises(OutputError, match="--overwrite"):
        run(ConvertOptions(project=trained))
    _, again = run(ConvertOptions(project=trained, overwrite=True))
    assert again.output == summary.output


def test_what_is_missing_is_said_before_anything_is_written(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    with pytest.raises(ProjectError):
        run(ConvertOptions(project=tmp_path / "none", output=out))
    with pytest.raises(CheckpointError, match="train"):
        run(ConvertOptions(project=trained, output=out, run="unheard-of"))
    with pytest.raises(OutputError, match="folder"):
        run(ConvertOptions(project=trained, output=tmp_path / "none" / "o.mp4"))
    with pytest.raises(OutputError, match="suffix of a video"):
        run(ConvertOptions(project=trained, output=tmp_path / "o.txt"))
    assert list(tmp_path.iterdir()) == []


def test_footage_that_changed_since_is_refused(trained: Path, sample: Path, tmp_path: Path) -> None:
    project = tmp_path / "p"
    shutil.copytree(trained, project)
    moved = tmp_path / "a.mp4"
    shutil.copy(sample / "b.mp4", moved)
    settings = (project / "project.toml").read_text()
    (project / "project.toml").write_text(settings.replace(str(sample / "a.mp4"), str(moved)))
    with pytest.raises(InputError, match="no longer the file"):
        run(ConvertOptions(project=project, output=tmp_path / "o.mp4"))


def test_a_damaged_model_is_told(trained: Path, tmp_path: Path) -> None:
    project = tmp_path / "p"
    shutil.copytree(trained, project)
    for model in (project / "model" / "main").glob("*.safetensors"):
        model.write_bytes(model.read_bytes()[:1000])
    with pytest.raises(CheckpointError):
        run(ConvertOptions(project=project, output=tmp_path / "o.mp4"))
    assert not (tmp_path / "o.mp4").exists()


def test_several_films_are_converted_and_one_that_fails_does_not_stop_them(
    trained: Path, sample: Path, tmp_path: Path
) -> None:
    project, films, out = tmp_path / "p", tmp_path / "films", tmp_path / "out"
    shutil.copytree(trained, project)
    films.mkdir()
    for name in ("1.mp4", "3.mp4"):
        shutil.copy(sample / "a.mp4", films / name)
    (films / "2.mp4").write_text("no video")
    given = ConvertOptions(project=project, input=[films / "*.mp4"], out_dir=out, end="5f")
    events, summary = finished(convert(given))
    assert isinstance(summary, FilmsSummary)
    assert [(row.film.name, row.state) for row in summary.rows] == [
        ("1.mp4", "done"),
        ("2.mp4", "failed"),
        ("3.mp4", "done"),
    ]
    assert summary.failed()
    assert "2 done, 0 done before, 1 failed." in summary.text()
    assert any("2.mp4 failed" in e.message for e in events if isinstance(e, Notice))
    assert sorted(path.name for path in out.iterdir()) == ["1.mp4", "3.mp4"]
    (films / "2.mp4").unlink()
    (out / "3.mp4").unlink()
    _, summary = finished(convert(given))
    assert isinstance(summary, FilmsSummary)
    assert [row.state for row in summary.rows] == ["done before", "done"]
    assert not summary.failed()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input": ["a", "b"]}, "--out-dir"),
        ({"input": []}, "names no footage"),
        ({"out_dir": "d"}, "--input"),
        ({"out_dir": "d", "output": "o.mp4", "input": "a"}, "one of them"),
        ({"out_dir": "d", "passes": "p", "input": "a"}, "--passes"),
    ],
)
def test_inputs_and_outputs_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ConvertOptions(project=Path("p"), **changes)


CUT = 30


@pytest.fixture(scope="module")
def two_shots(trained: Path, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose footage has a cut: a head as the light changes, then two heads and a gap."""
    folder = tmp_path_factory.mktemp("shots") / "p"
    shutil.copytree(trained, folder)
    with FaceIndex(trained / "index.sqlite") as index:
        known = {face.frame: face for face in index.faces("a")}
    with VideoReader(sample / "a.mp4") as video:
        images = [frame.image for frame in video]
    film, rows = folder / "film.mkv", list[FaceRow]()
    with av.open(str(film), "w") as container:
        stream = container.add_stream("libx264", 25, {"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = 512, 256, "yuv420p"
        for number in range(60):
            left = number if number < CUT else 49 - (number - CUT)
            right = number - 10
            light = 1 - 0.5 * number / CUT if number < CUT else 0.9
            image = np.zeros((256, 512, 3), np.uint8)
            image[:, :256] = (images[left] * light).astype(np.uint8)
            image[:, 256:] = (images[right] * (0.4, 0.6, 0.8)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            rows.append(replace(known[left], frame=number, track=2 * (number >= CUT)))
            if number >= CUT and not 41 <= number < 45:
                beside = known[right].points + np.array((256, 0), np.float32)
                forehead = known[right].forehead + np.array((256, 0), np.float32)
                rows.append(
                    replace(known[right], frame=number, track=3, points=beside, forehead=forehead)
                )
        container.mux(stream.encode(None))
    project = Project.open(folder)
    project.set_video("a", film)
    with project.open_index() as index:
        index.reset_source("a", {})
        index.add(
            "a", [FrameRow(n, n, n / 25, n == CUT) for n in range(60)], rows, {}, complete=True
        )
    return folder


@pytest.mark.parametrize(
    "look",
    [
        BlendOptions(),
        BlendOptions(
            color_smoothing=0.6,
            alignment_smoothing=1,
            mask_type="landmarks",
            mask_dilate=0.1,
            mask_blur=0.3,
            shading_transfer=0,
        ),
    ],
    ids=["as at first", "changed"],
)
def test_a_preview_shows_what_is_written(
    two_shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: BlendOptions
) -> None:
    written: list[NDArray[np.uint8]] = []
    write = VideoSegment.write_footage

    def seen(self: VideoSegment, footage: Footage, patches: Sequence[Patch] = ()) -> None:
        image = footage.image.copy()
        for patch in patches:
            patch.apply(image)
        written.append(image)
        write(self, footage, patches)

    monkeypatch.setattr(VideoSegment, "write_footage", seen)
    run(ConvertOptions(project=two_shots, output=tmp_path / "o.mkv", **look.model_dump()))
    assert len(written) == 60
    # After the cut, in the gap of one of two faces, just after it, in changing light, at the ends.
    with PreviewSession(two_shots, "cpu") as studio:
        for number in (CUT, 43, 45, 50, 22, CUT - 1, 0, 59, CUT + 1, 3):
            shown = studio.swapped(Casting(), number, look)
            assert shown.frame == number
            assert shown.faces == 1 + (number >= CUT and number != 43)
            off = np.abs(shown.image.astype(int) - written[number])
            # Where float32 is the faster one, it sums in another order for another batch, and
            # then OpenCV's conversion to Lab, which has steps, may take the next one.
            assert (off > 0).mean() < 1e-3, number
            assert off.max() <= 3, number


def test_a_preview_looks_at_each_frame_once(
    two_shots: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    swap = SwapModel.swap

    def counted(self: SwapModel, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        made.append(len(faces))
        return swap(self, faces)

    def asked(studio: PreviewSession, number: int, **look: Any) -> int:
        made.clear()
        studio.swapped(Casting(), number, BlendOptions(mask_type="learned", **look))
        return sum(made)

    def masked(studio: PreviewSession, number: int) -> int:
        made.clear()
        studio.swapped(Casting(), number, BlendOptions())
        return sum(made)

    monkeypatch.setattr(SwapModel, "swap", counted)
    with PreviewSession(two_shots, "cpu") as studio:
        assert asked(studio, 26) == 8  # the anchors 0, 4, … 24 and itself
        assert asked(studio, 26, sharpen=0, grow=0.2, feather=0.3, color=0.5, opacity=0.7) == 0
        assert asked(studio, 27) == 2  # itself twice, as alone it would be rounded otherwise
        assert asked(studio, 29) == 2  # the anchor 28 and itself
        assert asked(studio, 12) == 0  # an anchor seen just now
        assert asked(studio, 13) == 2
        assert asked(studio, CUT) == 2  # a new shot
        assert masked(studio, 26) == 10  # the two frames before too, for the masks over time
        assert masked(studio, 26) == 0


def test_a_damaged_newest_save_is_left_for_the_one_before(trained: Path, tmp_path: Path) -> None:
    project = tmp_path / "p"
    shutil.copytree(trained, project)
    (good,) = CheckpointFolder(project / "model" / "main").files()
    (good.parent / "step-000000009.safetensors").write_bytes(good.read_bytes()[:9000])
    events, _ = run(ConvertOptions(project=project, output=tmp_path / "o.mp4"))
    damaged, instead = (e.message for e in events if isinstance(e, Notice))
    assert "step-000000009.safetensors is damaged" in damaged
    assert instead == "The model of step 2 is used instead."


class Painter:
    """A model that paints every face one colour."""

    resolution = 64

    def __init__(self, color: tuple[float, float, float]) -> None:
        self.color = color

    def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
        return torch.tensor(self.color).view(1, 3, 1, 1).expand(len(faces), 3, 64, 64), None


def placed(x: float = 40, y: float = 40, track: int = 0) -> AlignedFace:
    turn = np.linspace(0, 2 * np.pi, 81, endpoint=False)
    outline = np.stack([x + 22 * np.cos(turn), y + 22 * np.sin(turn)], -1).astype(np.float32)
    matrix = np.array([[1.0, 0, 32 - x], [0, 1.0, 32 - y]])
    return AlignedFace(track, outline[:68], outline[68:], matrix)


PLAIN = BlendOptions(
    color_transfer=0, shading_transfer=0, sharpen=0, mask_blur=0.05, mask_type="learned"
)


def frame(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 160, (80, 120, 3), np.uint8)


def test_a_learnt_outline_leaves_no_features_and_no_chin_of_a() -> None:
    similarity = np.array([[20.0, 0, 40], [0, 20.0, 40]])
    points = transform(similarity, mean_face().points[:, :2])
    face = AlignedFace(0, points[:68], points[68:], crop_matrix(invert(similarity), 64))

    class Forehead(Painter):
        """Its learnt outline ends above the brows."""

        def swap(self, faces: Tensor) -> tuple[Tensor, Tensor | None]:
            masks = torch.zeros(len(faces), 1, 64, 64)
            masks[:, :, 12:18, 24:40] = 1
            return super().swap(faces)[0], masks

    def covered(kind: str) -> NDArray[np.bool_]:
        look = PLAIN.model_copy(update={"mask_type": kind})
        with Swapper(Forehead((1, 0, 0)), torch.device("cpu"), look) as swapper:
            (out,) = swapper.swap([frame()], [[face]])
        return np.asarray(np.abs(out.astype(int) - (255, 0, 0)).max(-1) < 20)

    a, b = covered("landmarks"), covered("learned")
    for number in (19, 30, 39, 57, 8):
        x, y = points[number].round().astype(int)
        assert b[y - (number == 8), x], number
    cheek = points[[3, 31]].mean(0).round().astype(int)
    assert a[cheek[1], cheek[0]]
    assert not b[cheek[1], points[2, 0].round().astype(int) + 2]


@pytest.mark.avx2
def test_the_net_makes_what_it_makes_in_float32_on_any_processor() -> None:
    cpu = torch.device("cpu")
    torch.manual_seed(0)
    model = SwapModel(SwapConfig(preset="quick", resolution=64)).eval().requires_grad_(False)
    frames, faces = [frame(n) for n in range(3)], [[placed()], [], [placed(70)]]
    with Swapper(model, cpu, PLAIN) as swapper:
        swapped = swapper.swap(frames, faces)
    crops = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        picture, _ = model.swap(crops)
        whole, _ = model.network.translate(crops, "b")
    half = choose_precision(model, cpu).precision == "bf16"
    assert bool((picture - whole).abs().max() > 0) == half
    assert (picture - whole).abs().max() < 0.02
    assert all(
        bool((a != b).any()) == bool(f) for a, b, f in zip(swapped, frames, faces, strict=True)
    )


def test_frames_without_a_face_are_passed_on_untouched() -> None:
    frames = [frame(n) for n in range(3)]
    with Swapper(Painter((1, 0, 0)), torch.device("cpu"), PLAIN) as swapper:
        out = swapper.swap(frames, [[], [placed()], []])
    assert out[0] is frames[0]
    assert out[2] is frames[2]
    assert_array_equal(out[1][40, 40], (255, 0, 0))
    assert_array_equal(frames[1], frame(1))


def test_two_faces_of_one_frame_are_both_swapped() -> None:
    with Swapper(Painter((0, 1, 0)), torch.device("cpu"), PLAIN) as swapper:
        (out,) = swapper.swap([frame()], [[placed(30), placed(90, track=1)]])
    assert_array_equal(out[40, [30, 90]], [(0, 255, 0)] * 2)
    assert_array_equal(out[:, 58:62], frame()[:, 58:62])


def test_colour_follows_a_and_is_steady_until_a_cut() -> None:
    duller, dark = ((frame() * part).astype(np.uint8) for part in (0.95, 0.33))
    look = BlendOptions(
        color_transfer=1,
        shading_transfer=0,
        sharpen=0,
        mask_blur=0.05,
        color_smoothing=0.9,
        mask_type="learned",
    )
    with Swapper(Painter((0.5, 0.5, 0.5)), torch.device("cpu"), look) as swapper:
        seen = [replace(placed(), frame=n, shot=3 * (n == 3)) for n in range(4)]
        frames = [frame(), duller, dark, duller]
        out = swapper.swap(frames, [[f] for f in seen])
    area = (slice(35, 45), slice(35, 45))
    first, steady, faded, after_cut = (float(picture[area].mean()) for picture in out)
    assert abs(first - frame()[area].mean()) < 6
    assert steady > first - 0.4 * (frame()[area].mean() - duller[area].mean())
    assert abs(faded - dark[area].mean()) < 6  # another light, no noise: followed at once
    assert abs(after_cut - duller[area].mean()) < 3


def test_a_track_is_smoothed_in_stretches(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    face = placed().points
    with FaceIndex(tmp_path / "i.sqlite") as index:
        index.reset_source("a", {})
        numbers = [*range(0, 20), *range(30, 50)]
        noise = {n: rng.normal(0, 0.5, 2) for n in numbers}
        rows = [
            FaceRow(
                n,
                0,
                (face + noise[n] + (n >= 30) * 50).astype(np.float32),
                placed().forehead,
                1.0,
                (0, 0, 0),
                None,
            )
            for n in numbers
        ]
        index.add("a", [FrameRow(n, n, n / 25, n == 0) for n in numbers], rows, {})
        raw, _ = place_faces(index, "a", 64, 0)
        calm, cuts = place_faces(index, "a", 64, 0.5)
    assert cuts == {0}
    assert set(calm) == set(numbers)
    anchors = [n for n in numbers if calm[n][0].anchor]
    assert anchors == [*range(0, 20, 4), *range(30, 50, 4)]
    assert {(calm[n][0].frame, calm[n][0].shot) for n in numbers} == {(n, 0) for n in numbers}

    def jitter(places: dict[int, list[AlignedFace]]) -> float:
        x = np.array([places[n][0].matrix[0, 2] for n in range(20)])
        return float(np.abs(np.diff(x, 2)).mean())

    assert jitter(calm) < 0.5 * jitter(raw)
    ends = [calm[n][0].matrix[0, 2] - raw[n][0].matrix[0, 2] for n in (19, 30)]
    assert np.abs(ends).max() < 2, "the stretch after the gap must not pull on the one before"


@pytest.mark.real
def test_a_film_with_hidden_faces_keeps_every_frame(
    clips: Path, trained: Path, tmp_path: Path
) -> None:
    project = tmp_path / "p"
    shutil.copytree(trained, project)
    film = clips / "film_600x480.mp4"
    list(
        extract(
            ExtractOptions(inputs=(film,), project=project, side="a", size=64, every=20, redo=True)
        )
    )
    events, summary = run(ConvertOptions(project=project, output=tmp_path / "o.mp4"))
    assert summary.frames == 185
    assert summary.swapped > 150
    assert sound(tmp_path / "o.mp4") == sound(film)
    assert not [e for e in events if isinstance(e, Notice)]
