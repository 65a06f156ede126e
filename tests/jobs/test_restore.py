import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import finished
from made_clips import MakeClip
from PIL import Image
from torch import nn

from faceswap.errors import CheckpointError, OptionsError, OutputError
from faceswap.events import Notice
from faceswap.io.provenance import SWAPPED_PICTURE, picture_provenance, save_picture
from faceswap.jobs.restore import RestoreOptions, RestoreSummary, restore
from faceswap.lab.framework.models import RepairConfig, build
from faceswap.lab.restorer import Restorer, blend_weights, tile_starts
from faceswap.lab.task_registry import TASKS
from faceswap.training.checkpoint import named_weights, write_checkpoint
from faceswap.video.probe import probe
from faceswap.video.provenance import provenance_of

CPU = torch.device("cpu")


def net(**changes: Any) -> torch.nn.Module:
    given = {"inputs": 3, "channels": 3, "widths": (4, 8), "blocks": 0}
    torch.manual_seed(0)
    return build(RepairConfig.model_validate(given | changes)).eval()


def saved(folder: Path, **changes: Any) -> Path:
    model = net(**changes)
    path = folder / "model.safetensors"
    config = model.config
    assert isinstance(config, RepairConfig)
    weights = dict(named_weights(model, "ema"))
    write_checkpoint(path, "lab-repair", config.model_dump(mode="json"), {}, weights)
    return path


def finish(options: RestoreOptions) -> RestoreSummary:
    return finished(restore(options))[1]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    y, x = np.mgrid[:90, :130]
    page = np.stack([x * 255 / 130, y * 255 / 90, (x + y) % 64 * 4], 2).astype(np.uint8)
    Image.fromarray(page).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def test_tiles_cover_everything_and_overlap() -> None:
    for length in (10, 64, 65, 100, 500):
        first = tile_starts(length, 64, 16)
        assert first[0] == 0
        assert first[-1] + 64 >= length
        assert all(b - a <= 48 for a, b in itertools.pairwise(first))
    assert float(blend_weights(64, 40, 16).min()) > 0


def test_tiled_is_as_whole_where_the_net_sees_little(picture: Path) -> None:
    frame = np.asarray(Image.open(picture))
    whole = Restorer(net(), CPU, tile=512, overlap=32).restore(frame)
    tiled = Restorer(net(), CPU, tile=64, overlap=24).restore(frame)
    # Convolutions near a tile's edge see its border, which the weights make faint.
    apart = np.abs(whole.astype(int) - tiled.astype(int))
    assert apart.max() <= 6
    assert apart.mean() < 0.25


@pytest.mark.parametrize("use", ["denoise", "superres", "colorize"])
def test_pictures(use: str, picture: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"use": use, "inputs": 1 if use == "colorize" else 3}
    model = saved(tmp_path, strength=2.0, **changes)
    out = tmp_path / "out.png"
    given: dict[str, Any] = {
        "input": picture,
        "model": model,
        "output": out,
        "tile": 64,
        "overlap": 16,
    }
    assert finish(RestoreOptions(**given)).frames == 1
    with Image.open(out) as made:
        assert made.size == ((260, 180) if use == "superres" else (130, 90))
    assert picture_provenance(out) == TASKS[use].provenance
    with pytest.raises(OutputError, match="exists already"):
        finish(RestoreOptions(**given))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_a_camera_s_picture_is_repaired_upright(suffix: str, picture: Path, tmp_path: Path) -> None:
    turned = tmp_path / f"turned{suffix}"
    with Image.open(picture) as page:
        exif = page.getexif()
        exif[0x0110], exif[0x0112] = "A camera", 6
        page.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    made = []
    for path in (picture, turned):
        options = RestoreOptions(
            input=path,
            model=saved(tmp_path, use="denoise"),
            output=tmp_path / f"out-{path.stem}.png",
            device="cpu",
        )
        finish(options)
        made.append(np.asarray(Image.open(options.output)).astype(int))
    assert made[0].shape == made[1].shape
    assert np.abs(made[0] - made[1]).mean() < 5


def test_a_grey_net_repairs_each_colour(picture: Path) -> None:
    frame = np.asarray(Image.open(picture))
    grey = Restorer(net(inputs=1, channels=1), CPU)
    made = grey.restore(frame)
    one = grey.restore(np.repeat(frame[..., :1], 3, 2))
    assert np.array_equal(made[..., 0], one[..., 0])


def test_holes_are_filled_and_nothing_else_changes(picture: Path, tmp_path: Path) -> None:
    mask = np.zeros((90, 130), np.uint8)
    mask[20:40, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    model = saved(tmp_path, use="inpaint", inputs=4, masked=True, size=48)
    out = tmp_path / "out.png"
    given: dict[str, Any] = {"input": picture, "model": model, "output": out}
    finish(RestoreOptions(**given, mask=tmp_path / "mask.png"))
    before, after = (np.asarray(Image.open(p)) for p in (picture, out))
    assert np.array_equal(before[mask == 0], after[mask == 0])
    assert not np.array_equal(before[mask > 0], after[mask > 0])
    with pytest.raises(OptionsError, match="give their mask with --mask"):
        finish(RestoreOptions(**given, overwrite=True))
    Image.fromarray(mask[:50]).save(tmp_path / "mask.png")
    with pytest.raises(OptionsError, match="130 × 50 pixels and the picture 130 × 90"):
        finish(RestoreOptions(**given, overwrite=True, mask=tmp_path / "mask.png"))


@pytest.mark.parametrize("kind", ["16 bits", "white on a transparent layer"])
def test_masks_of_other_kinds(kind: str, picture: Path, tmp_path: Path) -> None:
    where = np.zeros((90, 130), bool)
    where[20:40, 30:60] = True
    if kind == "16 bits":
        values = np.where(where, 65535, 300).astype(np.uint16)
    else:
        values = np.full((90, 130, 4), 255, np.uint8)
        values[..., 3] = np.where(where, 255, 0)
    Image.fromarray(values).save(tmp_path / "mask.png")
    model = saved(tmp_path, use="inpaint", inputs=4, masked=True, size=48)
    out = tmp_path / "out.png"
    finish(RestoreOptions(input=picture, model=model, output=out, mask=tmp_path / "mask.png"))
    changed = np.any(np.asarray(Image.open(picture)) != np.asarray(Image.open(out)), axis=2)
    assert not changed[~where].any()
    assert changed[where].mean() > 0.9


@pytest.mark.parametrize("size", [32, 90, 200])
def test_holes_are_filled_at_the_size_that_was_learnt_and_in_the_light_around(size: int) -> None:
    y, x = np.mgrid[:90, :130]
    slope = np.stack([60 + x, 200 - y, 90 + 0 * x], 2).astype(np.uint8)
    mask = np.zeros((90, 130), np.uint8)
    mask[30:60, 40:70] = 255
    spoilt = slope.copy()
    spoilt[mask > 0] = 255  # what is in the hole is not looked at
    model = net(use="inpaint", inputs=4, masked=True, standardised=True, size=size)
    with torch.no_grad():  # a net that leaves the smooth filling as it is
        assert isinstance(model.last, nn.Module)
        for values in model.last.parameters():
            values.zero_()
    made = Restorer(model, CPU, mask=mask).restore(spoilt)
    assert np.abs(made.astype(int) - slope).max() <= 15
    assert np.array_equal(made[mask == 0], slope[mask == 0])


@pytest.mark.parametrize("use", ["denoise", "superres"])
def test_videos_keep_their_times_and_sound(use: str, make_clip: MakeClip, tmp_path: Path) -> None:
    clip = make_clip(frames=6)
    model = saved(tmp_path, use=use, strength=2.0)
    out = tmp_path / "out.mp4"
    assert finish(RestoreOptions(input=clip, model=model, output=out)).frames == 6
    a, b = probe(clip), probe(out)
    factor = 2 if use == "superres" else 1
    assert (b.width, b.height) == (a.width * factor, a.height * factor)
    assert b.frames == a.frames
    assert len(b.audio) == len(a.audio)
    assert provenance_of(out) == TASKS[use].provenance


def test_videos_keep_their_depth_and_hdr_where_the_size_stays(
    make_clip: MakeClip, tmp_path: Path
) -> None:
    clip = make_clip(frames=3, pixel_format="yuv422p10le", colour=(9, 9, 16, 1))
    out = tmp_path / "out.mkv"
    finish(RestoreOptions(input=clip, model=saved(tmp_path, use="denoise"), output=out))
    a, b = probe(clip), probe(out)
    assert (b.pixel_format, b.colour) == (a.pixel_format, a.colour)
    larger = RestoreOptions(
        input=clip,
        model=saved(tmp_path, use="superres", strength=2.0),
        output=out.with_stem("large"),
        device="cpu",
    )
    told = [event.message for event in restore(larger) if isinstance(event, Notice)]
    assert any("has 8, in standard dynamic range" in message for message in told)
    assert probe(larger.output).pixel_format == "yuv420p"


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tif"])
def test_a_repaired_swap_still_says_that_it_is_one(suffix: str, tmp_path: Path) -> None:
    page = np.full((64, 64, 3), 90, np.uint8)
    save_picture(page, tmp_path / "swap.png", SWAPPED_PICTURE)
    options = RestoreOptions(
        input=tmp_path / "swap.png",
        model=saved(tmp_path, use="denoise"),
        output=tmp_path / f"out{suffix}",
        device="cpu",
    )
    notices = [event.message for event in restore(options) if isinstance(event, Notice)]
    told = picture_provenance(options.output)
    if suffix == ".bmp":
        assert notices == ["A BMP cannot say in itself how it was made; a PNG can."]
        assert told is None
    else:
        assert told == TASKS["denoise"].provenance.after(SWAPPED_PICTURE)
        assert told.code == SWAPPED_PICTURE.code
        assert not notices


def test_wrong_models_masks_and_names(picture: Path, make_clip: MakeClip, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    write_checkpoint(other, "swap", {}, {}, {"ema/x": torch.zeros(1)})
    out = tmp_path / "out.png"
    with pytest.raises(CheckpointError, match="'swap', not 'lab-repair'"):
        finish(RestoreOptions(input=picture, model=other, output=out))
    model = saved(tmp_path)
    with pytest.raises(
        OutputError, match=r"is a video; give the output a video's name, such as result\.mp4"
    ):
        finish(RestoreOptions(input=make_clip(frames=6), model=model, output=out))
    with pytest.raises(OutputError, match="is the input"):
        finish(RestoreOptions(input=picture, model=model, output=picture, overwrite=True))
    with pytest.raises(OptionsError, match="takes no mask; leave out --mask"):
        finish(RestoreOptions(input=picture, model=model, output=out, mask=picture))
    with pytest.raises(OptionsError, match="less than half"):
        finish(RestoreOptions(input=picture, model=model, output=out, tile=32, overlap=16))


def test_a_model_of_another_version_is_refused(picture: Path, tmp_path: Path) -> None:
    model = net(use="inpaint", inputs=4, masked=True, size=48)
    config = model.config
    assert isinstance(config, RepairConfig)
    path, out = tmp_path / "model.safetensors", tmp_path / "out.png"
    known = config.model_dump(mode="json", exclude={"size"})
    write_checkpoint(path, "lab-repair", known, {}, dict(named_weights(model, "ema")))
    with pytest.raises(CheckpointError, match="another version of faceswap"):
        finish(RestoreOptions(input=picture, model=path, output=out))
