"""Standing federations: notice that data have changed, and discover again only what did.

The paper discovers anew every tau rounds. Here each client keeps its predictor, and those of its
peers, and watches their novelty on fresh samples: as long as its data stay what they were, errors
on fresh samples are drawn like those on the held-out samples of the discovery. Only a client whose
errors have moved trains a new predictor and sends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from rndcfl.clients import Clients
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria import Criterion
from rndcfl.engine.inputs import readable
from rndcfl.engine.networks import device, multiply_adds
from rndcfl.federations import Discovery
from rndcfl.novelty import Held, fit, profile_peers, report
from rndcfl.predictors import RND, Predictors, embed, frozen_target, squared_errors
from rndcfl.reports import NUMBER, Reports, report_bytes
from rndcfl.twosample import profile_test


@dataclass
class Standing:
    """What clients keep of a discovery to watch their data and to repeat it in part.

    Attributes
    ----------
    rnd : networks and budget.
    seed : of the target.
    target : the frozen target.
    predictors : of all clients, kept by each of them.
    held_out : per client the samples it scored with [n, \\*shape] and the target's outputs on them.
    errors : per client the errors of all predictors on them, float64 [N, n].
    """

    rnd: RND
    seed: int
    target: nn.Module
    predictors: Predictors
    held_out: list[Held]
    errors: list[np.ndarray]

    @classmethod
    def start(cls, clients: Clients, rnd: RND, seed: int, ledger: Ledger) -> Standing:
        """A first discovery's exchange, with what it leaves behind; costs go into `ledger`."""
        predictors, held_out = fit(clients, rnd, seed, ledger)
        target = frozen_target(tuple(held_out[0][0].shape[1:]), rnd, seed)
        standing = cls(rnd, seed, target, predictors, held_out, [np.empty(0)] * len(clients))
        standing._score(list(range(len(clients))), ledger)
        return standing

    def discovery(self, criterion: Criterion, ledger: Ledger) -> Discovery:
        """The federations by a criterion, from the present reports of all clients."""
        peers, n = self._peers(), len(self.errors)
        rows = (report(errors, peers) for errors in self.errors)
        return criterion.judge(Reports.of(rows, n, peers, share=1 - self.rnd.train_share), ledger)

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
        kept, p = self.predictors.only(peers.tolist()), np.ones(len(clients))
        for i, client in enumerate(clients):
            chosen = numpy_rng(self.seed, "watch", key, i).permutation(len(client))[:samples]
            watch = Stopwatch()
            with watch.running():
                x = torch.from_numpy(readable(client.x[chosen], self.seed, self.rnd.max_side)).to(
                    device()
                )
                now = squared_errors(kept, x, embed(self.target, x))
                every = np.arange(len(peers))
                rows = [report(errors, every) for errors in (self.errors[i][peers], now)]
                p[i] = 10 ** -profile_test(Reports.of(rows, 2, every)).evidence[0, 1]
            each = len(peers) * self.cost_each() + self._cost(self.target)
            ledger.add("discovery/watch", i, seconds=watch.seconds, multiply_adds=len(x) * each)
        return p

    def refresh(self, clients: Clients, changed: list[int], key: int, ledger: Ledger) -> None:
        """The `changed` clients train fresh predictors on their present data; all score anew.

        A predictor is trained from scratch: a warm start would keep what it knew of the old data.
        Only the changed ones' predictors travel; a client whose data did not move sends no
        predictor, only its scores of the new ones.
        """
        seed = int(numpy_rng(self.seed, "refresh", key).integers(2**31))
        new, held_out = fit(clients, self.rnd, seed, ledger, only=changed, target_seed=self.seed)
        self.predictors = self.predictors.each(Tensor.clone)
        for name, values in new.parameters.items():
            self.predictors.parameters[name][changed] = values
        for i, own in zip(changed, held_out, strict=True):
            self.held_out[i] = own
        self._score(changed, ledger)

    def _score(self, changed: list[int], ledger: Ledger) -> None:
        """Clients score the changed predictors, changed clients all of them, and report it."""
        n, c, peers = len(self.held_out), len(changed), self._peers()
        new = self.predictors.only(changed)
        for i, (x, wanted) in enumerate(self.held_out):
            watch, mine = Stopwatch(), i in changed
            with watch.running():
                scored = squared_errors(self.predictors if mine else new, x, wanted)
                if mine:
                    self.errors[i] = scored
                else:
                    self.errors[i][changed] = scored
            m = len(peers)
            parts = NUMBER * (2 * c + c * m - c * (c - 1) // 2)
            ledger.add(
                "discovery/novelty",
                i,
                seconds=watch.seconds,
                bytes_up=report_bytes(n, m) if mine else parts,
                bytes_down=(c - mine) * self.predictors.bytes_each,
                multiply_adds=len(scored) * len(x) * self._cost(new.network),
            )

    def _peers(self) -> np.ndarray:
        return profile_peers(len(self.errors), self.seed)

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
