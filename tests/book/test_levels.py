import numpy as np
import pandas as pd
import pytest

from rndcfl import Clients
from rndcfl.book.studies import levels
from rndcfl.reports import Report, Reports
from rndcfl.twosample import POWER, detectable


def rows_of(n_clients, n=10, d=4):
    rng = np.random.default_rng(0)
    return Clients.from_arrays(
        [(rng.random((n, d)), None) for _ in range(n_clients)], groups=[0] * n_clients
    )


def copies(x, of):
    known = {row.tobytes() for row in of}
    return sum(row.tobytes() in known for row in x)


def reports_of(means, n=50, m=4):
    """Reports with exactly these means and unit covariance."""
    means = np.asarray(means, dtype=float)
    profile = np.zeros((len(means), m))
    profile[:, 0] = means
    covariance = np.tile(np.eye(m), (len(means), 1, 1))
    return Reports(np.full(len(means), n), profile, covariance, np.full(m, -1))


# --- the level ----------------------------------------------------------------------------------


def test_own_copies_are_a_share_of_a_client_and_of_its_own_samples():
    clients = rows_of(2)
    for before, after in zip(clients, levels.copied(clients, 0.3, seed=0), strict=True):
        assert copies(after.x, before.x) == 10
        assert len(np.unique(after.x, axis=0)) == 7


def test_copies_of_others_are_held_by_two_clients_and_by_one_only_once():
    clients = rows_of(4)
    after = levels.copied(clients, 0.3, seed=0, of_others=True)
    for i in (0, 2):
        np.testing.assert_array_equal(after[i].x, clients[i].x)
        assert copies(after[i + 1].x, after[i].x) == 3
        assert len(np.unique(after[i + 1].x, axis=0)) == 10
    assert copies(after[1].x, after[2].x) == 0


def test_cut_clients_keep_their_first_samples_and_their_group():
    clients = levels.cut(rows_of(3), [1], 4)
    assert [len(c) for c in clients] == [10, 4, 10]
    assert clients.groups.tolist() == [0, 0, 0]


def test_false_alarms_count_only_inside_groups():
    groups = np.array([0, 1, 0, 1, 0])
    found = levels.false_alarms(reports_of([0, 5, 0, 5, 0]), groups, 0.0)
    assert found == dict(runs=1, split=0, pairs=2, below=0)  # pairs 0-2 and 1-3
    found = levels.false_alarms(reports_of([0, 5, 5, 5, 0]), groups, 0.0)
    assert found == dict(runs=1, split=1, pairs=2, below=1)


def test_a_pair_below_the_level_of_one_test_need_not_be_split():
    apart = 1.5 * 2 / np.sqrt(50)  # p between .05 and .05 / 10
    found = levels.false_alarms(reports_of([0, apart, 0, 0, 0], m=1), np.zeros(5, int), 0.0)
    assert found["split"] == 0 and found["below"] == 1


@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_pairs_that_scatter_alike_keep_their_level_and_others_do_not(effect):
    below = {
        name: levels.scatter_level(0, "novelty", name, effect, 200)["below"] / 200
        for name in (
            "drawn: alike, 60 and 600",
            "drawn: 60 scatter twice",
            "drawn: 600 scatter twice",
        )
    }
    assert 0.005 < below["drawn: alike, 60 and 600"] < 0.11
    assert below["drawn: 60 scatter twice"] > 0.5
    assert below["drawn: 600 scatter twice"] == 0


def test_one_seed_has_a_row_for_each_case_and_effect():
    rows = levels.hard_levels(0, "fashion-mnist-mini", "features", ["in four groups"], draws=2)
    assert rows["case"].unique().tolist() == ["in four groups", *levels.SCATTER]
    assert (rows.groupby("case").size() == 2).all()
    assert rows.loc[0, ["clients", "runs", "pairs"]].tolist() == [12, 1, 4]


def test_level_table_by_hand():
    rows = pd.DataFrame(
        dict(case="a", clients=12, by="features", min_effect=0.1, runs=1, split=s, pairs=5, below=1)
        for s in (1, 0)
    )
    (row,) = levels.level_table(rows).to_dict("records")
    assert row["runs"] == 2
    assert row["anybody split off"] == "0.500 (0.013 to 0.987)"
    assert row["pairs with p below 0.05"] == "0.200 (0.025 to 0.556)"


# --- the power ----------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", [0.0, 0.1])
@pytest.mark.parametrize("peers", [12, 64])
def test_power_at_the_detectable_distance_is_that_of_the_promise(peers, effect):
    n_i, n_j = np.array([20, 120, 480]), np.array([20, 600, 480])
    distance = detectable(n_i, n_j, peers, 1e-4, effect)
    power = levels.predicted_power(distance, n_i, n_j, peers, 1e-4, effect)
    np.testing.assert_allclose(power, POWER, atol=1e-3)


def test_power_at_the_smallest_distance_that_counts_is_the_level_and_grows_from_there():
    power = levels.predicted_power(np.array([0.1, 0.3, 0.5, 0.9]), 480, 480, 12, 0.01, 0.1)
    assert power[0] == pytest.approx(0.01, rel=1e-3)
    assert (np.diff(power) > 0).all()


def test_power_grows_with_the_samples():
    n = np.array([60, 120, 240])
    assert (np.diff(levels.predicted_power(0.8, n, n, 12, 1e-4)) > 0).all()


def test_power_is_the_share_of_simulated_pairs_that_are_found():
    rng, found = np.random.default_rng(0), 0
    for _ in range(300):
        one, other = rng.standard_normal((2, 4, 40))
        other[0] += 0.8
        reports = Reports.of([Report.of(one), Report.of(other)], 2, np.full(4, -1))
        found += levels.profile_test(reports).evidence[0, 1] > 2
    assert found / 300 == pytest.approx(levels.predicted_power(0.8, 40, 40, 4, 0.01), abs=0.1)


def test_true_distance_by_hand():
    known = reports_of([0.0, 1.0], n=100_000, m=2)
    covariance = known.covariance.copy()
    covariance[0] *= 4
    known = levels.replace(known, covariance=covariance)
    distance, scatter = levels.true_distance(known, np.array([101, 301]))
    assert distance == pytest.approx(1 / np.sqrt((4 * 100 + 300) / 400), abs=1e-3)
    assert scatter == pytest.approx(2)


def test_true_distance_is_of_the_functions_that_are_compared():
    known = reports_of([0.0, 1.0], n=100_000, m=8)
    known = levels.replace(known, profile=known.profile[:, ::-1])  # the last function differs
    assert levels.true_distance(known, np.array([10, 10]))[0] < 0.02  # 4 functions
    assert levels.true_distance(known, np.array([30, 30]))[0] == pytest.approx(1, abs=1e-3)


def test_pairs_hold_each_client_once_and_each_two_groups_once():
    assert sorted(i for pair in levels.PAIRS for i in pair) == list(range(12))
    groups = {tuple(sorted(i % 4 for i in pair)) for pair in levels.PAIRS}
    assert groups == {(a, b) for a in range(4) for b in range(a + 1, 4)}


@pytest.mark.parametrize("by", ["features", "novelty"])
def test_a_large_difference_is_promised_and_found(by):
    rows = levels.calibration(
        0, "fashion-mnist-mini", by, "pattern", {"rms": 0.3}, samples=60, large=300
    )
    assert len(rows) == 6
    assert (rows["distance"] > 2).all()
    assert (rows["predicted"] > 0.99).all() and rows["detected"].all()


def test_distances_do_not_depend_on_how_many_images_give_them():
    few, many = (
        levels.calibration(
            0, "fashion-mnist-mini", "features", "noise", {"sd": 0.4}, samples=60, large=large
        )
        for large in (500, 1500)
    )
    np.testing.assert_allclose(few["distance"], many["distance"], rtol=0.1)
    assert few["detected"].tolist() == many["detected"].tolist()  # of the same clients
