"""Flower's own programs on this machine, started, called and ended by their pids.

Nothing leaves the machine: Flower's telemetry, update check and installation of dependencies are
off, and its files stay in one folder.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rndcfl.common.errors import InputError
from rndcfl.flower import guard

HOST = "127.0.0.1"
QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TQDM_DISABLE": "1",
    "OMP_NUM_THREADS": "1",
    "NO_COLOR": "1",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.2",  # seconds between looks for work
}
COLOURED = ("FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR")  # set by notebooks; spoil flwr's JSON
PATIENCE = 5.0  # seconds for processes to end by themselves


class RunFailed(RuntimeError):
    """The run did not complete; the message is one line that says why."""


class Processes:
    """The processes of one folder, each with a log of its name.

    Attributes
    ----------
    folder : for logs, and for Flower's files in ``home``.
    running : name -> process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, program: str, *arguments: str) -> None:
        """Start one of Flower's programs; it and its guard are one group."""
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                guard.command(command(program), *arguments),
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for_port(self, port: int, name: str, seconds: float = 60.0) -> None:
        """Wait until a process listens; :class:`RunFailed` if it ends or does not."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.running[name].poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
                return
            time.sleep(0.1)
        raise RunFailed(f"{name} did not start; see {self.log(name)}")

    def flwr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call ``flwr``; what it has printed."""
        return self._call(arguments, capture_output=True, text=True)

    def flwr_to_log(self, name: str, arguments: list[str], timeout: float) -> None:
        """Call ``flwr`` and append what it prints to a log.

        Raises
        ------
        RunFailed
            If it takes more than `timeout` seconds.
        """
        with self.log(name).open("ab") as log:
            try:
                self._call(arguments, stdout=log, stderr=subprocess.STDOUT, timeout=timeout)
            except subprocess.TimeoutExpired:
                raise RunFailed(
                    f"the {name} is not done after {timeout:g} s; see {self.log(name)}"
                ) from None

    def kill(self, name: str) -> None:
        """End a process and all it has started, at once, as a power cut would."""
        process = self.running.pop(name)
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything that was started."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in self.running.values():
                _signal_group(process, sign)
            until = time.monotonic() + PATIENCE
            while any(process.poll() is None for process in self.running.values()):
                if time.monotonic() > until:
                    break
                time.sleep(0.05)
        for process in self.running.values():
            process.wait()
        self.running.clear()

    def log(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.folder / f"{name}.log"

    def _call(self, arguments: Sequence[str], **how: Any) -> subprocess.CompletedProcess[Any]:
        return subprocess.run(
            [command("flwr"), *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            check=False,
            **how,
        )

    def _environment(self) -> dict[str, str]:
        here = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        inherited = {k: v for k, v in os.environ.items() if k not in COLOURED}
        return {**inherited, **QUIET, "FLWR_HOME": str(self.folder / "home"), "PATH": here}


def free_port() -> int:
    """A port of this machine that no process listens on."""
    with socket.socket() as s:
        s.bind((HOST, 0))
        return int(s.getsockname()[1])


def command(name: str) -> str:
    """Flower's program of the environment that this Python runs in.

    Raises
    ------
    InputError
        If it is not installed.
    """
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise InputError(f"{name} is not installed; pip install 'rndcfl[flower]'")
    return str(path)


def _signal_group(process: subprocess.Popen[bytes], sign: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)
