import numpy as np
import pytest
from scipy import stats

from rndcfl import InputError, Ledger, discover
from rndcfl.book.studies.rivals import Gap, Pooled, Welch, together, welch_evidence
from rndcfl.features import Features
from rndcfl.novelty import Novelty, exchange
from rndcfl.reports import Report, Reports

RIVALS = [Welch(), Pooled(), Gap()]


def errors_of(levels, n=40, worse=0.0):
    """Log errors of clients [N, n] under everybody's predictor, at the level of each client.

    Predictors of clients at another level are `worse` away from home.
    """
    levels = np.asarray(levels, dtype=float)
    rng = np.random.default_rng(0)
    away = worse * (levels[:, None] != levels)
    noise = rng.standard_normal((len(levels), len(levels), n))
    return levels[:, None, None] + away[:, :, None] + 0.3 * noise


def reports_of(logs):
    rows = [Report.of(own, np.exp(own).mean(1)) for own in logs]
    return Reports.of(rows, len(rows), np.arange(len(rows)))


def labels(criterion, reports):
    return criterion.judge(reports, Ledger()).labels.tolist()


# --- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("rival", [Welch(), Pooled()])
def test_clients_far_apart_are_apart(rival):
    reports = reports_of(errors_of([0, 5, 0, 5, 5], worse=3))
    assert labels(rival, reports) == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("rival", [Welch(), Pooled()])
def test_clients_that_are_alike_are_together(rival):
    assert labels(rival, reports_of(errors_of(np.zeros(6)))) == [0] * 6


@pytest.mark.parametrize("rival", RIVALS)
def test_what_is_found_is_a_discovery(rival):
    reports, ledger = reports_of(errors_of([0, 5, 0, 5], worse=3)), Ledger()
    found = rival.judge(reports, ledger)
    assert found.ledger is ledger and found.reports is reports
    assert found.n_federations == 2
    np.testing.assert_array_equal(found.dissimilarity, found.dissimilarity.T)
    assert not found.dissimilarity.diagonal().any()
    inside = found.labels[:, None] == found.labels
    assert ((found.dissimilarity <= found.threshold) == inside).all()
    assert found.explain()["margin"].min() >= 0
    assert type(rival).__name__.lower() in repr(found)


@pytest.mark.parametrize("rival", RIVALS)
def test_discover_takes_each(rival, stripe_clients, small_rnd):
    clients = stripe_clients(6)
    found = discover(clients, rival, rnd=small_rnd)
    reports = exchange(clients, Novelty(small_rnd), 0, Ledger())
    assert found.labels.tolist() == labels(rival, reports)
    assert found.criterion == type(rival).__name__.lower()


@pytest.mark.parametrize("kind", [Welch, Pooled])
def test_a_level_is_a_probability(kind):
    with pytest.raises(InputError, match="alpha must be a number"):
        kind(alpha=2.0)


# --- welch --------------------------------------------------------------------------------------


def test_predictors_at_another_level_are_found_by_welchs_test():
    """Only predictor 1 is at another level, on fewer samples that scatter more."""
    rng = np.random.default_rng(1)
    here, there = rng.standard_normal((2, 12)), 3 * rng.standard_normal((2, 30))
    there[1] += here[1].mean() - there[1].mean() - 4.0
    there[0] += here[0].mean() - there[0].mean()
    rows = [Report.of(logs, np.ones(2)) for logs in (here, there)]
    evidence = welch_evidence(Reports.of(rows, 2, np.arange(2)))
    own = [stats.ttest_ind(here[j], there[j], equal_var=False).pvalue for j in (0, 1)]
    # The third test: is each predictor worse away from home? Differences are paired.
    gains = here[1] - here[0], there[0] - there[1]
    worse = stats.ttest_ind(gains[0], -gains[1], equal_var=False, alternative="greater").pvalue
    assert own[1] < own[0]
    expected = -np.log10(3 * min(*own, worse))
    assert evidence[0, 1] == evidence[1, 0] == pytest.approx(expected, rel=1e-9)


def test_a_level_that_moves_alone_is_the_smallest_of_the_three():
    """Both predictors err more on client 1's samples, and neither is worse away from home."""
    rng = np.random.default_rng(2)
    here, there = rng.standard_normal((2, 25)), 2 * rng.standard_normal((2, 60)) + 3
    rows = [Report.of(logs, np.ones(2)) for logs in (here, there)]
    evidence = welch_evidence(Reports.of(rows, 2, np.arange(2)))
    p = min(stats.ttest_ind(here[j], there[j], equal_var=False).pvalue for j in (0, 1))
    assert evidence[0, 1] == pytest.approx(-np.log10(3 * p), rel=1e-9)


def test_the_tests_of_single_predictors_need_everybodys():
    reports = reports_of(errors_of(np.zeros(4)))
    with pytest.raises(InputError, match="everybody's predictor"):
        Welch().judge(reports[[0, 1, 2]], Ledger())


# --- pooled -------------------------------------------------------------------------------------


def test_a_group_reports_the_means_of_its_members():
    reports = reports_of(errors_of([0, 1, 5], n=10))
    (one, *_), two = reports, together(reports, [[0], [1, 2]])
    assert two.samples.tolist() == [10, 20]
    np.testing.assert_allclose(two.profile[0], one.profile)
    np.testing.assert_allclose(two.profile[1], reports.profile[1:].mean(0))
    np.testing.assert_allclose(two.covariance[1], reports.covariance[1:].mean(0))
    assert two.peers.tolist() == [0, 1, 1]


def test_more_samples_count_more_in_a_group():
    rows = [Report(n, np.full(1, level), np.eye(1)) for n, level in ((10, 0.0), (30, 4.0))]
    one = together(Reports.of(rows, 2, np.array([-1])), [[0, 1]])
    assert one.profile.tolist() == [[3.0]] and one.peers.tolist() == [-1]


def test_small_differences_are_seen_once_members_are_pooled():
    """Two by two no difference is significant; of three and three together it is."""
    rng = np.random.default_rng(0)
    levels = np.repeat([0.0, 0.9], 6)
    logs = [level + rng.standard_normal((12, 60)) for level in levels]
    for own in logs:  # the noise has no mean, so that only the levels differ
        own -= own.mean(1, keepdims=True)
    rows = [Report.of(own + level, np.ones(12)) for own, level in zip(logs, levels, strict=True)]
    reports = Reports.of(rows, 12, np.arange(12))
    assert labels(Pooled(), reports) == [0] * 6 + [1] * 6


# --- gap ----------------------------------------------------------------------------------------


def test_the_cut_is_at_the_largest_relative_jump():
    excess = np.array([[0, 1, 8, 60], [1, 0, 8, 60], [8, 8, 0, 60], [60, 60, 60, 0]]) / 100
    reports = reports_of(errors_of(np.zeros(4)))
    given = Reports(
        reports.samples, reports.profile, reports.covariance, reports.peers, np.exp(excess)
    )
    found = Gap().judge(given, Ledger())  # merges at .01, .08 and .6: times 8, times 7.5
    assert found.labels.tolist() == [0, 0, 1, 2]
    assert found.threshold == pytest.approx(0.01)


@pytest.mark.parametrize("excess, n", [(0.0, 1), (-0.2, 1), (0.2, 2)])
def test_it_cuts_wherever_there_is_any_excess(excess, n):
    """Of one pair among four, say: the others are at the least that counts."""
    logs = np.zeros((4, 4))
    logs[3, :3] = logs[:3, 3] = excess
    given = reports_of(errors_of(np.zeros(4)))
    given = Reports(given.samples, given.profile, given.covariance, given.peers, np.exp(logs))
    assert Gap().judge(given, Ledger()).n_federations == n


def test_a_gap_needs_two_merges_and_novelty(stripe_clients, small_rnd):
    with pytest.raises(InputError, match="at least 3 clients"):
        discover(stripe_clients(2), Gap(), rnd=small_rnd)
    with pytest.raises(InputError, match="do not hold"):
        reports = exchange(stripe_clients(4), Features(small_rnd), 0, Ledger())
        Gap().judge(reports, Ledger())
