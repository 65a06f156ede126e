"""Set everything up and run what was asked.

    python3 scripts/start.py demo          render two clips, swap, measure, show
    python3 scripts/start.py run ARGS      a faceswap command: run swap A.mp4 B.mp4 -o out.mp4
    python3 scripts/start.py window        the application's window
    python3 scripts/start.py test ARGS     all tests; ARGS go to pytest
    python3 scripts/start.py setup         only install

The first run makes .venv in this folder and installs into it; later runs start at once.
Needs nothing but Python's standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
EXTRAS = {
    "demo": (),
    "run": (),
    "window": ("gui",),
    "test": ("dev", "gui"),
    "setup": ("gui",),
}
"""What each command needs installed besides the library itself."""


class SetupError(Exception):
    """Something that keeps the set-up from being finished; its text is for the user."""


def main(arguments: list[str]) -> int:
    """Run the command in ``arguments``; the exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0 if arguments else 2
    command, rest = arguments[0], arguments[1:]
    if command not in EXTRAS:
        print(f"There is no command {command}; the commands are: {', '.join(EXTRAS)}.")
        return 2
    try:
        check_python()
        python = set_up(ROOT, EXTRAS[command])
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the next run goes on with the set-up.", file=sys.stderr)
        return 130
    if command == "setup":
        print("Everything is installed. Next: python3 scripts/start.py demo")
        return 0
    return run(command_line(command, rest, python))


def check_python() -> None:
    """Go on with a newer Python where this one is too old and another is at hand.

    Raises SetupError where there is none.
    """
    if sys.version_info >= OLDEST:
        return
    for minor in (13, 12, 11):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            sys.exit(subprocess.call([newer, __file__, *sys.argv[1:]]))
    wanted, found = ".".join(map(str, OLDEST)), ".".join(map(str, sys.version_info[:2]))
    raise SetupError(
        f"This is Python {found}, and {wanted} or newer is needed: "
        "install it from https://www.python.org/downloads and start again with it."
    )


def venv_python(root: Path) -> Path:
    """The interpreter inside the environment of the checkout at ``root``."""
    if os.name == "nt":
        return root / ".venv" / "Scripts" / "python.exe"
    return root / ".venv" / "bin" / "python"


def fingerprint(root: Path) -> str:
    """Changes when what is to be installed, the Python or the place does."""
    parts = (root / "pyproject.toml").read_bytes(), sys.version.encode(), str(root).encode()
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def installed_extras(root: Path) -> set[str] | None:
    """The extras that a finished install of just this state holds; None: there is none."""
    try:
        stamp = json.loads((root / ".venv" / "faceswap-setup.json").read_text(encoding="utf-8"))
        if stamp["fingerprint"] == fingerprint(root) and venv_python(root).exists():
            return set(stamp["extras"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no stamp, or one that was cut short: install again
    return None


def set_up(root: Path, extras: tuple[str, ...]) -> Path:
    """Make sure that the environment holds the project and ``extras``; its interpreter.

    The stamp goes before an install begins and comes back when it has ended well, so that an
    interrupted one is done again. Raises SetupError.
    """
    python = venv_python(root)
    present = installed_extras(root)
    if present is not None and present >= set(extras):
        return python
    stamp = root / ".venv" / "faceswap-setup.json"
    stamp.unlink(missing_ok=True)
    if not usable(python):
        make_venv(root)
    wanted = sorted((present or set()) | set(extras))
    print("Installing into .venv; the first time takes a few minutes.", flush=True)
    target = str(root) + (f"[{','.join(wanted)}]" if wanted else "")
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    if subprocess.call([*pip, *pip_sources(), "--editable", target], cwd=root) != 0:
        raise SetupError(pip_failure())
    content = {"fingerprint": fingerprint(root), "extras": wanted}
    stamp.write_text(json.dumps(content), encoding="utf-8")
    return python


def usable(python: Path) -> bool:
    """Whether ``python`` runs, is of this interpreter's version and has pip."""
    check = "import pip, sys; print(sys.version)"
    try:
        result = subprocess.run([str(python), "-c", check], capture_output=True, text=True)
    except OSError:
        return False
    return result.returncode == 0 and result.stdout.strip() == sys.version.strip()


def make_venv(root: Path) -> None:
    """A new environment in place of what is there. Raises SetupError."""
    folder = root / ".venv"
    command = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if subprocess.call(command) != 0:
        raise SetupError(
            f"Python could not make {folder}. On Debian and Ubuntu install its venv module: "
            "sudo apt install python3-venv; elsewhere see that the folder is writable."
        )


def pip_sources() -> list[str]:
    """On Linux without an NVIDIA card, torch's builds for the processor: 2 GB less to load."""
    chosen = any(name in os.environ for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_NO_INDEX"))
    card = Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi")
    if chosen or card or not sys.platform.startswith("linux"):
        return []
    return ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]


def pip_failure() -> str:
    """What to tell when pip failed, after a look at the connection and the disk."""
    free = shutil.disk_usage(str(ROOT)).free
    if free < 10**9:
        return (
            f"The disk of {ROOT} is nearly full ({free // 10**6} MB left): free some space "
            "(about 3 GB are needed) and start again."
        )
    try:
        socket.create_connection(("pypi.org", 443), timeout=5).close()
    except OSError:
        return (
            "pip failed, and pypi.org cannot be reached from here. The first run needs a "
            "connection (later ones do not): connect and start again."
        )
    return "pip failed; its lines above say why. Mend that and start again: it goes on from there."


def command_line(command: str, rest: list[str], python: Path) -> list[str]:
    """What to execute for ``command``."""
    start = [str(python), "-m"]
    if command == "test":
        given = any(part == "-n" or part.startswith("--numprocesses") for part in rest)
        workers = [] if given else ["-n", "auto"]
        return [*start, "pytest", *workers, *rest]
    if command == "window":
        return [*start, "gui", *rest]
    return [*start, "faceswap", *(["demo"] if command == "demo" else []), *rest]


def run(line: list[str]) -> int:
    """Execute ``line``; on Linux and macOS in place of this process. The exit code."""
    if line[2] == "pytest":
        os.chdir(ROOT)
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(line[0], line)
    process = subprocess.Popen(line)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # the command got it as well, and ends as it sees fit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
