import numpy as np
import pytest

from rndcfl import Clients, discover, discover_at_scale
from rndcfl.common.errors import InputError
from rndcfl.common.metrics import exact
from rndcfl.criteria import Calibrated
from rndcfl.scale.lazy_clients import Drawn, symmetries

KINDS = 4


@pytest.fixture(scope="module")
def kinds():
    """Four Gaussian tables of six columns, well apart."""
    rng = np.random.default_rng(0)
    centres = 2 * rng.standard_normal((KINDS, 6))
    return [(rng.standard_normal((500, 6)) + c).astype(np.float32) for c in centres]


class Watched(Drawn):
    """Counts how often a client is asked for."""

    asked = 0

    def __getitem__(self, i):
        type(self).asked += 1
        return super().__getitem__(i)


def test_drawn_clients_are_the_same_each_time_and_whatever_their_number(kinds):
    few, many = Drawn(kinds, 5, 30, seed=1), Drawn(kinds, 5000, 30, seed=1)
    assert np.array_equal(few[4].x, few[4].x)
    assert np.array_equal(few[4].x, many[4].x)
    assert not np.array_equal(many[4].x, many[8].x)
    assert few[4].group == 0 and many.groups[:6].tolist() == [0, 1, 2, 3, 0, 1]
    assert [len(c) for c in few[1:3]] == [30, 30]
    assert len(list(few)) == 5


def test_the_eight_symmetries_by_hand(tiny_dataset):
    tables = symmetries(tiny_dataset, pool=4)
    assert len(tables) == 8
    a, b, c, d = tables[0][0]  # as it is: 2 x 2 squares
    assert a == pytest.approx(tiny_dataset.x_train[0, 0, :4, :4].mean())
    ways = {tuple(t[0]) for t in tables}
    assert ways == {
        (a, b, c, d),
        (b, a, d, c),
        (b, d, a, c),
        (d, b, c, a),
        (d, c, b, a),
        (c, d, a, b),
        (c, a, d, b),
        (a, c, b, d),
    }


def test_many_clients_are_found_and_none_downloads_more_for_it(kinds):
    costs = []
    for n in (60, 240):
        clients = Watched(kinds, n, 120)
        found = discover_at_scale(clients, landmarks=8, steps=60)
        assert exact(clients.groups, found.labels)
        assert found.n_federations == KINDS and f"of {n} clients, 8 landmarks" in repr(found)
        table = found.ledger.table
        down = table[table["phase"] == "discovery/novelty"].set_index("client")["bytes_down"]
        costs.append(set(down))
        trained = table[table["phase"] == "discovery/predictors"]["client"]
        assert sorted(trained) == sorted(found.landmarks)
    assert costs[0] == costs[1]
    assert Watched.asked < 2.5 * 300  # once to be checked, once to be scored


def test_the_level_and_the_smallest_effect_are_those_of_its_criterion(kinds):
    clients = Drawn(kinds, 8, 60)
    found = discover_at_scale(clients, landmarks=8, steps=20, alpha=0.1, min_effect=100.0)
    assert found.criterion == Calibrated(0.1, 100.0)
    assert found.n_federations == 1  # nothing is as far apart as that


def test_reports_hold_no_novelty_and_are_about_the_landmarks(kinds):
    found = discover_at_scale(Drawn(kinds, 12, 40), landmarks=4, steps=5)
    assert found.reports.novelty is None and found.reports.profile.shape == (12, 4)
    np.testing.assert_array_equal(found.reports.peers, found.landmarks)
    up = found.ledger.total("discovery/novelty")["bytes_up"]
    assert up == sum(report.n_bytes for report in found.reports)


def test_landmarks_score_on_what_they_did_not_train_with(kinds):
    found = discover_at_scale(Drawn(kinds, 40, 100), landmarks=8, steps=20)
    samples = found.reports.samples
    assert set(samples[found.landmarks]) == {80}
    assert set(np.delete(samples, found.landmarks)) == {100}


def test_with_no_more_clients_than_landmarks_it_is_the_discovery_of_all_with_all(stripe_clients):
    clients = stripe_clients(6, n=40)
    for seed in range(2):
        at_scale = discover_at_scale(clients, landmarks=6, seed=seed)
        everybody = discover(clients, seed=seed)
        np.testing.assert_array_equal(at_scale.reports.profile, everybody.reports.profile)
        assert at_scale.labels.tolist() == everybody.labels.tolist()


@pytest.mark.parametrize("n", [12, 32, 64])
def test_the_labels_are_those_of_all_with_all(kinds, n):
    drawn = Drawn(kinds, n, 120, seed=n)
    everybody = discover(Clients(tuple(drawn), 0), steps=60)
    assert discover_at_scale(drawn, landmarks=8, steps=60).labels.tolist() == (
        everybody.labels.tolist()
    )


def test_the_same_call_gives_the_same_bits(kinds):
    a, b = (discover_at_scale(Drawn(kinds, 20, 40), landmarks=4, steps=5) for _ in range(2))
    assert np.array_equal(a.reports.covariance, b.reports.covariance)


@pytest.mark.parametrize(
    "given, said",
    [
        (dict(landmarks=1), "landmarks"),
        (dict(landmarks=65), "from 2 to 64"),
        (dict(alpha=2), "alpha"),
        (dict(stepz=3), "did you mean 'steps'"),
        (dict(train_share=1.0), "held-out"),
    ],
)
def test_what_cannot_be_used_is_refused_before_any_work(kinds, given, said):
    with pytest.raises(InputError, match=said):
        discover_at_scale(Drawn(kinds, 10, 20), **given)


def test_clients_that_cannot_be_used_are_named(kinds):
    with pytest.raises(InputError, match="client 0 has 2 samples"):
        discover_at_scale(Drawn(kinds, 10, 2))
    with pytest.raises(InputError, match=r"client 1 has samples of shape \(3,\)"):
        discover_at_scale(Drawn([kinds[0], kinds[1][:, :3]], 10, 20))
    with pytest.raises(InputError, match="no clients"):
        discover_at_scale([])
