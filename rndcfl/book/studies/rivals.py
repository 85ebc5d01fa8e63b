"""Rivals of the calibrated criterion: the ideas that notebook 06 tries beside it.

They judge the same reports as it does, and none of them looks after clients that lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import Criterion
from rndcfl.criteria.linkage import group
from rndcfl.federations import Discovery, log_excess
from rndcfl.novelty import Profile
from rndcfl.reports import Reports
from rndcfl.twosample import MOST_DECADES, adjusted, n_pairs, profile_test

LEAST = 1e-6  # log excess that the gap sees, so that jumps have a ratio


@dataclass(frozen=True)
class Welch(Criterion):
    """Three Welch tests for each pair of clients, on the errors of their own two predictors.

    Are the two predictors together worse away from home (one-sided); is either of them at another
    level there (two-sided)? The smallest of the three p-values, times three, takes the place of
    Hotelling's. Welch, Biometrika 34 (1947) 28-35.

    Parameters
    ----------
    alpha : probability of splitting off anybody when all clients are alike.
    """

    alpha: float = 0.01

    defence = "none"

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 1e-12, 0.5)

    def judge(self, reports: Reports, ledger: Ledger) -> Discovery:
        if not np.array_equal(reports.peers, np.arange(len(reports))):
            raise InputError("the Welch tests need everybody's predictor in the profile")
        dissimilarity = adjusted(welch_evidence(reports))
        threshold = -float(np.log10(self.alpha))
        labels = group(dissimilarity, threshold, "cliques")
        return Discovery(labels, dissimilarity, threshold, None, "welch", reports, ledger)


def welch_evidence(reports: Reports) -> np.ndarray:
    """-log10 of the p-value of three tests for each pair, at most 300, float64 [N, N]."""
    n, mean, each = reports.samples, reports.profile, np.arange(len(reports))
    home, variance = np.diag(mean), reports.covariance[:, each, each]
    home_variance, with_home = np.diag(variance), reports.covariance[each, each]

    def log_tail(difference: np.ndarray, of_i: np.ndarray, of_j: np.ndarray) -> np.ndarray:
        """Of one-sided tests, from the variances of the two means."""
        total = np.maximum(of_i + of_j, 1e-300)
        spent = of_i**2 / (n[:, None] - 1) + of_j**2 / (n - 1)
        freedom = np.maximum(total**2 / np.maximum(spent, 1e-300), 1)
        return stats.t.logsf(difference / np.sqrt(total), freedom)

    # Predictor j is worse than predictor i on i's own samples, where errors come in pairs.
    gain = mean - home[:, None]
    of_gain = (variance + home_variance[:, None] - 2 * with_home) / n[:, None]
    worse = log_tail(gain + gain.T, of_gain, of_gain.T)
    # Predictor j is at another level on i's samples than on j's.
    of_home = np.broadcast_to(home_variance / n, mean.shape)
    moved = log_tail(np.abs(mean - home), variance / n[:, None], of_home) + np.log(2)
    log_p = np.minimum(worse, np.minimum(moved, moved.T)) + np.log(3)
    return np.clip(-log_p / np.log(10), 0, MOST_DECADES)


@dataclass(frozen=True)
class Pooled(Criterion):
    """Groups grow by merging the most similar two, tested with all their members' samples together.

    After Ward, J. Am. Stat. Assoc. 58 (1963) 236-244, with Hotelling's test in place of the sum of
    squares. Groups are chosen to be different and then tested for it, so that the test no longer
    holds its level.

    Parameters
    ----------
    alpha : level of the test of the most similar two; it is shared out among all pairs of clients.
    min_effect : smallest distance between two groups that counts.
    """

    alpha: float = 0.01
    min_effect: float = 0.1

    defence = "none"

    def __post_init__(self) -> None:
        check_number("alpha", self.alpha, 1e-12, 0.5)
        check_number("min_effect", self.min_effect, 0.0, 100.0)

    def judge(self, reports: Reports, ledger: Ledger) -> Discovery:
        groups = [[i] for i in range(len(reports))]
        most = -np.log10(self.alpha / n_pairs(len(reports)))
        while len(groups) > 1:
            evidence = profile_test(together(reports, groups), self.min_effect).evidence
            np.fill_diagonal(evidence, np.inf)
            a, b = sorted(np.unravel_index(evidence.argmin(), evidence.shape))
            if evidence[a, b] > most:
                break
            groups[a] += groups.pop(b)
        labels = np.empty(len(reports), dtype=np.int64)
        for k, members in enumerate(groups):
            labels[members] = k
        dissimilarity = adjusted(profile_test(reports, self.min_effect).evidence)
        threshold = -float(np.log10(self.alpha))
        return Discovery(labels, dissimilarity, threshold, None, "pooled", reports, ledger)


def together(reports: Reports, groups: list[list[int]]) -> Reports:
    """The report of each group: means of its members', weighted by their samples.

    Unlike :meth:`~rndcfl.reports.Reports.pooled` it leaves out how much members' profiles differ.
    """
    n = [reports.samples[own] for own in groups]
    mean, covariance = (
        np.stack([np.average(part[own], 0, w) for own, w in zip(groups, n, strict=True)])
        for part in (reports.profile, reports.covariance)
    )
    group_of = {client: k for k, own in enumerate(groups) for client in own}
    peers = np.array([group_of.get(int(peer), -1) for peer in reports.peers])
    return Reports(np.array([sum(w) for w in n]), mean, covariance, peers)


@dataclass(frozen=True)
class Gap(Criterion):
    """No test: single linkage on the log excess, cut at the largest relative jump between merges.

    A stopping rule without a parameter, of the kind that Mojena, Computer J. 20 (1977) 359-363,
    compares. It finds one federation only if all merges are at :data:`LEAST`.
    """

    defence = "none"

    def check(self, clients: Clients, profile: Profile) -> None:
        if len(clients) < 3:
            raise InputError(f"a jump between merges needs at least 3 clients, got {len(clients)}")
        super().check(clients, profile)

    def judge(self, reports: Reports, ledger: Ledger) -> Discovery:
        if reports.novelty is None:
            raise InputError("the gap is one in novelty, which these reports do not hold")
        pairs = squareform(np.maximum(log_excess(reports.novelty), LEAST), checks=False)
        heights = np.sort(linkage(pairs, "single")[:, 2])
        cut = float(heights[np.argmax(heights[1:] / heights[:-1])])
        dissimilarity = squareform(pairs)
        labels = group(dissimilarity, cut, "components")
        return Discovery(labels, dissimilarity, cut, None, "gap", reports, ledger)
