"""Standing federations by features: the reports are all that is kept.

The frozen network is the same for everybody and for ever, and nobody's report is about anybody
else. So a client watches its own data by comparing fresh samples with what it has reported; a
client that has changed sends a new report, and nobody else does anything; and a newcomer is
compared once with each federation, which is the sum of its members' reports.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger, Stopwatch
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria import Criterion
from rndcfl.criteria.calibrated import Calibrated
from rndcfl.evolving.newcomers import GONE, Placement, choose
from rndcfl.features import LEAST, Features, Frozen
from rndcfl.federations import Discovery
from rndcfl.reports import Report, Reports
from rndcfl.twosample import ProfileTest, profile_test


@dataclass
class Reported:
    """What stands of a discovery by features.

    Attributes
    ----------
    shared : the functions that all share.
    rows : report of each client; only the server keeps those of others.
    shape : of one sample.
    """

    shared: Frozen
    rows: list[Report]
    shape: tuple[int, ...]

    @classmethod
    def start(cls, clients: Clients, profile: Features, seed: int, ledger: Ledger) -> Reported:
        """A first discovery's exchange; costs go into `ledger`."""
        shared, _ = profile.prepare(clients, seed, ledger)
        rows = [shared.report(client, i, ledger) for i, client in enumerate(clients)]
        return cls(shared, rows, clients.input_shape)

    @property
    def reports(self) -> Reports:
        """The present reports of all clients."""
        return Reports.of(self.rows, len(self.rows), self.shared.peers, most=np.inf)

    def discovery(self, criterion: Criterion, ledger: Ledger) -> Discovery:
        """The federations by a criterion, from the present reports of all clients."""
        return criterion.judge(self.reports, ledger)

    def watch(self, clients: Clients, key: int, samples: int, ledger: Ledger) -> np.ndarray:
        """p-value of each client's fresh samples against what it has reported.

        Parameters are those of :meth:`rndcfl.evolving.watching.Standing.watch`; nothing is sent.

        Returns
        -------
        float64 [N]
        """
        p = np.ones(len(clients))
        for i, client in enumerate(clients):
            rng, watch = numpy_rng(self.shared.seed, "watch", key, i), Stopwatch()
            fresh = replace(client, x=client.x[rng.permutation(len(client))[:samples]])
            with watch.running():
                now = Report.of(self.shared.outputs(fresh, i))
                p[i] = 10 ** -self._test([self.rows[i], now]).evidence[0, 1]
            cost = len(fresh) * self.shared.cost
            ledger.add("discovery/watch", i, seconds=watch.seconds, multiply_adds=cost)
        return p

    def refresh(self, clients: Clients, changed: list[int], key: int, ledger: Ledger) -> None:
        """The `changed` clients report on their present data; nobody else sends anything."""
        for i in changed:
            self.rows[i] = self.shared.report(clients[i], i, ledger)

    def place(
        self, newcomer: Client, labels: np.ndarray, criterion: Calibrated | None = None
    ) -> Placement:
        """Compare a newcomer with each federation.

        Parameters
        ----------
        newcomer : it sends one report.
        labels : federation of each client, int64 [N]; :data:`~rndcfl.evolving.newcomers.GONE` for
            one that has left.
        criterion : its `alpha` is the probability that a client like a federation's members founds
            one of its own; default ``Calibrated()``.

        Raises
        ------
        InputError
            For samples of another shape, too few of them, or if all clients have left.
        """
        shape = newcomer.x.shape[1:]
        if len(newcomer) < LEAST or shape != self.shape:
            raise InputError(
                f"a newcomer brings at least {LEAST} samples of shape {self.shape}, "
                f"got {newcomer.x.shape}"
            )
        here = np.flatnonzero(labels != GONE)
        names, belongs = np.unique(np.asarray(labels)[here], return_inverse=True)
        if not len(names):
            raise InputError("all clients have left; there is no federation to place a newcomer in")
        ledger, criterion = Ledger(), criterion or Calibrated()
        own = self.shared.report(newcomer, 0, ledger, "newcomer")
        whole = self.reports[here].pooled(belongs)
        test = self._test([own, *whole], criterion.min_effect)
        return choose(test, names.tolist(), criterion, ledger)

    def _test(self, rows: list[Report], min_effect: float = 0.0) -> ProfileTest:
        return profile_test(Reports.of(rows, len(rows), self.shared.peers), min_effect)
