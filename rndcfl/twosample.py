"""Do two clients' data differ? Hotelling's test on functions that all share.

A client's *profile* is the mean, over its held-out samples x, of the log errors

    l(x) = ( log ||f_1(x) - f(x)||^2, ..., log ||f_m(x) - f(x)||^2 )

of everybody's predictors, or of other functions, such as a frozen network's outputs. None has seen
these samples, so that two clients that draw from one distribution have the same expected profile,
whatever the functions' quality. The distance of two profiles, in units of how much l(x) scatters
from sample to sample,

    d_ij^2 = (mean_i - mean_j)' S_ij^-1 (mean_i - mean_j)            S_ij: pooled covariance

estimates an effect that does not depend on the number of samples, and times n_i n_j / (n_i + n_j)
it is Hotelling's T^2, of known distribution (Anderson, Multivariate Statistical Analysis, 5.2-5.4).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from rndcfl.reports import Reports

POWER = 0.8  # probability with which a difference called detectable is found
MOST_DECADES = 300.0  # smaller p-values are all the same to us


@dataclass(frozen=True, eq=False)
class ProfileTest:
    """What the test says of each pair of clients; all arrays are symmetric, [N, N].

    Attributes
    ----------
    evidence : -log10 of the p-value, at most 300; zero on the diagonal.
    distance : estimated distance d_ij of the expected profiles, at least 0, in standard deviations
        (bias removed). Told one sample of either client, the best linear rule on the profile says
        which one it is from with probability Phi(d / 2): .52 at 0.1, .60 at 0.5, .69 at 1.
    """

    evidence: np.ndarray
    distance: np.ndarray


def profile_test(reports: Reports, min_effect: float = 0.0) -> ProfileTest:
    """Test for every pair of clients whether their expected profiles are `min_effect` apart.

    Parameters
    ----------
    reports : of N clients, each with at least 2 samples. Where they have added noise to their
        profiles, for privacy, distances are in units of sample and noise together.
    min_effect : distances up to this one are no difference.

    Returns
    -------
    ProfileTest

    Notes
    -----
    With p predictors, n = n_i + n_j - 2 degrees of freedom and equal covariances,
    (n - p + 1) / (n p) T^2 has the noncentral F distribution with p and n - p + 1 degrees of
    freedom and noncentrality min_effect^2 n_i n_j / (n_i + n_j).
    """
    n, samples, peers = len(reports), reports.samples, reports.peers
    mean, covariance = reports.profile, reports.covariance
    noise = np.zeros(n) if reports.noise is None else reports.noise
    evidence, distance = np.zeros((n, n)), np.zeros((n, n))
    for i in range(1, n):
        sizes = profile_size(samples[i], samples[:i], len(peers))
        for p in np.unique(sizes):
            j = np.flatnonzero(sizes == p)
            chosen = np.stack([_chosen(i, int(other), peers, p) for other in j])
            rows, columns = chosen[:, :, None], chosen[:, None, :]
            squared = _mahalanobis(
                samples[i],
                mean[i][chosen],
                covariance[i][rows, columns],
                samples[j],
                mean[j[:, None], chosen],
                covariance[j[:, None, None], rows, columns],
                noise[i] + noise[j],
            )
            evidence[i, j], distance[i, j] = _judged(squared, samples[i], samples[j], p, min_effect)
    return ProfileTest(evidence + evidence.T, distance + distance.T)


def evidence_against(clients: Reports, others: Reports, min_effect: float = 0.0) -> np.ndarray:
    """The same test between each of several clients and one group (or a group of its own).

    Parameters
    ----------
    clients : c of them.
    others : what they are compared with: one report for all, or one each.
    min_effect : as for :func:`profile_test`.

    Returns
    -------
    float64 [c]
        -log10 of the p-value, at most 300.
    """
    c, m = clients.profile.shape
    n = np.broadcast_to(others.samples, c)
    mean = np.broadcast_to(others.profile, (c, m))
    covariance = np.broadcast_to(others.covariance, (c, m, m))
    evidence, sizes = np.zeros(c), profile_size(clients.samples, n, m)
    for p in np.unique(sizes):
        i = np.flatnonzero(sizes == p)
        squared = _mahalanobis(
            clients.samples[i],
            clients.profile[i, :p],
            clients.covariance[i, :p, :p],
            n[i],
            mean[i, :p],
            covariance[i, :p, :p],
        )
        evidence[i], _ = _judged(squared, clients.samples[i], n[i], p, min_effect)
    return evidence


def adjusted(evidence: np.ndarray, n: int | None = None) -> np.ndarray:
    """Evidence that two clients' data differ, adjusted for the number of pairs (Bonferroni).

    Each p-value is multiplied by N (N - 1) / 2, so that the threshold -log10(alpha) bounds the
    probability of any false alarm at all. Adjusted values above 1 are kept, so that the most
    similar clients are joined first.

    Parameters
    ----------
    evidence : -log10 p of a two-sample test per pair, [N, N], see :func:`profile_test`.
    n : how many clients there are in all, where `evidence` is about some of them only.

    Returns
    -------
    float64 [N, N], symmetric, zero on the diagonal.
    """
    itself = np.eye(len(evidence), dtype=bool)
    return np.where(itself, 0.0, evidence - np.log10(n_pairs(n or len(evidence))))


def n_pairs(n: int) -> int:
    """Number of pairs of n clients, at least 1."""
    return max(1, n * (n - 1) // 2)


def _judged(
    squared: np.ndarray, n_i: np.ndarray, n_j: np.ndarray, p: np.ndarray, min_effect: float
) -> tuple[np.ndarray, np.ndarray]:
    """Evidence and estimated distance, from squared distances over p predictors."""
    freedom, weight = _freedom(n_i, n_j)
    f = squared * weight * (freedom - p + 1) / (freedom * p)
    with warnings.catch_warnings():  # where they vanish, series of p-values need not converge
        warnings.simplefilter("ignore", RuntimeWarning)
        tail = _null(p, freedom, weight, min_effect).sf(f)
    shrunk = squared * np.maximum(freedom - p - 1, 0) / freedom - p / weight
    evidence = -np.log10(np.clip(tail, 10**-MOST_DECADES, 1.0))
    return evidence, np.sqrt(np.maximum(shrunk, 0.0))


def profile_size(n_i: np.ndarray, n_j: np.ndarray, n_peers: int) -> np.ndarray:
    """Predictors that two clients are compared by: all, if there are four samples for each."""
    return np.minimum(n_peers, np.maximum(2, (n_i + n_j - 2) // 4))


def detectable(
    n_i: np.ndarray, n_j: np.ndarray, n_peers: int, level: float, min_effect: float = 0.0
) -> np.ndarray:
    """The smallest distance that the test would find with probability :data:`POWER`.

    Parameters
    ----------
    n_i, n_j : held-out samples of the two clients, arrays of one shape.
    n_peers : predictors in the profile.
    level : probability of a false alarm for this pair.
    min_effect : as for :func:`profile_test`.

    Returns
    -------
    float64, of that shape.
    """
    p = profile_size(n_i, n_j, n_peers)
    freedom, weight = _freedom(n_i, n_j)
    critical = _null(p, freedom, weight, min_effect).isf(level)
    needed = special.ncfdtrinc(p, freedom - p + 1, 1 - POWER, critical)
    return np.sqrt(needed / weight)


def samples_needed(
    distance: float, n_peers: int, level: float, min_effect: float = 0.0
) -> int | None:
    """Held-out samples of two equal clients with which `distance` is detectable.

    None if 20,000 are not enough, because it hardly exceeds `min_effect`.
    """
    if distance <= min_effect:
        return None
    for n in np.unique(np.geomspace(4, 2e4, 1000).astype(np.int64)):
        if detectable(n, n, n_peers, level, min_effect) <= distance:
            return int(n)
    return None


def _freedom(n_i: np.ndarray, n_j: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Degrees of freedom of the pooled covariance, and the weight that makes d^2 a T^2."""
    return n_i + n_j - 2, n_i * n_j / (n_i + n_j)


def _null(p: np.ndarray, freedom: np.ndarray, weight: np.ndarray, min_effect: float) -> Any:
    """Distribution of the F statistic of clients whose profiles are `min_effect` apart."""
    if min_effect == 0:
        return stats.f(p, freedom - p + 1)
    return stats.ncf(p, freedom - p + 1, min_effect**2 * weight)


def _chosen(i: int, j: int, peers: np.ndarray, p: int) -> np.ndarray:
    """Positions of the p predictors to compare clients i and j by: their own come first."""
    own = (peers == i) | (peers == j)
    return np.argsort(~own, kind="stable")[:p] if p < len(peers) else np.arange(p)


def _mahalanobis(
    n_i: np.ndarray,
    mean_i: np.ndarray,
    covariance_i: np.ndarray,
    n_j: np.ndarray,
    mean_j: np.ndarray,
    covariance_j: np.ndarray,
    noise: Any = 0.0,
) -> np.ndarray:
    """Squared distances of profiles [c, p] in units of their pooled covariances [c, p, p].

    `noise` [c] is the variance of what was added to each entry of mean_i - mean_j.
    """
    _, weight = _freedom(n_i, n_j)
    n_i, n_j = (np.asarray(n)[..., None, None] for n in (n_i, n_j))
    pooled = (n_i - 1) * covariance_i + (n_j - 1) * covariance_j
    pooled /= n_i + n_j - 2
    # A copied predictor makes S singular; a ridge far below any real variance lets it add nothing.
    p = pooled.shape[-1]
    scale = np.einsum("jkk->j", pooled) / p
    ridge = 1e-9 * scale + 1e-12 + weight * noise
    pooled += ridge[:, None, None] * np.eye(p)
    apart = mean_i - mean_j
    return np.einsum("jk,jk->j", apart, np.linalg.solve(pooled, apart[:, :, None])[:, :, 0])
