"""Tiny clients and a tiny dataset: 8x8 images, labels that can be learned, everything seeded."""

import os
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pooch
import pytest
import torch
from hypothesis import configuration, settings

from rndcfl.book import paths
from rndcfl.clients import Clients
from rndcfl.data.catalogue import Dataset, data_files
from rndcfl.predictors import RND

# The same examples every time, and no folder left behind.
configuration.set_hypothesis_home_dir(tempfile.gettempdir())
settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")
# Tiny tensors, and test processes that share the cores: one thread each, in what they start, too.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"

# Begun first: they wait for other processes, and at the end everybody would wait for them.
LONG = ["test_flower_loopback", "test_notebooks", "test_commands", "test_crash", "test_orphans"]
LONG += ["test_cli"]


def pytest_collection_modifyitems(items):
    place = {f"{name}.py": i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONG)))


def stripes(n, n_classes, rng):
    """Images [n, 1, 8, 8] whose label says where the bright stripe is."""
    y = rng.integers(n_classes, size=n)
    x = 0.3 * rng.random((n, 1, 8, 8))
    x[np.arange(n), 0, y] += 0.6
    return x.astype(np.float32), y


@pytest.fixture(scope="session")
def stripe_clients():
    """Factory of clients in two groups in turn: upright stripes and lying ones."""

    def make(n_clients=4, n=30, n_test=10, known=True, one_group=False):
        arrays = []
        for i in range(n_clients):
            rng = np.random.default_rng(i)
            x, y = stripes(n + n_test, 4, rng)
            if i % 2 and not one_group:
                x = x.swapaxes(2, 3)
            y[:4] = np.arange(4)
            arrays.append((x[:n], y[:n], x[n:], y[n:]) if n_test else (x, y))
        groups = [0 if one_group else i % 2 for i in range(n_clients)]
        return Clients.from_arrays(arrays, groups if known else None)

    return make


@pytest.fixture(scope="session")
def tiny_dataset():
    """600 training and 240 test images of six classes, 100 and 40 of each."""
    rng = np.random.default_rng(0)
    parts = []
    for n in (600, 240):
        x, _ = stripes(n, 6, rng)
        parts += [x, rng.permutation(np.arange(n) % 6)]
    return Dataset(*parts, "tiny", "Tiny", 6, "", "", "")


@pytest.fixture(scope="session")
def small_rnd():
    """The smallest budget that is still random network distillation."""
    return RND((2, 4), (4, 8), embedding=8, steps=5, batch_size=8, train_share=1 / 3)


@pytest.fixture
def no_user_data(monkeypatch, tmp_path):
    """No data folder set, an empty cache, and no network."""

    def offline(*args, **kwargs):
        raise OSError("network is unreachable")

    monkeypatch.delenv("RNDCFL_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr(pooch, "retrieve", offline)
    return tmp_path


@pytest.fixture
def data_root():
    """Function dataset -> the folder RNDCFL_DATA; skips the test where the dataset is not there."""

    def root(name):
        if not os.environ.get("RNDCFL_DATA") or not data_files(name):
            pytest.skip(f"RNDCFL_DATA names no folder with {name}")
        return Path(os.environ["RNDCFL_DATA"])

    return root


@pytest.fixture
def global_rng_untouched():
    """The test fails if it has moved NumPy's or PyTorch's global generator."""
    numpy_before = np.random.get_state()  # noqa: NPY002
    torch_before = torch.random.get_rng_state()
    yield
    for before, after in zip(numpy_before, np.random.get_state(), strict=True):  # noqa: NPY002
        assert np.array_equal(before, after)
    assert torch.equal(torch_before, torch.random.get_rng_state())


@pytest.fixture(params=paths.notebooks())
def name(request):
    """Each notebook's name in turn."""
    return request.param


@pytest.fixture
def notebook(name):
    """Each notebook in turn."""
    return nbformat.read(paths.notebooks()[name], as_version=4)
