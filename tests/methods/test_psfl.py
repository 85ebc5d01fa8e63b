import numpy as np
import pytest
import torch
from test_methods import Favourite, favourite, new_run

from rndcfl import Clients, InputError, simulate
from rndcfl.common.ledger import nbytes
from rndcfl.common.metrics import exact
from rndcfl.engine.local import evaluate
from rndcfl.engine.networks import device
from rndcfl.methods import PSFL
from rndcfl.methods.psfl import elect


@pytest.mark.parametrize(
    "threshold, leaders",
    [
        (0.5, [0, 1, 2, 3]),
        (1.0, [0, 1, 2, 3]),  # at the threshold they stay apart
        (1.5, [0, 0, 2, 3]),
        (2.5, [0, 0, 2, 3]),  # 2 is near enough to 1, which is not a leader
        (4.0, [0, 0, 0, 3]),
        (9.5, [0, 0, 0, 0]),
    ],
)
def test_leaders_by_hand(threshold, leaders):
    line = np.abs(np.subtract.outer([0.0, 1.0, 3.0, 9.0], [0.0, 1.0, 3.0, 9.0]))
    assert elect(line, threshold).tolist() == leaders


@pytest.fixture
def tastes():
    """Clients 0 and 2 know class 1 only, clients 1 and 3 class 0; ten samples each."""
    x = np.zeros((10, 2), dtype=np.float32)
    arrays = [(x, np.full(10, y), x, np.full(10, y)) for y in (1, 0, 1, 0)]
    return new_run(Clients.from_arrays(arrays), Favourite())


def models(*labels):
    return {
        i: {k: v.to(device()) for k, v in favourite(label).items()}
        for i, label in enumerate(labels)
        if label is not None
    }


def started(run, **params):
    method = PSFL(**params)
    run.labels = method.assign(0, run)
    return method


def test_those_whose_models_suit_each_other_federate_under_the_first_of_them(tastes):
    method = started(tastes, threshold=1.0)
    assert tastes.labels.tolist() == [0, 1, 2, 3]
    labels = method.regroup(0, tastes, models(1, 0, 1, 0))
    assert labels.tolist() == [0, 1, 0, 1]


def test_participants_elect_among_themselves_and_the_others_stay(tastes):
    method = started(tastes, threshold=1.0)
    tastes.labels = np.array([0, 0, 0, 3])
    labels = method.regroup(1, tastes, models(None, 0, 1, 0))  # 0 stays at home
    assert labels.tolist() == [0, 1, 2, 1]


def test_pairwise_losses_are_those_of_an_explicit_loop(stripe_clients):
    run = new_run(stripe_clients(4))
    method = started(run)
    gen = torch.Generator().manual_seed(0)
    start = run.models[0]
    trained = {
        i: {k: v + torch.randn(v.shape, generator=gen).to(v.device) for k, v in start.items()}
        for i in (0, 1, 3)
    }
    losses = method._losses(0, run, trained)
    for row, i in enumerate(trained):
        x, y = method.held_out[i]
        for column, j in enumerate(trained):
            expected = 0 if i == j else evaluate(run.network, trained[j], x, y)[0]
            assert losses[row, column] == expected
    assert len(np.unique(losses)) == 7


def test_validation_data_are_the_clients_own_and_not_trained_on(stripe_clients):
    clients = stripe_clients(3, n=30)
    run, again = new_run(clients), new_run(clients)
    method, same = started(run), started(again)
    for i, client in enumerate(clients):
        own, (x, y) = run.data[i], method.held_out[i]
        assert (len(own.x), len(x)) == (24, 6)
        assert torch.equal(x, same.held_out[i][0])
        everything = torch.cat([own.x, x]).cpu().numpy().reshape(30, -1)
        assert sorted(map(tuple, everything)) == sorted(map(tuple, client.x.reshape(30, -1)))
        assert len(y) == 6 and np.array_equal(own.x_test.cpu(), client.x_test)


def test_finds_two_groups(stripe_clients):
    clients = stripe_clients(6, n=120)
    history = simulate(clients, "psfl", 3, lr=0.3, progress=False)
    assert exact(clients.groups, history.labels[-1])
    assert history.labels[-1].tolist() == [0, 1] * 3  # named after their leaders


@pytest.mark.parametrize("participation, peers", [(1.0, 4), (0.5, 2), (0.01, 1)])
def test_models_and_losses_travel_between_participants(stripe_clients, participation, peers):
    clients = stripe_clients(4, n=30)
    history = simulate(clients, "psfl", 2, participation=participation, progress=False)
    w = nbytes(history.network.state_dict().values())
    ledger = history.ledger.table
    found = ledger[ledger["phase"] == "discovery/assignment"]
    assert found.groupby("round").size().tolist() == [peers, peers]
    assert set(found["bytes_down"]) == {(peers - 1) * (w + 4)}
    assert set(found["bytes_up"]) == {w + 4 * (peers - 1) if peers > 1 else 0}
    weights = 64 * 200 + 200 * 4
    assert set(found["multiply_adds"]) == {(peers - 1) * 6 * weights}
    training = ledger[ledger["phase"] == "training"]
    assert training[["bytes_up", "bytes_down"]].to_numpy().sum() == 0
    assert set(training["multiply_adds"]) == {3 * 24 * weights}


@pytest.mark.parametrize(
    "params, message",
    [
        (dict(threshold=-1), "threshold must be a number of at least 0"),
        (dict(validation=1.0), "validation must be a number from 0.0 to 0.9"),
        (dict(nearest=0), "nearest must be a number of at least 1"),
    ],
)
def test_unusable_arguments(stripe_clients, params, message):
    with pytest.raises(InputError, match=message):
        simulate(stripe_clients(4), "psfl", 1, **params)


def test_a_client_needs_a_sample_to_train_on_and_one_to_score_with():
    one, two = (np.zeros((n, 3)) for n in (1, 2))
    clients = Clients.from_arrays([(two, [0, 1], two, [0, 1]), (one, [0], two, [0, 1])])
    with pytest.raises(InputError, match="psfl: client 1 needs two samples"):
        simulate(clients, "psfl", 1)
    assert len(simulate(clients[:1], "psfl", 1, progress=False).table) == 1
