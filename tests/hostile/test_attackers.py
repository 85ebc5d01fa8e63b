"""Who attacks, and what an attack sends."""

import numpy as np
import pytest
import torch

from rndcfl.common.errors import InputError
from rndcfl.common.ledger import Ledger
from rndcfl.discovery import discover
from rndcfl.hostile import (
    DISCOVERY,
    TRAINING,
    Attack,
    Attackers,
    Compatible,
    Copy,
    Garbage,
    Impersonate,
    Incompatible,
    Nonsense,
    Replay,
    Scaled,
    Twin,
    Universal,
    Wedge,
    cast,
    one_party,
)
from rndcfl.novelty import Novelty, exchange, fit
from rndcfl.predictors import RND, squared_errors


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(6, n=60)  # groups 0 1 0 1 0 1


@pytest.fixture(scope="module")
def honest_reports(clients):
    return exchange(clients, Novelty(), 0, Ledger())


def sent(clients, rnd, attack, i=1):
    trained, _ = fit(clients, rnd, 0, Ledger())
    return trained, Attackers(clients, {i: attack}).predictors(trained, clients, Novelty(rnd), 0)


# --- predictors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attack",
    [Garbage("random"), Garbage("nan"), Copy(2), Universal(), Universal("noise"), Replay()],
)
def test_only_the_attackers_predictor_is_replaced(clients, small_rnd, attack):
    trained, false = sent(clients, small_rnd, Attack(attack))
    others = [0, 2, 3, 4, 5]
    changed = []
    for name, p in trained.parameters.items():
        assert torch.equal(p[others], false.parameters[name][others])
        assert p.shape == false.parameters[name].shape
        changed.append(not torch.equal(p[1], false.parameters[name][1]))
    assert any(changed)


def test_garbage_is_what_it_is_called(clients, small_rnd):
    values = {
        kind: torch.cat(
            [
                p[1].flatten()
                for p in sent(clients, small_rnd, Attack(Garbage(kind)))[1].parameters.values()
            ]
        )
        for kind in ("random", "zeros", "huge", "nan")
    }
    assert values["random"].std() == pytest.approx(1, abs=0.2)
    assert not values["zeros"].any()
    assert values["huge"].abs().median() > 1e10
    assert values["nan"].isnan().all()


def test_a_copy_is_the_victims_or_nearly_so(clients, small_rnd):
    for noise in (0.0, 0.01):
        trained, false = sent(clients, small_rnd, Attack(Copy(2, noise)))
        for name, p in trained.parameters.items():
            off = (false.parameters[name][1] - p[2]).abs().max()
            assert off == 0 if noise == 0 else 0 < off < 0.06


def test_a_universal_predictor_is_better_on_others_than_an_honest_one(clients):
    trained, false = sent(clients, RND(), Attack(Universal()))
    _, held_out = fit(clients, RND(), 0, Ledger())
    x, wanted = held_out[0]  # of the other group
    before, after = (squared_errors(p, x, wanted)[1].mean() for p in (trained, false))
    assert after < 0.8 * before


# --- rows ---------------------------------------------------------------------------------------


def lied(clients, reports, attack, i=1):
    return Attackers(clients, {i: Attack(row=attack)}).reports(reports)


@pytest.mark.parametrize("attack", [Compatible(), Incompatible(), Twin(0), Wedge(0), Nonsense()])
def test_only_the_liars_row_is_replaced_and_the_truth_is_kept(clients, honest_reports, attack):
    kept = honest_reports.profile.copy(), honest_reports.novelty.copy()
    false = lied(clients, honest_reports, attack)
    others = [0, 2, 3, 4, 5]
    for part in ("samples", "novelty", "profile", "covariance"):
        old, new = getattr(honest_reports, part), getattr(false, part)
        np.testing.assert_array_equal(old[others], new[others])
    assert not all(
        np.array_equal(getattr(honest_reports, part)[1], getattr(false, part)[1])
        for part in ("samples", "profile", "covariance")
    )
    np.testing.assert_array_equal(kept[0], honest_reports.profile)
    np.testing.assert_array_equal(kept[1], honest_reports.novelty)


def test_a_wedge_is_nearer_to_its_victim_than_the_victims_peers_are(clients, honest_reports):
    row = lied(clients, honest_reports, Wedge(0)).profile[1]
    scale = np.linalg.inv(honest_reports.covariance[0])

    def distance(a, b):
        return np.sqrt((a - b) @ scale @ (a - b))

    profile = honest_reports.profile
    nearest = min(distance(profile[0], profile[i]) for i in (2, 4))
    assert distance(row, profile[0]) == pytest.approx(0.9 * nearest, rel=1e-3)
    mean = profile[[2, 4]].mean(0)
    assert distance(row, mean) > distance(profile[0], mean)


def test_without_peers_or_a_profile_a_wedge_is_the_victims_row(stripe_clients):
    pair = stripe_clients(2, n=60)
    reports = exchange(pair, Novelty(), 0, Ledger())
    np.testing.assert_array_equal(lied(pair, reports, Wedge(0)).profile[1], reports.profile[0])
    bare = exchange(pair, Novelty(most_peers=0), 0, Ledger())
    np.testing.assert_array_equal(lied(pair, bare, Wedge(0)).novelty[1], bare.novelty[0])


# --- who attacks --------------------------------------------------------------------------------


def test_attacks_on_all_three_are_one_attack(clients, small_rnd):
    everything = Attack(Copy(0), Impersonate(0), Scaled(-2.0))
    bad = Attackers(clients, {1: everything})
    assert bad.honest.tolist() == [0, 2, 3, 4, 5]
    start = {"w": torch.tensor([1.0]), "n": torch.tensor(2)}
    trained = {"w": torch.tensor([2.0]), "n": torch.tensor(3)}
    assert bad.update(0, start, trained) is trained
    false = bad.update(1, start, trained)
    assert false["w"].item() == -1 and false["n"].item() == 3
    found = discover(clients, tamper=bad, rnd=small_rnd)
    np.testing.assert_array_equal(found.reports.profile[0], found.reports.profile[1])
    assert found.dissimilarity[0, 1] == pytest.approx(-np.log10(15))


def test_a_position_without_client_is_named(clients):
    with pytest.raises(InputError, match="no client 6"):
        Attackers(clients, {6: Attack()})


def test_one_party_has_one_data_set(clients):
    sybils = one_party(clients, [1, 2, 4])
    assert sybils[2] is sybils[4] is sybils[1] is clients[1]
    assert sybils[0] is clients[0]
    assert sybils.groups.tolist() == [0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("name", [*DISCOVERY, *TRAINING])
def test_the_catalogue_draws_the_same_clients_for_every_attack(clients, name):
    few, more = cast(clients, name, 1, 3), cast(clients, name, 2, 3)
    assert list(more.attacks)[:1] == list(few.attacks)
    assert list(more.attacks) == list(cast(clients, "copy", 2, 3).attacks)
    assert list(more.attacks) != list(cast(clients, name, 2, 4).attacks)
    first, second = more.attacks
    same_data = more.clients[first] is more.clients[second]
    assert same_data == name.startswith("sybils")


def test_victims_are_honest_and_have_an_honest_peer(clients):
    for seed in range(20):
        bad = cast(clients, "copy", 3, seed)
        groups, honest = clients.groups, bad.honest
        for attack in bad.attacks.values():
            victim = attack.predictor.victim
            assert victim in honest
            assert (groups[honest] == groups[victim]).sum() > 1
