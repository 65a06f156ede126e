"""The workflow that runs the tests elsewhere: its form, and that it does what .ci/run does."""

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"


def jobs() -> dict[str, Any]:
    told = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return dict(told["jobs"])


def test_its_form_is_right(tmp_path: Path) -> None:
    """By GitHub's schema; what only actionlint sees, that finds in the workflow itself."""
    program = shutil.which("check-jsonschema", path=sysconfig.get_path("scripts"))
    assert program, "check-jsonschema is not installed beside this Python"
    check = [program, "--builtin-schema", "vendor.github-workflows"]
    assert subprocess.run([*check, str(WORKFLOW)], check=False).returncode == 0
    spoilt = tmp_path / "tests.yml"
    text = WORKFLOW.read_text(encoding="utf-8")
    spoilt.write_text(text.replace("runs-on:", "run-on:"), encoding="utf-8")
    assert subprocess.run([*check, str(spoilt)], check=False).returncode == 1
    uses = [step.get("uses", "") for step in jobs()["actionlint"]["steps"]]
    assert any(use.startswith("docker://rhysd/actionlint:") for use in uses)


def test_three_systems_and_the_oldest_and_the_tried_python() -> None:
    matrix = jobs()["tests"]["strategy"]["matrix"]
    assert matrix["system"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    assert matrix["python"] == ["3.11", "3.13"]


def test_its_commands_are_those_of_ci_run() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    decides = set(re.findall(r'"\$python" (scripts/start\.py test[^"\n]*|\.ci/\w+)', script))
    decides = {command.strip() for command in decides}
    assert decides == {"scripts/start.py test -n 0 -m avx2", "scripts/start.py test"}
    steps = jobs()["tests"]["steps"]
    run = [step["run"].removeprefix("python ") for step in steps if "run" in step]
    run = [command.replace("${{ matrix.options }}", "").strip() for command in run]
    assert decides <= set(run)
    assert ".ci/smoke" in script
    assert {".ci/smoke", ".ci/lowest"} <= set(run)
    emulated = next(step["env"] for step in steps if "avx2" in step.get("run", ""))
    for name, value in emulated.items():
        assert f"{name}={value}" in script


def test_the_system_s_libraries_are_those_of_ci_run() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    listed = re.search(r'wanted="([^"]+)"', script)
    assert listed is not None
    wanted = {pair.partition(":")[2] for pair in listed[1].split()}
    steps = jobs()["tests"]["steps"]
    install = next(step["run"] for step in steps if "apt-get install" in step.get("run", ""))
    words = install.replace("\\", " ").partition("--no-install-recommends")[2].split()
    assert set(words) == wanted
