import numpy as np
import pytest
import torch
from torch import nn

from rndcfl import Clients, simulate
from rndcfl.engine.local import LocalTraining, copy_state, train_locally
from rndcfl.engine.networks import MODELS, build_model, device
from rndcfl.engine.stacked import stackable
from rndcfl.engine.together import CHUNK, train_clients

EQUAL, RAGGED = [12] * 5, [1, 12, 7, 40, 2, 33, 12]


class Looped(nn.Sequential):
    """Not an ``nn.Sequential`` proper, so that clients are trained one after the other."""


def looped(shape, n_classes):
    return Looped(*build_model("mlp", shape, n_classes, 0))


def tables(shape, n_classes):
    return nn.Sequential(nn.Linear(shape[0], 6), nn.ReLU(inplace=True), nn.Linear(6, n_classes))


def softmax(shape, n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), n_classes))


def pooled(shape, n_classes):
    return nn.Sequential(
        nn.Conv2d(shape[0], 4, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(36, n_classes),
    )


def generators(n):
    return [np.random.default_rng((7, i)) for i in range(n)]


def task(model, shape, sizes):
    """A network, a start of its own for every client, and its data."""
    rng = np.random.default_rng(0)
    networks = [build_model(model, shape, 4, 0, i).to(device()) for i in range(len(sizes))]
    data = [
        (
            torch.from_numpy(rng.random((n, *shape), dtype=np.float32)).to(device()),
            torch.from_numpy(rng.integers(0, 4, n)).to(device()),
        )
        for n in sizes
    ]
    return networks[0], [copy_state(network) for network in networks], data


def one_by_one(network, starts, data, training):
    return [
        train_locally(network, start, x, y, training, rng)
        for start, (x, y), rng in zip(starts, data, generators(len(data)), strict=True)
    ]


def assert_close(found, expected):
    assert len(found) == len(expected)
    for (ours, seen), (theirs, seen_alone) in zip(found, expected, strict=True):
        assert seen == seen_alone
        assert list(ours) == list(theirs)
        for name in ours:
            assert not ours[name].requires_grad
            torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", [EQUAL, RAGGED, [9] * (CHUNK + 1)], ids=["equal", "ragged", "17"])
@pytest.mark.parametrize(
    "training",
    [
        LocalTraining(0.1, local_epochs=2, batch_size=5),
        LocalTraining(0.1, local_steps=3, batch_size=8),
        LocalTraining(0.1, local_steps=4, batch_size=None),
    ],
    ids=["epochs", "steps", "full"],
)
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("mlp", (1, 8, 8)),  # first layer within the span of the samples
        (tables, (3,)),  # fewer values than samples: all weights move
        (softmax, (1, 8, 8)),
        ("cnn", (1, 8, 8)),
        (pooled, (2, 8, 8)),
    ],
    ids=["mlp", "tables", "softmax", "cnn", "pooled"],
)
def test_together_is_one_after_the_other(model, shape, training, sizes):
    network, starts, data = task(model, shape, sizes)
    before = [{name: w.clone() for name, w in start.items()} for start in starts]
    assert stackable(network)
    found = train_clients(network, starts, data, training, generators(len(data)))
    assert_close(found, one_by_one(network, starts, data, training))
    for start, kept in zip(starts, before, strict=True):
        assert all(torch.equal(start[name], kept[name]) for name in start)


def test_a_client_s_result_does_not_depend_on_the_others():
    network, starts, data = task("mlp", (1, 8, 8), RAGGED)
    training = LocalTraining(batch_size=5)
    everybody = train_clients(network, starts, data, training, generators(len(data)))
    some = [5, 1, 3]
    rngs = generators(len(data))
    few = train_clients(
        network,
        [starts[i] for i in some],
        [data[i] for i in some],
        training,
        [rngs[i] for i in some],
    )
    assert_close(few, [everybody[i] for i in some])
    again = train_clients(network, starts, data, training, generators(len(data)))
    for (a, _), (b, _) in zip(everybody, again, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_nobody_and_one_client():
    network, starts, data = task("mlp", (1, 8, 8), [10])
    training = LocalTraining(batch_size=None)
    assert train_clients(network, [], [], training, []) == []
    found = train_clients(network, starts, data, training, generators(1))
    assert_close(found, one_by_one(network, starts, data, training))


def twice(shape, n_classes):
    shared = nn.ReLU()
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), shared, nn.Linear(8, 8), shared)


def tied(shape, n_classes):
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    network[3].weight = network[1].weight
    return network


def fixed(shape, n_classes):
    network = softmax(shape, n_classes)
    network[1].bias.requires_grad_(False)
    return network


@pytest.mark.parametrize(
    "model",
    [
        looped,
        twice,
        tied,
        fixed,
        MODELS["resnet18"],
        lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 4)),
        lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8)),
        lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(64, 8, bias=False)),
        lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh()),
        lambda *_: nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(64, 8)),
        lambda *_: nn.Sequential(nn.Conv2d(1, 4, 3, dilation=2), nn.Flatten(), nn.Linear(64, 4)),
        lambda *_: nn.Sequential(nn.Flatten()),
        lambda *_: nn.Sequential(),
    ],
)
def test_other_networks_are_not_stacked(model):
    assert not stackable(build_model(model, (1, 8, 8), 4, 0))


@pytest.mark.parametrize("model", [looped, fixed, tied, "resnet18"])
def test_what_cannot_be_stacked_is_trained_one_after_the_other_to_the_bit(model):
    network, starts, data = task(model, (1, 8, 8), [6, 5])
    training = LocalTraining(batch_size=3)
    found = train_clients(network, starts, data, training, generators(2))
    for (ours, _), (theirs, _) in zip(
        found, one_by_one(network, starts, data, training), strict=True
    ):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(("method", "params"), [("global", {}), ("ifca", {"n_clusters": 2})])
def test_a_simulation_is_the_same_either_way(method, params, stripe_clients):
    clients: Clients = stripe_clients(6)
    together, alone = (
        simulate(clients, method, 3, model, lr=0.1, batch_size=10, progress=False, **params)
        for model in (lambda *a: nn.Sequential(*looped(*a)), looped)
    )
    assert np.array_equal(together.labels, alone.labels)
    costs = ["bytes_up", "bytes_down", "multiply_adds"]
    assert together.table[costs].equals(alone.table[costs])
    np.testing.assert_allclose(together.table["loss"], alone.table["loss"], rtol=1e-4)
    assert (together.table["seconds"] > 0).all()
