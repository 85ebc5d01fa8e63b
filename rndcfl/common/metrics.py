"""Scores: how well federations match the true groups, and how surely numbers are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from rndcfl.common.errors import InputError

IGNORED = -100  # a label that does not count; PyTorch's losses leave it out


def ari(groups: ArrayLike, labels: ArrayLike) -> float:
    """Adjusted Rand index of two partitions of the same clients [N]: 1 equal, about 0 by chance."""
    from sklearn.metrics import adjusted_rand_score  # a second to import: only where needed

    return float(adjusted_rand_score(*_pair(groups, labels)))


def nmi(groups: ArrayLike, labels: ArrayLike) -> float:
    """Normalised mutual information of two partitions [N], from 0 to 1."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_pair(groups, labels)))


def exact(groups: ArrayLike, labels: ArrayLike) -> bool:
    """Whether two partitions [N] are the same, whatever the names of their parts."""
    a, b = _pair(groups, labels)
    pairs = len(np.unique(np.stack([a, b]), axis=1).T)
    return pairs == len(np.unique(a)) == len(np.unique(b))


def top_k(logits: ArrayLike, y: ArrayLike, k: int) -> float:
    """Share of labels [...] that are among the k largest of logits [..., classes].

    Labels that are :data:`IGNORED` are left out.
    """
    scores, wanted = np.asarray(logits), np.asarray(y)
    best = np.argsort(-scores, axis=-1)[..., :k]
    found = (best == wanted[..., None]).any(-1)
    return float(found[wanted != IGNORED].mean())


def mean_ci(values: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Mean and half-width of its Student-t confidence interval (nan for a single value)."""
    v = np.asarray(values, dtype=np.float64)
    if len(v) < 2:
        return float(v.mean()), float("nan")
    half = stats.t.ppf((1 + level) / 2, len(v) - 1) * v.std(ddof=1) / np.sqrt(len(v))
    return float(v.mean()), float(half)


def exact_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a probability, after `successes` in `trials` independent trials.

    It covers the true probability at least with probability `level`, however few the trials are;
    10 of 10 give .69 to 1.
    """
    interval = stats.binomtest(successes, trials).proportion_ci(level, method="exact")
    return float(interval.low), float(interval.high)


def holm(p: ArrayLike) -> np.ndarray:
    """Holm's adjusted p-values of a family of tests, float64 [m]; nan is no test and stays.

    Rejecting where they are at most alpha makes any false rejection at all no likelier than alpha,
    whatever the tests' dependence (Holm, 1979, A simple sequentially rejective multiple test
    procedure).
    """
    values = np.array(p, dtype=np.float64)
    order = np.argsort(values)[: np.isfinite(values).sum()]  # nan comes last
    times = np.arange(len(order), 0, -1)
    values[order] = np.minimum(np.maximum.accumulate(times * values[order]), 1)
    return values


def _pair(groups: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(groups), np.asarray(labels)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise InputError(
            f"two partitions of the same clients expected, got {a.shape} and {b.shape}"
        )
    return a, b
