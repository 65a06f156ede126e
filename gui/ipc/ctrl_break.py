"""``python -m gui.ipc.ctrl_break PROCESS``: send Ctrl-Break to a process on Windows.

Windows delivers Ctrl-Break only between processes that share a console, and the window has none.
This helper process, started without a console, attaches to the console of the target.
"""

import sys
from typing import Any

from gui.ipc.processes import Process, alive

_QUERY_ACCESS = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
_CTRL_BREAK = 1  # CTRL_BREAK_EVENT


def send(process: Process, kernel: Any) -> bool:
    """Send Ctrl-Break to ``process`` through ``kernel`` (kernel32); whether it was sent."""
    # Windows does not reuse a process ID while a handle is open, so the check below stays valid.
    handle = kernel.OpenProcess(_QUERY_ACCESS, False, process.pid)
    if not handle:
        return False
    try:
        if not alive(process) or not kernel.AttachConsole(process.pid):
            return False
        # Only to the target's process group, which does not include this process.
        return bool(kernel.GenerateConsoleCtrlEvent(_CTRL_BREAK, process.pid))
    finally:
        kernel.CloseHandle(handle)


def main(arguments: list[str]) -> int:
    """Send Ctrl-Break to the process in ``arguments[0]`` (JSON). Returns 0 when it was sent."""
    process = Process.model_validate_json(arguments[0])
    if sys.platform != "win32":
        sys.stderr.write("Ctrl-Break can be sent only on Windows.\n")
        return 1
    import ctypes

    return 0 if send(process, ctypes.windll.kernel32) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
