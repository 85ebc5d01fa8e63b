import numpy as np
import pytest
from scipy import stats

from rndcfl.reports import Report, Reports
from rndcfl.twosample import (
    POWER,
    adjusted,
    detectable,
    evidence_against,
    n_pairs,
    profile_size,
    profile_test,
    samples_needed,
)


def summary(logs, peers=None):
    """What clients with log errors ``logs[i]`` [m, n_i] report."""
    peers = np.arange(len(logs[0])) if peers is None else np.asarray(peers)
    return Reports.of(map(Report.of, logs), len(logs), peers)


def compared(logs, min_effect=0.0, peers=None):
    return profile_test(summary(logs, peers), min_effect)


def exchangeable(rng, n_clients=4, n_samples=30, m=None):
    """Log errors of equal clients: the sample's difficulty, the predictor's quality, and noise."""
    m = n_clients if m is None else m
    quality = rng.standard_normal((m, 1))
    return [
        quality + rng.standard_normal((1, n)) + 0.5 * rng.standard_normal((m, n))
        for n in np.broadcast_to(n_samples, n_clients)
    ]


# --- the statistic ------------------------------------------------------------------------------


def test_with_one_predictor_it_is_students_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((1, 12)), rng.standard_normal((1, 20)) + 0.7
    p = stats.ttest_ind(a[0], b[0]).pvalue
    assert compared([a, b]).evidence[0, 1] == pytest.approx(-np.log10(p))


def test_with_several_it_is_the_f_test_of_a_regression_on_whose_sample_it_is():
    """Hotelling's T^2 is the F test of all slopes when membership is regressed on the profile."""
    rng = np.random.default_rng(1)
    logs = exchangeable(rng, 3, [25, 40, 33])
    found = compared(logs).evidence
    for i, j in ((1, 0), (2, 0), (2, 1)):
        x = np.hstack([logs[i], logs[j]]).T
        y = np.repeat([0.0, 1.0], [logs[i].shape[1], logs[j].shape[1]])
        design = np.column_stack([np.ones(len(x)), x])
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        explained = ((y - y.mean()) ** 2).sum() - (residual**2).sum()
        freedom = len(y) - 4
        f = explained / 3 / ((residual**2).sum() / freedom)
        p = stats.f.sf(f, 3, freedom)
        assert found[i, j] == found[j, i] == pytest.approx(-np.log10(p), rel=1e-6)
    assert not found.diagonal().any()


def test_units_and_the_quality_of_predictors_do_not_matter():
    rng = np.random.default_rng(2)
    logs = exchangeable(rng)
    mixed = [3 * own + np.arange(4)[:, None] for own in logs]
    a, b = compared(logs, 0.1), compared(mixed, 0.1)
    np.testing.assert_allclose(a.evidence, b.evidence, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(a.distance, b.distance, rtol=1e-6, atol=1e-6)


def test_a_copied_predictor_changes_little_and_breaks_nothing():
    rng = np.random.default_rng(3)
    logs = exchangeable(rng, n_samples=200)
    logs[0][1] += 0.5
    copied = [np.vstack([own, own[2]]) for own in logs]
    plain, doubled = compared(logs), compared(copied)
    assert np.isfinite(doubled.evidence).all()
    np.testing.assert_allclose(doubled.distance**2, plain.distance**2, atol=0.03)


def test_overwhelming_evidence_and_no_variance_stay_finite():
    logs = exchangeable(np.random.default_rng(0), n_samples=500)
    logs[0] = logs[0] + 100 * np.eye(4)[:, :1]
    assert compared(logs).evidence[0, 1] == 300
    constant = [np.ones((2, 9)), np.ones((2, 9)), 2 * np.ones((2, 9))]
    found = compared(constant).evidence
    assert np.isfinite(found).all()
    assert found[0, 1] == 0 and found[0, 2] > 10


def test_a_single_client():
    assert compared(exchangeable(np.random.default_rng(0), 1)).evidence.tolist() == [[0]]


# --- is it a test? ------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [40, [6, 300, 40, 12]])
def test_p_values_of_equal_clients_are_uniform(sizes):
    rng = np.random.default_rng(0)
    pairs = np.triu_indices(4, 1)
    p = [10 ** -compared(exchangeable(rng, 4, sizes)).evidence[pairs] for _ in range(500)]
    for pair in np.transpose(p):
        assert stats.kstest(pair, "uniform").pvalue > 1e-3


def test_differences_up_to_the_smallest_relevant_one_are_none():
    """At exactly that distance the test rejects as often as its level says; at none, less often."""
    rng = np.random.default_rng(0)
    n, effect, level = 400, 0.4, 0.05
    shift = effect * np.ones((4, 1)) / 2  # of length `effect`

    def rejections(shift):
        logs = [
            [rng.standard_normal((4, n)), rng.standard_normal((4, n)) + shift] for _ in range(400)
        ]
        return np.mean([compared(pair, effect).evidence[0, 1] > -np.log10(level) for pair in logs])

    assert rejections(shift) == pytest.approx(level, abs=3 * np.sqrt(level / 400))
    assert rejections(0 * shift) < level / 5


# --- what can it see? ---------------------------------------------------------------------------


def test_the_distance_is_that_of_the_expected_profiles():
    rng = np.random.default_rng(0)
    for n, tolerance in ((30, 0.15), (1000, 0.03)):
        squared = []
        for _ in range(300):
            logs = [rng.standard_normal((5, n)), rng.standard_normal((5, n)) + 0.5]
            squared.append(compared(logs).distance[0, 1] ** 2)
        assert np.sqrt(np.mean(squared)) == pytest.approx(np.sqrt(5) * 0.5, rel=tolerance)


@pytest.mark.parametrize("n_i, n_j, min_effect", [(50, 50, 0.0), (30, 200, 0.0), (300, 300, 0.2)])
def test_a_detectable_distance_is_detected_that_often(n_i, n_j, min_effect):
    rng = np.random.default_rng(0)
    m, level = 6, 1e-3
    shift = float(detectable(np.array(n_i), np.array(n_j), m, level, min_effect)) / np.sqrt(m)
    found = [
        compared(
            [rng.standard_normal((m, n_i)), rng.standard_normal((m, n_j)) + shift], min_effect
        ).evidence[0, 1]
        > -np.log10(level)
        for _ in range(500)
    ]
    assert np.mean(found) == pytest.approx(POWER, abs=0.06)


def test_more_samples_see_smaller_distances_and_enough_of_them_any():
    n = np.array([10, 40, 160, 640])
    seen = detectable(n, n, 12, 1e-4)
    assert (np.diff(seen) < 0).all()
    for distance in (0.3, 1.0):
        enough = samples_needed(distance, 12, 1e-4)
        assert detectable(np.array(enough), np.array(enough), 12, 1e-4) <= distance
        fewer = np.array(round(0.98 * enough) - 1)
        assert detectable(fewer, fewer, 12, 1e-4) > distance
    assert samples_needed(0.1, 12, 1e-4, min_effect=0.1) is None  # the same, whatever the number


def test_small_clients_are_compared_by_fewer_predictors():
    assert profile_size(np.array(400), np.array([400, 3]), 60).tolist() == [60, 60]
    assert profile_size(np.array(21), np.array([21, 4]), 60).tolist() == [10, 5]
    assert profile_size(np.array(2), np.array([2]), 60).tolist() == [2]
    assert profile_size(np.array(400), np.array([400]), 1).tolist() == [1]


def test_their_own_predictors_come_first():
    """With room for two, only those of the two clients themselves are compared."""
    rng = np.random.default_rng(0)
    logs = exchangeable(rng, 6, 5)
    found = compared(logs, peers=np.arange(6))
    for i, j in ((4, 2), (5, 0)):
        alone = compared([logs[i][[j, i]], logs[j][[j, i]]], peers=[0, 1])
        assert found.evidence[i, j] == pytest.approx(alone.evidence[0, 1])


# --- one group at a time ------------------------------------------------------------------------


def test_evidence_against_a_group_is_that_of_the_pair():
    """Few samples see fewer predictors: 8 and 30 compare by the first of them only."""
    logs = exchangeable(np.random.default_rng(0), 4, [100, 60, 8, 30], m=12)
    logs[1] += 0.3
    reports = summary(logs, peers=[-1] * 12)
    pairs = profile_test(reports, 0.1).evidence
    for j in range(4):
        others = [i for i in range(4) if i != j]
        found = evidence_against(reports[others], reports[[j]], 0.1)
        np.testing.assert_allclose(found, pairs[others, j], rtol=1e-9)
    every = evidence_against(reports, reports[[3, 2, 1, 0]], 0.1)
    np.testing.assert_allclose(every, pairs[range(4), range(3, -1, -1)], rtol=1e-9)


# --- noise --------------------------------------------------------------------------------------


def test_noise_widens_the_variance_of_a_difference_by_hand():
    """One predictor, n = 9 and 4, variance 2: T^2 = 1 / (2 (1/9 + 1/4) + 0.5 + 0.1)."""
    samples, mean = np.array([9, 4]), np.array([[1.0], [0.0]])
    covariance, noise = np.full((2, 1, 1), 2.0), np.array([0.5, 0.1])
    test = profile_test(Reports(samples, mean, covariance, np.arange(1), noise=noise))
    squared = 1 / (2 * (1 / 9 + 1 / 4) + 0.6)
    assert test.evidence[0, 1] == pytest.approx(-np.log10(stats.f.sf(squared, 1, 11)), rel=1e-6)


# --- many pairs ---------------------------------------------------------------------------------


def test_each_p_value_counts_as_often_as_there_are_pairs():
    evidence = np.array([[0, 3, 0.2], [3, 0, 5], [0.2, 5, 0]])
    others = 1 - np.eye(3)
    np.testing.assert_allclose(adjusted(evidence), evidence - np.log10(3) * others)
    of_ten = adjusted(evidence, 10)  # the three are some of ten
    np.testing.assert_allclose(of_ten, evidence - np.log10(45) * others)
    assert adjusted(np.zeros((1, 1))).tolist() == [[0]]


def test_number_of_pairs_by_hand():
    assert [n_pairs(n) for n in (1, 2, 3, 10)] == [1, 1, 3, 45]
