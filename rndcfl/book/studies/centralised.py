"""Rivals that need everybody's samples in one place: two-sample tests of raw inputs.

What discovery in a federation would have to match if data could be collected: the MMD test of
Gretton et al., JMLR 13 (2012) 723-773, and the classifier test of Lopez-Paz and Oquab, ICLR 2017.
From the p-value of each pair of clients on they are treated as the calibrated criterion treats its
own: Bonferroni over all pairs, a level, complete linkage.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from scipy import stats

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, check_number
from rndcfl.common.seeding import numpy_rng
from rndcfl.criteria.linkage import group
from rndcfl.twosample import MOST_DECADES, adjusted

Test = Callable[[np.ndarray, np.ndarray], float]  # samples [n, d] and [m, d] -> p-value


def centralised_labels(
    clients: Clients, test: Test, seed: int = 0, alpha: float = 0.01
) -> np.ndarray:
    """Federations of clients whose samples a test does not tell apart, int64 [N].

    Parameters
    ----------
    clients : N clients with images or tables; their training inputs are used.
    test : :func:`mmd_p` or :func:`c2st_p`.
    seed : of the order of each client's samples.
    alpha : probability of splitting off anybody when all clients are alike.

    Raises
    ------
    InputError
        For text, whose codes are no coordinates, or fewer than 4 samples of a client.
    """
    check_number("alpha", alpha, 1e-12, 0.5)
    threshold = -float(np.log10(alpha))
    return group(adjusted(pair_evidence(clients, test, seed)), threshold, "cliques")


def pair_evidence(clients: Clients, test: Test, seed: int = 0) -> np.ndarray:
    """-log10 of the p-value of each pair of clients, at most 300, float64 [N, N]."""
    samples = [_flat(clients, i, seed) for i in range(len(clients))]
    evidence = np.zeros((len(clients), len(clients)))
    for i, j in combinations(range(len(clients)), 2):
        p = max(test(samples[i], samples[j]), 10**-MOST_DECADES)
        evidence[i, j] = evidence[j, i] = -np.log10(min(p, 1.0))
    return evidence


def _flat(clients: Clients, i: int, seed: int) -> np.ndarray:
    """Client i's inputs in random order, float64 [n, d]."""
    x = clients[i].x
    if clients.kind == "text":
        raise InputError("tests of raw inputs are for images and tables, not for text")
    if len(x) < 4:
        raise InputError(f"client {i} has {len(x)} samples; tests of raw inputs need at least 4")
    order = numpy_rng(seed, "centralised", i).permutation(len(x))
    return x[order].reshape(len(x), -1).astype(np.float64)


def mmd_p(x: np.ndarray, y: np.ndarray) -> float:
    """p-value of the kernel two-sample test (maximum mean discrepancy).

    The statistic is the squared distance of the two mean embeddings under a Gaussian kernel, its
    width the median distance of two samples of either kind (Gretton et al., 2012, equation 5 and
    section 8).

    Parameters
    ----------
    x, y : samples, float64 [n, d] and [m, d].

    Notes
    -----
    If both come from one distribution, the statistic over 1/n + 1/m is a sum of independent
    chi-squares of one degree of freedom, weighted by the eigenvalues of the centred kernel.
    Gretton et al., NIPS 2009, match a gamma to its first two moments. That is good at .05 and not
    in the tail that Bonferroni needs (12 clients at .01: 1.5e-4 for each pair): what 1 in 1,000
    permutations exceeds has p = 7e-5 to 1.9e-4 by the gamma, so that false alarms are some seven
    times as many as promised. Here the third moment is matched too (Pearson's type III, to which
    Liu, Tang and Zhang, Comput. Stat. Data Anal. 53 (2009) 853-856, come here too): 9e-4 to 1.5e-3,
    and 1.7e-4 to 4.4e-4 where permutations say 2e-4, on the careful side with few samples.
    Measured with 40,000 permutations of two clients of 60 and 150 images of Fashion-MNIST each,
    four settings.
    """
    n, m = len(x), len(y)
    kernel = _gaussian(np.concatenate([x, y]))
    mean = kernel.mean(0)
    centred = kernel - mean - mean[:, None] + mean.mean()
    weights = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    statistic = weights @ centred @ weights / (1 / n + 1 / m)
    weighing = centred / (n + m - 1)  # its eigenvalues are the weights
    first, second = np.trace(weighing), (weighing**2).sum()
    if second <= 1e-300:
        return 1.0  # all samples are one and the same
    third = ((weighing @ weighing) * weighing).sum()
    skewness = np.sqrt(8) * third / second**1.5
    return float(stats.pearson3.sf((statistic - first) / np.sqrt(2 * second), skewness))


def _gaussian(z: np.ndarray) -> np.ndarray:
    """exp(-|a - b|^2 / 2 w^2) of all rows, with w their median distance, float64 [n, n]."""
    z = z - z.mean(0)
    norms = (z**2).sum(1)
    squared = np.maximum(norms[:, None] + norms - 2 * z @ z.T, 0)
    apart = squared[np.triu_indices(len(z), 1)]
    width = float(np.median(apart)) or float(apart.mean()) or 1.0
    return np.exp(-squared / (2 * width))


def c2st_p(x: np.ndarray, y: np.ndarray) -> float:
    """p-value of a classifier two-sample test.

    A logistic regression learns on the first half of either client's samples whose a sample is;
    how often it is right on the others is compared with tossing a coin, by the exact binomial test
    (one-sided; Lopez-Paz and Oquab, ICLR 2017, take its normal approximation and other
    classifiers).

    Parameters
    ----------
    x, y : samples in random order, float64 [n, d] and [m, d]; of the larger set only as many as
        the smaller has are used, so that a coin is right half the time.
    """
    right, of = c2st_right(x, y)
    return float(stats.binom.sf(right - 1, of, 0.5))


def c2st_right(x: np.ndarray, y: np.ndarray) -> tuple[int, int]:
    """How many held-out samples the classifier of :func:`c2st_p` gets right, and of how many."""
    from sklearn.linear_model import LogisticRegression  # a second to import: only where needed

    n = min(len(x), len(y))
    half = n // 2
    learnt, asked = (np.concatenate([x[part], y[part]]) for part in (slice(half), slice(half, n)))
    whose = np.repeat([0, 1], half)
    classifier = LogisticRegression(max_iter=1000).fit(learnt, whose)
    truth = np.repeat([0, 1], n - half)
    return int((classifier.predict(asked) == truth).sum()), len(truth)
