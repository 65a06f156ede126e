"""The measures against closed forms, and the job on the sample."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from driving import finished
from PIL import Image
from skimage.metrics import structural_similarity

from faceswap.autoencoder import similarity
from faceswap.autoencoder.losses import luma
from faceswap.errors import InputError, OutputError
from faceswap.events import Notice
from faceswap.faces.expression import expression_signals
from faceswap.io.provenance import REPORT, picture_provenance
from faceswap.jobs.evaluate import EvaluateOptions, EvaluateSummary, evaluate
from faceswap.swap.evaluation import metrics as e
from faceswap.swap.evaluation.evaluator import MEAN_FACE, SWAP, UNCHANGED, read_ground_truth
from faceswap.swap.evaluation.report import worst_frames


def flat(value: int, size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def texture(seed: int, size: int = 96) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


WHOLE = np.full((64, 64), 255, np.uint8)
NONE = np.zeros((64, 64), np.uint8)


def half() -> np.ndarray:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    return mask


@pytest.mark.parametrize("step", [1, 5, 40])
def test_psnr_of_a_constant_error(step: int) -> None:
    assert e.psnr(flat(100), flat(100 + step), WHOLE) == pytest.approx(20 * np.log10(255 / step))


def test_psnr_looks_only_inside() -> None:
    other = flat(100)
    other[:10] = 255
    assert e.psnr(flat(100), other, half()) == similarity.BEST_PSNR
    assert np.isnan(e.psnr(flat(1), flat(1), NONE))


def test_ssim_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal(120, 40, (96, 96)), 0, 255)
    a = np.repeat(grey[..., None], 3, -1).astype(np.uint8)
    b = np.clip(a.astype(int) + rng.normal(0, 15, a.shape[:2])[..., None], 0, 255).astype(np.uint8)
    mask = np.zeros((96, 96), np.uint8)
    mask[20:76, 20:76] = 255
    _, full = structural_similarity(
        a[..., 0].astype(np.float64), b[..., 0].astype(np.float64), data_range=255, full=True,
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    )  # fmt: skip
    assert e.ssim(a, b, mask) == pytest.approx(full[mask > 0].mean(), abs=2e-3)


def test_masked_similarity_is_that_of_the_training_s() -> None:
    rng = np.random.default_rng(4)
    a = np.asarray(cv2.GaussianBlur(texture(4, 128), (0, 0), 3), np.uint8)
    b = np.clip(a + rng.normal(0, 8, a.shape), 0, 255).astype(np.uint8)
    mask = np.zeros((128, 128), np.uint8)
    mask[5:-5, 5:-5] = 255  # where the whole window is inside the picture
    x, y = (torch.from_numpy(p.copy()).permute(2, 0, 1)[None] / 255 for p in (a, b))
    assert e.psnr(a, b, np.full((128, 128), 255, np.uint8)) == pytest.approx(
        float(similarity.psnr(x, y)), abs=1e-3
    )
    assert e.ssim(a, b, mask) == pytest.approx(float(similarity.ssim(luma(x), luma(y))), abs=1e-4)


def test_ssim_of_flat_pictures_is_the_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert e.ssim(flat(100), flat(120), WHOLE) == pytest.approx(expected, abs=1e-4)
    assert e.ms_ssim(flat(100), flat(100), WHOLE) == pytest.approx(1)


def test_structure_scores_fall_with_noise() -> None:
    a = texture(1)
    mask = np.full((96, 96), 255, np.uint8)
    rng = np.random.default_rng(2)
    scores = []
    for strength in (0, 20, 60):
        noisy = np.clip(a + rng.normal(0, strength, a.shape), 0, 255).astype(np.uint8)
        scores.append((e.ssim(a, noisy, mask), e.ms_ssim(a, noisy, mask)))
    assert scores[0] == pytest.approx((1, 1), abs=1e-3)
    assert scores[0] > scores[1] > scores[2]
    assert np.isnan(e.ssim(a, a, np.zeros((96, 96), np.uint8)))
    assert np.isnan(e.ms_ssim(a, a, np.zeros((96, 96), np.uint8)))


def test_detail_is_zero_on_a_ramp_and_scales() -> None:
    ramp = np.tile(np.arange(0, 192, 3, dtype=np.uint8)[None, :, None], (64, 1, 3))
    assert e.detail_energy(ramp, half()) == pytest.approx(0, abs=1e-3)
    rng = np.random.default_rng(3)
    grain = rng.integers(-20, 21, (64, 64, 1))
    strong, weak = (np.repeat(128 + grain * k, 3, -1).astype(np.uint8) for k in (4, 1))
    assert e.detail_energy(strong, half()) == pytest.approx(
        4 * e.detail_energy(weak, half()), rel=1e-3
    )


def test_flicker_forgives_steady_change() -> None:
    assert e.flicker(flat(10), flat(20), flat(30), half()) == pytest.approx(0, abs=1e-3)
    assert e.flicker(flat(10), flat(20), flat(10), half()) == pytest.approx(20, rel=1e-4)
    assert np.isnan(e.flicker(flat(1), flat(1), flat(1), NONE))


def test_seam_is_the_step_that_was_added() -> None:
    mask = half()
    original = flat(128)
    assert e.seam(original, original, mask) == 0
    stepped = original.copy()
    stepped[mask > 0] = 158
    bigger = original.copy()
    bigger[mask > 0] = 188
    assert 5 < e.seam(stepped, original, mask) < e.seam(bigger, original, mask)
    assert e.seam(stepped, stepped, mask) == 0
    assert np.isnan(e.seam(original, original, NONE))


def test_correlation_of_curves() -> None:
    x = np.sin(np.arange(30.0))
    assert e.correlation(x, 3 * x - 1) == pytest.approx(1)
    assert e.correlation(x, -x) == pytest.approx(-1)
    gappy = x.copy()
    gappy[5:10] = np.nan
    assert e.correlation(gappy, x) == pytest.approx(1)
    assert np.isnan(e.correlation(x, np.zeros(30)))
    assert np.isnan(e.correlation(x[:2], x[:2]))


def test_expression_signals_do_not_mind_scale_turn_and_place() -> None:
    points = np.random.default_rng(5).uniform(0, 100, (68, 2)).astype(np.float32)
    turn = np.deg2rad(25)
    matrix = 2.5 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = (points @ matrix.T + [30, -7]).astype(np.float32)
    assert expression_signals(moved) == pytest.approx(expression_signals(points), abs=1e-4)
    opened = points.copy()
    opened[66] += (points[66] - points[62]) * 0.5
    signals = expression_signals(opened) / expression_signals(points)
    assert signals == pytest.approx([1.5, 1, 1, 1, 1, 1], abs=1e-4)


def test_points_error_in_percent_of_the_eyes() -> None:
    points = np.zeros((68, 2), np.float32)
    points[45, 0] = 50
    assert e.points_error(points + np.array([3, 4], np.float32), points) == pytest.approx(10)


def test_worst_frames_stand_apart() -> None:
    curve = np.array([5.0, 1, 2, 9, np.nan, 3, 0])
    assert worst_frames(curve, 3, 2, lowest=True) == [6, 1, 3]
    assert worst_frames(curve, 2, 1, lowest=False) == [3, 0]


def run(options: EvaluateOptions) -> tuple[list[str], EvaluateSummary]:
    events, summary = finished(evaluate(options))
    return [event.message for event in events if isinstance(event, Notice)], summary


@pytest.fixture(scope="module")
def perfect(
    sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[EvaluateSummary, Path, Path]:
    folder = tmp_path_factory.mktemp("evaluation")
    report, figures = folder / "report.png", folder / "figures.json"
    notices, summary = run(
        EvaluateOptions(
            a=sample / "a.mp4", b=sample / "b.mp4", swapped=sample / "truth.mp4",
            truth=sample / "truth.mp4", report=report, json_file=figures,
        )
    )  # fmt: skip
    assert notices == []
    return summary, report, figures


def test_only_a_real_swap_wins(perfect: tuple[EvaluateSummary, Path, Path]) -> None:
    rows = perfect[0].rows
    assert rows[SWAP] == {
        "PSNR": similarity.BEST_PSNR,
        "SSIM": pytest.approx(1),
        "MS-SSIM": pytest.approx(1),
    }
    assert rows[UNCHANGED]["PSNR"] < 17
    assert rows[MEAN_FACE]["PSNR"] < 21
    assert max(rows[UNCHANGED]["SSIM"], rows[MEAN_FACE]["SSIM"]) < 0.75


def test_perfect_swap_passes_every_check(perfect: tuple[EvaluateSummary, Path, Path]) -> None:
    summary, _, _ = perfect
    assert all(summary.checks.values())
    assert summary.frames == 50
    values = summary.values
    assert values["landmark error"] == values["truth expression error"] == 0
    assert values["background PSNR"] > 38
    assert values["pose error"] < 4
    assert values["seam"] < 2
    assert "A unchanged" in summary.text()


def test_report_and_figures(perfect: tuple[EvaluateSummary, Path, Path]) -> None:
    _, report, figures = perfect
    with Image.open(report) as page:
        assert page.width == 1200
        assert page.height > 1200
    assert picture_provenance(report) == REPORT
    document = json.loads(figures.read_text(encoding="utf-8"))
    assert len(document["curves"]["A yaw"]) == 50
    assert document["rows"][SWAP]["PSNR"] == 100


def test_unlike_clips_are_said_and_the_overlap_compared(sample: Path, tmp_path: Path) -> None:
    from faceswap.jobs.sample import SampleOptions
    from faceswap.jobs.sample import sample as sample_job

    for _ in sample_job(SampleOptions(folder=tmp_path / "s", seconds=0.2, size=192)):
        pass
    notices, summary = run(
        EvaluateOptions(a=sample / "a.mp4", b=sample / "b.mp4", swapped=tmp_path / "s" / "a.mp4")
    )
    assert any("50 frames" in text and "5;" in text for text in notices)
    assert any("192×192" in text for text in notices)
    assert summary.frames == 5
    assert not any(summary.checks.values())
    assert summary.rows == {}


def test_refuses_bad_outputs_and_inputs(sample: Path, tmp_path: Path) -> None:
    clips = {"a": sample / "a.mp4", "b": sample / "b.mp4", "out": sample / "a.mp4"}
    there = tmp_path / "x.json"
    there.write_text("{}", encoding="utf-8")
    for name, path, message in (
        ("json_file", there, "--overwrite"),
        ("report", tmp_path / "x.jpg", r"\.png"),
        ("report", tmp_path / "no" / "x.png", "folder"),
    ):
        with pytest.raises(OutputError, match=message):
            run(EvaluateOptions.model_validate({**clips, name: path}))
    with pytest.raises(InputError):
        run(EvaluateOptions.model_validate({**clips, "out": tmp_path / "none.mp4"}))
    (tmp_path / "truth.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        read_ground_truth(tmp_path / "truth.mp4")
