"""Benchmark of the lab's tasks on 10,000 handwritten digits, split 8,000 / 1,000 / 1,000.

The digits are MNIST's test files in ../shared/mnist, or in the folder after ``--data``. Every row
comes from a run of ``faceswap lab``; ``--only TASK …`` selects tasks, ``--output FOLDER`` keeps
the models and results, and a second run then only evaluates. "of one core" is CPU time in minutes,
which other work on the machine does not lengthen.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceswap import run as run_job
from faceswap.jobs.lab import LabOptions, lab
from faceswap.lab.task_registry import TaskName

Row = dict[str, str | int | float | None]
Figures = dict[str, Any]
MNIST = Path(__file__).parents[3] / "shared" / "mnist"


def run(arguments: list[str]) -> dict[str, list[Row]]:
    """Train and evaluate; a row per claim."""
    parser = argparse.ArgumentParser(prog="benchmark.py lab")
    parser.add_argument("--data", type=Path, default=MNIST)
    parser.add_argument("--only", nargs="+", choices=list(CLAIMS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--steps", type=int, help="training steps of each model")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for use in options.only or list(CLAIMS):
            started, worked = time.perf_counter(), time.process_time()
            given = LabOptions(
                task=use,
                data=[options.data],
                output=(options.output or Path(folder)) / use,
                steps=options.steps,
                seed=options.seed,
            )
            figures = run_job(lab(given)).figures
            took = {
                "minutes": round((time.perf_counter() - started) / 60, 1),
                "of one core": round((time.process_time() - worked) / 60, 1),
            }
            for row in CLAIMS[use](figures):
                rows.append({"use": use, **row, **took})
    return {"The lab on handwritten digits": rows}


def claim(
    what: str, value: float, goal: str, ok: bool, beside: str = "", other: float | None = None
) -> Row:
    """Row of a claim: metric, target, whether it is met, and the value it is compared with."""
    return {
        "figure": what,
        "value": value,
        "goal": goal,
        "": "✓" if ok else "✗",
        "beside": beside,
        "its value": other,
    }


def reconstruct(f: Figures) -> list[Row]:
    """Reconstruction error against PCA."""
    value, pca = f["test MSE"], f["test MSE of PCA"]
    ok = value <= 0.006 and value < pca
    return [claim("test MSE, 32 numbers", value, "≤ 0.006", ok, "PCA", pca)]


def vae(f: Figures) -> list[Row]:
    """Negative ELBO in nats."""
    return [claim("−ELBO, 20 latents", f["-ELBO"], "≤ 115 nats", f["-ELBO"] <= 115)]


def denoise(f: Figures) -> list[Row]:
    """PSNR gain on Gaussian noise."""
    one = f["Gaussian, sigma 0.5"]
    gain = one["gain in dB"]
    return [
        claim("gain, σ = 0.5", gain, "≥ 10 dB", gain >= 10, "PSNR of the noisy", one["PSNR before"])
    ]


def occlusion(f: Figures) -> list[Row]:
    """Error in two hidden rows."""
    share = f["two white rows"]["error where hidden, share of leaving it"]
    return [claim("error in hidden rows, of leaving them", share, "≤ 0.25", share <= 0.25)]


def anomaly(f: Figures) -> list[Row]:
    """AUROC of detecting other digits, mean over ten models of one digit each."""
    value, other = f["mean AUROC by surprise"], f["mean AUROC by squared error"]
    return [
        claim("AUROC, mean of ten digits", value, "≥ 0.95", value >= 0.95, "squared error", other)
    ]


def retrieve(f: Figures) -> list[Row]:
    """Precision at 10, against search by raw pixels."""
    value, raw = f["precision@10"], f["precision@10 of raw pixels"]
    return [claim("precision@10", value, "above raw pixels", value > raw, "raw pixels", raw)]


def classify(f: Figures) -> list[Row]:
    """Accuracy with 100 labels and more, against training from scratch."""
    rows = []
    for row in f["accuracy"]:
        value, scratch = row["pre-trained"], row["from scratch"]
        few = row["labels"] == 100
        goal = "5 points above from scratch" if few else ""
        ok = value >= scratch + (0.05 if few else 0.0)
        name = f"accuracy, {row['labels']} labels"
        rows.append(claim(name, value, goal, ok, "from scratch", scratch))
    return rows


CLAIMS: dict[TaskName, Callable[[Figures], list[Row]]] = {
    "reconstruct": reconstruct,
    "vae": vae,
    "denoise": denoise,
    "blind-inpaint": occlusion,
    "anomaly": anomaly,
    "retrieve": retrieve,
    "classify": classify,
}
"""Claims by the task that shows them."""
