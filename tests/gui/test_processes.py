"""Detached processes: identity, graceful stop and kill, Ctrl-Break on Windows."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from stand_in import FAKE, Wait

from gui.ipc import ctrl_break, job_runner, processes
from gui.ipc.job_runner import JobRecord
from gui.ipc.processes import Process, StopMethod
from gui.models.job_list import JobListModel

# Its command line contains "faceswap", like that of an editor with one of our files open.
STRANGER = (sys.executable, "-c", "input() # faceswap", "faceswap")


@pytest.fixture
def stranger() -> Iterator[Process]:
    """A process that is not a job of ours, though its command line looks like one."""
    with subprocess.Popen(STRANGER, stdin=subprocess.PIPE) as child:
        found = processes.look_up(child.pid)
        assert found is not None
        yield found
        assert child.poll() is None, "the stranger was ended"
        child.communicate(b"\n")


@pytest.mark.parametrize(
    ("created", "booted", "linux", "elsewhere"),
    [
        (0.0, 0.0, True, True),
        (0.01, 0.0, True, True),
        (3.0, 0.0, False, False),  # another process with the same ID
        (-500.0, 0.0, False, False),
        (2.0, 2.0, True, False),  # the clock was adjusted; start times on Windows do not shift
        (86400.0, 86400.0, False, False),  # a day later, at the same time since boot
        (0.0, -1.0, False, True),
    ],
)
def test_a_process_is_identified_by_id_and_start_time(
    created: float, booted: float, linux: bool, elsewhere: bool
) -> None:
    one = Process(pid=7, created=1.7e9, booted=1.6e9)
    other = Process(pid=7, created=1.7e9 + created, booted=1.6e9 + booted)
    assert processes.is_same(one, other, "linux") is linux
    assert processes.is_same(one, other, "win32") is elsewhere
    assert processes.is_same(one, other, "darwin") is elsewhere
    assert not processes.is_same(one, one.model_copy(update={"pid": 8}), "linux")


def test_a_reused_process_id_gets_no_signal(stranger: Process) -> None:
    dead = stranger.model_copy(update={"created": stranger.created - 100})
    assert processes.alive(stranger)
    assert not processes.alive(dead)
    processes.request_stop(dead)
    processes.kill(dead)
    processes.request_stop(None)
    processes.kill(None)
    time.sleep(0.1)
    assert processes.alive(stranger)


def test_a_process_that_is_not_our_child_is_stopped_and_killed(stranger: Process) -> None:
    del stranger  # used only for the check in its fixture
    code = (
        "import subprocess as s, sys; child = s.Popen(sys.argv[1:], stdout=s.DEVNULL); "
        "print(child.pid); child.returncode = 0"
    )
    sleep = (sys.executable, "-c", "import time; time.sleep(60)")
    for send in (processes.request_stop, processes.kill):
        made = subprocess.run(
            [sys.executable, "-c", code, *sleep], stdout=subprocess.PIPE, check=True
        )
        orphan = processes.look_up(int(made.stdout))
        assert processes.alive(orphan)
        send(orphan)
        until = time.monotonic() + 10
        while processes.alive(orphan) and time.monotonic() < until:
            time.sleep(0.01)
        assert not processes.alive(orphan)
        send(orphan)  # no error, although it is gone


@pytest.mark.parametrize("known", [True, False])
def test_a_job_whose_process_id_was_reused_has_ended(
    known: bool, stranger: Process, tmp_path: Path, qapp: object
) -> None:
    folder = tmp_path / "jobs" / "1"
    folder.mkdir(parents=True)
    process = stranger.model_copy(update={"created": stranger.created - 100})
    record = JobRecord(
        command="train", arguments=[], options={}, title="Old", project=None, started=1.0,
        process=process if known else None,
    )  # fmt: skip
    text = record.model_dump_json()
    if not known:  # the record format of versions that stored only the process ID
        text = text.replace('"process":null', f'"pid":{stranger.pid}')
        assert str(stranger.pid) in text
    (folder / "record.json").write_text(text)
    (folder / "events.jsonl").write_text('{"kind":"progress","stage":"train","done":3}\n')
    jobs = JobListModel(tmp_path / "jobs", FAKE)
    job = jobs.jobs[0]
    assert job.state == "failed"
    assert ("ended from outside" if known else "An older version started") in job.message
    job.state = "running"  # as before its end was detected
    job.stop()
    job.stop()
    time.sleep(0.1)
    jobs.close()


def test_a_job_that_runs_outlives_a_hundred_later_ones(tmp_path: Path, wait: Wait) -> None:
    place = tmp_path / "jobs"
    (place / "not ours").mkdir(parents=True)
    (place / "errors.txt").write_text("")
    sleep = (sys.executable, "-c", "import time; time.sleep(60)")
    for number in range(102):
        folder = place / f"{number:020}"
        folder.mkdir()
        ended = Process(pid=1, created=0, booted=0)
        record = JobRecord(
            command="train", arguments=[], options={}, title=f"{number}", project=None, started=1.0,
            process=ended if number else processes.start(sleep, place / "errors.txt"),
        )  # fmt: skip
        (folder / "record.json").write_text(record.model_dump_json())
    jobs = JobListModel(place, FAKE)
    running = jobs.running()
    assert [job.record.title for job in running] == ["0"]
    assert running[0].folder.is_dir()
    assert len(jobs.jobs) == 101
    processes.kill(running[0].record.process)
    wait(lambda: not jobs.running())
    jobs.close()
    assert len(JobListModel(place, FAKE).jobs) == 100
    assert sorted(p.name for p in place.iterdir())[:2] == [f"{2:020}", f"{3:020}"]
    assert (place / "not ours").is_dir()


@pytest.mark.parametrize(
    ("platform", "ask", "expected"),
    [
        ("linux", True, "terminate"),
        ("darwin", True, "terminate"),
        ("win32", True, "ctrl-break"),  # terminate kills at once there
        ("linux", False, "kill"),
        ("win32", False, "kill"),
    ],
)
def test_stop_methods_by_platform(platform: str, ask: bool, expected: StopMethod) -> None:
    assert processes.stop_method(platform, ask=ask) == expected


def test_on_windows_stop_sends_ctrl_break_and_kills_nothing(
    stranger: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed: list[Process] = []
    monkeypatch.setattr(processes, "stop_method", lambda *_, ask: "ctrl-break" if ask else "kill")
    monkeypatch.setattr(processes, "_send_ctrl_break", pressed.append)
    processes.request_stop(stranger)
    processes.request_stop(stranger.model_copy(update={"created": 5.0}))
    assert pressed == [stranger]


class Kernel:
    """A stand-in for kernel32 that records its calls."""

    def __init__(self, handle: int = 42, console: bool = True) -> None:
        self.handle, self.console = handle, console
        self.asked: list[tuple[object, ...]] = []

    def OpenProcess(self, *given: object) -> int:  # noqa: N802
        self.asked.append(("open", *given))
        return self.handle

    def AttachConsole(self, pid: int) -> bool:  # noqa: N802
        self.asked.append(("enter", pid))
        return self.console

    def GenerateConsoleCtrlEvent(self, *given: object) -> bool:  # noqa: N802
        self.asked.append(("press", *given))
        return True

    def CloseHandle(self, handle: int) -> None:  # noqa: N802
        self.asked.append(("close", handle))


def test_ctrl_break_is_sent_while_a_handle_is_held(stranger: Process) -> None:
    kernel, pid = Kernel(), stranger.pid
    assert ctrl_break.send(stranger, kernel)
    opened, entered, pressed, closed = kernel.asked
    assert (opened[0], opened[-1]) == ("open", pid)
    assert (entered, pressed, closed) == (("enter", pid), ("press", 1, pid), ("close", 42))
    for refused in (Kernel(handle=0), Kernel(console=False)):
        assert not ctrl_break.send(stranger, refused)
        assert "press" not in [name for name, *_ in refused.asked]
    dead, kernel = stranger.model_copy(update={"created": 5.0}), Kernel()
    assert not ctrl_break.send(dead, kernel)
    assert [name for name, *_ in kernel.asked] == ["open", "close"]


@pytest.mark.skipif(sys.platform == "win32", reason="it would send Ctrl-Break")
def test_ctrl_break_is_an_error_on_other_systems(stranger: Process) -> None:
    command = [sys.executable, "-m", "gui.ipc.ctrl_break", stranger.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "only on Windows" in done.stderr) == (1, True)


def test_jobs_use_python_exe_where_the_window_uses_pythonw(tmp_path: Path) -> None:
    for name in ("pythonw.exe", "python.exe"):
        (tmp_path / name).write_text("")
    windowed = str(tmp_path / "pythonw.exe")
    assert processes.interpreter(windowed) == str(tmp_path / "python.exe")
    assert processes.interpreter("/usr/bin/python3") == "/usr/bin/python3"
    (tmp_path / "python.exe").unlink()
    assert processes.interpreter(windowed) == windowed
    assert job_runner.COMMAND[0] == sys.executable or sys.platform == "win32"


def test_look_up_finds_our_own_process() -> None:
    found = processes.look_up(psutil.Process().pid)
    assert found is not None
    assert found.created == pytest.approx(psutil.Process().create_time())
    assert processes.look_up(-3) is None
    assert processes.look_up(2**31 - 5) is None
