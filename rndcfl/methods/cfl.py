"""CFL (Sattler et al., arXiv 1910.01991): split a federation whose clients pull it apart."""

from __future__ import annotations

import numpy as np

from rndcfl.common.errors import check_number
from rndcfl.engine.local import State
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run
from rndcfl.methods.updates import agglomerate, distances, updates


class CFL(Method):
    """FedAvg over all clients, split in two wherever it stands still while its clients do not.

    With dW_i the update of client i, a federation c of more than two clients is split if

        || mean dW_i || < eps1   and   max || dW_i || > eps2        over the clients i in c

    into the two clusters that complete linkage finds with distance 1 - cos(dW_i, dW_j); it is never
    merged again. Each half continues from the common model plus the mean of its own updates. As in
    the authors' code the criterion takes the plain mean; the average that follows weights clients
    by numbers of samples, as for every method here.

    Both thresholds are lengths of updates: they depend on the model, learning rate, local epochs
    and data, and have to be found anew for each task. The criterion compares the updates of all
    clients, so that all take part in every round; what they send and receive is FedAvg's.

    Parameters
    ----------
    eps1 : the mean update is stationary below this norm (authors' code for EMNIST: 0.4).
    eps2 : a client is still moving above this norm (authors' code for EMNIST: 1.6).
    min_rounds : rounds before the first split (authors' code: 20).
    """

    sampling = False

    def __init__(self, eps1: float = 0.4, eps2: float = 1.6, min_rounds: int = 20) -> None:
        check_number("eps1", eps1, 0.0)
        check_number("eps2", eps2, 0.0)
        check_number("min_rounds", min_rounds, 0, whole=True)
        self.eps1, self.eps2, self.min_rounds = eps1, eps2, min_rounds

    def assign(self, round: int, run: Run) -> np.ndarray:
        return run.labels

    def regroup(self, round: int, run: Run, trained: dict[int, State]) -> np.ndarray:
        if round < self.min_rounds:
            return run.labels
        labels, moved = run.labels.copy(), updates(run, trained)
        for federation in np.unique(run.labels):
            members = np.flatnonzero(run.labels == federation)  # clients, whatever was split before
            if self._stuck(moved[members]):
                half = agglomerate(distances(moved[members], "cosine"), "complete", n_clusters=2)
                labels[members[half == 1]] = labels.max() + 1
        return labels

    def _stuck(self, moved: np.ndarray) -> bool:
        together = np.linalg.norm(moved.mean(axis=0))
        alone = np.linalg.norm(moved, axis=1).max()
        return len(moved) > 2 and bool(together < self.eps1 and alone > self.eps2)
