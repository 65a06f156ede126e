"""A process is asked to stop or ended only when it is the one that was started."""

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

# Its command line says faceswap, as an editor's does that has our file open.
STRANGER = (sys.executable, "-c", "input() # faceswap", "faceswap")


@pytest.fixture
def stranger() -> Iterator[Process]:
    """A process that is none of ours, though it looks like one."""
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
        (3.0, 0.0, False, False),  # another that got the number
        (-500.0, 0.0, False, False),
        (2.0, 2.0, True, False),  # the clock was set, which Windows' word does not follow
        (86400.0, 86400.0, False, False),  # another day, after the same time since the start
        (0.0, -1.0, False, True),
    ],
)
def test_a_process_is_its_number_and_its_beginning(
    created: float, booted: float, linux: bool, elsewhere: bool
) -> None:
    one = Process(pid=7, created=1.7e9, booted=1.6e9)
    other = Process(pid=7, created=1.7e9 + created, booted=1.6e9 + booted)
    assert processes.same(one, other, "linux") is linux
    assert processes.same(one, other, "win32") is elsewhere
    assert processes.same(one, other, "darwin") is elsewhere
    assert not processes.same(one, one.model_copy(update={"pid": 8}), "linux")


def test_a_number_that_is_another_s_now_is_left_alone(stranger: Process) -> None:
    dead = stranger.model_copy(update={"created": stranger.created - 100})
    assert processes.alive(stranger)
    assert not processes.alive(dead)
    processes.ask_to_stop(dead)
    processes.end(dead)
    processes.ask_to_stop(None)
    processes.end(None)
    time.sleep(0.1)
    assert processes.alive(stranger)


def test_a_process_that_is_not_our_child_is_asked_and_ended(stranger: Process) -> None:
    del stranger  # only its check at the end
    code = (
        "import subprocess as s, sys; child = s.Popen(sys.argv[1:], stdout=s.DEVNULL); "
        "print(child.pid); child.returncode = 0"
    )
    sleep = (sys.executable, "-c", "import time; time.sleep(60)")
    for send in (processes.ask_to_stop, processes.end):
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
        send(orphan)  # that it is gone is no trouble


@pytest.mark.parametrize("known", [True, False])
def test_a_job_whose_number_went_to_another_has_ended(
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
    if not known:  # as versions wrote it that kept the number alone
        text = text.replace('"process":null', f'"pid":{stranger.pid}')
        assert str(stranger.pid) in text
    (folder / "record.json").write_text(text)
    (folder / "events.jsonl").write_text('{"kind":"progress","stage":"train","done":3}\n')
    jobs = JobListModel(tmp_path / "jobs", FAKE)
    job = jobs.jobs[0]
    assert job.state == "failed"
    assert ("ended from outside" if known else "An older version started") in job.message
    job.state = "running"  # as it was before its end was noticed
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
    processes.end(running[0].record.process)
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
        ("win32", True, "ctrl-break"),  # terminate ends at once there
        ("linux", False, "kill"),
        ("win32", False, "kill"),
    ],
)
def test_stop_asks_first_on_every_system(platform: str, ask: bool, expected: StopMethod) -> None:
    assert processes.stop_method(platform, ask=ask) == expected


def test_on_windows_stop_presses_break_and_ends_nothing(
    stranger: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed: list[Process] = []
    monkeypatch.setattr(processes, "stop_method", lambda *_, ask: "ctrl-break" if ask else "kill")
    monkeypatch.setattr(processes, "_press_break", pressed.append)
    processes.ask_to_stop(stranger)
    processes.ask_to_stop(stranger.model_copy(update={"created": 5.0}))
    assert pressed == [stranger]


class Kernel:
    """What of kernel32 is used; notes what is asked of it."""

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


def test_break_is_pressed_in_the_console_of_a_process_that_is_held(stranger: Process) -> None:
    kernel, pid = Kernel(), stranger.pid
    assert ctrl_break.press(stranger, kernel)
    opened, entered, pressed, closed = kernel.asked
    assert (opened[0], opened[-1]) == ("open", pid)
    assert (entered, pressed, closed) == (("enter", pid), ("press", 1, pid), ("close", 42))
    for refused in (Kernel(handle=0), Kernel(console=False)):
        assert not ctrl_break.press(stranger, refused)
        assert "press" not in [name for name, *_ in refused.asked]
    dead, kernel = stranger.model_copy(update={"created": 5.0}), Kernel()
    assert not ctrl_break.press(dead, kernel)
    assert [name for name, *_ in kernel.asked] == ["open", "close"]


@pytest.mark.skipif(sys.platform == "win32", reason="it would press it")
def test_where_there_is_no_break_its_program_says_so(stranger: Process) -> None:
    command = [sys.executable, "-m", "gui.ipc.ctrl_break", stranger.model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Only Windows" in done.stderr) == (1, True)


def test_jobs_have_a_console_where_the_window_has_none(tmp_path: Path) -> None:
    for name in ("pythonw.exe", "python.exe"):
        (tmp_path / name).write_text("")
    windowed = str(tmp_path / "pythonw.exe")
    assert processes.interpreter(windowed) == str(tmp_path / "python.exe")
    assert processes.interpreter("/usr/bin/python3") == "/usr/bin/python3"
    (tmp_path / "python.exe").unlink()
    assert processes.interpreter(windowed) == windowed
    assert job_runner.COMMAND[0] == sys.executable or sys.platform == "win32"


def test_our_own_process_is_known_by_what_the_system_says() -> None:
    found = processes.look_up(psutil.Process().pid)
    assert found is not None
    assert found.created == pytest.approx(psutil.Process().create_time())
    assert processes.look_up(-3) is None
    assert processes.look_up(2**31 - 5) is None
