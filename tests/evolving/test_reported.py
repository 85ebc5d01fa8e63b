"""What stands of a discovery by features: reports, and nothing else."""

import numpy as np
import pytest
from scipy import stats
from turned import clients_of

from rndcfl import Drift, InputError, Ledger, discover, simulate
from rndcfl.criteria import Calibrated
from rndcfl.evolving import Reported
from rndcfl.features import Features
from rndcfl.reports import report_bytes


@pytest.fixture
def standing():
    return Reported.start(clients_of(), Features(), 0, Ledger())


def test_it_starts_as_a_discovery(standing):
    found = standing.discovery(Calibrated(), Ledger())
    expected = discover(clients_of(), by="features")
    np.testing.assert_array_equal(found.dissimilarity, expected.dissimilarity)
    assert found.labels.tolist() == [0, 1, 0, 1]


def test_fresh_samples_of_the_same_distribution_raise_no_alarm(standing):
    p = np.concatenate([standing.watch(clients_of(r), r, 64, Ledger()) for r in range(1, 26)])
    # Rounds share what was reported, so this is no exact test: only far from uniform fails.
    assert stats.kstest(p, "uniform").statistic < 0.3
    assert p.min() > 1e-5


def test_a_change_is_noticed_where_it_happens_and_only_that_client_reports(standing):
    turned = clients_of(1, groups=[1, 1, 0, 1])  # only client 0 has moved
    p = standing.watch(turned, 1, 64, Ledger())
    assert p[0] < 1e-6 < p[1:].min()
    before, ledger = list(standing.rows), Ledger()
    standing.refresh(turned, [0], 1, ledger)
    assert [a is b for a, b in zip(before, standing.rows, strict=True)] == [False, True, True, True]
    assert ledger.total()["bytes_up"] == report_bytes(0, 64)  # one message
    labels = standing.discovery(Calibrated(), Ledger()).labels
    assert labels.tolist() == [0, 0, 1, 0]


def test_watching_sends_nothing(standing):
    ledger = Ledger()
    standing.watch(clients_of(1), 1, 64, ledger)
    total = ledger.total()
    assert total["bytes_up"] == total["bytes_down"] == 0 and total["multiply_adds"] > 0


def test_newcomers_are_compared_once_with_each_federation(standing):
    labels = standing.discovery(Calibrated(), Ledger()).labels
    for k, client in enumerate(clients_of(1)):
        placed = standing.place(client, labels)
        assert placed.federation == k % 2 and not placed.founded and placed.predictor is None
        assert len(placed.evidence) == 2
        spent = placed.ledger.total()
        assert spent["bytes_up"] == report_bytes(0, 64) and spent["bytes_down"] == 8
    stranger = standing.place(clients_of(1, "contrast")[1], labels)
    assert stranger.founded and stranger.federation == 2


def test_who_has_left_counts_no_more(standing):
    labels = np.array([-1, 1, -1, 1])
    assert set(standing.place(clients_of(1)[1], labels).evidence) == {1}
    assert standing.place(clients_of(1)[0], labels).founded
    with pytest.raises(InputError, match="all clients have left"):
        standing.place(clients_of(1)[0], np.full(4, -1))


def test_a_newcomer_of_another_shape_is_refused(standing, stripe_clients):
    with pytest.raises(InputError, match=r"samples of shape \(1, 28, 28\), got \(30, 1, 8, 8\)"):
        standing.place(stripe_clients(1)[0], np.array([0, 1, 0, 1]))


def test_a_simulation_discovers_again_on_a_signal():
    stages = {0: (0, 1, 0, 1), 2: (1, 1, 0, 1)}
    drift = Drift("fashion-mnist-mini", "rotation", 2, 0, stages, 150, 10)
    history = simulate(drift, "rnd", 4, by="features", on_signal=True, progress=False)
    assert history.labels[0].tolist() == [0, 1, 0, 1]
    assert history.labels[-1].tolist() == [1, 1, 0, 1]
    reports = history.ledger.table.query("phase == 'discovery/features'")
    assert reports.groupby("round").size().to_dict()[0] == 4
    assert len(reports) < 8  # not everybody has reported again
