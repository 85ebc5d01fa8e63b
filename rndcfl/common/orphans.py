"""A process ends with what started it, however that ended.

A command ends at SIGTERM as it does at Ctrl-C, with one line and exit code 143. It does the same
when what started it (``make``, a shell, a script) is gone, for that may have been ended in its
place and pass nothing on. What it starts itself follows it: see :func:`end_with`.

A command that was detached on purpose does not follow what started it:

- its parent was already process 1 when it began, as under systemd, in a container, or after a
  shell that did not wait;
- it leads its process group: ``setsid``, or a job of a shell that is typed into, to which the
  terminal itself passes a hang-up on;
- ``nohup`` was put before this very command: it ignores SIGHUP, and its parent does not. What a
  ``nohup make`` or ``nohup sh script`` starts ignores it, too, and follows that.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

STARTER = os.getppid()  # as early as this process can tell: the command line imports this first
LIMIT = 12.0  # seconds that a command has to end what it has started and itself
LOOKS = 0.1  # seconds between looks for the parent
CODE = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM has come, or what started this command is gone."""


def end_when_told() -> None:
    """Let this command raise :class:`Terminated` at SIGTERM, or when its starter has gone.

    Whatever it does then, it is gone `LIMIT` seconds later.
    """
    signal.signal(signal.SIGTERM, _raise)
    if not _detached():
        _in_background(_tell_when_orphaned)


def terminated() -> bool:
    """Whether :class:`Terminated` has been raised in this process."""
    return _told.is_set()


def end_with(starter: int) -> None:
    """Let this process end soon after its parent.

    Parameters
    ----------
    starter : the parent's process number, as it said itself. What this process could ask for is
        another one's if the parent ended while this process was still importing.
    """
    if sys.platform != "win32":  # where it is told another number, or one that stays
        _in_background(_exit_when_orphaned, starter)


def or_at_once(begin: Callable[[], None]) -> Callable[[], None]:
    """Around what lets a worker of multiprocessing or loky follow its parent from now on: the
    worker ends at once if that has already gone."""

    @wraps(begin)
    def begun() -> None:
        begin()
        starter = multiprocessing.parent_process()
        if starter is not None and sys.platform != "win32" and os.getppid() != starter.pid:
            os._exit(1)

    return begun


_told = threading.Event()


def _raise(*_: Any) -> None:
    if _told.is_set():  # it is ending, and must not be stopped from it
        return
    _told.set()
    _in_background(_exit_late)
    raise Terminated(CODE)


def _exit_late() -> None:
    time.sleep(LIMIT)
    os._exit(CODE)


def _tell_when_orphaned() -> None:
    while os.getppid() == STARTER:
        time.sleep(LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)
    _exit_late()


def _exit_when_orphaned(starter: int) -> None:
    while os.getppid() == starter:
        time.sleep(LOOKS)
    os._exit(1)


def _in_background(function: Callable[..., None], *args: Any) -> None:
    threading.Thread(target=function, args=args, daemon=True).start()


def _detached() -> bool:
    if sys.platform == "win32" or STARTER <= 1 or os.getpgrp() == os.getpid():
        return True
    return _ignores_hangup(os.getpid()) and not _ignores_hangup(STARTER)


def _ignores_hangup(pid: int) -> bool:
    """Whether a process ignores SIGHUP; where no file says so, only known of this one."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        own = pid == os.getpid()
        return own and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    (ignored,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:"))
    return bool(int(ignored, 16) >> (signal.SIGHUP - 1) & 1)
