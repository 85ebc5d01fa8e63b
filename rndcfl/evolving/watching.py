"""Standing federations: notice that data have changed, and discover again only what did.

The paper discovers anew every tau rounds. Here each client keeps its predictor, and those of its
peers, and watches their novelty on fresh samples: as long as its data stay what they were, errors
on fresh samples are drawn like those on the held-out samples of the discovery. Only a client whose
errors have moved trains a new predictor and sends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria.judging import judge
from rndcfl.engine.networks import device, multiply_adds
from rndcfl.federations import ProfileDiscovery
from rndcfl.novelty import (
    MAX_PROFILE,
    NUMBER,
    Reports,
    embed,
    fit,
    profile_peers,
    readable,
    report_row,
)
from rndcfl.predictors import RND, Predictors, frozen_target, squared_errors
from rndcfl.twosample import profile_test


@dataclass
class Standing:
    """What clients keep of a discovery to watch their data and to repeat it in part.

    Attributes
    ----------
    rnd : networks and budget.
    seed : of the target.
    target : the frozen target.
    predictors : of all clients, kept by everybody.
    held_out : per client the samples it scored with [n, \\*shape] and the target's outputs on them.
    errors : per client the errors of all predictors on them, float64 [N, n].
    """

    rnd: RND
    seed: int
    target: nn.Module
    predictors: Predictors
    held_out: list[tuple[Tensor, Tensor]]
    errors: list[np.ndarray]

    @classmethod
    def start(cls, clients: Clients, rnd: RND, seed: int, ledger: Ledger) -> Standing:
        """A first discovery's exchange, with what it leaves behind; costs go into `ledger`."""
        predictors, held_out = fit(clients, rnd, seed, ledger)
        target = frozen_target(tuple(held_out[0][0].shape[1:]), rnd, seed)
        standing = cls(rnd, seed, target, predictors, held_out, [np.empty(0)] * len(clients))
        everybody = list(range(len(clients)))
        standing._score(everybody, ledger)
        return standing

    def discovery(
        self, ledger: Ledger, alpha: float, min_effect: float, defence: str = "checked"
    ) -> ProfileDiscovery:
        """The federations by the calibrated criterion, from everybody's present reports."""
        peers = self._peers()
        rows = [report_row(errors, peers) for errors in self.errors]
        samples = np.array([errors.shape[1] for errors in self.errors])
        novelty, profile, covariance = (np.stack(part) for part in zip(*rows, strict=True))
        reports = Reports(samples, novelty, peers, profile, covariance)
        return judge(reports, ledger, alpha, min_effect, 1 - self.rnd.train_share, defence)

    def watch(self, clients: Clients, key: int, samples: int, ledger: Ledger) -> np.ndarray:
        """p-value of each client's profile on fresh samples against that on held-out ones.

        The test of discovery, between a client's present and its past: same distribution, same
        expected errors of all predictors, its own among them.

        Parameters
        ----------
        clients : with fresh training inputs.
        key : names the draw of the samples, e.g. the round.
        samples : how many fresh samples each client looks at.
        ledger : what it costs is entered here; nothing is sent.

        Returns
        -------
        float64 [N]
        """
        peers = self._peers()
        kept, p = self.only(peers.tolist()), np.ones(len(clients))
        for i, client in enumerate(clients):
            chosen = numpy_rng(self.seed, "watch", key, i).permutation(len(client))[:samples]
            watch = Stopwatch()
            with watch.running():
                x = torch.from_numpy(readable(client.x[chosen], self.seed)).to(device())
                now = squared_errors(kept, x, embed(self.target, x))
                rows = [report_row(e, np.arange(len(e))) for e in (self.errors[i][peers], now)]
                _, profile, covariance = (np.stack(part) for part in zip(*rows, strict=True))
                n = np.array([self.errors[i].shape[1], len(x)])
                test = profile_test(n, profile, covariance, np.arange(len(peers)))
                p[i] = 10 ** -test.evidence[0, 1]
            each = len(peers) * self.cost_each() + self._cost(self.target)
            ledger.add("discovery/watch", i, seconds=watch.seconds, multiply_adds=len(x) * each)
        return p

    def refresh(self, clients: Clients, changed: list[int], key: int, ledger: Ledger) -> None:
        """The `changed` clients train fresh predictors on their present data; all score anew.

        A predictor is trained from scratch: a warm start would keep what it knew of the old data.
        Only the changed ones' predictors travel; a client whose data did not move sends no
        predictor, only what its row says of the new ones.
        """
        seed = int(numpy_rng(self.seed, "refresh", key).integers(2**31))
        new, held_out = fit(clients, self.rnd, seed, ledger, only=changed, target_seed=self.seed)
        parameters = {k: v.clone() for k, v in self.predictors.parameters.items()}
        for name, values in new.parameters.items():
            parameters[name][changed] = values
        self.predictors = replace(self.predictors, parameters=parameters)
        for i, own in zip(changed, held_out, strict=True):
            self.held_out[i] = own
        self._score(changed, ledger)

    def _score(self, changed: list[int], ledger: Ledger) -> None:
        """Everybody scores the changed predictors, the changed clients all, and reports it."""
        n, c = len(self.held_out), len(changed)
        new = self.only(changed)
        for i, (x, wanted) in enumerate(self.held_out):
            watch, mine = Stopwatch(), i in changed
            with watch.running():
                scored = squared_errors(self.predictors if mine else new, x, wanted)
                if mine:
                    self.errors[i] = scored
                else:
                    self.errors[i][changed] = scored
            m = min(n, MAX_PROFILE)
            whole, parts = n + m + m * (m + 1) // 2 + 1, 2 * c + c * m - c * (c - 1) // 2
            ledger.add(
                "discovery/novelty",
                i,
                seconds=watch.seconds,
                bytes_up=NUMBER * (whole if mine else parts),
                bytes_down=(c - mine) * self.predictors.bytes_each,
                multiply_adds=len(scored) * len(x) * self._cost(new.network),
            )

    def _peers(self) -> np.ndarray:
        return profile_peers(len(self.errors), self.seed)

    def only(self, who: list[int]) -> Predictors:
        """The predictors of some clients."""
        return self.predictors.only(who)

    def cost_each(self) -> int:
        """Multiply-adds of one predictor on one sample."""
        return self._cost(self.predictors.network)

    def _cost(self, network: nn.Module) -> int:
        return multiply_adds(network, tuple(self.held_out[0][0].shape[1:]))


def same_names(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Rename the federations of `after` so that each keeps the name of its predecessor.

    Old and new federations are matched one to one for the largest number of clients that stay;
    a federation without a predecessor gets a name that was not in use.

    Parameters
    ----------
    before, after : federation of each client, int64 [N].

    Returns
    -------
    int64 [N]
    """
    old, new = np.unique(before), np.unique(after)
    staying = ((before[:, None, None] == old[:, None]) & (after[:, None, None] == new)).sum(0)
    names = {}
    for row, column in zip(*linear_sum_assignment(-staying), strict=True):
        if staying[row, column]:
            names[int(new[column])] = int(old[row])
    fresh = iter(range(int(before.max()) + 1, int(before.max()) + 1 + len(new)))
    return np.array([names[f] if f in names else names.setdefault(f, next(fresh)) for f in after])
