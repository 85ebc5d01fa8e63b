"""Attacks on predictors: by hand, and where the answer is known."""

import numpy as np
import pytest
import torch

from rndcfl import InputError, Privacy
from rndcfl.predictors import RND, frozen_target, untrained_predictors
from rndcfl.privacy.attacks import Exposed, auc_bound, expose, membership, nearest, reconstruct

BUDGET = RND((2, 4), (4, 8), embedding=8, steps=2, batch_size=8, train_share=0.5)
MEMORISES = RND((16, 32), (4, 8), embedding=8, steps=400, batch_size=8, lr=3e-3, train_share=0.5)


def test_who_trained_and_who_did_not_are_told_apart(stripe_clients):
    clients = stripe_clients(2, n=31)
    known = expose(clients, BUDGET, 0)
    for client, own, other in zip(clients, known.members, known.others, strict=True):
        assert len(own) == len(other) == 15  # 16 train, 15 are left
        together = torch.cat([own, other]).numpy()
        assert len(np.unique(together, axis=0)) == 30
        near, far = nearest(together, client.x)
        assert far.max() == 0 and len(set(near)) == 30


def test_a_predictor_that_memorises_gives_everybody_away_and_an_untrained_one_nobody(
    stripe_clients,
):
    clients = stripe_clients(4, n=24)
    trained = membership(expose(clients, MEMORISES, 0), clients.groups)
    assert trained.groupby("attack")["auc"].mean().min() > 0.9
    known = expose(clients, BUDGET, 0)
    fresh = Exposed(
        untrained_predictors(clients.input_shape, 4, BUDGET, 0),
        known.target,
        known.members,
        known.others,
    )
    assert abs(membership(fresh, clients.groups)["auc"].mean() - 0.5) < 0.15


def test_privacy_hides_what_memorising_gives_away(stripe_clients):
    clients = stripe_clients(4, n=24)
    privacy = Privacy(1.0, rate=0.5, noise_seed=0)
    hidden = membership(expose(clients, MEMORISES, 0, privacy), clients.groups)
    assert hidden["auc"].mean() < 0.65 < auc_bound(1.0)


def test_calibration_needs_peers_of_ones_own_group(stripe_clients):
    clients = stripe_clients(3, n=20)
    found = membership(expose(clients, BUDGET, 0), clients.groups)
    assert found[found["attack"] == "calibrated"]["client"].tolist() == [0, 2]


def test_what_cannot_be_exposed(stripe_clients):
    with pytest.raises(InputError, match="train_share < 1"):
        expose(stripe_clients(2), RND(train_share=1.0), 0)
    with pytest.raises(InputError, match="epsilon must be"):
        expose(stripe_clients(2), BUDGET, 0, Privacy(-1.0))


def test_the_bound_on_the_auc():
    assert auc_bound(0.0) == 0.5
    assert auc_bound(1.0) == pytest.approx(np.e**2 / (1 + np.e**2))


def test_descent_finds_what_the_predictor_knows_better_than_where_it_began(stripe_clients):
    clients = stripe_clients(2, n=24)
    known = expose(clients, MEMORISES, 0)
    start = np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32)

    def relative(x):
        x = torch.from_numpy(x)
        wanted = known.target(x)
        made = known.predictors.only([0]).forward(x)[0]
        return ((made - wanted).square().sum(1) / wanted.square().sum(1)).detach().numpy()

    found = reconstruct(known, 0, start, steps=60)
    assert found.shape == start.shape and 0 <= found.min() and found.max() <= 1
    assert relative(found).max() < relative(start).min()
    assert np.all(np.diff(relative(found)) >= 0)  # the best known first
    smooth = reconstruct(known, 0, start, smooth=20.0, steps=60)
    assert np.abs(np.diff(smooth)).mean() < np.abs(np.diff(found)).mean() / 2


def test_nearest_by_hand():
    among = np.array([[[[0.0, 0.0]]], [[[1.0, 1.0]]]])
    index, distance = nearest(np.array([[[[0.0, 0.2]]], [[[1.0, 0.4]]]]), among)
    assert index.tolist() == [0, 1]
    assert distance == pytest.approx([np.sqrt(0.02), np.sqrt(0.18)])


def test_the_target_is_the_one_that_was_imitated(stripe_clients):
    known = expose(stripe_clients(2), BUDGET, 3)
    again = frozen_target((1, 8, 8), BUDGET, 3)
    x = known.members[0]
    assert torch.equal(known.target(x), again(x))
