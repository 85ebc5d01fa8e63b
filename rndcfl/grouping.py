"""Group many clients by their profiles, without comparing all pairs.

Clients are taken in some at a time. Those that the test does not tell from a federation already
known join the one that they are least unlike; those left over are grouped among themselves, as in
a discovery of all with all. In the end federations that the test does not tell apart are merged,
and every client is compared once more. With k federations that is of the order of N k tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rndcfl.criteria import group, in_order_of_appearance, n_pairs
from rndcfl.twosample import evidence_against, profile_test

TOGETHER = 64  # clients that are taken in at a time


@dataclass(frozen=True, eq=False)
class Profiles:
    """What clients report: samples int64 [N], mean [N, m] and covariance [N, m, m] of l(x).

    Sums of samples, of l and of l l' add up, so that a federation's profile is that of one client
    that holds all its members' samples.
    """

    samples: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    def __getitem__(self, who: Any) -> Profiles:
        return Profiles(self.samples[who], self.mean[who], self.covariance[who])

    def sums(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Number, sum of l and sum of l l' of each, [N], [N, m] and [N, m, m]."""
        n, mean = self.samples[..., None], self.mean
        products = n[..., None] * mean[..., :, None] * mean[..., None, :]
        return self.samples, n * mean, (n[..., None] - 1) * self.covariance + products

    @classmethod
    def of_sums(cls, n: np.ndarray, total: np.ndarray, products: np.ndarray) -> Profiles:
        """The profiles that have these sums."""
        mean = total / n[..., None]
        outer = mean[..., :, None] * mean[..., None, :]
        covariance = (products - n[..., None, None] * outer) / (n[..., None, None] - 1)
        return cls(n, mean, covariance)

    def pooled(self, labels: np.ndarray) -> Profiles:
        """The profile of each federation of `labels` [N], numbered from 0."""
        pooled = []
        for part in self.sums():
            into = np.zeros((labels.max() + 1, *part.shape[1:]), part.dtype)
            np.add.at(into, labels, part)
            pooled.append(into)
        return Profiles.of_sums(*pooled)

    def against(self, other: Profiles, min_effect: float) -> np.ndarray:
        """Evidence that each differs from `other`, one for all or one each, [N]."""
        return evidence_against(
            self.samples, self.mean, self.covariance,
            other.samples, other.mean, other.covariance, min_effect,
        )  # fmt: skip

    def without(self, members: Profiles) -> Profiles:
        """Federations, one for each of `members`, after that member has left."""
        parts = zip(self.sums(), members.sums(), strict=True)
        return Profiles.of_sums(*(whole - part for whole, part in parts))


def group_profiles(
    profiles: Profiles, owners: np.ndarray, alpha: float = 0.01, min_effect: float = 0.1,
    together: int = TOGETHER,
) -> np.ndarray:  # fmt: skip
    """Federations of clients by their profiles, without comparing all pairs.

    Parameters
    ----------
    profiles : of N clients.
    owners : clients whose predictors make up the profile, int64 [m].
    alpha, min_effect : as for :func:`rndcfl.discovery.discover`.
    together : clients that are taken in at a time; up to this number all pairs are compared.

    Returns
    -------
    int64 [N], numbered in order of first appearance.

    Notes
    -----
    The level is shared out (Bonferroni) among the tests that could raise a false alarm, see
    :func:`n_tests`: a client meets its own kind among those that are taken in with it, and as one
    federation. Federations are pooled over many samples and would differ significantly by very
    little; `min_effect` is what counts there.
    """
    n = len(profiles.samples)
    threshold = -np.log10(alpha / n_tests(n, together))
    labels = np.full(n, -1)
    for first in range(0, n, together):
        new = np.arange(first, min(first + together, n))
        _take_in(new, labels, profiles, owners, threshold, min_effect)
    if n > together:
        labels = _merged(labels, profiles, threshold, min_effect)
        left = _compared_again(labels, profiles, threshold, min_effect)
        for first in range(0, len(left), together):
            new = left[first : first + together]
            _take_in(new, labels, profiles, owners, threshold, min_effect)
    return in_order_of_appearance(labels)


def n_tests(n: int, together: int = TOGETHER) -> int:
    """Tests in which a client of `n` meets its own kind: the most that could be false alarms."""
    return n_pairs(n) if n <= together else n * (together - 1) // 2 + 2 * n


def _take_in(
    new: np.ndarray, labels: np.ndarray, profiles: Profiles, owners: np.ndarray,
    threshold: float, min_effect: float,
) -> None:  # fmt: skip
    """Give the clients `new` a federation: one that is known, else one with others of them."""
    known = np.flatnonzero(labels >= 0)
    if len(known):
        kinds, names = np.unique(labels[known], return_inverse=True)
        evidence = _all_against(profiles[new], profiles[known].pooled(names), min_effect)
        joined = evidence.min(1) <= threshold
        labels[new[joined]] = kinds[evidence.argmin(1)[joined]]
        new = new[~joined]
    if len(new):
        own = profiles[new]
        test = profile_test(own.samples, own.mean, own.covariance, _at(owners, new), min_effect)
        labels[new] = labels.max() + 1 + group(test.evidence, threshold, "cliques")


def _merged(
    labels: np.ndarray, profiles: Profiles, threshold: float, min_effect: float
) -> np.ndarray:
    """Join federations that the test does not tell apart."""
    pooled = profiles.pooled(labels)
    nobody = np.full(pooled.mean.shape[1], -1)
    test = profile_test(pooled.samples, pooled.mean, pooled.covariance, nobody, min_effect)
    return group(test.evidence, threshold, "cliques")[labels]


def _compared_again(
    labels: np.ndarray, profiles: Profiles, threshold: float, min_effect: float
) -> np.ndarray:
    """Move each client to the federation that it is least unlike, its own without itself among
    them; return those that are unlike all, whose label is then -1."""
    federations, sizes = profiles.pooled(labels), np.bincount(labels)
    evidence = _all_against(profiles, federations, min_effect)
    rows = np.flatnonzero(sizes[labels] > 1)
    for some in np.array_split(rows, -(-len(rows) // TOGETHER) or 1):
        rest = federations[labels[some]].without(profiles[some])
        evidence[some, labels[some]] = profiles[some].against(rest, min_effect)
    best = evidence.argmin(1)
    left = np.flatnonzero(evidence[np.arange(len(best)), best] > threshold)
    labels[:] = best
    labels[left] = -1
    return left


def _all_against(clients: Profiles, federations: Profiles, min_effect: float) -> np.ndarray:
    """Evidence that client i differs from federation f, [c, k]."""
    k = len(federations.samples)
    return np.stack([clients.against(federations[f], min_effect) for f in range(k)], 1)


def _at(owners: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Position in `who` of each landmark's owner, -1 where it is not there."""
    position = {int(client): k for k, client in enumerate(who)}
    return np.array([position.get(int(owner), -1) for owner in owners])
