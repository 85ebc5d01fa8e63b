"""A SuperLink and its SuperNodes on this machine, to try and test what real sites do."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rndcfl.flower import app_folder
from rndcfl.flower.meter import Meter
from rndcfl.flower.processes import HOST, Processes, RunFailed, free_port

__all__ = ["Loopback", "RunFailed"]


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
    processes : named ``superlink``, ``node0``, ...
    port : of the link, on this machine.
    meter : counts the bytes between the nodes and the link.
    keys : certificates and keys, if `secure`.
    """

    folder: Path
    nodes: Sequence[dict[str, Any]]
    secure: bool = False
    simulated: int = 0

    def __post_init__(self) -> None:
        self.processes = Processes(self.folder)

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
        self._write_connection()
        self.processes.start(
            "superlink",
            "flower-superlink",
            *self._link_security(),
            *("--host", HOST, "--port", str(self.port)),
            "--disable-runtime-dependency-installation",
            *(["--simulation"] * bool(self.simulated)),
        )
        self.processes.wait_for_port(self.port, "superlink")
        if self.secure:
            for i in range(len(self.nodes)):
                self.register(self.keys.node(i).with_suffix(".pub"))

    def register(self, public_key: Path) -> None:
        """Let the node with this key take part."""
        arguments = ("supernode", "register", str(public_key), "loop", "--format", "json")
        answer = self.processes.flwr(*arguments)
        if not json.loads(answer.stdout or "{}").get("success"):
            raise RunFailed(f"a node could not be registered: {answer.stdout or answer.stderr}")

    def start_node(self, i: int, key: Path | None = None, name: str | None = None) -> None:
        """Start node i, or start it again; a stranger has another `name` and `key`."""
        trust = ["--insecure"]
        if self.secure:
            mine = str(key or self.keys.node(i))
            trust = ["--root-certificates", str(self.keys.ca), "--auth-supernode-private-key", mine]
        self.processes.start(
            name or f"node{i}",
            "flower-supernode",
            *trust,
            *("--superlink", f"{HOST}:{self.meter.port}"),
            *("--host", HOST, "--port", str(free_port())),
            *("--node-config", _pairs(self.nodes[i])),
        )

    def kill(self, name: str) -> None:
        """End a process and all it has started, at once, as a power cut would."""
        self.processes.kill(name)

    def stop(self) -> None:
        """End everything that was started."""
        self.processes.stop()
        self.meter.close()

    def run(self, timeout: float = 600.0, **config: Any) -> dict[str, Any]:
        """One run of the app; what its ``result.json`` says.

        Parameters
        ----------
        timeout : seconds until it is given up.
        **config : keys of the run configuration, see :class:`~rndcfl.protocol.config.Config`, with
            underscores for dashes.

        Raises
        ------
        RunFailed
            If it does not complete. ``flwr run`` ends with 0 whatever happens, so that the state is
            asked for.
        """
        output = self.folder / config.get("output", "results")
        given = {k.replace("_", "-"): v for k, v in config.items()} | {"output": str(output)}
        arguments = ["run", str(app_folder()), "loop", "--stream", "-c", _pairs(given)]
        if self.simulated:
            nodes = f"num-supernodes={self.simulated} client-resources-num-cpus=1"
            arguments += ["--federation-config", nodes]
        self.processes.flwr_to_log("run", arguments, timeout)
        status, details = self._state()
        if status != "finished:completed":
            log = self.processes.log("run")
            raise RunFailed(f"the run is {status}: {details}; see {log}")
        return json.loads((output / "result.json").read_text())

    def _state(self, times: int = 5) -> tuple[str, str]:
        """State and details of the latest run; asked again where the link is too busy to answer."""
        why = ""
        for _ in range(times):
            listed = self.processes.flwr("list", "loop", "--format", "json")
            with contextlib.suppress(ValueError):
                answer = json.loads(listed.stdout)
                if runs := answer.get("runs"):
                    return runs[0]["status"], runs[0].get("status-details") or ""
                why = str(answer.get("error-message", "no runs"))
            time.sleep(2)
        return "unknown", " ".join(why.split()) or "flwr list says nothing"

    def _write_connection(self) -> None:
        """Tell ``flwr`` where the link is, and by what to trust it."""
        config = self.folder / "home" / "config.toml"
        config.parent.mkdir(exist_ok=True)
        trust = "insecure = true"
        if self.secure:
            trust = f"root-certificates = {json.dumps(str(self.keys.ca))}"
        config.write_text(
            f'[superlink]\ndefault = "loop"\n[superlink.loop]\naddress = "{HOST}:{self.port}"\n'
            f"{trust}\n"
        )

    def _link_security(self) -> list[str]:
        if not self.secure:
            return ["--insecure"]
        made = {
            "--ssl-ca-certfile": self.keys.ca,
            "--ssl-certfile": self.keys.certificate,
            "--ssl-keyfile": self.keys.server_key,
        }
        files = [text for flag, path in made.items() for text in (flag, str(path))]
        return [*files, "--enable-supernode-auth"]


def _pairs(config: dict[str, Any]) -> str:
    """A configuration as Flower's command line takes it."""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
