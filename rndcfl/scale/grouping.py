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

from rndcfl.criteria.linkage import group, in_order_of_appearance, n_pairs
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
        known = None
        for first in range(0, len(labels), 1024):
            some = slice(first, first + 1024)
            known = self[some].added_to(known, labels[some], labels.max() + 1)
        assert known is not None
        return known

    def added_to(self, known: Profiles | None, labels: np.ndarray, k: int) -> Profiles:
        """The profiles of `k` federations after these clients have joined those of `labels`."""
        belongs = np.eye(k)[:, labels]
        parts = [np.tensordot(belongs, part, 1) for part in self.sums()]
        if known is not None:
            for part, before in zip(parts, known.sums(), strict=True):
                part[: len(before)] += before
        return Profiles.of_sums(np.rint(parts[0]).astype(np.int64), *parts[1:])

    def against(self, other: Profiles, min_effect: float) -> np.ndarray:
        """Evidence that each differs from `other`, one for all or one each, [N]."""
        return evidence_against(
            self.samples,
            self.mean,
            self.covariance,
            other.samples,
            other.mean,
            other.covariance,
            min_effect,
        )

    def without(self, members: Profiles) -> Profiles:
        """Federations, one for each of `members`, after that member has left."""
        parts = zip(self.sums(), members.sums(), strict=True)
        return Profiles.of_sums(*(whole - part for whole, part in parts))


def group_profiles(
    profiles: Profiles,
    owners: np.ndarray,
    alpha: float = 0.01,
    min_effect: float = 0.1,
    together: int = TOGETHER,
) -> np.ndarray:
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
    server = _Server(profiles, owners, threshold, min_effect, np.full(n, -1))
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
    and the profiles of the federations `known`."""

    profiles: Profiles
    owners: np.ndarray
    threshold: float
    min_effect: float
    labels: np.ndarray
    known: Profiles | None = None

    def take_in(self, who: np.ndarray, together: int) -> None:
        """Give each of the clients `who` a federation: a known one, or one with others of them."""
        for first in range(0, len(who), together):
            new = who[first : first + together]
            self._place(new)
            self.known = self.profiles[new].added_to(
                self.known, self.labels[new], self.labels.max() + 1
            )

    def _place(self, new: np.ndarray) -> None:
        count = 0 if self.known is None else len(self.known.samples)
        if self.known is not None:
            evidence = self._against_all(self.profiles[new])
            joins = evidence.min(1) <= self.threshold
            self.labels[new[joins]] = evidence.argmin(1)[joins]
            new = new[~joins]
        if len(new):
            own, owners = self.profiles[new], _at(self.owners, new)
            test = profile_test(own.samples, own.mean, own.covariance, owners, self.min_effect)
            self.labels[new] = count + group(test.evidence, self.threshold, "cliques")

    def merge(self) -> None:
        """Join federations that the test does not tell apart."""
        assert self.known is not None
        known, nobody = self.known, np.full_like(self.owners, -1)
        test = profile_test(known.samples, known.mean, known.covariance, nobody, self.min_effect)
        self.labels = group(test.evidence, self.threshold, "cliques")[self.labels]
        self.known = self.profiles.pooled(self.labels)

    def compare_again(self) -> np.ndarray:
        """Move each client to the federation that it is least unlike, its own without itself among
        them; return those that are unlike all, which belong nowhere then."""
        assert self.known is not None
        before, sizes = self.labels.copy(), np.bincount(self.labels)
        for first in range(0, len(before), 256):
            own = before[first : first + 256]
            clients = self.profiles[first : first + 256]
            evidence = self._against_all(clients)
            i = np.flatnonzero(sizes[own] > 1)
            rest = self.known[own[i]].without(clients[i])
            evidence[i, own[i]] = clients[i].against(rest, self.min_effect)
            outside = evidence.min(1) > self.threshold
            self.labels[first : first + 256] = np.where(outside, -1, evidence.argmin(1))
        kept = np.flatnonzero(self.labels >= 0)
        if len(kept):
            _, self.labels[kept] = np.unique(self.labels[kept], return_inverse=True)
            self.known = self.profiles[kept].pooled(self.labels[kept])
        else:
            self.known = None
        return np.flatnonzero(self.labels < 0)

    def _against_all(self, clients: Profiles) -> np.ndarray:
        """Evidence that client i differs from federation f, [c, k]."""
        assert self.known is not None
        several = range(len(self.known.samples))
        against = (clients.against(self.known[f], self.min_effect) for f in several)
        return np.stack(list(against), 1)


def _at(owners: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Position in `who` of each landmark's owner, -1 where it is not there."""
    position = {int(client): k for k, client in enumerate(who)}
    return np.array([position.get(int(owner), -1) for owner in owners])
