"""Private reports of a frozen network's outputs."""

import numpy as np
import pytest

from rndcfl import Clients, Ledger, Privacy, discover, make_clients
from rndcfl.features import Features
from rndcfl.novelty import exchange
from rndcfl.predictors import RND
from rndcfl.privacy.features import FEW, UNIT, PrivateFeatures

QUIET = Privacy(1000.0, noise_seed=0)


def test_groups_are_found_at_epsilon_one():
    clients = make_clients(
        "fashion-mnist-mini", "rotation", 6, 2, samples_per_client=400, test_per_client=1
    )
    found = discover(clients, by="features", privacy=Privacy(1.0, noise_seed=0))
    assert found.labels.tolist() == clients.groups.tolist()
    assert found.privacy.epsilon == 1.0 and "differentially private" in repr(found)
    assert found.novelty is None and found.reports.profile.shape == (6, FEW.embedding)


def test_a_report_is_of_vectors_of_norm_one_at_most_in_public_units(stripe_clients):
    clients, rnd = stripe_clients(3, n=200), RND(embedding=8)
    private = QUIET.profile(Features(rnd))
    assert isinstance(private, PrivateFeatures)
    reports = exchange(clients, private, 0, Ledger())
    frozen = Features(rnd).frozen(clients[0], 0)
    unit = UNIT * np.linalg.norm(frozen.at(1.0))
    v = (frozen.outputs(clients[0], 0) - frozen.at(0.5)[:, None]) / unit
    v /= np.maximum(1, np.linalg.norm(v, axis=0))
    assert (np.linalg.norm(v, axis=0) < 1 + 1e-9).all()
    np.testing.assert_allclose(reports.profile[0], v.mean(1), atol=0.01)  # epsilon is 1000
    assert (reports.noise > 0).all()


def test_one_sample_moves_the_mean_by_one_in_n_at_most(stripe_clients):
    (client,) = stripe_clients(1, n=50)
    wild = client.x.copy()
    wild[7] = 1e6  # as far as a sample can be
    one, other = (
        exchange(Clients.from_arrays([(x, None)] * 2), QUIET.profile(Features()), 0, Ledger())
        for x in (client.x, wild)
    )
    assert np.linalg.norm(one.profile[0] - other.profile[0]) <= 2 / 50 + 1e-9


def test_noise_depends_on_the_secret_and_grows_with_privacy(stripe_clients):
    clients = stripe_clients(2, n=40)

    def profile(epsilon, seed):
        policy = Privacy(epsilon, noise_seed=seed)
        return exchange(clients, policy.profile(Features()), 0, Ledger())

    a, b, c = profile(1.0, 0), profile(1.0, 0), profile(1.0, 1)
    np.testing.assert_array_equal(a.profile, b.profile)
    assert (a.profile != c.profile).all()
    assert a.noise[0] > profile(4.0, 0).noise[0] > 0


@pytest.mark.parametrize("epsilon", [0.5, 4.0])
def test_the_level_holds_under_noise(epsilon):
    clients = make_clients(
        "fashion-mnist-mini", "iid", 24, 1, samples_per_client=100, test_per_client=1
    )
    for seed in range(5):
        policy = Privacy(epsilon, noise_seed=seed)
        assert discover(clients, by="features", privacy=policy, min_effect=0.0).n_federations == 1
