"""How discovery scales: all with all, by landmarks, by features, each in a process of its own.

Clients draw with replacement from one dataset laid down in eight ways, averaged to small tables
(:mod:`rndcfl.scale.lazy_clients`). Every measurement starts a fresh Python, so that its peak memory
is its own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rndcfl.book.bench.timing import clock
from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.common.metrics import ari, exact
from rndcfl.common.orphans import end_with
from rndcfl.data.catalogue import DATASETS, load_dataset
from rndcfl.discovery import discover
from rndcfl.novelty import MAX_PROFILE
from rndcfl.scale.landmarks import discover_at_scale
from rndcfl.scale.lazy_clients import Drawn, symmetries

MODES = ("all_to_all", "landmarks", "features")


@dataclass(frozen=True)
class Case:
    """One measurement.

    Attributes
    ----------
    mode : ``"all_to_all"`` (:func:`rndcfl.discover`), ``"landmarks"`` or ``"features"``
        (:func:`rndcfl.discover_at_scale`).
    clients, samples : how many clients, and samples of each.
    landmarks : predictors that all clients score in mode ``"landmarks"``.
    seed : of the draw and of the discovery.
    dataset : whose images are drawn.
    threads : of PyTorch.
    """

    mode: str
    clients: int
    samples: int = 200
    landmarks: int = 32
    seed: int = 0
    dataset: str = "fashion-mnist-mini"
    threads: int = 1

    def check(self) -> None:
        """Raise :class:`InputError` for values that cannot be meant."""
        check_name("mode", self.mode, MODES)
        check_number("clients", self.clients, 2, whole=True)
        check_name("dataset", self.dataset, DATASETS)
        check_number("samples", self.samples, 10, whole=True)
        check_number("landmarks", self.landmarks, 2, MAX_PROFILE, whole=True)


def cases(counts: Iterable[int], most: int, seeds: int, **same: Any) -> list[Case]:
    """A case for each number of clients, mode and seed, all of them checked.

    Parameters
    ----------
    counts : numbers of clients.
    most : up to this many clients, all with all as well.
    seeds : how many, from 0.
    **same : fields of :class:`Case` that all have in common.
    """
    made = [
        Case(mode, n, seed=seed, **same)
        for n in counts
        for mode in MODES
        if mode != "all_to_all" or n <= most
        for seed in range(seeds)
    ]
    for case in made:
        case.check()
    return made


def measure(case: Case) -> dict[str, Any]:
    """Measure a case in a fresh process.

    Returns
    -------
    dict
        The case's fields, then peers_scored, seconds, peak_mb (of the whole process, Python and
        its libraries included), bytes_per_client, multiply_adds_per_client, federations, ari and
        exact.
    """
    case.check()
    command = [sys.executable, "-m", "rndcfl.book.bench.scale", json.dumps(asdict(case))]
    command.append(str(os.getpid()))  # which it follows
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"{case.clients} clients, {case.mode}: {last}")
    return json.loads(done.stdout)


def measure_here(case: Case) -> dict[str, Any]:
    """The same in this process, whose peak memory may be older."""
    torch.set_num_threads(case.threads)
    kinds = symmetries(load_dataset(case.dataset))
    discover_at_scale(Drawn(kinds, 2, 10, case.seed), 2, steps=1)  # warm up
    clients = Drawn(kinds, case.clients, case.samples, case.seed)
    start = clock()
    if case.mode == "all_to_all":
        found: Any = discover(Clients(tuple(clients), 0), seed=case.seed)
        scored = len(clients)
    else:
        by = "features" if case.mode == "features" else "novelty"
        found = discover_at_scale(clients, case.landmarks, case.seed, by=by)
        scored = len(found.landmarks)
    seconds = clock() - start
    table = found.ledger.table
    costs = table[table["client"] >= 0].sum(numeric_only=True) / len(clients)
    return dict(
        **asdict(case),
        peers_scored=scored,
        seconds=seconds,
        peak_mb=_peak_mb(),
        bytes_per_client=costs["bytes_up"] + costs["bytes_down"],
        multiply_adds_per_client=costs["multiply_adds"],
        federations=found.n_federations,
        ari=ari(clients.groups, found.labels),
        exact=exact(clients.groups, found.labels),
    )


def _peak_mb() -> float:
    """Most memory that this process has had, in MB.

    Linux counts what a parent had into the resource usage of its child; the process's own status
    does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    print(json.dumps(measure_here(Case(**json.loads(sys.argv[1])))))
