import numpy as np
import pytest
import torch

from rndcfl import InputError, simulate
from rndcfl.common.metrics import exact
from rndcfl.fedavg import average


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(6)


def flhc(clients, rounds, **params):
    given = dict(warmup_rounds=2, local_epochs=3, progress=False) | params
    return simulate(clients, "flhc", rounds, **given)


@pytest.mark.parametrize("metric", ["l1", "l2", "cosine"])
def test_finds_two_groups_after_the_warm_up_and_keeps_them(clients, metric):
    labels = flhc(clients, 5, metric=metric, n_clusters=2).labels
    assert (labels[:2] == 0).all()
    assert exact(clients.groups, labels[2])
    assert (labels[2:] == labels[2]).all()


def test_our_threshold_finds_them_with_enough_samples(stripe_clients):
    clients = stripe_clients(6, n=200)
    assert exact(clients.groups, flhc(clients, 3).labels[-1])


@pytest.mark.parametrize("threshold, federations", [(0.0, 6), (1e9, 1)])
def test_a_given_threshold_is_taken(clients, threshold, federations):
    assert len(set(flhc(clients, 3, distance_threshold=threshold).labels[-1])) == federations


def test_until_the_clustering_it_is_fedavg(clients):
    warm, plain = flhc(clients, 2), simulate(clients, "global", 2, local_epochs=3, progress=False)
    assert all(torch.equal(v, plain.models[0][k]) for k, v in warm.models[0].items())


def test_clusters_start_from_the_global_model_and_average_the_clustering_round(clients):
    history = flhc(clients, 1, warmup_rounds=0, n_clusters=2)
    alone = simulate(clients, "local", 1, local_epochs=3, progress=False)
    for federation, model in history.models.items():
        members = np.flatnonzero(history.labels[0] == federation)
        expected = average([alone.models[i] for i in members], [1] * len(members))
        assert all(torch.equal(model[k], expected[k]) for k in model)


def test_everybody_takes_part_in_the_clustering_round_and_pays_for_it(clients):
    history = flhc(clients, 4, participation=0.5, n_clusters=2)
    ledger = history.ledger.table
    assert ledger.groupby("round")["client"].nunique().tolist() == [3, 3, 6, 3]
    assert set(ledger["phase"]) == {"training"}
    assert ledger.groupby("round")["bytes_up"].nunique().tolist() == [1] * 4
    assert exact(clients.groups, history.labels[-1])


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(warmup_rounds=-1), "warmup_rounds must be a whole number of at least 0"),
        (dict(metric="cosin"), "unknown metric 'cosin'; did you mean 'cosine'"),
        (dict(linkage="ward"), "unknown linkage 'ward'"),
        (dict(distance_threshold=-1.0), "distance_threshold must be a number of at least 0"),
        (dict(n_clusters=0), "n_clusters must be a whole number of at least 1"),
        (dict(n_clusters=7), "flhc: 7 clusters need at least as many clients"),
        (dict(n_clusters=2, distance_threshold=1.0), "distance_threshold or n_clusters, not both"),
        (dict(nearest=0.9), "nearest must be a number of at least 1"),
    ],
)
def test_unusable_arguments(clients, params, message):
    with pytest.raises(InputError, match=message):
        flhc(clients, 1, **params)
