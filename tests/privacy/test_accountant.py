"""The accountant against the definition of differential privacy, integrated independently."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import comb, logsumexp
from scipy.stats import norm

from rndcfl.privacy.accountant import (
    ORDERS,
    epsilon_of,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_noise_for,
    noise_for,
    rdp,
)


def closed_form(noise, rate, a):
    """Mironov, Talwar, Zhang 2019, section 3.3: exact at whole orders."""
    k = np.arange(a + 1)
    terms = np.log(comb(a, k)) + (a - k) * np.log1p(-rate) + k * np.log(rate)
    return logsumexp(terms + (k * k - k) / (2 * noise**2)) / (a - 1)


@pytest.mark.parametrize("noise", [0.5, 1.1, 4.0, 30.0])
@pytest.mark.parametrize("rate", [0.004, 0.1, 0.5, 0.99])
def test_divergence_of_one_step_is_the_closed_form_at_whole_orders(noise, rate):
    orders = np.array([2, 3, 8, 32, 200])
    expected = [closed_form(noise, rate, a) for a in orders]
    np.testing.assert_allclose(rdp(noise, rate, orders), expected, rtol=1e-6)


def test_divergence_at_a_fractional_order_is_the_integral():
    noise, rate, a = 1.5, 0.2, 2.7

    def integrand(t):
        ratio = 1 - rate + rate * np.exp((2 * t - 1) / (2 * noise**2))
        return norm.pdf(t, scale=noise) * ratio**a

    value, _ = quad(integrand, -30, 40, epsabs=0, epsrel=1e-10, limit=500)
    assert rdp(noise, rate, np.array([a]))[0] == pytest.approx(np.log(value) / (a - 1), rel=1e-8)


def test_the_limit_of_everybody_in_every_step_is_the_gaussian_mechanism():
    orders = np.array([1.5, 2, 10])
    np.testing.assert_allclose(rdp(2.0, 1 - 1e-9, orders), orders / 8, rtol=1e-6)
    np.testing.assert_allclose(rdp(2.0, 1.0, orders), orders / 8)


@pytest.mark.parametrize("noise, epsilon", [(3.73, 1.0), (1.0, 2.5), (0.6, 8.0)])
def test_delta_of_a_gaussian_is_the_excess_mass_of_its_definition(noise, epsilon):
    """delta = integral of the part of N(1, z^2) above exp(epsilon) N(0, z^2)."""

    def excess(t):
        return max(0.0, norm.pdf(t, 1, noise) - np.exp(epsilon) * norm.pdf(t, 0, noise))

    crossing = noise**2 * epsilon + 0.5  # the densities' ratio grows: the excess is to its right
    value, _ = quad(excess, crossing, crossing + 20 * noise, epsabs=0, epsrel=1e-10)
    assert gaussian_delta(noise, epsilon) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("rate, noise", [(0.3, 2.0), (0.05, 1.0)])
def test_epsilon_of_one_step_is_not_below_the_truth_and_not_far_above(rate, noise):
    delta = 1e-5

    def delta_at(epsilon):
        def excess(t):
            none = norm.pdf(t, 0, noise)
            return max(0.0, (1 - rate) * none + rate * norm.pdf(t, 1, noise) - e * none)

        e = np.exp(epsilon)
        return quad(excess, -8 * noise, 12 * noise + 1, epsabs=0, limit=500)[0]

    accounted = epsilon_of(noise, rate, 1, delta)
    assert delta_at(accounted) < delta < delta_at(accounted / 2)


@pytest.mark.parametrize("noise, epochs, published", [(1.3, 20, 1.34), (0.7, 70, 8.68)])
def test_divergences_give_the_published_epsilons_of_mnist(noise, epochs, published):
    """Bu, Dong, Long, Su (Harvard Data Science Review 2.3, 2020), figure 4: batches of 256 of
    60,000 at delta 1e-5 by the moments accountant, with the older conversion (Abadi et al.)."""
    rate, steps = 256 / 60000, epochs * 60000 // 256
    spent = steps * rdp(noise, rate) - np.log(1e-5) / (ORDERS - 1)
    assert spent.min() == pytest.approx(published, rel=0.01)
    assert (
        0.6 * published < epsilon_of(noise, rate, steps, 1e-5) < published
    )  # the newer is tighter


@pytest.mark.parametrize(
    "noise, rate, steps, by_rdp, by_pld",
    [
        (0.8, 0.01, 1000, 3.695613193, 3.141018319),
        (1.0, 0.05, 300, 6.463864263, 5.795313251),
        (1.5, 0.1, 200, 5.549860138, 5.054376651),
        (2.0, 0.2, 100, 5.498763681, 5.023179789),
        (3.43, 0.1, 60, 1.000247219, 0.904160446),
    ],
)
def test_epsilons_of_dp_sgd_are_those_of_dp_accounting(noise, rate, steps, by_rdp, by_pld):
    """Recorded from Google's dp-accounting 0.6.0 at delta 1e-5, settings left as they are: its
    RdpAccountant and its PLDAccountant, whose bound is tighter, each over
    SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), steps)."""
    epsilon = epsilon_of(noise, rate, steps, 1e-5)
    # Its orders differ from ours, and at fractional ones it bounds the divergence from above.
    assert epsilon == pytest.approx(by_rdp, rel=1.2e-3)
    assert by_pld < epsilon < 1.2 * by_pld


@pytest.mark.parametrize(
    "noise, delta, expected",
    [
        (50.0, 1e-5, 0.05863225530608),
        (3.73, 1e-5, 1.00018595953713),
        (1.0, 1e-5, 4.37717809568114),
        (0.3, 1e-6, 20.7812222565382),
    ],
)
def test_epsilon_of_one_release_is_that_of_dp_accounting(noise, delta, expected):
    """Recorded from get_epsilon_gaussian(noise, delta) of dp-accounting 0.6.0."""
    assert gaussian_epsilon(noise, delta) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "epsilon, expected",
    [(0.1, 30.74956613198), (1.0, 3.73063163482), (8.0, 0.60022907220), (100.0, 0.09466990701)],
)
def test_noise_of_one_release_is_that_of_dp_accounting(epsilon, expected):
    """Recorded from get_sigma_gaussian(epsilon, 1e-5) of dp-accounting 0.6.0."""
    assert gaussian_noise_for(epsilon, 1e-5) == pytest.approx(expected, rel=2e-6)


def test_epsilon_falls_with_noise_and_grows_with_steps_rate_and_smaller_delta():
    base = epsilon_of(2.0, 0.1, 100, 1e-5)
    assert epsilon_of(2.2, 0.1, 100, 1e-5) < base < epsilon_of(2.0, 0.1, 120, 1e-5)
    assert base < epsilon_of(2.0, 0.12, 100, 1e-5)
    assert base < epsilon_of(2.0, 0.1, 100, 1e-6)
    assert base < epsilon_of(2.0, 1.0, 100, 1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0, 100.0])
@pytest.mark.parametrize("rate", [0.1, 1.0])
def test_noise_for_a_promise_keeps_it_and_wastes_next_to_nothing(epsilon, rate):
    noise = noise_for(epsilon, 1e-5, rate, 60)
    assert 0.999 * epsilon < epsilon_of(noise, rate, 60, 1e-5) <= epsilon


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 8.0, 100.0])
def test_noise_of_one_release(epsilon):
    noise = gaussian_noise_for(epsilon, 1e-5)
    assert 0.999 * epsilon < gaussian_epsilon(noise, 1e-5) <= epsilon
    # Below the textbook's sqrt(2 log(1.25 / delta)) / epsilon, which holds for epsilon <= 1.
    assert epsilon > 1 or noise < np.sqrt(2 * np.log(1.25e5)) / epsilon


def test_so_much_noise_that_delta_alone_is_enough():
    assert gaussian_epsilon(1e6, 1e-5) == 0.0
