"""Private reports: bounded vectors, noise as stated, and a test that keeps its level under it."""

from dataclasses import replace

import numpy as np
import pytest

from rndcfl.common.seeding import numpy_rng
from rndcfl.privacy.accountant import gaussian_epsilon
from rndcfl.privacy.reports import (
    COVARIANCE_SHARE,
    bounded,
    log_errors,
    private_report,
    symmetric_noise,
)
from rndcfl.reports import Reports
from rndcfl.twosample import profile_test

EPSILON, DELTA = 1.0, 1e-5


def errors(m=4, n=50, seed=0):
    rng = numpy_rng(seed, "errors")
    return np.exp(rng.standard_normal((m, n))), np.exp(rng.standard_normal(n) + 1)


def test_vectors_have_norm_one_at_most_whatever_a_hostile_predictor_says():
    e, scale = errors()
    e[0, :4] = [np.inf, np.nan, 0.0, 1e300]
    e[:, 5], scale[6] = np.nan, 0.0
    v = bounded(e, scale)
    assert np.isfinite(v).all()
    assert np.linalg.norm(v, axis=0).max() <= 1 + 1e-12


def test_a_vector_is_of_its_own_sample_only():
    e, scale = errors()
    changed = e.copy()
    changed[:, 3] *= 100
    before, after = bounded(e, scale), bounded(changed, scale)
    others = np.arange(50) != 3
    assert np.array_equal(before[:, others], after[:, others])
    assert not np.array_equal(before[:, 3], after[:, 3])


def test_log_errors_come_back_where_nothing_was_cut():
    logs = np.array([[-1.1, -0.9], [-1.0, -1.2], [-1.3, -0.8]])
    v = bounded(np.exp(logs), np.ones(2))
    assert np.linalg.norm(v, axis=0).max() < 1
    np.testing.assert_allclose(log_errors(v.T), logs.T)


def test_the_two_releases_of_a_row_have_the_stated_noise_and_spend_the_promise():
    """Many rows of one client: how the reported mean scatters, and what both noises cost."""
    e, scale = errors(m=3, n=60)
    v = bounded(e, scale)
    rows = [private_report(v, EPSILON, DELTA, numpy_rng(k, "row")) for k in range(2000)]
    means = np.array([row.profile for row in rows])
    np.testing.assert_allclose(means.mean(0), v.mean(1), atol=4 * means.std() / np.sqrt(2000))
    np.testing.assert_allclose(means.var(0), rows[0].noise, rtol=0.12)
    of_mean = np.sqrt(rows[0].noise) * 60  # in units of the sensitivity 1/n
    of_second = of_mean * np.sqrt((1 - COVARIANCE_SHARE) / COVARIANCE_SHARE)
    both = (of_mean**-2 + of_second**-2) ** -0.5
    assert gaussian_epsilon(both, DELTA) == pytest.approx(EPSILON, rel=1e-3)


def test_noise_on_symmetric_matrices_is_standard_in_the_frobenius_norm():
    drawn = np.array([symmetric_noise(4, numpy_rng(k, "sym")) for k in range(4000)])
    np.testing.assert_array_equal(drawn, drawn.transpose(0, 2, 1))
    direction = np.array([[1, 2, 0, 0], [2, -1, 0, 3], [0, 0, 0, 0], [0, 3, 0, 1.0]])
    direction /= np.linalg.norm(direction)
    assert np.einsum("kij,ij->k", drawn, direction).std() == pytest.approx(1.0, rel=0.04)


def test_with_much_data_a_private_row_is_the_plain_one():
    e, scale = errors(n=200_000)
    v = bounded(e, scale)
    row = private_report(v, 50.0, DELTA, numpy_rng(0, "row"))
    np.testing.assert_allclose(row.profile, v.mean(1), atol=1e-4)
    np.testing.assert_allclose(row.covariance, np.cov(v), atol=1e-4)


@pytest.mark.parametrize("epsilon, n", [(0.5, 100), (2.0, 300), (16.0, 300)])
def test_the_test_keeps_its_level_under_noise(epsilon, n):
    """Clients all alike: hardly ever a p-value below one in a hundred. Without being told of the
    noise the test fails."""
    knowing, ignorant = [], []
    mixing = numpy_rng(0, "mixing").standard_normal((6, 6)) * 0.3
    for k in range(12):
        rows = []
        for i in range(8):
            rng = numpy_rng(k, "client", i)
            logs = mixing @ rng.standard_normal((6, n)) - 1
            v = bounded(np.exp(logs), np.ones(n))
            rows.append(private_report(v, epsilon, DELTA, rng))
        reports = Reports.of(rows, 8, np.arange(6))
        pairs = np.tril_indices(8, -1)
        knowing.append(profile_test(reports).evidence[pairs])
        ignorant.append(profile_test(replace(reports, noise=None)).evidence[pairs])
    assert (np.concatenate(knowing) > 2).mean() <= 0.012
    assert epsilon > 4 or (np.concatenate(ignorant) > 2).mean() > 0.012


def test_a_private_report_says_how_many_samples_and_how_much_noise_and_holds_no_novelty():
    e, scale = errors(n=60)
    made = private_report(bounded(e, scale), EPSILON, DELTA, numpy_rng(0, "row"))
    assert made.samples == 60 and made.noise > 0 and not len(made.novelty)
    assert made.impossible() == ""
