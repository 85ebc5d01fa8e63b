"""How private is noise? The epsilon of Gaussian noise, on one release or on many subsampled ones.

*One release* of a sum of L2 sensitivity 1 under noise of standard deviation z is
(epsilon, delta)-differentially private exactly if (Balle and Wang, arXiv 1805.06530, theorem 8)

    delta >= Phi(1/(2z) - z epsilon) - exp(epsilon) Phi(-1/(2z) - z epsilon).

*Many releases*, each over a fresh Poisson sample of rate q, are counted in Renyi divergences
(Mironov, Talwar, Zhang, arXiv 1908.10530, theorem 5 and section 3.3). One step at order a:

    (a - 1) rdp(a) = log E_{t ~ N(0, z^2)} [ (1 - q + q exp((2t - 1) / (2 z^2)))^a ].

Steps add up, and the best order gives (Canonne, Kamath, Steinke, arXiv 2004.00010, prop. 12)

    epsilon = rdp(a) + log(1 - 1/a) - log(a delta) / (a - 1).

Two data sets are neighbours if one sample's contribution is there in one and not in the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import norm

ORDERS = np.concatenate([1 + np.geomspace(0.02, 10, 60), np.geomspace(11.2, 512, 100)])
LEAST_NOISE = 0.05  # below it nothing is private, and above it the sums are exact


def rdp(noise: float, rate: float, orders: np.ndarray = ORDERS) -> np.ndarray:
    """Renyi divergence of one step at each of `orders` (above 1).

    Parameters
    ----------
    noise : z, standard deviation of the noise in units of the sensitivity.
    rate : q, probability with which a sample takes part in the step.

    Returns
    -------
    float64, one for each order.
    """
    if rate == 1:
        return orders / (2 * noise**2)
    # The integrand is smooth and falls off like a Gaussian outside [0, a]: there the plain sum
    # over an even grid converges faster than any power of its step.
    step = noise / 10
    t = np.arange(-12 * noise, orders.max() + 12 * noise + step, step)
    ratio = np.logaddexp(np.log1p(-rate), np.log(rate) + (2 * t - 1) / (2 * noise**2))
    density = norm.logpdf(t, scale=noise) + np.log(step)
    return np.array([logsumexp(density + a * ratio) / (a - 1) for a in orders])


def epsilon_of(noise: float, rate: float, steps: int, delta: float) -> float:
    """Epsilon of `steps` steps with `noise` and sampling `rate`."""
    if rate == 1:  # as good as one release with noise / sqrt(steps), which is known exactly
        return gaussian_epsilon(noise / np.sqrt(steps), delta)
    spent = steps * rdp(noise, rate) + np.log1p(-1 / ORDERS)
    return max(0.0, float((spent - np.log(delta * ORDERS) / (ORDERS - 1)).min()))


@lru_cache
def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """The least noise with which `steps` steps are (epsilon, delta)-differentially private."""
    return _least(lambda noise: epsilon_of(noise, rate, steps, delta), epsilon)


def gaussian_delta(noise: float, epsilon: float) -> float:
    """Delta of one release with `noise` at this epsilon (exact)."""
    high, low = 0.5 / noise - noise * epsilon, -0.5 / noise - noise * epsilon
    return float(norm.cdf(high) - np.exp(epsilon + norm.logcdf(low)))


def gaussian_epsilon(noise: float, delta: float) -> float:
    """Epsilon of one release with `noise` at this delta (exact)."""
    if gaussian_delta(noise, 0.0) <= delta:
        return 0.0
    high = 1.0
    while gaussian_delta(noise, high) > delta:
        high *= 2
    return float(brentq(lambda epsilon: gaussian_delta(noise, epsilon) - delta, 0.0, high))


@lru_cache
def gaussian_noise_for(epsilon: float, delta: float) -> float:
    """The least noise with which one release is (epsilon, delta)-differentially private."""
    return _least(lambda noise: gaussian_epsilon(noise, delta), epsilon)


def _least(epsilon_at: Callable[[float], float], epsilon: float) -> float:
    """Where a falling function of the noise reaches `epsilon`, from the private side."""
    high = 1.0
    while epsilon_at(high) > epsilon:
        high *= 2
    if epsilon_at(LEAST_NOISE) <= epsilon:
        return LEAST_NOISE
    noise = float(brentq(lambda z: epsilon_at(z) - epsilon, LEAST_NOISE, high, rtol=1e-6))
    while epsilon_at(noise) > epsilon:
        noise *= 1 + 1e-6
    return noise
