"""Group many clients by their reports, without comparing all pairs.

Clients are taken in batches. Those that the test does not separate from a federation already
known join the one that they are least unlike; those left over are grouped among themselves, as in
a discovery of all with all. In the end federations that the test does not separate are merged,
and every client is compared once more. With k federations that is of the order of N k tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rndcfl.criteria import Calibrated
from rndcfl.criteria.linkage import group, in_order_of_appearance
from rndcfl.reports import Reports
from rndcfl.twosample import evidence_against, n_pairs, profile_test

TOGETHER = 64  # clients of a batch


def group_reports(
    reports: Reports, criterion: Calibrated | None = None, together: int = TOGETHER
) -> np.ndarray:
    """Federations of clients by their reports, without comparing all pairs.

    Parameters
    ----------
    reports : of N clients.
    criterion : its level and smallest effect count; default ``Calibrated()``.
    together : clients of a batch; up to this number all pairs are compared.

    Returns
    -------
    int64 [N], numbered in order of first appearance.

    Notes
    -----
    The level is shared out (Bonferroni) among the tests that could raise a false alarm, see
    :func:`n_tests`: a client meets its own kind among those of its batch, and as one
    federation. Federations are pooled over many samples and would differ significantly by very
    little; `min_effect` is what counts there.
    """
    n, criterion = len(reports), criterion or Calibrated()
    threshold = -np.log10(criterion.alpha / n_tests(n, together))
    server = _Server(reports, threshold, criterion.min_effect, np.full(n, -1))
    server.take_in(np.arange(n), together)
    if n > together:
        server.merge()
        server.take_in(server.compare_again(), together)
    return in_order_of_appearance(server.labels)


def n_tests(n: int, together: int = TOGETHER) -> int:
    """Tests in which a client of `n` meets its own kind: the most that could be false alarms."""
    return n_pairs(n) if n <= together else n * (together - 1) // 2 + 2 * n


@dataclass(eq=False)
class _Server:
    """What the server holds while it groups: `labels` int64 [N], -1 for clients not yet placed,
    and the reports of the federations `known`."""

    reports: Reports
    threshold: float
    min_effect: float
    labels: np.ndarray
    known: Reports | None = None

    def take_in(self, who: np.ndarray, together: int) -> None:
        """Give each of the clients `who` a federation: a known one, or one with others of them."""
        for first in range(0, len(who), together):
            new = who[first : first + together]
            self._place(new)
            self.known = self.reports[new].added_to(
                self.known, self.labels[new], self.labels.max() + 1
            )

    def _place(self, new: np.ndarray) -> None:
        count = 0 if self.known is None else len(self.known)
        if self.known is not None:
            evidence = self._against_all(self.reports[new])
            joins = evidence.min(1) <= self.threshold
            self.labels[new[joins]] = evidence.argmin(1)[joins]
            new = new[~joins]
        if len(new):
            test = profile_test(self.reports[new], self.min_effect)
            self.labels[new] = count + group(test.evidence, self.threshold, "cliques")

    def merge(self) -> None:
        """Join federations that the test does not separate."""
        assert self.known is not None
        test = profile_test(self.known, self.min_effect)
        self.labels = group(test.evidence, self.threshold, "cliques")[self.labels]
        self.known = self.reports.pooled(self.labels)

    def compare_again(self) -> np.ndarray:
        """Move each client to the federation that it is least unlike, its own without itself among
        them; return those that are unlike all, which belong nowhere then."""
        assert self.known is not None
        before, sizes = self.labels.copy(), np.bincount(self.labels)
        for first in range(0, len(before), 256):
            own = before[first : first + 256]
            clients = self.reports[first : first + 256]
            evidence = self._against_all(clients)
            i = np.flatnonzero(sizes[own] > 1)
            rest = self.known[own[i]].less(clients[i])
            evidence[i, own[i]] = evidence_against(clients[i], rest, self.min_effect)
            outside = evidence.min(1) > self.threshold
            self.labels[first : first + 256] = np.where(outside, -1, evidence.argmin(1))
        kept = np.flatnonzero(self.labels >= 0)
        if len(kept):
            _, self.labels[kept] = np.unique(self.labels[kept], return_inverse=True)
            self.known = self.reports[kept].pooled(self.labels[kept])
        else:
            self.known = None
        return np.flatnonzero(self.labels < 0)

    def _against_all(self, clients: Reports) -> np.ndarray:
        """Evidence that client i differs from federation f, [c, k]."""
        assert self.known is not None
        several = (self.known[[f]] for f in range(len(self.known)))
        return np.stack([evidence_against(clients, one, self.min_effect) for one in several], 1)
