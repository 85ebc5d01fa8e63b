"""Try the protocol on this machine, and hold it against the simulation of the same clients."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.metrics import exact
from rndcfl.discovery import discover
from rndcfl.flower.loopback import Loopback
from rndcfl.protocol.post import EVALUATE, HELLO, PREDICTOR, ROW, TRAIN
from rndcfl.settings.partition import make_clients
from rndcfl.simulation import History, simulate

DATASET, SETTING = "fashion-mnist-mini", "rotation"
NOVELTY, LOSS = 1e-5, 1e-3  # how far the run and the simulation may be apart: order of sums
TABLES = ("history", "mail")
# Framing, and polling, which grows with the seconds that a busy machine takes: about a tenth on a
# quiet one. A message that is sent twice would be far beyond it.
SHARE_OVER_LEDGER = 0.25


@dataclass(frozen=True, eq=False)
class Trial:
    """The outcome of a run.

    Attributes
    ----------
    result : as written to ``result.json``.
    history, mail : tables of the run: scores per round and client; bytes per message.
    up, down : bytes counted on the connections of the nodes, all protocol included.
    seconds : of the run, without starting and stopping the processes.
    clients : what the sites' data were drawn as.
    simulated : the same in one process.
    novelty_apart, loss_apart : largest differences to it.
    """

    result: dict[str, Any]
    history: pd.DataFrame
    mail: pd.DataFrame
    up: int
    down: int
    seconds: float
    clients: Clients
    simulated: History
    novelty_apart: float
    loss_apart: float

    @property
    def labels(self) -> list[int]:
        """Federation of each client at the end."""
        return [f for _, f in sorted((int(c), f) for c, f in self.result["labels"].items())]

    @property
    def ledger_bytes(self) -> tuple[int, int]:
        """What the simulation's ledger says would travel up and down."""
        total = self.simulated.ledger.total()
        return int(total["bytes_up"]), int(total["bytes_down"])

    @property
    def over_ledger(self) -> float:
        """Bytes on the wire over the ledger's, less 1."""
        return (self.up + self.down) / sum(self.ledger_bytes) - 1

    @property
    def comparable(self) -> bool:
        """Whether the ledger speaks of the same: it charges no training to a client that is alone
        in its federation, whose model travels here all the same, into the server's checkpoint."""
        return self.up > 0 and min(Counter(self.labels).values()) > 1

    def problems(self) -> list[str]:
        """What is not as it should be, one line each."""
        found = []
        groups = self.clients.groups
        assert groups is not None
        if len(self.labels) != len(groups) or not exact(groups, self.labels):
            found.append(f"federations {self.labels}, true groups {groups.tolist()}")
        for what, apart, most in (
            ("novelty", self.novelty_apart, NOVELTY),
            ("losses", self.loss_apart, LOSS),
        ):
            if not apart <= most:
                found.append(f"{what} {apart:.1e} away from the simulation's, at most {most:g}")
        if self.comparable and not abs(self.over_ledger) <= SHARE_OVER_LEDGER:
            found.append(f"{self.over_ledger:+.0%} bytes on the wire compared with the ledger")
        return found


def try_out(
    loopback: Loopback,
    groups: int = 2,
    rounds: int = 2,
    samples: int = 200,
    dataset: str = DATASET,
    seed: int = 0,
) -> Trial:
    """Run discovery and training among the nodes of a loopback, and compare.

    Parameters
    ----------
    loopback : started, with the nodes of :func:`drawn_sites`.
    groups : true groups of the sites, in turn: images upright and turned, or upright only.
    rounds : of training.
    samples : training images of each site.
    dataset : whose images; the nodes draw from the same.
    seed : of the run, not of the sites' data.

    Raises
    ------
    InputError
        If the folder holds such a run already.
    rndcfl.flower.loopback.RunFailed
        If Flower's run does not complete.
    """
    nodes, output = len(loopback.nodes) or loopback.simulated, f"results-{groups}-{seed}"
    if (loopback.folder / output).exists():
        raise InputError(f"{loopback.folder / output} holds a run already; give another folder")
    before, started = (loopback.meter.up, loopback.meter.down), time.monotonic()
    result = loopback.run(
        output=output,
        rounds=rounds,
        min_clients=nodes,
        groups=groups,
        samples=samples,
        dataset=dataset,
        seed=seed,
    )
    seconds = time.monotonic() - started
    up, down = loopback.meter.up - before[0], loopback.meter.down - before[1]
    history, mail = (pd.read_csv(loopback.folder / output / f"{t}.csv") for t in TABLES)
    clients = make_clients(
        dataset, SETTING, nodes, groups, samples_per_client=samples, test_per_client=samples // 4
    )
    with _one_thread():  # two would wait for each other where the nodes keep the cores busy
        simulated, novelty = _in_one_process(clients, rounds, seed)
    return Trial(
        result,
        history,
        mail,
        up,
        down,
        seconds,
        clients,
        simulated,
        *_apart(result, history, simulated, novelty),
    )


def drawn_sites(nodes: int, dataset: str = DATASET) -> list[dict[str, Any]]:
    """Node configurations: each site draws its part of a dataset that all have."""
    check_number("nodes", nodes, 2, whole=True)
    drawn = dict(data="rndcfl.flower.loaders:drawn", dataset=dataset, setting=SETTING)
    return [{"client": i, "clients": nodes, **drawn} for i in range(nodes)]


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _in_one_process(clients: Clients, rounds: int, seed: int) -> tuple[History, np.ndarray]:
    """The same by simulation, and the novelty of its first discovery."""
    history = simulate(clients, "rnd", rounds=rounds, seed=seed, progress=False)
    novelty = discover(clients, seed=seed).novelty
    assert novelty is not None
    return history, novelty


def _apart(
    result: dict[str, Any], history: pd.DataFrame, simulated: History, expected: np.ndarray
) -> tuple[float, float]:
    """Largest differences of novelty and losses to the simulation's; infinite if parts miss."""
    novelty = np.array(result["discoveries"][0]["novelty"])
    both = history.merge(simulated.table, on=["round", "client"], suffixes=("", "_simulated"))
    if len(both) != len(simulated.table) or novelty.shape != expected.shape:
        return np.inf, np.inf
    losses = (both["loss"] - both["loss_simulated"]).abs()
    return float(np.abs(novelty - expected).max()), float(losses.max())


def weights(trial: Trial) -> pd.DataFrame:
    """Bytes per kind of message beside the ledger's, one row each."""
    sums = trial.mail.pivot_table(
        index="kind", columns="direction", values="bytes", aggfunc="sum", fill_value=0
    )
    ledger = trial.simulated.ledger.table.groupby("phase")[["bytes_up", "bytes_down"]].sum()
    rows = []
    for what, kinds, phase in (
        ("hello", [HELLO], "none"),
        ("predictors", [PREDICTOR], "discovery/predictors"),
        ("novelty", [ROW], "discovery/novelty"),
        ("training", [TRAIN, EVALUATE], "training"),
    ):
        ours = sums.reindex(kinds, fill_value=0).sum()
        theirs = ledger.reindex([phase], fill_value=0).iloc[0]
        rows.append(
            dict(
                phase=what,
                messages=int(trial.mail["kind"].isin(kinds).sum() // 2),
                up=int(ours["up"]),
                ledger_up=int(theirs.iloc[0]),
                down=int(ours["down"]),
                ledger_down=int(theirs.iloc[1]),
            )
        )
    wire = dict(phase="on the wire, all protocol", messages=0, up=trial.up, down=trial.down)
    ledgers = dict(zip(("ledger_up", "ledger_down"), trial.ledger_bytes, strict=True))
    return pd.DataFrame([*rows, *([{**wire, **ledgers}] if trial.up else [])])
