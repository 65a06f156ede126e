"""The benchmarks' command says what it needs before it begins."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_package_that_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    # As after a set-up without what only tests and benchmarks need.
    (tmp_path / "psutil.py").write_text("raise ModuleNotFoundError('no psutil', name='psutil')")
    run = subprocess.run(
        [sys.executable, "scripts/benchmark.py", "window"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr == ""
    assert run.stdout.startswith("This benchmark needs the package psutil. Install ")
