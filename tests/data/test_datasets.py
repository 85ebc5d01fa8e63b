from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from torch.utils.data.distributed import DistributedSampler

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.data import datasets, loaders
from rndcfl.data.datasets import from_datasets

X = torch.arange(12.0)[:, None] + torch.tensor([0, 0.5])
Y = torch.arange(12) % 3
TENSORS = TensorDataset(X, Y)


class Given(Dataset):
    """A map dataset of what it was given."""

    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, k):
        return self.samples[k]


class Stream(IterableDataset):
    """Samples one after the other, without end where there is no n."""

    def __init__(self, n=None):
        self.n = n

    def __iter__(self):
        k = 0
        while self.n is None or k < self.n:
            yield X[k % 12], k % 3
            k += 1


class Doubled(TensorDataset):
    """Tensors with a transform of its own."""

    def __getitem__(self, k):
        x, y = super().__getitem__(k)
        return 2 * x, y


def rows(client):
    """Which of X a client holds, by the first column."""
    return client.x[:, 0].tolist()


def read(given, **options):
    (client,) = from_datasets([given], **options)
    return client


# --- PyTorch's datasets -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        TENSORS,
        Given([(x, int(y)) for x, y in TENSORS]),
        Given([(x.numpy(), y) for x, y in TENSORS]),
        Given([[x.tolist(), float(y), "its file"] for x, y in TENSORS]),
        Given([{"label": y, "x": x} for x, y in TENSORS]),
        Given([{"target": y, "weather": x} for x, y in TENSORS]),
        Stream(12),
        Subset(TENSORS, range(12)),
        [(x, y) for x, y in TENSORS],
        DataLoader(TENSORS, batch_size=5),
        DataLoader(TENSORS, batch_size=5, shuffle=True, drop_last=True),
        DataLoader(TENSORS, sampler=SequentialSampler(TENSORS)),
        DataLoader(TENSORS, sampler=RandomSampler(TENSORS)),
        DataLoader(TENSORS, batch_size=None),
        DataLoader(Stream(12), batch_size=5),
        DataLoader(Subset(TENSORS, range(12)), shuffle=True),
    ],
    ids=lambda given: type(given).__name__,
)
def test_a_dataset_is_read_once_and_in_order(given):
    client = read(given)
    np.testing.assert_array_equal(client.x, X)
    np.testing.assert_array_equal(client.y, Y)


@pytest.mark.parametrize(
    "given, expected",
    [
        (Subset(TENSORS, [3, 1]), [3, 1]),
        (Subset(Subset(TENSORS, [3, 1, 7]), [2, 0]), [7, 3]),
        (DataLoader(TENSORS, sampler=SubsetRandomSampler([5, 2, 9])), [2, 5, 9]),
        (DataLoader(TENSORS, batch_sampler=[[0, 1], [4]]), [0, 1, 4]),
        (DataLoader(TENSORS, sampler=[[0, 1], [4]], batch_size=None), [0, 1, 4]),
        (
            DataLoader(TENSORS, batch_sampler=BatchSampler(SubsetRandomSampler([5, 2]), 2, False)),
            [2, 5],
        ),
        (DataLoader(TENSORS, sampler=SequentialSampler(range(3))), [0, 1, 2]),
        (DataLoader(Doubled(X, Y), sampler=SubsetRandomSampler([5, 2])), [4, 10]),
        (Subset(Doubled(X, Y), [5, 2]), [10, 4]),
        (Doubled(X[:3], Y[:3]), [0, 2, 4]),
    ],
)
def test_only_what_is_picked_is_read(given, expected):
    assert rows(read(given)) == expected


@pytest.mark.parametrize(
    "sampler, n",
    [
        (lambda: WeightedRandomSampler([1.0] * 6 + [0.0] * 6, 20), 20),
        (lambda: RandomSampler(TENSORS, replacement=True, num_samples=9), 9),
        (lambda: RandomSampler(TENSORS, num_samples=4), 4),
        (lambda: DistributedSampler(TENSORS, num_replicas=3, rank=1), 4),
    ],
)
def test_what_a_sampler_draws_is_the_same_every_time(sampler, n):
    a, b = (rows(read(DataLoader(TENSORS, sampler=sampler()))) for _ in range(2))
    assert a == b and len(a) == n


def test_a_loader_s_own_collate_is_used():
    def collate(batch):
        return torch.stack([x * 3 for x, _ in batch]), torch.stack([y for _, y in batch])

    client = read(DataLoader(TENSORS, batch_size=4, collate_fn=collate))
    np.testing.assert_array_equal(client.x, 3 * X)
    np.testing.assert_array_equal(client.y, Y)


def test_inputs_without_labels():
    for given in (
        TensorDataset(X),
        Given(list(X)),
        Given([(x,) for x in X]),
        Given([(x, None) for x in X]),
    ):
        client = read(given)
        assert client.y is None and rows(client) == list(range(12))


def test_labels_are_words_or_one_hot():
    words = [["cat", "dog", "eel"][k] for k in Y]
    clients = from_datasets([Given(list(zip(X, words, strict=True)))])
    assert clients.classes == ("cat", "dog", "eel")
    hot = Given(list(zip(X, torch.eye(3)[Y], strict=True)))
    assert read(hot).y.tolist() == Y.tolist()


def test_columns_are_named_where_their_names_are_not_the_usual_ones():
    given = Given([{"a": x, "b": -x, "c": y} for x, y in TENSORS])
    with pytest.raises(InputError, match="client 0 has columns a, b, c; name the inputs with x="):
        read(given)
    client = read(given, x="b", y="c")
    np.testing.assert_array_equal(client.x, -X)
    np.testing.assert_array_equal(client.y, Y)
    with pytest.raises(InputError, match="unknown column of client 0 'd'"):
        read(given, x="d")


def test_random_transforms_draw_from_a_fixed_seed(global_rng_untouched):
    class Noisy(Given):
        def __getitem__(self, k):
            return super().__getitem__(k) + torch.rand(2), 0

    np.testing.assert_array_equal(read(Noisy(X)).x, read(Noisy(X)).x)


@pytest.mark.parametrize(
    "given",
    [
        {"train": TENSORS, "test": Subset(TENSORS, [0, 4])},
        {"train": TENSORS, "test": Subset(TENSORS, [0, 4]), "validation": TENSORS},
        (TENSORS, Subset(TENSORS, [0, 4])),
        [TENSORS, DataLoader(Subset(TENSORS, [0, 4]))],
    ],
)
def test_a_client_may_have_test_data(given):
    clients = Clients.from_datasets({"ours": given, "theirs": given})
    assert clients.names == ("ours", "theirs")
    assert clients[1].x_test[:, 0].tolist() == [0, 4]
    assert clients[1].y_test.tolist() == [0, 1]


def test_train_alone_is_no_pair():
    assert read({"train": TENSORS}).x_test is None


@pytest.mark.parametrize("modes, shape", [("LL", (1, 8, 9)), ("LP", (3, 8, 9)), ("1L", (1, 8, 9))])
def test_images_of_pillow(modes, shape):
    gray = Image.fromarray(np.arange(72, dtype=np.uint8).reshape(8, 9))
    client = read(Given([(gray.convert(mode), 0) for mode in modes]))
    assert client.x.shape == (2, *shape)


# --- what cannot be read ------------------------------------------------------------------------


class Raising(Given):
    def __getitem__(self, k):
        if k == 2:
            raise OSError("its file\nis gone")
        return super().__getitem__(k)


class Endless(Sampler):
    def __iter__(self):
        while True:
            yield 0


@pytest.mark.parametrize(
    "given, message",
    [
        (Raising(TENSORS), "client 0: sample 2 cannot be read: OSError: its file is gone"),
        (Given([]), "client 0 has no samples in x"),
        (Subset(TENSORS, []), "client 0 has no samples in x"),
        (TensorDataset(), "client 0 holds no tensors"),
        (Subset(TENSORS, [99]), "client 0: its subset cannot be read"),
        (Subset(Given(list(TENSORS)), [99]), "client 0: sample 0 cannot be read: IndexError"),
        (Given([(X[0], 0), (X[0, :1], 0)]), r"samples of shapes \(1,\) and \(2,\); .*Resize"),
        (Given([(X[0], 0), X[0]]), "not every sample is a pair"),
        (Given([{"x": X[0], "y": 0}, {"x": X[0]}]), "not every sample has x and y"),
        (Given([(X[0], 0), (X[0], None)]), "client 0: y lacks 1 of 2 labels"),
        (Given([(X[0], {"boxes": 1})]), "client 0: y holds dict; give one"),
        (Given([({"a": 1}, 0)]), "client 0: x of dtype object cannot be read"),
        (DataLoader(TENSORS, sampler=["a"]), "client 0: its sampler cannot be read"),
        (DataLoader(TENSORS, sampler=Endless()), "client 0: its sampler has no end"),
        (Stream(), "client 0 has no end after 1,000 samples; give a Subset of it"),
        (DataLoader(Stream()), "client 0 has no end after 1,000 samples"),
        (7, "client 0 is int, no dataset"),
        (None, "client 0 is NoneType, no dataset"),
        ({"a": TENSORS}, "client 0 is a dictionary with keys a; give a dataset"),
        ((X, Y), r"client 0 holds arrays; from_arrays reads \(x, y\)"),
        (pd.DataFrame(X), "client 0 is a DataFrame; from_tables reads tables"),
    ],
)
def test_what_cannot_be_read(given, message, monkeypatch):
    monkeypatch.setattr(datasets, "MOST", 1000)
    monkeypatch.setattr(loaders, "MOST", 1000)
    with pytest.raises(InputError, match=message) as caught:
        from_datasets([given])
    assert "\n" not in str(caught.value)


def test_a_stream_of_large_samples_ends_before_memory_does(monkeypatch):
    monkeypatch.setattr(datasets, "BYTES", 720)
    with pytest.raises(InputError, match="client 0 has no end after 10 samples"):
        from_datasets([Stream()])


@pytest.mark.parametrize(
    "given, message",
    [
        (TENSORS, "one dataset for each, got a single dataset"),
        (DataLoader(TENSORS), "one dataset for each, got a single dataset"),
        ({"train": TENSORS, "test": TENSORS}, "train and test are parts of one client"),
        ([], "no clients given"),
        (5, "clients are a list"),
    ],
)
def test_what_are_no_clients(given, message):
    with pytest.raises(InputError, match=message):
        from_datasets(given)


# --- Hugging Face's, by what they can do --------------------------------------------------------


class Value:
    pass


class ClassLabel:
    names = ("ill", "well")


class Pictures:
    pass


class Columns:
    """What a Hugging Face dataset can do."""

    def __init__(self, columns, features=None, kind=None):
        self.columns, self.format = columns, {"type": kind}
        self.column_names = list(columns)
        known = features or {}
        self.features = {name: known.get(name, Value()) for name in columns}

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self.columns[key]
        return {name: values[key] for name, values in self.columns.items()}

    def select(self, indices):
        kept = {name: [values[k] for k in indices] for name, values in self.columns.items()}
        return Columns(kept, self.features, self.format["type"])

    def to_pandas(self):
        return pd.DataFrame(self.columns)


PATIENTS = Columns(
    {"age": [61, 57, None, 44], "sex": ["f", "m", "m", "f"], "label": [0, 1, 1, 0]},
    {"label": ClassLabel()},
)
IMAGES = Columns(
    {"image": [Image.new("L", (8, 9), k) for k in range(4)], "label": [0, 1, 1, 0]},
    {"image": Pictures(), "label": ClassLabel()},
)


def test_columns_of_numbers_and_words_are_a_table():
    clients = from_datasets({"north": PATIENTS, "south": PATIENTS})
    assert clients.columns == ("age", "sex=f", "sex=m", "age missing")
    assert (clients.classes, clients[1].y.tolist()) == (("ill", "well"), [0, 1, 1, 0])
    assert from_datasets([PATIENTS], y="sex").classes == ("f", "m")


def test_columns_of_images():
    clients = from_datasets([IMAGES, {"train": IMAGES, "test": IMAGES.select([2])}][1:])
    assert (clients.kind, clients.input_shape) == ("images", (1, 9, 8))
    assert (clients.classes, clients[0].y_test.tolist()) == (("ill", "well"), [1])


@pytest.mark.parametrize(
    "given", [Subset(IMAGES, [2, 0]), DataLoader(IMAGES, sampler=SubsetRandomSampler([2, 0]))]
)
def test_picked_rows_keep_the_names_of_their_classes(given):
    clients = from_datasets([given, IMAGES])
    assert len(clients[0]) == 2 and clients.classes == ("ill", "well")


def test_transformed_samples_are_read_one_by_one():
    given = Columns({"age": [[1.0, 2], [3, 4]], "label": [0, 1]}, kind="custom")
    np.testing.assert_array_equal(read(given).x, [[1, 2], [3, 4]])


def test_labels_that_are_not_there():
    some = Columns(IMAGES.columns | {"label": [0, -1, 1, None]}, IMAGES.features)
    with pytest.raises(InputError, match="client 0: y lacks 2 of 4 labels"):
        from_datasets([some])
    assert read(Columns(IMAGES.columns | {"label": [-1] * 4}, IMAGES.features)).y is None


def test_what_a_dataset_s_own_code_raises():
    def fail():
        raise RuntimeError

    broken = SimpleNamespace(**vars(PATIENTS), to_pandas=fail)
    with pytest.raises(InputError, match="client 0 cannot be read: RuntimeError"):
        from_datasets([broken])
