""".ci: the environment that is kept for the smoke on Python 3.13, and what makes a run fail.

A stand-in takes the place of Python 3.13: it notes what it is asked and does what it must.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CI = Path(__file__).parents[2] / ".ci"
pytestmark = pytest.mark.skipif(
    shutil.which("flock") is None or shutil.which("bash") is None, reason="no bash or no flock"
)

STAND_IN = """#!/bin/bash
case "$1 $2" in
    "-c import ensurepip"*) exit 0 ;;
    "-c import platform"*) echo "${VERSION:-3.13.0}" ;;
    "-c "*) cat wanted ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "venv" >>"$NOTES" ;;
    "-m pip")
        shift 6
        if [[ "$*" == *--target* ]]; then
            echo "package ${@: -1}" >>"$NOTES"
            touch "${@: -2:1}/it"
            exit
        fi
        echo "pip $*" >>"$NOTES"
        exit "${PIP_FAILS:-0}"
        ;;
    scripts/smoke.py*)
        echo "smoke $0 $(ls "$PYTHONPATH")" >>"$NOTES"
        exit "${SMOKE_FAILS:-0}"
        ;;
    *) echo "asked: $*"; exit 3 ;;
esac
"""


class Machine:
    """A checkout with .ci in it, and a Python 3.13."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.kept, self.home = folder / "check out", folder / "kept", folder / "home"
        self.notes = folder / "notes"
        for made in (self.checkout / "scripts", self.home / "bin"):
            made.mkdir(parents=True)
        shutil.copytree(CI, self.checkout / ".ci")
        (self.checkout / "wanted").write_text("torch>=2.6,<=2.13.0\nav>=14\n")
        self.put(self.home / "bin" / "python3.13", STAND_IN)

    def put(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, script: str = "smoke", **more: str) -> tuple[int, str, list[str]]:
        """The exit code, what was said, and what the stand-in was asked."""
        self.notes.write_text("")
        given = {
            "PATH": f"{self.home / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(self.home),
            "NOTES": str(self.notes),
            "FACESWAP_CI_CACHE": str(self.kept),
        }
        result = subprocess.run(
            ["bash", str(self.checkout / ".ci" / script)],
            capture_output=True,
            text=True,
            env=given | more,
        )
        return result.returncode, result.stdout, self.notes.read_text().splitlines()

    def environments(self) -> list[Path]:
        return sorted(self.kept.glob("py313-*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_environment_is_made_once_and_runs_this_checkout(machine: Machine) -> None:
    code, said, asked = machine.run()
    assert code == 0, said
    [place] = machine.environments()
    made = ["package .", f"smoke {place}/bin/python it"]
    assert asked == ["venv", "pip torch>=2.6,<=2.13.0 av>=14 hatchling>=1.27", *made]
    code, said, asked = machine.run()
    assert (code, asked) == (0, made)
    assert "of an earlier run" in said


def test_what_was_left_half_made_is_not_trusted(machine: Machine) -> None:
    code, _, asked = machine.run(PIP_FAILS="1")
    assert (code, asked[-1].split()[0]) == (1, "pip")
    code, _, asked = machine.run()
    assert (code, [line.split()[0] for line in asked]) == (0, ["venv", "pip", "package", "smoke"])
    [place] = machine.environments()
    (place / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")  # its Python is gone
    code, _, asked = machine.run()
    assert (code, [line.split()[0] for line in asked]) == (0, ["venv", "pip", "package", "smoke"])


@pytest.mark.parametrize("change", ["dependencies", "version"])
def test_another_environment_takes_the_place_of_the_old_one(machine: Machine, change: str) -> None:
    machine.run()
    [old] = machine.environments()
    if change == "dependencies":
        (machine.checkout / "wanted").write_text("av>=15\n")
        code, _, asked = machine.run()
    else:
        code, _, asked = machine.run(VERSION="3.13.9")
    assert (code, [line.split()[0] for line in asked]) == (0, ["venv", "pip", "package", "smoke"])
    [new] = machine.environments()
    assert new != old


def test_a_smoke_that_fails_fails(machine: Machine) -> None:
    assert machine.run(SMOKE_FAILS="1")[0] == 1


def test_a_shim_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.put(machine.home / "bin" / "python3.13", "#!/bin/sh\nexit 127\n")
    code, said, asked = machine.run()
    assert (code, asked) == (1, [])
    assert "There is no Python 3.13 here" in said
    real = machine.home / ".pyenv" / "versions" / "3.13.0" / "bin" / "python"
    machine.put(real, STAND_IN)
    code, _, asked = machine.run()
    assert (code, asked[0]) == (0, "venv")


@pytest.mark.parametrize("fails", ["", "avx2", "smoke", "all"])
def test_each_part_can_fail_the_run_and_all_tests_come_last(machine: Machine, fails: str) -> None:
    """.ci/run, with stand-ins for python3, for ldconfig (nothing is missing) and for a display."""
    python = f"""#!/bin/bash
case "$*" in
    *"-m avx2"*) echo "avx2 $ATEN_CPU_CAPABILITY $ONEDNN_MAX_CPU_ISA"; [ "{fails}" != avx2 ] ;;
    *"start.py test"*) echo "5 passed"; [ "{fails}" != all ] ;;
esac
"""
    libraries = "libGL.so.1 libEGL.so.1 libglib-2.0.so.0 libxkbcommon.so.0 libdbus-1.so.3"
    bin_ = machine.home / "bin"
    machine.put(bin_ / "python3", python)
    machine.put(bin_ / "ldconfig", f"#!/bin/sh\necho {libraries} libfontconfig.so.1\n")
    machine.put(bin_ / "Xvfb", "#!/bin/sh\n")
    code, said, asked = machine.run("run", SMOKE_FAILS=str(int(fails == "smoke")))
    assert (code == 0) == (not fails), said
    lines = said.splitlines()
    assert lines[-1] == "5 passed"
    assert "avx2 avx2 AVX2" in lines
    assert [line.split()[0] for line in asked] == ["venv", "pip", "package", "smoke"]
    assert ("== FAILED" in said) == (fails in ("avx2", "smoke"))
