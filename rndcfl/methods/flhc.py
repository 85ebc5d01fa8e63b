"""FL+HC (Briggs et al., arXiv 2004.11791): cluster updates once, after some rounds of FedAvg."""

from __future__ import annotations

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_name, check_number
from rndcfl.engine.local import State
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run
from rndcfl.methods.updates import (
    LINKAGES,
    METRICS,
    agglomerate,
    check_threshold,
    distances,
    nearest_peer_threshold,
    updates,
)


class FLHC(Method):
    """FedAvg over all clients, then, once, agglomerative clustering of all updates.

    In round `warmup_rounds` (counted from 0) all clients train from the global model, also those
    that client sampling would have left out; their updates are clustered, and from the averages of
    this round on each cluster is on its own. Up to `warmup_rounds` rounds, a run is plain FedAvg.

    The paper tunes the distance threshold per dataset and gives no rule that carries over. Without
    `distance_threshold` and `n_clusters` the threshold here is **ours**: `nearest` times the median
    distance from a client's update to the one nearest to it.

    Parameters
    ----------
    warmup_rounds : n, rounds of FedAvg before the clustering (the paper's advice: 10).
    metric : ``"l1"`` (the paper's advice), ``"l2"`` or ``"cosine"``.
    linkage : ``"complete"`` (the paper's advice), ``"average"`` or ``"single"``.
    distance_threshold : clusters this far apart stay apart; in units of `metric`.
    n_clusters : cut the tree at this number of clusters instead of at a distance.
    nearest : factor of our threshold, at least 1.
    """

    def __init__(
        self,
        warmup_rounds: int = 10,
        metric: str = "l1",
        linkage: str = "complete",
        distance_threshold: float | None = None,
        n_clusters: int | None = None,
        nearest: float = 1.25,
    ) -> None:
        check_number("warmup_rounds", warmup_rounds, 0, whole=True)
        if n_clusters is not None:
            check_number("n_clusters", n_clusters, 1, whole=True)
            if distance_threshold is not None:
                raise InputError("flhc: give distance_threshold or n_clusters, not both")
        check_threshold(distance_threshold, nearest, "distance_threshold")
        self.warmup_rounds = warmup_rounds
        self.metric = check_name("metric", metric, METRICS)
        self.linkage = check_name("linkage", linkage, LINKAGES)
        self.threshold, self.k, self.nearest = distance_threshold, n_clusters, nearest

    def check(self, clients: Clients) -> None:
        if self.k is not None and self.k > len(clients):
            raise InputError(f"flhc: {self.k} clusters need at least as many clients")

    def needs_all(self, round: int) -> bool:
        return round == self.warmup_rounds

    def assign(self, round: int, run: Run) -> np.ndarray:
        return run.labels

    def regroup(self, round: int, run: Run, trained: dict[int, State]) -> np.ndarray:
        if round != self.warmup_rounds:
            return run.labels
        apart = distances(updates(run, trained), self.metric)
        threshold = self.threshold
        if threshold is None and self.k is None:
            threshold = nearest_peer_threshold(apart, self.nearest)
        return agglomerate(apart, self.linkage, threshold, self.k)
