"""A private discovery: what it finds, what it promises, and what it may not be asked for."""

from dataclasses import replace

import numpy as np
import pytest

from rndcfl import InputError, Privacy, discover, simulate
from rndcfl.common.ledger import Ledger
from rndcfl.common.seeding import numpy_rng
from rndcfl.engine.networks import multiply_adds
from rndcfl.novelty import Novelty, exchange
from rndcfl.predictors import RND, frozen_target, untrained_predictors
from rndcfl.privacy.promise import PRIVATE
from rndcfl.privacy.reports import log_errors

SHAPE = (1, 8, 8)
TINY = RND((2, 4), (4, 8), embedding=8, steps=3, lr=1e-2, train_share=0.5)
LOUD = Privacy(1.0, noise_seed=0)


def test_private_discovery_finds_clear_groups_and_says_what_it_promises(stripe_clients):
    clients = stripe_clients(4, n=400)
    found = discover(clients, privacy=Privacy(8.0, noise_seed=0))
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert "(8, 1e-05)-differentially private" in repr(found)
    assert found.privacy.epsilon == 8.0
    assert len(found.explain()) == 4
    again = discover(clients, privacy=Privacy(8.0, noise_seed=0))
    assert np.array_equal(found.reports.profile, again.reports.profile)
    other = discover(clients, privacy=Privacy(8.0, noise_seed=1))
    assert not np.array_equal(found.reports.profile, other.reports.profile)


def test_a_held_out_sample_changes_one_row_and_a_training_sample_one_predictor(stripe_clients):
    """What the parallel composition rests on: nobody's sample is used twice."""
    clients = stripe_clients(3, n=40)
    order = numpy_rng(0, "samples", 1).permutation(40)

    def reports(changed=None):
        x = clients[1].x.copy()
        if changed is not None:
            x[order[changed]] = 0.9
        members = (clients[0], replace(clients[1], x=x), clients[2])
        altered = replace(clients, members=members)
        return exchange(altered, LOUD.profile(Novelty(TINY)), 0, Ledger()).profile

    plain, scored, trained = reports(), reports(39), reports(0)
    assert [np.array_equal(plain[i], scored[i]) for i in range(3)] == [True, False, True]
    columns = np.abs(log_errors(plain) - log_errors(trained)).max(0)
    assert columns.argmax() == 1 or np.array_equal(plain, trained)  # it may not have taken part


def test_everything_private_is_in_the_reports(stripe_clients):
    """What goes up is a profile and its covariance; novelty is worked out from that."""
    clients, ledger, rnd = stripe_clients(3, n=40), Ledger(), replace(TINY, train_share=0.25)
    reports = exchange(clients, LOUD.profile(Novelty(rnd)), 0, ledger)
    assert reports.share == 0.75 and reports.samples.tolist() == [30] * 3
    assert (reports.noise > 0).all() and reports.refused == {}
    np.testing.assert_allclose(reports.novelty, np.exp(log_errors(reports.profile)))
    up = ledger.total("discovery/novelty")["bytes_up"]
    assert up == 3 * 8 * (1 + 3 + 6)  # samples, means, half of the covariance


def test_where_not_all_predictors_are_in_the_profile_novelty_is_not_known(
    stripe_clients, monkeypatch
):
    monkeypatch.setattr("rndcfl.privacy.promise.profile_peers", lambda n, seed: np.array([0, 2]))
    reports = exchange(stripe_clients(3, n=40), LOUD.profile(Novelty(TINY)), 0, Ledger())
    assert np.isnan(reports.novelty[:, 1]).all() and np.isfinite(reports.novelty[:, [0, 2]]).all()


def test_what_it_costs(stripe_clients):
    ledger = Ledger()
    exchange(stripe_clients(3, n=40), LOUD.profile(Novelty(TINY)), 0, ledger)
    once = multiply_adds(untrained_predictors(SHAPE, 1, TINY, 0).network, SHAPE)
    target = multiply_adds(frozen_target(SHAPE, TINY, 0), SHAPE)
    # Of 20 samples that train, a step takes 2 on average; the other 20 are scored.
    train, score = (ledger.total(f"discovery/{phase}") for phase in ("predictors", "novelty"))
    assert train["multiply_adds"] == 3 * (40 * target + 3 * 3 * 2 * once)
    assert score["multiply_adds"] == 3 * 3 * 20 * once


def test_the_default_budget_of_private_discovery_leaves_no_sample_out():
    assert PRIVATE.max_samples is None
    assert PRIVATE.n_train(1000) == PRIVATE.n_scored(1000) == 500


@pytest.mark.parametrize(
    "given, message",
    [
        (dict(privacy=1.0), "privacy must be a Privacy"),
        (dict(privacy=Privacy(0.0)), "epsilon must be"),
        (dict(privacy=Privacy(1.0, delta=0.5)), "delta must be"),
        (dict(privacy=Privacy(1.0, rate=0.0)), "rate must be"),
        (dict(privacy=LOUD, criterion="paper", tolerance=0.1), "criterion 'calibrated'"),
        (dict(privacy=LOUD, defence="robust"), "'robust' knows nothing of noise"),
        (dict(privacy=LOUD, tamper=object()), "private discoveries are not simulated"),
    ],
)
def test_what_cannot_be_private_is_refused(stripe_clients, given, message):
    with pytest.raises(InputError, match=message):
        discover(stripe_clients(3), **given)


@pytest.mark.parametrize("again", [dict(recluster_every=2), dict(on_signal=True)])
def test_discovering_again_would_spend_more_than_promised(stripe_clients, again):
    with pytest.raises(InputError, match="one discovery"):
        simulate(stripe_clients(3), "rnd", 1, privacy=LOUD, **again)
