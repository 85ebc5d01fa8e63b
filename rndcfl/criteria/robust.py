"""Defences of a discovery against clients that lie: refuse the impossible, bound the rest, mend.

*Checks* refuse what no honest client can send, whatever it has received; who is refused is left
alone. *Bounds* keep a claim from weighing more than those of peers: a client's samples count as at
most twice the median client's. *Mending* undoes what complete linkage lets a single client do. A
liar that claims to be like one client and unlike its peers is joined with that one first, and so
tears it away from them. But distances obey the triangle inequality: as long as claims are bounded,
who is near a client cannot be very far from that client's peers. So federations with a compatible
core are joined after all, unless two members are *clearly* different: told apart even if the
difference were a third smaller, and not only in their own eyes but in most clients'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np

from rndcfl.criteria.linkage import in_order_of_appearance
from rndcfl.reports import Reports
from rndcfl.twosample import adjusted, profile_test

WEIGHT = 2  # a client's samples count as at most so many times the median client's
CLEARLY = 1.5  # times what tells two clients apart; see clearly_different


def bounded(reports: Reports) -> Reports:
    """The reports with numbers of samples of at most :data:`WEIGHT` times their median."""
    most = max(2, int(WEIGHT * np.median(reports.samples)))
    return replace(reports, samples=np.minimum(reports.samples, most))


def mended(
    labels: np.ndarray,
    dissimilarity: np.ndarray,
    threshold: float,
    reports: Reports,
    min_effect: float,
) -> np.ndarray:
    """Join federations that a few clients have torn apart.

    Two are joined if somebody in one is compatible with at least half of the other, and no two
    members are :func:`clearly_different`; those with the largest share of compatible pairs first.

    Parameters
    ----------
    labels : federations to mend, int64 [N].
    dissimilarity, threshold : which pairs are compatible, [N, N].
    reports : what the clients claim; nobody's number of samples unbounded.
    min_effect : as for :func:`~rndcfl.twosample.profile_test`.

    Returns
    -------
    int64 [N], numbered in order of first appearance.
    """
    compatible = dissimilarity <= threshold

    def candidates() -> Iterator[tuple[float, int, int]]:
        for f, g in combinations(np.unique(labels).tolist(), 2):
            pairs = compatible[np.ix_(labels == f, labels == g)]
            if max(pairs.mean(0).max(), pairs.mean(1).max()) >= 0.5:
                yield -float(pairs.mean()), f, g

    joining = True
    while joining:
        joining = False
        for _, f, g in sorted(candidates()):
            a, b = np.flatnonzero(labels == f), np.flatnonzero(labels == g)
            if not clearly_different(a, b, reports, threshold, min_effect).any():
                labels, joining = np.where(labels == g, f, labels), True
                break
    return in_order_of_appearance(labels)


def clearly_different(
    a: np.ndarray, b: np.ndarray, reports: Reports, threshold: float, min_effect: float
) -> np.ndarray:
    """Pairs that would be told apart even if their profiles were :data:`CLEARLY` times nearer.

    By their own covariances, which a liar may claim to be narrow, *and* by those of most clients.
    A larger factor lets liars tear less and glue more: honest clients who are clearly different
    never share a federation, whatever others claim, as long as most clients are honest.

    Parameters
    ----------
    a, b : two sets of clients, int64 [A] and [B].
    reports, threshold, min_effect : as for :func:`mended`.

    Returns
    -------
    bool [A, B]
    """
    who, n = np.concatenate([a, b]), len(reports)
    pair = reports[who]
    m = pair.profile.shape[1]

    def told_apart(covariance: np.ndarray) -> np.ndarray:
        seen = np.broadcast_to(covariance, (len(who), m, m))
        nearer = replace(pair, profile=pair.profile / CLEARLY, covariance=seen, peers=reports.peers)
        evidence = profile_test(nearer, min_effect).evidence
        return adjusted(evidence, n)[: len(a), len(a) :] > threshold

    own = told_apart(reports.covariance[who])
    if not own.any():
        return own
    jury = reports.covariance[reports.accepted]
    return own & (np.mean([told_apart(covariance) for covariance in jury], axis=0) > 0.5)
