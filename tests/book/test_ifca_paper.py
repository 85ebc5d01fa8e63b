import numpy as np
import pytest
import torch

from rndcfl import InputError
from rndcfl.book.bench.ifca_paper import Rotated, best_of, ifca_regression, ifca_rotated
from rndcfl.data.catalogue import Dataset
from rndcfl.engine.local import copy_state, evaluate
from rndcfl.engine.networks import build_model


def corners(n, seed):
    """Images of 8 x 8 with a bright corner block; the class is its height. Turned, they differ."""
    rng = np.random.default_rng(seed)
    x, y = rng.random((n, 1, 8, 8), dtype=np.float32) / 4, rng.integers(0, 3, n)
    for image, k in zip(x, y, strict=True):
        image[0, : 2 + 2 * k, :3] += 0.7
    return x, y.astype(np.int64)


@pytest.fixture
def dataset():
    train, test = corners(240, 0), corners(60, 1)
    about = dict(title="", sha256="", licence="", citation="")
    return Dataset(*train, *test, name="corners", n_classes=3, **about)


def test_a_client_takes_the_model_of_least_loss():
    x, y = torch.rand(3, 20, 6), torch.randint(0, 4, (3, 20))
    network = build_model("mlp", (6,), 4, 0)
    models = [copy_state(build_model("mlp", (6,), 4, 0, k)) for k in range(3)]
    choice, right = best_of(network, models, list(zip(x, y, strict=True)))
    for i in range(3):
        found = [evaluate(network, model, x[i], y[i]) for model in models]
        assert found[choice[i]][0] == min(loss for loss, _ in found)
        assert right[i] == found[choice[i]][1]


def test_every_rotation_has_every_image_once():
    x = np.arange(12 * 4, dtype=np.float32).reshape(12, 1, 2, 2)
    data = Rotated.of(x, np.arange(12), samples=4, seed=0, part="train")
    assert data.groups.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    for turns in range(4):
        own = data.data(np.flatnonzero(data.groups == turns))
        held, labels = torch.cat([x for x, _ in own]), torch.cat([y for _, y in own])
        assert sorted(labels.tolist()) == list(range(12))
        for image, label in zip(held, labels, strict=True):
            turned = np.rot90(x[label, 0], turns)
            assert image.tolist() == turned.flatten().tolist()
    with pytest.raises(InputError, match="12 train images do not suffice for a client of 13"):
        Rotated.of(x, np.arange(12), samples=13, seed=0, part="train")


def test_ifca_learns_whatever_the_size_of_chunks(dataset):
    table = ifca_rotated(dataset, 0, 6, samples=20, lr=0.05, chunk=7)
    assert table["round"].tolist() == [0, 1, 2, 3, 4, 5]
    assert table["clients"].tolist() == [48] * 6
    assert table["accuracy"].iloc[-1] > 0.9 > 0.7 > table["accuracy"].iloc[0]
    again = ifca_rotated(dataset, 0, 2, samples=20, lr=0.05, chunk=48)
    np.testing.assert_allclose(again["accuracy"], table["accuracy"][:2], atol=0.02)
    assert ifca_rotated(dataset, 0, 1, images=120, samples=20)["clients"].tolist() == [24]


def test_ifca_recovers_regressions_with_enough_clients_and_not_with_few():
    """d = 100 for the paper's 1000 and clients in proportion keep a group's samples per input."""
    many = [ifca_regression(40, 100, d=100, seed=seed) for seed in range(6)]
    few = [ifca_regression(10, 50, d=100, seed=seed) for seed in range(6)]
    assert sum(error < 0.6 for error in many) >= 2  # some starts do not separate the groups
    assert min(few) > 0.6
    with_groups = (100 / (1000 - 100)) ** 0.5  # least squares, were the groups known
    assert min(many) == pytest.approx(with_groups, rel=0.2)
