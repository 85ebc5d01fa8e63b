"""IFCA (Ghosh et al., arXiv 2006.04088): each round a client takes the model that fits it best."""

from __future__ import annotations

import numpy as np

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.ledger import Stopwatch, nbytes
from rndcfl.engine.local import State, evaluate_on
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run


class IFCA(Method):
    """k models of independent initial weights; a client joins the one of lowest training loss.

    Per participant and round k models travel down, one model and one number up: (k + 1) W bytes.
    A cluster that no client joins keeps its model. The paper averages updates uniformly; here, as
    for every method, by numbers of samples, which is the same for clients of equal size.

    Parameters
    ----------
    n_clusters : k, which IFCA needs to know (the paper: 4 on rotated MNIST).
    """

    def __init__(self, n_clusters: int = 4) -> None:
        check_number("n_clusters", n_clusters, 1, whole=True)
        self.k = n_clusters

    def check(self, clients: Clients) -> None:
        if self.k > len(clients):
            raise InputError(f"ifca: {self.k} clusters need at least as many clients")

    def assign(self, round: int, run: Run) -> np.ndarray:
        if round == 0:
            run.models = {c: run.new_model("ifca", c) for c in range(self.k)}
        down = sum(nbytes(model.values()) for model in run.models.values())
        data, watch = [(own.x, own.y) for own in run.data], Stopwatch()
        with watch.running():
            losses = [
                [loss for loss, _ in evaluate_on(run.network, run.models[c], data)]
                for c in run.models
            ]
        labels = np.argmin(losses, axis=0)
        for i in map(int, np.flatnonzero(run.participants)):
            # The others are placed to be evaluated, at no cost.
            run.ledger.add(
                "discovery/assignment",
                i,
                round,
                bytes_up=labels.itemsize,
                bytes_down=down,
                multiply_adds=self.k * len(data[i][0]) * run.model_cost,
                seconds=watch.seconds / len(data),
            )
        return labels

    def models(self, labels: np.ndarray, run: Run) -> dict[int, State]:
        return run.models

    def traffic(self, members: int, model_bytes: int) -> tuple[int, int]:
        return model_bytes, 0  # the models came down to be chosen from
