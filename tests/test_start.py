"""scripts/start.py: what it runs, and when it installs. Nothing is installed here."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "start.py"


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path, start: ModuleType) -> Path:
    """A checkout with an environment whose interpreter is there."""
    root = tmp_path / "mit Leerzeichen ü"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    python = start.venv_python(root)
    python.parent.mkdir(parents=True)
    python.touch()
    return root


class Calls(list[list[str]]):
    """Stands in for subprocess.call: keeps what was asked, and answers ``code``."""

    code = 0

    def __call__(self, command: list[str], **_: object) -> int:
        self.append(command)
        return self.code


@pytest.fixture
def calls(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(start.subprocess, "call", made)
    return made


def test_an_install_is_done_once(start: ModuleType, checkout: Path, calls: Calls) -> None:
    python = start.set_up(checkout, ("dev", "gui"))
    assert calls[0][1:4] == ["-m", "venv", "--clear"]  # the interpreter there does not run
    assert calls[1][:4] == [str(python), "-m", "pip", "install"]
    assert calls[1][-2:] == ["--editable", f"{checkout}[dev,gui]"]
    calls.clear()
    assert start.set_up(checkout, ("gui",)) == python
    assert start.set_up(checkout, ()) == python
    assert calls == []


def test_more_extras_are_added_to_those_there(
    start: ModuleType, checkout: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "usable", lambda _: True)
    start.set_up(checkout, ())
    start.set_up(checkout, ("dev",))
    start.set_up(checkout, ("gui",))
    targets = [call[-1] for call in calls]
    assert targets == [str(checkout), f"{checkout}[dev]", f"{checkout}[dev,gui]"]


@pytest.mark.parametrize("change", ["pyproject", "python", "stamp", "place", "interpreter"])
def test_a_change_installs_again(
    start: ModuleType,
    checkout: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    monkeypatch.setattr(start, "usable", lambda _: True)
    start.set_up(checkout, ())
    assert start.installed_extras(checkout) == set()
    if change == "pyproject":
        (checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    elif change == "python":
        monkeypatch.setattr(start.sys, "version", "3.99 of tomorrow")
    elif change == "stamp":
        (checkout / ".venv" / "faceswap-setup.json").write_text('{"finger')
    elif change == "place":
        checkout = checkout.rename(checkout.with_name("moved"))
    else:
        start.venv_python(checkout).unlink()
    calls.clear()
    start.set_up(checkout, ())
    assert len(calls) == 1


def test_an_interrupted_install_is_done_again(
    start: ModuleType, checkout: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "usable", lambda _: True)
    start.set_up(checkout, ())
    calls.code = 1
    with pytest.raises(start.SetupError):
        start.set_up(checkout, ("dev",))
    assert start.installed_extras(checkout) is None


def test_failures_say_what_to_do(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(start.socket, "create_connection", offline)
    assert "needs a connection" in start.pip_failure()
    usage = start.shutil.disk_usage(".")._replace(free=10**8)
    monkeypatch.setattr(start.shutil, "disk_usage", lambda _: usage)
    assert "nearly full" in start.pip_failure()
    monkeypatch.setattr(start.sys, "version_info", (3, 8, 1))
    monkeypatch.setattr(start.shutil, "which", lambda _: None)
    with pytest.raises(start.SetupError, match=r"Python 3\.8, and 3\.11 or newer"):
        start.check_python()


def test_a_failed_set_up_is_one_sentence_and_exit_code_1(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise start.SetupError("It did not work.")

    monkeypatch.setattr(start, "set_up", fail)
    assert start.main(["setup"]) == 1
    assert capsys.readouterr().err == "It did not work.\n"


def test_the_command_lines(start: ModuleType) -> None:
    python = Path("python")

    def line(command: str, *rest: str) -> list[str]:
        words = start.command_line(command, list(rest), python)
        assert isinstance(words, list)
        return words[2:]

    assert line("demo", "--minutes", "1") == ["faceswap", "demo", "--minutes", "1"]
    assert line("run", "swap", "a b.mp4") == ["faceswap", "swap", "a b.mp4"]
    assert line("test") == ["pytest", "-n", "auto"]
    assert line("test", "-n", "0", "-k", "x") == ["pytest", "-n", "0", "-k", "x"]
    assert line("window") == ["gui"]


def test_processor_builds_only_where_nothing_else_was_chosen(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(start.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert start.pip_sources() == []
    monkeypatch.setattr(start.shutil, "which", lambda _: None)
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    assert start.pip_sources() == []


def test_usage_without_or_with_a_wrong_command() -> None:
    def output(*arguments: str) -> tuple[int, str]:
        result = subprocess.run(
            [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True
        )
        return result.returncode, result.stdout

    assert output()[0] == 2
    code, text = output("--help")
    assert code == 0
    assert "start.py demo" in text
    code, text = output("fly")
    assert code == 2
    assert "demo, run, window, test, setup" in text


def test_only_the_standard_library_is_imported() -> None:
    code = (
        "import runpy, sys, json; sys.argv = ['start.py', '--help']\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print(json.dumps([m for m in sys.modules if not m.startswith('_')]))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    modules = {name.split(".")[0] for name in json.loads(result.stdout.splitlines()[-1])}
    assert modules <= set(sys.stdlib_module_names)
