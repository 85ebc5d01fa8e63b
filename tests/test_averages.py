import pytest
import torch

from rndcfl.common.errors import InputError
from rndcfl.fedavg import AGGREGATIONS, average, median, trimmed_mean
from rndcfl.hostile import Attack, Attackers, Scaled
from rndcfl.simulation import simulate


def states(*values):
    return [{"w": torch.tensor(v, dtype=torch.float32)} for v in values]


def weight(state):
    return state["w"].tolist()


def test_median_and_trimmed_mean_by_hand():
    five = states([1.0, 0], [2, 0], [3, 0], [4, 100], [900, -100])
    assert weight(median(five, [1] * 5)) == [3, 0]
    assert weight(trimmed_mean(five, [1] * 5)) == [3, pytest.approx(0)]
    assert weight(median(states([1.0], [3]), [1, 1])) == [2]  # nobody is a minority
    six = states([0.0], [1], [2], [4], [5], [1e6])
    assert weight(trimmed_mean(six, [1] * 6)) == [3]
    assert weight(median(six, [1] * 6)) == [3]


def test_the_number_of_samples_that_a_client_claims_does_not_count():
    three = states([1.0], [2], [60])
    for robust in (median, trimmed_mean):
        assert weight(robust(three, [1, 1, 1e9])) == [2]
    assert weight(average(three, [1, 1, 1e9]))[0] > 59


def test_models_with_nan_are_left_out_as_long_as_there_are_others():
    assert weight(median(states([1.0], [float("nan")], [2]), [1] * 3)) == [1.5]
    assert weight(trimmed_mean(states([float("inf")], [2.0]), [1, 1])) == [2]
    assert torch.isnan(median(states([float("nan")]), [1])["w"]).all()


def test_types_and_whole_numbers_stay_what_they_are():
    mixed = [{"w": torch.ones(2, dtype=torch.float64), "n": torch.tensor(k)} for k in (3, 4, 9)]
    found = median(mixed, [1] * 3)
    assert found["w"].dtype == torch.float64
    assert found["n"].dtype == torch.int64 and found["n"].item() == 4


def test_one_flipped_and_scaled_update_ruins_the_mean_and_not_the_median(stripe_clients):
    clients = stripe_clients(5, n=40, one_group=True)
    bad = Attackers(clients, {1: Attack(update=Scaled(-20.0))})

    def honest(aggregation, tamper):
        history = simulate(
            clients, "global", 4, progress=False, aggregation=aggregation, tamper=tamper
        )
        return history.final().set_index("client")["accuracy"][bad.honest].mean()

    clean = honest("mean", None)
    assert honest("mean", bad) < clean - 0.3
    for robust in ("median", "trimmed"):
        assert honest(robust, bad) > clean - 0.1


def test_the_mean_is_the_default_and_nobody_hostile_changes_nothing(stripe_clients):
    clients = stripe_clients(3)
    runs = [
        simulate(clients, "global", 2, progress=False, **more)
        for more in ({}, {"aggregation": "mean"}, {"tamper": Attackers(clients, {})})
    ]
    for run in runs[1:]:
        for name, p in run.models[0].items():
            assert torch.equal(p, runs[0].models[0][name])


def test_an_unknown_aggregation_is_named_before_work(stripe_clients):
    with pytest.raises(InputError, match="did you mean 'median'"):
        simulate(stripe_clients(2), "global", 1, aggregation="medan")
    assert list(AGGREGATIONS) == ["mean", "median", "trimmed"]
