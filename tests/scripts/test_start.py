"""scripts/start.py: which Python it takes, what it runs, and when it installs.

Nothing is installed here.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from faceswap.graphics_cards import System, cpu_build

SCRIPT = Path(__file__).parents[2] / "scripts" / "start.py"
HERE = sys.version_info[:2]


@pytest.fixture
def start() -> ModuleType:
    spec = importlib.util.spec_from_file_location("start", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("starting.commands")


@pytest.fixture
def environment(commands: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up, on a system without a card, a host that answers, and no pip configuration."""
    module = importlib.import_module("starting.environment")
    monkeypatch.setattr(module, "this_system", lambda: no_card())
    monkeypatch.setattr(module, "reachable", lambda host: True)
    monkeypatch.setattr(module, "pip_configuration", lambda python: "")
    monkeypatch.setattr(module, "named_version", lambda root: None)
    return module


def no_card(name: str = "linux", smi: str | None = None) -> System:
    machine = {"linux": "x86_64", "darwin": "arm64", "win32": "AMD64"}[name]
    return System(name, machine, lambda command: smi, lambda path: None, lambda path: ())


@pytest.fixture
def checkout(tmp_path: Path, environment: ModuleType) -> Path:
    """A checkout without an environment."""
    root = tmp_path / "mit Leerzeichen ü"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    return root


class Calls(list[list[str]]):
    """Stands in for subprocess.call: keeps what was asked, and answers ``code``.

    The environment that is made runs and has ``version``.
    """

    code = 0
    version: tuple[int, int] | None = None

    def __call__(self, command: list[str], **_: object) -> int:
        self.append(command)
        if command[1:3] == ["-m", "venv"]:
            self.version = HERE
        return self.code

    def kinds(self) -> list[str]:
        """What was called: venv, install or uninstall."""
        return [next(part for part in c if part in ("venv", "install", "uninstall")) for c in self]


@pytest.fixture
def calls(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(environment.subprocess, "call", made)
    monkeypatch.setattr(environment, "version_of", lambda python: made.version)
    return made


def test_an_install_is_done_once(environment: ModuleType, checkout: Path, calls: Calls) -> None:
    python = environment.set_up(checkout, ("dev", "gui"))
    assert calls[0] == [sys.executable, "-m", "venv", "--clear", str(checkout / ".venv")]
    assert calls[1][:3] == [str(python), "-m", "pip"]
    assert calls[1][-2:] == ["--editable", f"{checkout}[dev,gui]"]
    assert calls.kinds() == ["venv", "install"]
    calls.clear()
    assert environment.set_up(checkout, ("gui",)) == python
    assert environment.set_up(checkout, ()) == python
    assert calls == []


def test_more_extras_are_added_to_those_there(
    environment: ModuleType, checkout: Path, calls: Calls
) -> None:
    for extras in ((), ("dev",), ("gui",)):
        environment.set_up(checkout, extras)
    targets = [call[-1] for call in calls if "install" in call]
    assert targets == [str(checkout), f"{checkout}[dev]", f"{checkout}[dev,gui]"]


@pytest.mark.parametrize("change", ["pyproject", "stamp", "place"])
def test_a_change_installs_again(
    environment: ModuleType, checkout: Path, calls: Calls, change: str
) -> None:
    environment.set_up(checkout, ())
    if change == "pyproject":
        (checkout / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    elif change == "stamp":
        (checkout / ".venv" / "faceswap-setup.json").write_text('{"finger')
    else:
        checkout = checkout.rename(checkout.with_name("moved"))
    calls.clear()
    environment.set_up(checkout, ())
    assert calls.kinds() == ["install"]


def test_an_environment_that_does_not_run_is_made_anew(
    environment: ModuleType, checkout: Path, calls: Calls
) -> None:
    environment.set_up(checkout, ("dev",))
    calls.clear()
    calls.version = None
    environment.set_up(checkout, ())
    assert calls.kinds() == ["venv", "install"]
    assert calls[1][-1] == f"{checkout}[dev]"


def test_an_environment_of_another_python_is_kept_unless_one_is_named(
    environment: ModuleType,
    checkout: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.set_up(checkout, ())
    calls.clear()
    other = (HERE[0], HERE[1] - 1)
    calls.version = other
    environment.set_up(checkout, ())
    assert calls == []
    monkeypatch.setattr(environment, "named_version", lambda root: HERE)
    capsys.readouterr()
    environment.set_up(checkout, ())
    assert calls.kinds() == ["venv", "install"]
    told = f".venv was made with Python {other[0]}.{other[1]}; making it anew"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("python3", False),
        ("python", False),
        ("/usr/bin/python3", False),
        (f"python{HERE[0]}.{HERE[1]}", True),
        (f"/usr/bin/python{HERE[0]}.{HERE[1]}", True),
        # pyenv's shims start the real thing by its path, whatever was typed.
        (f"/root/.pyenv/versions/{HERE[0]}.{HERE[1]}.7/bin/python3", False),
        ("python3.9", False),
    ],
)
def test_a_python_is_named_by_its_version(
    commands: ModuleType, monkeypatch: pytest.MonkeyPatch, typed: str, named: bool
) -> None:
    module = importlib.import_module("starting.environment")
    monkeypatch.setattr(module.sys, "orig_argv", [typed, "scripts/start.py"])
    assert module.named_version(Path("/nowhere")) == (HERE if named else None)
    assert module.named_version(Path(sys.prefix).parent) in (HERE if named else None, None)


def test_an_interrupted_install_is_done_again(
    environment: ModuleType, checkout: Path, calls: Calls
) -> None:
    environment.set_up(checkout, (), True)
    whole = environment.read_stamp(checkout)
    calls.code = 1
    with pytest.raises(environment.SetupError):
        environment.set_up(checkout, ("dev",))
    # What was asked for, and what is there, is not forgotten.
    broken = environment.read_stamp(checkout)
    assert (broken.fingerprint, broken.extras, broken.processor) == ("", ("dev",), True)
    assert broken.build == whole.build
    calls.code = 0
    calls.clear()
    environment.set_up(checkout, ())
    assert calls.kinds() == ["install"]
    assert environment.read_stamp(checkout).extras == ("dev",)


def test_failures_say_what_to_do(
    environment: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "its lines above say why" in environment.pip_failure(checkout)
    monkeypatch.setattr(environment, "reachable", lambda host: False)
    assert "needs a connection" in environment.pip_failure(checkout)
    usage = environment.shutil.disk_usage(".")._replace(free=10**8)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: usage)
    assert "nearly full" in environment.pip_failure(checkout)


def test_a_failed_set_up_is_one_sentence_and_exit_code_1(
    commands: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise commands.SetupError("It did not work.")

    monkeypatch.setattr(commands, "set_up", fail)
    assert commands.main(["setup"], "") == 1
    assert capsys.readouterr().err == "It did not work.\n"


def test_the_command_lines(commands: ModuleType) -> None:
    def line(command: str, *rest: str) -> list[str]:
        words = commands.command_line(command, list(rest), Path("python"))
        assert isinstance(words, list)
        return words[2:]

    assert line("demo", "--minutes", "1") == ["faceswap", "demo", "--minutes", "1"]
    assert line("run", "swap", "a b.mp4") == ["faceswap", "swap", "a b.mp4"]
    assert line("test") == ["pytest", "-n", "auto"]
    assert line("test", "-n", "0", "-k", "x") == ["pytest", "-n", "0", "-k", "x"]
    assert line("window") == ["gui"]


def pip_line(calls: Calls) -> list[str]:
    """What pip was asked to install, and where to look."""
    [line] = [call for call in calls if "install" in call]
    return line[line.index("install") + 1 : -2]


CPU = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]


def test_without_a_card_the_smaller_build_is_looked_for(
    environment: ModuleType, checkout: Path, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.set_up(checkout, ())
    assert pip_line(calls) == CPU
    assert "PyTorch: cpu, because no supported graphics card was found" in capsys.readouterr().out
    assert environment.read_stamp(checkout).build == "cpu"


def test_without_pytorch_s_host_the_default_build_does_for_the_processor(
    environment: ModuleType,
    checkout: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(environment, "reachable", lambda host: False)
    environment.set_up(checkout, ())
    assert pip_line(calls) == []
    assert "download.pytorch.org cannot be reached" in capsys.readouterr().out


def test_a_card_s_build_is_that_or_an_error(
    environment: ModuleType, checkout: Path, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    smi = "NVIDIA GeForce GTX 1080, 581.29, 6.1"
    monkeypatch.setattr(environment, "this_system", lambda: no_card("win32", smi))
    environment.set_up(checkout, ())
    assert pip_line(calls) == [*CPU[:1], f"{CPU[1][:-3]}cu126", "torch==2.13.0+cu126"]
    calls.clear()
    monkeypatch.setattr(environment, "reachable", lambda host: False)
    (checkout / ".venv" / "faceswap-setup.json").unlink()
    with pytest.raises(environment.SetupError, match=r"GTX 1080.*setup --cpu"):
        environment.set_up(checkout, ())
    assert calls == []


def test_cpu_is_remembered_and_taken_back_and_pytorch_goes_in_between(
    environment: ModuleType,
    checkout: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    smi = "NVIDIA A100, 550.54, 8.0"
    monkeypatch.setattr(environment, "this_system", lambda: no_card("linux", smi))
    environment.set_up(checkout, (), True)
    assert pip_line(calls) == [*CPU, "torch==2.13.0+cpu"]
    calls.clear()
    # What needs more installed goes on without the card.
    environment.set_up(checkout, ("dev",))
    assert pip_line(calls) == [*CPU, "torch==2.13.0+cpu"]
    assert calls.kinds() == ["install"]
    calls.clear()
    environment.set_up(checkout, (), True)
    assert calls == []
    assert "as it is here already; --cpu asks for it" in capsys.readouterr().out
    environment.set_up(checkout, (), False)
    assert calls.kinds() == ["uninstall", "install"]
    assert pip_line(calls)[-1] == "torch==2.13.0+cu126"
    calls.clear()
    environment.set_up(checkout, (), False)
    assert calls == []
    environment.set_up(checkout, (), True)
    assert calls.kinds() == ["uninstall", "install"]


@pytest.mark.parametrize("name", ["win32", "darwin"])
def test_cpu_elsewhere_is_the_default_build(name: str) -> None:
    build = cpu_build(no_card(name), "")
    assert (build.label, build.pip(), build.version) == ("default", [], "")


def test_pip_s_own_configuration_is_left_alone_and_said(
    environment: ModuleType,
    checkout: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    smi = "NVIDIA A100, 550.54, 8.0"
    monkeypatch.setattr(environment, "this_system", lambda: no_card("linux", smi))
    monkeypatch.setattr(environment, "pip_configuration", lambda python: "find-links")
    environment.set_up(checkout, ())
    assert pip_line(calls) == []
    assert "pip is configured here (find-links)" in capsys.readouterr().out
    calls.clear()
    # --cpu goes before it; what lies in find-links serves where the host cannot be reached.
    monkeypatch.setattr(environment, "reachable", lambda host: False)
    environment.set_up(checkout, (), True)
    assert pip_line(calls) == ["torch==2.13.0+cpu"]
    assert calls.kinds() == ["install"]


def test_what_counts_as_pip_s_configuration(
    commands: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = importlib.import_module("starting.environment")
    ours = [name for name in os.environ if name.startswith("PIP_")]
    for name in [*ours, "XDG_CONFIG_DIRS"]:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_TIMEOUT", "30")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    file.write_text("[install]\nconstraint = /etc/constraints.txt\n[global]\ncert = /x.pem\n")
    told = module.pip_configuration(Path(sys.executable)).split(", ")
    assert {"constraint", "find-links"} <= set(told)
    assert not {"cert", "timeout"} & set(told)
    assert module.pip_configuration(tmp_path / "none") == ""


def test_the_connection_is_looked_at(commands: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("starting.environment")

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(module.socket, "create_connection", offline)
    monkeypatch.setattr(module.urllib.request, "getproxies", dict)
    assert not module.reachable("download.pytorch.org")
    monkeypatch.setattr(module.urllib.request, "getproxies", lambda: {"https": "http://proxy"})
    assert module.reachable("download.pytorch.org")


def output(*arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True
    )
    return result.returncode, result.stdout


def test_usage_without_or_with_a_wrong_command() -> None:
    assert output()[0] == 2
    code, text = output("--help")
    assert code == 0
    assert "start.py demo" in text
    code, text = output("fly")
    assert code == 2
    assert "demo, run, window, test, setup" in text
    code, text = output("setup", "--gpu")
    assert code == 2
    assert "--cpu and nothing else" in text


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
    assert modules <= {*sys.stdlib_module_names, "starting", "faceswap"}


def found(start: ModuleType, version: tuple[int, int, int], **changes: Any) -> Any:
    """A Python as ``about`` tells of it."""
    given: dict[str, Any] = {
        "command": [f"/bin/python{version[0]}.{version[1]}"],
        "version": version,
        "kind": "CPython",
        "bits": 64,
        "able": True,
        "free": False,
        "machine": "x86_64",
        "path": f"/bin/python{version[0]}.{version[1]}",
    }
    return start.Found(**(given | changes))


def test_which_pythons_will_do(start: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start.sys, "platform", "linux")
    assert [start.unfit(found(start, (3, minor, 1))) == "" for minor in range(10, 16)] == [
        *(False, True, True, True, True, False)
    ]
    for changes, why in (
        ({"kind": "PyPy"}, "PyPy"),
        ({"bits": 32}, "32-bit"),
        ({"free": True}, "free-threaded"),
        ({"able": False}, "no venv"),
    ):
        assert why in start.unfit(found(start, (3, 12, 1), **changes))
    monkeypatch.setattr(start.sys, "platform", "darwin")
    assert "Intel" in start.unfit(found(start, (3, 12, 1)))
    assert start.unfit(found(start, (3, 12, 1), machine="arm64")) == ""


def write_shim(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def told_by(version: str, able: int = 1) -> str:
    """A shell line that answers as a Python of this version does."""
    return f"echo 'python|{version}|CPython|64|{able}|0|x86_64|'$0"


@pytest.mark.skipif(os.name == "nt", reason="shims are shell scripts here")
def test_a_candidate_must_run_to_be_believed(
    start: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyenv's shim of a version that is not chosen fails; its folder of versions has it."""
    shims, pyenv = tmp_path / "shims", tmp_path / "pyenv"
    write_shim(shims / "python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    write_shim(shims / "python3.12", told_by("3.12.1", able=0))
    write_shim(shims / "python3.11", told_by("3.11.7"))
    write_shim(pyenv / "versions" / "3.13.0" / "bin" / "python", told_by("3.13.0"))
    write_shim(pyenv / "versions" / "3.6.15" / "bin" / "python", told_by("3.6.15"))
    monkeypatch.setenv("PATH", str(shims))
    monkeypatch.setenv("PYENV_ROOT", str(pyenv))
    real = start.os.path.exists
    monkeypatch.setattr(
        start.os.path, "exists", lambda p: str(p).startswith(str(tmp_path)) and real(p)
    )
    chosen = start.search()
    assert chosen.version == (3, 13, 0)
    assert chosen.path == str(pyenv / "versions" / "3.13.0" / "bin" / "python")
    (pyenv / "versions" / "3.13.0" / "bin" / "python").unlink()
    assert start.search().version == (3, 11, 7)
    (shims / "python3.11").unlink()
    assert start.search() is None


def test_this_python_is_told_as_a_candidate_is(start: ModuleType) -> None:
    here, there = start.about_this(), start.about([sys.executable])
    assert (here.version, here.kind, here.bits, here.able, here.free, here.machine) == (
        *(there.version, there.kind, there.bits, there.able, there.free, there.machine),
    )
    assert start.about(["/no/such/python"]) is None
    assert start.about([sys.executable, "-c", "print('python|3')", "--"]) is None


Go = Callable[[Any], tuple[int, list[list[str]], str]]


@pytest.fixture
def go(
    start: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Go:
    """Run ``main`` as another Python: the exit code, what was handed on to, what was said."""

    def run(here: Any, made: Any = None, other: Any = None) -> tuple[int, list[list[str]], str]:
        handed: list[list[str]] = []

        def hand_on(command: list[str]) -> int:
            handed.append(command)
            return 0

        monkeypatch.setattr(start, "about_this", lambda: here)
        monkeypatch.setattr(start, "about", lambda command: made)
        monkeypatch.setattr(start, "search", lambda: other)
        monkeypatch.setattr(start, "handed_on", hand_on)
        code = start.main(["fly"])
        return code, handed, capsys.readouterr().err

    return run


def test_an_old_python_hands_on(start: ModuleType, go: Any) -> None:
    old, good = found(start, (3, 8, 18)), found(start, (3, 12, 4))
    code, handed, said = go(old, other=good)
    assert (code, handed) == (0, [["/bin/python3.12", str(SCRIPT), "fly"]])
    assert said == (
        "Python 3.8.18 (/bin/python3.8) is too old; going on with Python 3.12.4 "
        "(/bin/python3.12).\n"
    )
    made = found(start, (3, 11, 2), able=False, command=["/x/.venv/bin/python"])
    _, handed, _ = go(old, made=made, other=good)
    assert handed[0][0] == "/x/.venv/bin/python"  # what is installed already is used


@pytest.mark.parametrize(
    ("name", "platform", "debian", "words"),
    [
        ("posix", "linux", True, "sudo apt install python3-venv"),
        ("posix", "linux", False, "dnf install"),
        ("posix", "darwin", False, "brew install python@3.13"),
        ("nt", "win32", False, "winget install Python.Python.3.13"),
    ],
)
def test_where_there_is_none_it_is_said_what_to_do(
    start: ModuleType,
    go: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    platform: str,
    debian: bool,
    words: str,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(start.sys, "platform", platform)
        patched.setattr(start.os.path, "exists", lambda path: debian)
        patched.setattr(start.os, "name", name)
        advice = start.advice()
    assert words in advice
    monkeypatch.setattr(start, "advice", lambda: advice)
    code, handed, said = go(found(start, (3, 8, 18)))
    assert (code, handed) == (1, [])
    assert said.startswith("Python 3.8.18 (/bin/python3.8) is too old. Python 3.11 to 3.14 is ")
    assert advice in said
    assert said.count("\n") == 1


def test_without_venv_one_that_has_it_is_taken_or_what_is_there(start: ModuleType, go: Any) -> None:
    bare, good = found(start, (3, 11, 2), able=False), found(start, (3, 12, 4))
    _, handed, said = go(bare, other=good)
    assert handed[0][0] == "/bin/python3.12"
    assert "has no venv module" in said
    code, handed, said = go(bare)
    assert (code, handed) == (1, [])
    code, handed, said = go(bare, made=bare)  # there is an environment: nothing to be made
    assert (code, handed, said) == (2, [], "")  # 2: there is no command "fly"


def test_a_too_new_python_hands_on_or_tries(start: ModuleType, go: Any) -> None:
    new, good = found(start, (3, 15, 0)), found(start, (3, 13, 1))
    _, handed, _ = go(new, other=good)
    assert handed[0][0] == "/bin/python3.13"
    code, handed, said = go(new)
    assert (code, handed) == (2, [])
    assert "newer than what PyTorch has files for; it may not come to an end" in said


def test_old_pythons_can_read_the_script() -> None:
    """It must say what to do on whatever ``python3`` is: so no syntax of later than 2.7."""
    import ast

    text = SCRIPT.read_text(encoding="utf-8")
    assert text.isascii()
    tree = ast.parse(text, feature_version=(3, 4))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Nonlocal)
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            assert not arguments.kwonlyargs
            assert node.returns is None
            assert all(one.annotation is None for one in arguments.args)
        if isinstance(node, ast.Raise):
            assert node.cause is None
        if isinstance(node, ast.Call):
            stars = [one for one in node.args if isinstance(one, ast.Starred)]
            assert len(stars) <= 1
            assert not stars or node.args[-1] is stars[0]
        if isinstance(node, ast.List | ast.Tuple | ast.Dict):
            assert not any(isinstance(one, ast.Starred) for one in ast.iter_child_nodes(node))


OLD = sorted(Path.home().glob(".pyenv/versions/[23].[0-9].*/bin/python"))


@pytest.mark.skipif(not OLD, reason="no old Python is here")
def test_old_pythons_do_read_it(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.dont_write_bytecode = True; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import start; print(start.unfit(start.about_this()))"
    )
    for python in OLD:
        result = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
        assert (result.returncode, result.stdout) == (0, "is too old\n"), result.stderr
