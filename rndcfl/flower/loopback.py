"""A SuperLink and its SuperNodes on this machine: started, used and stopped by their pids.

For trying and testing what real sites will do. Nothing leaves the machine: Flower's telemetry,
update check and installation of dependencies are off, and its files stay in one folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rndcfl.common.errors import InputError
from rndcfl.flower import app_folder
from rndcfl.flower.meter import Meter

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


class RunFailed(RuntimeError):
    """The run did not complete; the message is one line that says why."""


@dataclass
class Loopback:
    """SuperLink and SuperNodes of one machine, as a context manager.

    Parameters
    ----------
    folder : for Flower's files, logs, keys and the results of runs.
    nodes : per node its configuration, e.g. ``{"client": 0, "data": "/data/site0.csv"}``.
    secure : with TLS and node authentication, by keys made for it.
    simulated : instead of SuperNodes that many nodes in Flower's simulation (needs ray).

    Attributes
    ----------
    processes : name -> process, ``superlink``, ``node0``, ...
    port : of the link, on :data:`HOST`.
    meter : counts the bytes between the nodes and the link.
    keys : certificates and keys, if `secure`.
    """

    folder: Path
    nodes: Sequence[dict[str, Any]]
    secure: bool = False
    simulated: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Loopback:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.meter = Meter(self.port)
        try:
            if self.secure:  # once, so that nodes still trust a link that is started again
                from rndcfl.flower import keys

                self.keys = keys.make(self.folder / "keys", len(self.nodes))
            self.start_link()
            for i in range(len(self.nodes)):
                self.start_node(i)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start_link(self) -> None:
        """Start the SuperLink, or start it again."""
        config = self.folder / "home" / "config.toml"
        config.parent.mkdir(exist_ok=True)
        arguments, trust = ["--insecure"], "insecure = true"
        if self.secure:
            made = self.keys
            arguments = [
                "--ssl-ca-certfile",
                str(made.ca),
                "--ssl-certfile",
                str(made.certificate),
                "--ssl-keyfile",
                str(made.server_key),
                "--enable-supernode-auth",
            ]
            trust = f"root-certificates = {json.dumps(str(made.ca))}"
        config.write_text(
            f'[superlink]\ndefault = "loop"\n[superlink.loop]\naddress = "{HOST}:{self.port}"\n'
            f"{trust}\n"
        )
        self._start(
            "superlink",
            "flower-superlink",
            *arguments,
            "--host",
            HOST,
            "--port",
            str(self.port),
            "--disable-runtime-dependency-installation",
            *(["--simulation"] * bool(self.simulated)),
        )
        self._wait_for_port(self.port, "superlink")
        if self.secure:
            for i in range(len(self.nodes)):
                self.register(self.keys.node(i).with_suffix(".pub"))

    def register(self, public_key: Path) -> None:
        """Let the node with this key take part."""
        told = self._flwr("supernode", "register", str(public_key), "loop", "--format", "json")
        if not json.loads(told.stdout or "{}").get("success"):
            raise RunFailed(f"a node could not be registered: {told.stdout or told.stderr}")

    def start_node(self, i: int, key: Path | None = None, name: str | None = None) -> None:
        """Start node i, or start it again; a stranger has another `name` and `key`."""
        pairs = " ".join(f"{k}={json.dumps(v)}" for k, v in self.nodes[i].items())
        trust = ["--insecure"]
        if self.secure:
            mine = str(key or self.keys.node(i))
            trust = ["--root-certificates", str(self.keys.ca), "--auth-supernode-private-key", mine]
        link = f"{HOST}:{self.meter.port}"
        self._start(
            name or f"node{i}",
            "flower-supernode",
            *trust,
            "--superlink",
            link,
            "--host",
            HOST,
            "--port",
            str(free_port()),
            "--node-config",
            pairs,
        )

    def kill(self, name: str) -> None:
        """End a process and all it has started, at once, as a power cut would."""
        process = self.processes.pop(name)
        _signal_group(process, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End everything that was started."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in self.processes.values():
                _signal_group(process, sign)
            patience = time.monotonic() + 5
            while any(p.poll() is None for p in self.processes.values()):
                if time.monotonic() > patience:
                    break
                time.sleep(0.05)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        self.meter.close()

    def run(self, timeout: float = 600.0, **config: Any) -> dict[str, Any]:
        """One run of the app; what its ``result.json`` says.

        Parameters
        ----------
        timeout : seconds until it is given up.
        **config : keys of the run configuration, see :class:`~rndcfl.protocol.settings.Settings`,
            with underscores for dashes.

        Raises
        ------
        RunFailed
            If it does not complete. ``flwr run`` ends with 0 whatever happens, so that the state is
            asked for.
        """
        output = self.folder / config.get("output", "results")
        given = {k.replace("_", "-"): v for k, v in config.items()} | {"output": str(output)}
        pairs = " ".join(f"{k}={json.dumps(v)}" for k, v in given.items())
        simulation = [
            "--federation-config",
            f"num-supernodes={self.simulated} client-resources-num-cpus=1",
        ]
        with (self.folder / "run.log").open("ab") as log:
            try:
                subprocess.run(
                    [
                        _command("flwr"),
                        "run",
                        str(app_folder()),
                        "loop",
                        "--stream",
                        "-c",
                        pairs,
                        *(simulation if self.simulated else []),
                    ],
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise RunFailed(
                    f"the run is not done after {timeout:g} s; see {self.folder / 'run.log'}"
                ) from None
        status, details = self._state()
        if status != "finished:completed":
            raise RunFailed(f"the run is {status}: {details}; see {self.folder / 'run.log'}")
        return json.loads((output / "result.json").read_text())

    def _state(self, times: int = 5) -> tuple[str, str]:
        """State and details of the latest run; asked again where the link is too busy to answer."""
        why = ""
        for _ in range(times):
            listed = self._flwr("list", "loop", "--format", "json")
            with contextlib.suppress(ValueError):
                told = json.loads(listed.stdout)
                if told.get("runs"):
                    return told["runs"][0]["status"], told["runs"][0].get("status-details") or ""
                why = str(told.get("error-message", "no runs"))
            time.sleep(2)
        return "unknown", " ".join(why.split()) or "flwr list says nothing"

    def _flwr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_command("flwr"), *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _start(self, name: str, command: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [_command(command), *arguments],
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        here = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        inherited = {k: v for k, v in os.environ.items() if k not in COLOURED}
        return {**inherited, **QUIET, "FLWR_HOME": str(self.folder / "home"), "PATH": here}

    def _wait_for_port(self, port: int, name: str, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.processes[name].poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1):
                return
            time.sleep(0.1)
        raise RunFailed(f"{name} did not start; see {self.folder / name}.log")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as s:
        s.bind((HOST, 0))
        return int(s.getsockname()[1])


def _command(name: str) -> str:
    """Flower's command of the environment that this Python runs in."""
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise InputError(f"{name} is not installed; pip install 'rndcfl[flower]'")
    return str(path)


def _signal_group(process: subprocess.Popen[bytes], sign: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)
