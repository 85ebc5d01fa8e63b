"""Clients compared by a frozen network's outputs, with nothing trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from rndcfl import Client, Clients, InputError, Ledger, Notice, discover, make_clients, simulate
from rndcfl.criteria import Calibrated
from rndcfl.engine.networks import multiply_adds
from rndcfl.features import Features
from rndcfl.hostile import Attack, Attackers, Compatible, Incompatible, Nonsense
from rndcfl.novelty import exchange
from rndcfl.predictors import RND, frozen_target, used_samples
from rndcfl.reports import report_bytes


class Means(nn.Module):
    """Rows' means of images [n, 1, 8, 8] or of tables [n, d], so that the result is known."""

    def forward(self, x):
        return x.flatten(1)[:, :16].reshape(len(x), 4, 4).mean(2)


def test_a_report_is_mean_and_covariance_of_the_targets_outputs(stripe_clients, small_rnd):
    clients, ledger = stripe_clients(4), Ledger()
    reports = exchange(clients, Features(small_rnd), 3, ledger)
    target = frozen_target(clients.input_shape, small_rnd, 3)
    assert reports.novelty is None and reports.peers.tolist() == [-1] * small_rnd.embedding
    for i, client in enumerate(clients):
        seen = target(used_samples(client, i, small_rnd, 3)).double().numpy()
        assert reports.samples[i] == len(client) == len(seen)  # all of them, since none trains
        np.testing.assert_allclose(reports.profile[i], seen.mean(0), rtol=1e-6)
        np.testing.assert_allclose(reports.covariance[i], np.cov(seen.T), rtol=1e-5, atol=1e-9)


def test_the_ledger_has_one_message_each_and_the_network_once_per_sample(stripe_clients, small_rnd):
    clients, ledger = stripe_clients(4, n=20), Ledger()
    exchange(clients, Features(small_rnd), 0, ledger)
    cost = multiply_adds(frozen_target(clients.input_shape, small_rnd, 0), clients.input_shape)
    assert ledger.table["phase"].unique().tolist() == ["discovery/features"]
    total = ledger.total()
    assert total["bytes_up"] == 4 * report_bytes(0, small_rnd.embedding)
    assert total["bytes_down"] == 4 * 8  # the seed
    assert total["multiply_adds"] == 4 * 20 * cost


def test_a_clients_report_depends_on_nobody_else(stripe_clients, small_rnd):
    few, many = (exchange(stripe_clients(n), Features(small_rnd), 0, Ledger()) for n in (3, 5))
    np.testing.assert_array_equal(few.profile, many.profile[:3])


@pytest.mark.parametrize("setting", ["rotation", "iid"])
def test_groups_are_found_without_training(setting):
    clients = make_clients(
        "fashion-mnist-mini", setting, 6, 2, samples_per_client=100, test_per_client=1
    )
    found = discover(clients, by="features")
    truth = clients.groups if setting != "iid" else np.zeros(6)
    assert found.labels.tolist() == truth.tolist()
    assert found.novelty is None and found.excess is None and found.criterion == "calibrated"
    assert found.reports.share == 1.0
    assert found.samples_needed(1.0) < discover(clients, steps=1).samples_needed(1.0) * 2
    assert len(found.explain()) == 6 and "would miss distances below" in repr(found)
    again = discover(clients, by="features")
    np.testing.assert_array_equal(found.dissimilarity, again.dissimilarity)


def test_labels_are_seen_if_asked_for():
    clients = make_clients(
        "fashion-mnist-mini", "label_swap", 4, 2, samples_per_client=200, test_per_client=1
    )
    assert discover(clients, by="features").n_federations == 1
    seen = discover(clients, by="features", labels=True)
    assert seen.labels.tolist() == clients.groups.tolist()


def test_tables_and_text_are_compared():
    rng = np.random.default_rng(0)
    tables = [(rng.standard_normal((80, 6)) + i % 2, None) for i in range(4)]
    assert discover(Clients.from_arrays(tables), by="features").labels.tolist() == [0, 1, 0, 1]
    texts = [(rng.integers(30 * (i % 2), 30 + 30 * (i % 2), (80, 12)), None) for i in range(4)]
    assert discover(Clients.from_arrays(texts, kind="text"), by="features").labels.tolist() == [
        0,
        1,
        0,
        1,
    ]


# --- a network of one's own ---------------------------------------------------------------------


def test_a_network_of_ones_own_is_what_clients_are_compared_by(stripe_clients):
    clients, network = stripe_clients(4), Means()
    reports = exchange(clients, Features(network=network), 0, Ledger())
    for client, profile, covariance in zip(
        clients, reports.profile, reports.covariance, strict=True
    ):
        rows = client.x.reshape(len(client), 64)[:, :16].reshape(-1, 4, 4).mean(2)
        np.testing.assert_allclose(profile, rows.mean(0), rtol=1e-5)
        np.testing.assert_allclose(covariance, np.cov(rows.T), rtol=1e-4, atol=1e-9)


def test_it_is_left_as_it_was(stripe_clients):
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Dropout(0.5), nn.Linear(64, 5))
    before = {name: v.clone() for name, v in network.state_dict().items()}
    found = [discover(stripe_clients(4), by="features", network=network) for _ in range(2)]
    np.testing.assert_array_equal(found[0].dissimilarity, found[1].dissimilarity)  # no dropout
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert all(torch.equal(v, before[name]) for name, v in network.state_dict().items())


def test_of_many_outputs_as_many_combinations_are_taken_as_asked_for(stripe_clients):
    wide = nn.Sequential(nn.Flatten(), nn.Linear(64, 300))
    found = discover(stripe_clients(4, n=60), by="features", network=wide, embedding=10)
    assert found.reports.profile.shape == (4, 10)
    assert found.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "network, says",
    [
        (nn.Linear(3, 4), "does not take samples of shape"),
        (nn.Conv2d(1, 4, 3), r"must map \[n, ...\] to \[n, outputs\]"),
        ("resnet", "must be a torch.nn.Module, got str"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(stripe_clients, network, says):
    with pytest.raises(InputError, match=says):
        discover(stripe_clients(3), by="features", network=network)


def test_outputs_that_are_no_numbers_are_refused(stripe_clients):
    class Roots(Means):
        def forward(self, x):
            return (super().forward(x) - 0.5).sqrt()

    with pytest.raises(InputError, match="NaN or infinite outputs on client 0's samples"):
        discover(stripe_clients(3), by="features", network=Roots())


def test_large_outputs_are_no_lie(stripe_clients):
    class Loud(Means):
        def forward(self, x):
            return 1e6 * super().forward(x)

    quiet, loud = (
        discover(stripe_clients(4), by="features", network=network) for network in (Means(), Loud())
    )
    assert not loud.refused
    np.testing.assert_allclose(loud.distance, quiet.distance, rtol=1e-3, atol=1e-3)


# --- what does not go together ------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked, says",
    [
        (dict(by="featrues"), "did you mean 'features'"),
        (dict(by="features", criterion="paper", tolerance=0.4), "take 'calibrated'"),
        (dict(by="features", steps=50), "steps is of the predictors, and by='features' trains"),
        (dict(network=Means()), "network goes with by='features'"),
        (dict(by="features", network=Means(), labels=True), "leave out network"),
    ],
)
def test_what_does_not_go_together_is_refused(stripe_clients, asked, says):
    with pytest.raises(InputError, match=says):
        discover(stripe_clients(4), **asked)


def test_a_client_of_one_sample_is_left_alone(stripe_clients):
    own = stripe_clients(1, n=60)[0].x
    few = Clients.from_arrays([(own[:29], None), (own[29:30], None), (own[30:], None)])
    with pytest.warns(Notice, match=r"client 1 \(1\) with too few samples to compare"):
        found = discover(few, by="features")
    assert found.labels.tolist() == [0, 1, 0]
    assert found.refused == {1: "it has 1 sample, too few to compare"}
    with pytest.raises(InputError, match="client 0 has 1 samples, 1 of them left to compare"):
        discover(few[1:2], by="features")


# --- around it ----------------------------------------------------------------------------------


def test_a_simulation_groups_by_features(stripe_clients):
    history = simulate(stripe_clients(4, n=60), "rnd", 2, by="features", progress=False)
    assert history.labels.tolist() == [[0, 1, 0, 1]] * 2
    assert "discovery/features" in set(history.ledger.table["phase"])


def test_liars_lie_about_features_too(stripe_clients):
    clients = stripe_clients(6, n=60)
    honest = discover(clients, by="features").labels
    for attack in (Compatible(), Incompatible(), Nonsense()):
        attackers = Attackers(clients, {1: Attack(row=attack)})
        found = discover(clients, by="features", tamper=attackers)
        assert found.labels[[0, 2, 4]].tolist() == honest[[0, 2, 4]].tolist(), attack
    assert 1 in found.refused  # nonsense is


def test_order_of_the_samples_does_not_matter_when_all_are_used(stripe_clients, small_rnd):
    clients = stripe_clients(2)
    turned = replace(clients, members=tuple(Client(c.x[::-1].copy(), c.y) for c in clients))
    a, b = (exchange(c, Features(small_rnd), 0, Ledger()) for c in (clients, turned))
    np.testing.assert_allclose(a.profile, b.profile, rtol=1e-5)
    assert Calibrated().judge(a, Ledger()).n_federations == 2
    assert RND(max_samples=10).n_used(30) == Features(RND(max_samples=10)).scored(30) == 10
