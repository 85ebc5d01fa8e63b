"""Discovery and training among attackers."""

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import exact
from rndcfl.discovery import discover
from rndcfl.hostile import (
    DISCOVERY,
    Attack,
    Attackers,
    Copy,
    Garbage,
    Nonsense,
    Trials,
    Twin,
    cast,
    honest_accuracy,
    infiltrated,
)
from rndcfl.simulation import simulate


@pytest.fixture(scope="module")
def clients(stripe_clients):
    return stripe_clients(6, n=60)  # groups 0 1 0 1 0 1


@pytest.fixture(scope="module")
def trials(clients):
    return Trials.start(clients, 0, 0.5)


def test_trials_are_what_discover_finds(clients, trials):
    for attack in (Attack(Copy(0)), Attack(row=Twin(0))):
        bad = Attackers(clients, {1: attack})
        found = trials.under(bad)
        for defence in ("none", "checked", "robust"):
            one = discover(clients, tamper=bad, defence=defence)
            np.testing.assert_array_equal(found[defence].dissimilarity, one.dissimilarity)
            np.testing.assert_array_equal(found[defence].labels, one.labels)
        paper = discover(clients, "paper", 0.5, tamper=bad, defence="none")
        np.testing.assert_array_equal(found["paper"].dissimilarity, paper.dissimilarity)


@pytest.mark.parametrize("attack", [Attack(Garbage("nan")), Attack(row=Nonsense())])
def test_one_nan_stops_everybody_without_checks_and_only_its_sender_with_them(
    clients, trials, attack
):
    bad = Attackers(clients, {1: attack})
    found = trials.under(bad)
    assert found["none"] is None
    for defence in ("checked", "robust"):
        assert list(found[defence].refused) == [1]
        assert found[defence].labels.tolist() == [0, 1, 0, 2, 0, 2]
    paper = discover(clients, "paper", 0.5, tamper=bad)
    assert paper.labels[1] not in np.delete(paper.labels, 1)


def test_a_twin_tears_its_victim_away_unless_torn_federations_are_mended(clients, trials):
    found = trials.under(Attackers(clients, {1: Attack(row=Twin(0))}))
    assert found["checked"].labels[0] != found["checked"].labels[2]
    assert found["robust"].labels.tolist() == [0, 0, 0, 1, 0, 1]


@pytest.mark.parametrize("name", DISCOVERY)
def test_honest_clients_are_found_under_every_attack_of_one(clients, trials, name):
    bad = cast(clients, name, 1, 0)
    labels = trials.under(bad)["robust"].labels
    assert exact(clients.groups[bad.honest], labels[bad.honest])


def test_infiltration_is_counted_among_honest_clients_of_other_groups(clients):
    bad = Attackers(clients, {1: Attack(), 3: Attack()})
    assert infiltrated(bad, np.array([0, 0, 0, 0, 0, 1])) == 1
    assert infiltrated(bad, np.array([0, 0, 0, 1, 0, 1])) == 0.5
    assert infiltrated(bad, np.array([0, 1, 0, 1, 0, 1])) == 0


def test_accuracy_is_that_of_honest_clients_in_the_given_federations(clients):
    bad = Attackers(clients, {1: Attack()})
    history = simulate(clients, "oracle", 2, seed=1, progress=False).final()
    expected = history["accuracy"].drop(1).mean()
    assert honest_accuracy(bad, clients.groups, 2, 1) == pytest.approx(expected)
    alone = simulate(clients, "local", 2, seed=1, progress=False).final()["accuracy"].drop(1).mean()
    assert honest_accuracy(bad, np.arange(6), 2, 1) == pytest.approx(alone)


def test_rnd_trains_among_attackers_with_its_defence(clients):
    bad = Attackers(clients, {1: Attack(row=Twin(0))})
    for defence in ("checked", "robust"):
        run = simulate(clients, "rnd", 1, progress=False, tamper=bad, defence=defence)
        expected = discover(clients, tamper=bad, defence=defence).labels
        assert run.labels[0].tolist() == expected.tolist()
    with pytest.raises(InputError, match="simulates no attacks"):
        simulate(clients, "rnd", 1, progress=False, tamper=bad, on_signal=True)
