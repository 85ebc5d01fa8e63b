"""Runs a program of others for a process, and ends it and all it has started when that is gone.

``python guard.py STARTER PROGRAM ...`` leads the program's group, and ends with its exit code. It
needs nothing of the package, to begin at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

LOOKS = 0.1  # seconds between looks for the starter
PATIENCE = 4.0  # seconds for all to end by themselves; less than who waits for this process has


def command(program: str, *arguments: str) -> list[str]:
    """What runs a program for this process, guarded."""
    return [sys.executable, "-P", __file__, str(os.getpid()), program, *arguments]


def main(starter: int, program: list[str]) -> int:
    """Run the program to its end, or until the starter ends or SIGTERM comes; its exit code."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda sign, _: told.append(sign))  # the whole group gets it
    process = subprocess.Popen(program)
    while process.poll() is None and not told and os.getppid() == starter:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOKS)
    if process.returncode is None:
        _end(process, ask=not told)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _end(process: subprocess.Popen[bytes], ask: bool) -> None:
    """Ask the group to end, if nobody has; after some patience, end whatever is left."""
    family = _descendants()
    until = time.monotonic() + PATIENCE
    if ask:
        os.killpg(0, signal.SIGTERM)
    while (process.poll() is None or any(map(_lives, family))) and time.monotonic() < until:
        time.sleep(LOOKS)
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _descendants() -> list[int]:
    """All that this process has started, directly or not, also in groups of their own.

    Flower's link starts its runs in such a group, and a run whose link is gone looks for it for
    half a minute. Known where there is a ``/proc``; elsewhere it is left to that.
    """
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [os.getpid()]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
