import numpy as np
import pytest
from scipy import stats
from turned import clients_of

from rndcfl import Ledger, discover
from rndcfl.criteria import Calibrated, Paper
from rndcfl.evolving.watching import Standing, same_names
from rndcfl.predictors import RND


@pytest.fixture
def standing():
    return Standing.start(clients_of(), RND(steps=60), 0, Ledger())


@pytest.mark.parametrize(
    "before, after, names",
    [
        ([0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]),
        ([0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]),  # numbered in another order
        ([0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]),  # one moved
        ([0, 0, 0, 1], [0, 0, 1, 2], [0, 0, 2, 1]),  # one split off
        ([0, 0, 1, 2], [0, 0, 0, 1], [0, 0, 0, 2]),  # two merged: the larger keeps its name
        ([7, 7, 3, 3], [0, 1, 2, 2], [7, 8, 3, 3]),
        # Greedily 0 would take the two of old 0; together 2 + 2 stay, not 2 + 1.
        ([0, 0, 0, 1, 1], [5, 5, 6, 6, 6], [0, 0, 1, 1, 1]),
    ],
)
def test_federations_keep_their_names(before, after, names):
    assert same_names(np.array(before), np.array(after)).tolist() == names


def test_it_starts_as_a_discovery(standing):
    found = standing.discovery(Calibrated(), Ledger())
    expected = discover(clients_of(), steps=60)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.dissimilarity, expected.dissimilarity, rtol=1e-6)
    np.testing.assert_allclose(found.novelty, expected.novelty, rtol=1e-6)


def test_any_criterion_may_judge_what_stands(standing):
    found = standing.discovery(Paper(0.4), Ledger())
    assert (found.criterion, found.tolerance) == ("paper_average_cliques", 0.4)
    expected = standing.discovery(Calibrated(), Ledger())
    np.testing.assert_array_equal(found.novelty, expected.novelty)


def test_fresh_samples_of_the_same_distribution_raise_no_alarm(standing):
    p = np.concatenate([standing.watch(clients_of(r), r, 64, Ledger()) for r in range(1, 26)])
    # Rounds share the held-out samples, so this is no exact test: only far from uniform fails.
    assert stats.kstest(p, "uniform").statistic < 0.3
    assert p.min() > 1e-5


def test_a_change_is_noticed_where_it_happens(standing):
    turned = clients_of(1, groups=[1, 1, 0, 1])  # only client 0 has moved
    p = standing.watch(turned, 1, 64, Ledger())
    assert p[0] < 1e-5 and (p[1:] > 1e-4).all()


def test_a_refresh_is_the_discovery_of_the_new_data(standing):
    turned = clients_of(1, groups=[1, 1, 0, 1])
    before = [errors.copy() for errors in standing.errors]
    ledger = Ledger()
    standing.refresh(turned, [0], 1, ledger)
    found = standing.discovery(Calibrated(), Ledger())
    assert found.labels.tolist() == [0, 0, 1, 0]
    # Clients 1 to 3 have scored the one new predictor only.
    for i in (1, 2, 3):
        np.testing.assert_array_equal(standing.errors[i][1:], before[i][1:])
        assert (standing.errors[i][0] != before[i][0]).all()
    assert set(ledger.table.query("phase == 'discovery/predictors'")["client"]) == {0}


def test_nothing_changed_nothing_sent(standing):
    ledger = Ledger()
    standing.watch(clients_of(1), 1, 64, ledger)
    assert ledger.total()[["bytes_up", "bytes_down"]].tolist() == [0, 0]
    assert ledger.total()["multiply_adds"] > 0
