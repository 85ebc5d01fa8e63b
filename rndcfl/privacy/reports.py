"""Reports that are differentially private, whatever the predictors that they are about.

A held-out sample x enters client i's row as one vector, made of the log errors of the m predictors
relative to the target, l_j(x) = log ||f_j(x) - f(x)||^2 / ||f(x)||^2: their mean over j (the level)
and each one's difference to it (the contrasts), in fixed public units,

    v_j = contrast_j / (0.3 sqrt m) + (level + 1) / (2 sqrt m),     scaled down to norm 1 at most.

The target is public and v depends on no other sample, so that one sample moves the mean of v by at
most 1/n and the mean of v v' by at most 1/n (Frobenius norm). Both go out under Gaussian noise. The
test of :mod:`rndcfl.twosample` does not change under linear maps of the log errors; it is given
the variance s_i^2 of the noise on the means, which adds to that of the sample:

    T^2 = (v_i - v_j)' [ S (1/n_i + 1/n_j) + (s_i^2 + s_j^2) I ]^-1 (v_i - v_j).
"""

from __future__ import annotations

import numpy as np

from rndcfl.privacy.accountant import gaussian_noise_for
from rndcfl.reports import Report

# Public units of the log errors. Any fixed values are private; these cut off about half of the
# vectors, and lost no power on images while the noise shrinks with them.
CENTRE, LEVEL, CONTRAST = -1.0, 2.0, 0.3
WIDEST = 8.0  # relative log errors beyond it, or not finite, count as this
COVARIANCE_SHARE = 0.2  # of the row's budget
# Share of the largest eigenvalue that the noise on the covariance has, added to its diagonal: noise
# that happens to be negative would make clients look more certain than they are. By simulation the
# least with which the test kept its level, at epsilon 0.5 to 16 and 100 to 3,000 samples.
RIDGE = 0.2


def bounded(errors: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """v: log errors in public units, of norm 1 at most.

    Parameters
    ----------
    errors : ||f_j(x) - f(x)||^2, [m, n]; a hostile predictor's may be infinite or not a number.
    scale : ||f(x)||^2, [n].

    Returns
    -------
    float64 [m, n]
    """
    tiny = np.finfo(np.float64).tiny
    with np.errstate(all="ignore"):
        logs = np.log(np.maximum(errors, tiny)) - np.log(np.maximum(scale, tiny))
    logs = np.clip(np.nan_to_num(logs, nan=WIDEST), -WIDEST, WIDEST)
    level, m = logs.mean(0), len(logs)
    v = ((logs - level) / CONTRAST + (level - CENTRE) / LEVEL) / np.sqrt(m)
    return v / np.maximum(1.0, np.linalg.norm(v, axis=0))


def log_errors(v: np.ndarray) -> np.ndarray:
    """Back from the mean of v [..., m] to relative log errors (of the vectors as scaled down)."""
    level, root = v.mean(-1, keepdims=True), np.sqrt(v.shape[-1])
    return root * (CONTRAST * (v - level) + LEVEL * level) + CENTRE


def private_report(v: np.ndarray, epsilon: float, delta: float, rng: np.random.Generator) -> Report:
    """Mean and covariance of v [m, n] under noise: (epsilon, delta) for the two together."""
    m, n = v.shape
    z = gaussian_noise_for(epsilon, delta)
    # Two releases with noise a and b are as good as one with noise z if 1/a^2 + 1/b^2 = 1/z^2.
    of_mean = z / np.sqrt(1 - COVARIANCE_SHARE) / n
    of_second = z / np.sqrt(COVARIANCE_SHARE) / n
    mean = v.mean(1) + of_mean * rng.standard_normal(m)
    second = v @ v.T / n + of_second * symmetric_noise(m, rng)
    covariance = (second - np.outer(mean, mean) + of_mean**2 * np.eye(m)) * n / max(1, n - 1)
    values, vectors = np.linalg.eigh(covariance)
    covariance = (vectors * np.maximum(values, 0.0)) @ vectors.T
    ridge = RIDGE * np.sqrt(2 * m) * of_second
    return Report(n, mean, covariance + ridge * np.eye(m), noise=of_mean**2)


def symmetric_noise(m: int, rng: np.random.Generator) -> np.ndarray:
    """Standard Gaussian noise on symmetric matrices [m, m] with the Frobenius norm.

    An entry off the diagonal counts twice in the norm, and so has half the variance. The largest
    eigenvalue is about sqrt(2 m).
    """
    drawn = rng.standard_normal((m, m))
    return (drawn + drawn.T) / 2
