"""``python -m gui.ipc.ctrl_break PROCESS``: send Ctrl-Break to a process on Windows.

Only processes of one console can ask each other to stop, and a window has none. So this one,
started without any, enters the console of the process that is to stop.
"""

import sys
from typing import Any

from gui.ipc.processes import Process, alive

_MAY_ASK = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
_CTRL_BREAK = 1  # CTRL_BREAK_EVENT


def press(process: Process, kernel: Any) -> bool:
    """Ask ``process`` to stop, by way of ``kernel``, which is kernel32; whether that was done."""
    # A number is given to nobody else while a handle is held, so what is found alive now is asked.
    handle = kernel.OpenProcess(_MAY_ASK, False, process.pid)
    if not handle:
        return False
    try:
        if not alive(process) or not kernel.AttachConsole(process.pid):
            return False
        # To the process's own group alone: this one is not in it.
        return bool(kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, process.pid))
    finally:
        kernel.CloseHandle(handle)


def main(arguments: list[str]) -> int:
    """``arguments``: the process as JSON. Returns 0 when it was asked."""
    process = Process.model_validate_json(arguments[0])
    if sys.platform != "win32":
        sys.stderr.write("Only Windows has consoles to press Ctrl-Break in.\n")
        return 1
    import ctypes

    return 0 if press(process, ctypes.windll.kernel32) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
