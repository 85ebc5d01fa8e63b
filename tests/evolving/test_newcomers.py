from dataclasses import replace

import numpy as np
import pytest
from turned import clients_of

from rndcfl import InputError, Ledger
from rndcfl.criteria import Calibrated
from rndcfl.evolving.newcomers import Federations
from rndcfl.evolving.watching import Standing
from rndcfl.predictors import RND


@pytest.fixture(scope="module")
def federations():
    standing = Standing.start(clients_of(n=8), RND(steps=60), 0, Ledger())
    labels = standing.discovery(Calibrated(), Ledger()).labels
    assert labels.tolist() == [0, 1] * 4
    return Federations.of(standing, labels, per_federation=2)


def test_newcomers_join_the_federation_of_their_kind(federations):
    placed = [federations.place(client).federation for client in clients_of(1, n=8)]
    assert placed == [0, 1] * 4


def test_a_stranger_founds_its_own(federations):
    placed = federations.place(clients_of(1, "contrast", n=8)[1])
    assert placed.founded and placed.federation == 2
    assert min(placed.evidence.values()) > 2


def test_the_criterion_decides_who_founds(federations):
    stranger = clients_of(1, "contrast", n=8)[1]
    strict = federations.place(stranger, Calibrated())
    assert strict.founded and strict.evidence == federations.place(stranger).evidence
    lenient = federations.place(stranger, Calibrated(min_effect=100.0))
    assert not lenient.founded and lenient.federation in (0, 1)


def test_the_cost_is_that_of_the_representatives(federations):
    assert federations.representatives.tolist() == [0, 2, 1, 3]
    each = federations.standing.predictors.bytes_each
    spent = federations.place(clients_of(1, n=8)[0]).ledger.total()
    assert spent["bytes_down"] == 4 * each + 8  # four predictors and the target's seed
    assert spent["bytes_up"] == each + 8 * (1 + 4 + 10)  # its own, and its profile


def test_the_same_newcomer_is_placed_the_same_way(federations):
    a, b = (federations.place(clients_of(1, n=8)[0]).evidence for _ in range(2))
    assert a == b


def test_departures_leave_the_rest_alone(federations):
    left = federations.without(0).without(3)
    assert federations.labels.tolist() == [0, 1] * 4
    assert left.labels.tolist() == [-1, 1, 0, -1, 0, 1, 0, 1]
    placed = [left.place(client).federation for client in clients_of(1, n=8)[:2]]
    assert placed == [0, 1]


def test_what_cannot_be_placed(federations):
    with pytest.raises(InputError, match=r"at least 3 samples of shape \(1, 28, 28\), got \(2, 1"):
        federations.place(type(clients_of(n=8)[0])(clients_of(n=8)[0].x[:2]))
    with pytest.raises(InputError, match="3 labels for 8 clients"):
        Federations.of(federations.standing, np.zeros(3, dtype=int))
    one = clients_of(n=8)[0]
    greedy = replace(federations.standing, rnd=RND(train_share=0.99))
    with pytest.raises(InputError, match="two must be left to score"):
        replace(federations, standing=greedy).place(type(one)(one.x[:5]))
    with pytest.raises(InputError, match="text must be numbers from 0"):
        federations.place(type(one)(np.full((5, 8), -1)))
    with pytest.raises(InputError, match="all clients have left"):
        replace(federations, labels=np.full(8, -1)).place(one)


def test_labels_may_be_a_list(federations):
    again = Federations.of(federations.standing, federations.labels.tolist(), per_federation=2)
    assert again.representatives.tolist() == federations.representatives.tolist()
