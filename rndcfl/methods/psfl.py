"""PSFL (Domini et al., arXiv 2407.12410): peers federate if their models suit each other's data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from torch import Tensor

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.ledger import Stopwatch, nbytes
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.local import State, evaluate_on
from rndcfl.methods.base import Method
from rndcfl.methods.run import Run
from rndcfl.methods.updates import check_threshold, nearest_peer_threshold


def elect(dissimilarity: np.ndarray, threshold: float) -> np.ndarray:
    """The leader of each of m peers, int64 [m], by the peers' positions.

    Who has no leader yet becomes one, in the order of peers, and leads all those without a leader
    that are nearer to it than `threshold`.
    """
    leaders = np.full(len(dissimilarity), -1)
    for i in range(len(leaders)):
        if leaders[i] < 0:
            leaders[(leaders < 0) & (dissimilarity[i] < threshold)] = i
            leaders[i] = i
    return leaders


class PSFL(Method):
    """Every round peers exchange models, score them on their own data, and elect leaders.

    After local training, with loss_i(w_j) the mean cross-entropy of peer j's model on client i's
    validation data,

        d_ij = loss_i(w_j) + loss_j(w_i)

    A leader's federation are the peers nearer to it than a threshold; it averages. A federation is
    named after its leader. Client sampling: participants exchange and elect among themselves, the
    others stay where they are.

    Differences to the paper. There, clients exchange with neighbours in space, and d adds up along
    paths from the leader; here **all clients are neighbours**, so that the way is direct. There,
    clients blend their own model with the federation's; here, as for every method, they take the
    average. Validation data are a share of the client's own training data, which it then does not
    train on (test data are not touched).

    The authors' code tries thresholds of 20, 40 and 80 with losses *summed* over batches of 64,
    which mean something for its data only. Without `threshold` it is **ours**, found anew each
    round: `nearest` times the median d from a client to the one nearest to it.

    Per round and participant, with P of them: one model and P - 1 losses go up, P - 1 models and as
    many losses come down (W + 4 bytes on each directed edge; a model goes up once for all), and
    validation data pass forward P - 1 times. Each then holds its federation's models and
    averages them itself: training costs no further bytes.

    Parameters
    ----------
    threshold : peers at this d or above do not federate, nats.
    validation : share of the training data set aside (the authors: 0.2).
    nearest : factor of our threshold, at least 1.
    """

    streams = False  # validation data are set aside once

    def __init__(
        self, threshold: float | None = None, validation: float = 0.2, nearest: float = 1.25
    ) -> None:
        check_threshold(threshold, nearest)
        check_number("validation", validation, 0.0, 0.9)
        self.threshold, self.validation, self.nearest = threshold, validation, nearest
        self.held_out: list[tuple[Tensor, Tensor]] = []

    def check(self, clients: Clients) -> None:
        for i, client in enumerate(clients):
            if len(client) < 2:
                raise InputError(f"psfl: client {i} needs two samples, one to train, one to score")

    def assign(self, round: int, run: Run) -> np.ndarray:
        if round > 0:
            return run.labels
        for i, own in enumerate(run.data):
            order = numpy_rng(run.seed, "validation", i).permutation(len(own.x))
            n = _share(self.validation, len(own.x))
            self.held_out.append((own.x[order[:n]], own.y[order[:n]]))
            run.data[i] = replace(own, x=own.x[order[n:]], y=own.y[order[n:]])
        return np.arange(len(run.data))

    def regroup(self, round: int, run: Run, trained: dict[int, State]) -> np.ndarray:
        peers = np.array(list(trained))
        losses = self._losses(round, run, trained)
        apart = losses + losses.T
        threshold = self.threshold
        if threshold is None:
            threshold = nearest_peer_threshold(apart, self.nearest)
        labels = run.labels.copy()
        labels[peers] = peers[elect(apart, threshold)]
        return labels

    def traffic(self, members: int, model_bytes: int) -> tuple[int, int]:
        return 0, 0  # the models travelled to be scored

    def _losses(self, round: int, run: Run, trained: dict[int, State]) -> np.ndarray:
        """Loss of each participant's model (column) on each participant's data (row), [P, P]."""
        losses, watch = np.zeros((len(trained), len(trained))), Stopwatch()
        with watch.running():
            for column, j in enumerate(trained):
                rows = [row for row, i in enumerate(trained) if i != j]
                peers = [self.held_out[list(trained)[row]] for row in rows]
                scores = evaluate_on(run.network, trained[j], peers)
                losses[rows, column] = [loss for loss, _ in scores]
        others = len(trained) - 1
        for i in trained:
            model = nbytes(trained[i].values())
            run.ledger.add(
                "discovery/assignment",
                i,
                round,
                bytes_up=(model + 4 * others) * (others > 0),
                bytes_down=others * (model + 4),
                multiply_adds=others * len(self.held_out[i][0]) * run.model_cost,
                seconds=watch.seconds / len(trained),
            )
        return losses


def _share(share: float, n: int) -> int:
    """That share of n samples, leaving at least one on either side."""
    return min(n - 1, max(1, round(share * n)))
