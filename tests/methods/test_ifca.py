import numpy as np
import pytest
import torch
from torch import nn

from rndcfl import Clients, InputError, simulate
from rndcfl.common.ledger import nbytes
from rndcfl.engine.networks import build_model
from rndcfl.methods import IFCA


def two_tasks(per_group=3, n=60):
    """Clients of two groups with opposite labels: no single model can serve both."""
    rng = np.random.default_rng(0)
    arrays, groups = [], []
    for i in range(2 * per_group):
        x = rng.standard_normal((n, 4)).astype(np.float32)
        y = (x[:, 0] > 0).astype(int)
        arrays.append((x, y if i % 2 == 0 else 1 - y))
        groups.append(i % 2)
    return Clients.from_arrays(arrays, groups)


def linear(shape, n_classes):
    return nn.Linear(shape[0], n_classes)


def test_a_client_joins_the_model_of_lowest_training_loss():
    clients = two_tasks()
    history = simulate(clients, "ifca", 10, model=linear, lr=0.5, n_clusters=2, progress=False)
    assert set(map(tuple, history.labels[-1].reshape(-1, 2).tolist())) in ({(0, 1)}, {(1, 0)})
    assert history.final()["accuracy"].min() > 0.8


def test_each_participant_moves_k_plus_one_models_and_a_number():
    clients = two_tasks()
    history = simulate(clients, "ifca", 2, model=linear, n_clusters=3, progress=False)
    w = nbytes(history.network.state_dict().values())
    rows = history.table
    assert (rows["bytes_down"] == 3 * w).all()
    assert (rows["bytes_up"] == w + 8).all()


def test_those_who_do_not_participate_send_nothing():
    history = simulate(
        two_tasks(), "ifca", 3, model=linear, n_clusters=2, participation=0.5, progress=False
    )
    senders = history.table.groupby("round")["bytes_up"].agg(lambda v: (v > 0).sum())
    assert senders.tolist() == [3, 3, 3]


def test_an_empty_cluster_keeps_its_model():
    clients = two_tasks(per_group=1)[:1]
    with pytest.raises(InputError, match="2 clusters need at least as many clients"):
        simulate(clients, "ifca", 1, model=linear, n_clusters=2)
    history = simulate(two_tasks(1), "ifca", 1, model=linear, n_clusters=2, progress=False)
    later = simulate(two_tasks(1), "ifca", 3, model=linear, n_clusters=2, progress=False)
    assert set(history.models) == set(later.models) == {0, 1}
    for c in set(range(2)) - set(np.unique(later.labels).tolist()):
        assert torch.equal(history.models[c]["weight"], later.models[c]["weight"])


def test_the_initial_models_are_independent_and_reproducible():
    a, again, b = (build_model(linear, (4,), 2, 0, "ifca", c) for c in (0, 0, 1))
    assert torch.equal(a.weight, again.weight)
    assert not torch.equal(a.weight, b.weight)
    assert IFCA(n_clusters=4).k == 4
