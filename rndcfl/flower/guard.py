"""Runs a program of others for a process, and ends it when that is gone.

``python guard.py STARTER PROGRAM ...`` leads the group of all that the program starts in it, and
ends with the program's own exit code. It needs nothing of the package, to begin at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

LOOKS = 0.1  # seconds between looks for the starter
PATIENCE = 5.0  # seconds for the program to end by itself


def command(program: str, *arguments: str) -> list[str]:
    """What runs a program for this process, guarded."""
    return [sys.executable, "-P", __file__, str(os.getpid()), program, *arguments]


def main(starter: int, program: list[str]) -> int:
    """Run the program to its end, or to the starter's; its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: None)  # sent to the whole group; the program decides
    process = subprocess.Popen(program)
    while os.getppid() == starter:
        try:
            code = process.wait(LOOKS)
        except subprocess.TimeoutExpired:
            continue
        return code if code >= 0 else 128 - code
    _end_group(process)
    return 1


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ask the group to end; then end it, this process included."""
    os.killpg(0, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        time.sleep(LOOKS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
