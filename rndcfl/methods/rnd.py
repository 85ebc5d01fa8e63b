"""RND: discover the federations before training (Domini et al., arXiv 2606.30499, Algorithm 2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from rndcfl.clients import Clients
from rndcfl.discovery import PARAMETERS, check_discovery, discover
from rndcfl.errors import check_name, check_number
from rndcfl.methods.base import Method, Run
from rndcfl.seeding import numpy_rng


class RNDMethod(Method):
    """Federations discovered at round 0, and again every `recluster_every` rounds.

    Parameters
    ----------
    criterion, tolerance, **params : as for :func:`rndcfl.discovery.discover`.
    recluster_every : the paper's tau; None (tau to infinity) discovers once.
    """

    def __init__(
        self,
        criterion: str = "calibrated",
        tolerance: float | None = None,
        recluster_every: int | None = None,
        **params: Any,
    ) -> None:
        if recluster_every is not None:
            check_number("recluster_every", recluster_every, 1, whole=True)
        for name in params:
            check_name("parameter of method 'rnd'", name, ("recluster_every", *PARAMETERS))
        self.every = recluster_every
        self.params = dict(criterion=criterion, tolerance=tolerance, **params)

    def check(self, clients: Clients) -> None:
        check_discovery(clients, **self.params)

    def assign(self, round: int, run: Run) -> np.ndarray:
        due = round == 0 or (self.every is not None and round % self.every == 0)
        if not due:
            return run.labels
        # The first discovery is that of discover(clients, seed=seed); later ones draw afresh.
        later = int(numpy_rng(run.seed, "discovery", round).integers(2**31))
        found = discover(run.clients, seed=later if round else run.seed, **self.params)
        run.ledger.extend(found.ledger, round)
        return found.labels
