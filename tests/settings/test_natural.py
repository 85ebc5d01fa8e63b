import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED
from rndcfl.data.catalogue import Dataset, Origin
from rndcfl.settings.natural import natural_clients
from rndcfl.settings.partition import make_clients

NAN = np.nan


def dataset(owner, names, groups=None, group_names=(), x=None, y=None):
    """Samples of given owners; as a table whose first column is the sample's number."""
    owner = np.array(owner)
    n = len(owner)
    if x is None:
        x = np.arange(n, dtype=np.int64)[:, None].repeat(2, axis=1)
    y = np.arange(n) % 3 if y is None else y
    groups = np.zeros(len(names), dtype=np.int64) if groups is None else np.array(groups)
    origin = Origin(owner, tuple(names), groups, tuple(group_names))
    return Dataset(x, y, x[:0], y[:0], "theirs", "Theirs", 3, "", "", "", origin)


def numbers(client):
    """Which samples a client of `dataset` trains and tests with."""
    return client.x[:, 0].tolist(), client.x_test[:, 0].tolist()


def held(client):
    """Both together."""
    train, test = numbers(client)
    return sorted(train + test)


def everything(clients):
    return sorted(k for client in clients for k in held(client))


# --- few owners: portions -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def hospitals():
    """Three owners of 20, 31 and 12 samples, mixed."""
    owner = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [20, 31, 12]))
    return dataset(owner, "ABC", [0, 1, 1], ["east", "west"])


def test_clients_take_portions_of_the_owners_in_turn(hospitals):
    clients = make_clients(hospitals, "natural", n_clients=7)
    assert [c.name for c in clients] == ["A 1", "B 1", "C 1", "A 2", "B 2", "C 2", "A 3"]
    assert clients.groups.tolist() == [0, 1, 1, 0, 1, 1, 0]
    assert (clients.dataset, clients.setting, clients.n_classes) == ("theirs", "natural", 3)
    for i, client in enumerate(clients):
        for part in numbers(client):
            assert set(hospitals.origin.owner[part]) == {i % 3}


@pytest.mark.parametrize("n", [4, 7, 9])
@pytest.mark.parametrize("draw", [0, 1])
def test_portions_are_disjoint_and_leave_nothing_out(hospitals, n, draw):
    clients = make_clients(hospitals, "natural", n_clients=n, draw=draw)
    assert everything(clients) == list(range(63))
    for owner, held in enumerate([20, 31, 12]):
        sizes = [len(c.x) + len(c.x_test) for c in clients[owner::3]]
        assert sum(sizes) == held and max(sizes) - min(sizes) <= 1


def test_samples_keep_their_labels(hospitals):
    for client in make_clients(hospitals, "natural", n_clients=4):
        train, test = numbers(client)
        np.testing.assert_array_equal(client.y, hospitals.y_train[train])
        np.testing.assert_array_equal(client.y_test, hospitals.y_train[test])


def test_a_quarter_is_held_out(hospitals):
    a = make_clients(hospitals, "natural", n_clients=6)[0]
    assert (len(a.x), len(a.x_test)) == (8, 2)  # of ten
    c = make_clients(hospitals, "natural", n_clients=4)[2]
    assert (len(c.x), len(c.x_test)) == (9, 3)  # of twelve


def test_numbers_of_samples_are_kept_to(hospitals):
    clients = make_clients(
        hospitals, "natural", n_clients=6, samples_per_client=5, test_per_client=4
    )
    assert [(len(c.x), len(c.x_test)) for c in clients] == [(5, 4), (5, 4), (2, 4)] * 2
    found = everything(clients)
    assert len(found) == len(set(found))


def test_owners_as_many_as_clients_are_clients():
    owner = np.repeat([0, 1, 2], [20, 31, 12])
    clients = make_clients(dataset(owner, "ABC", [0, 1, 2], "ABC"), "natural", n_clients=3)
    assert [c.name for c in clients] == ["A", "B", "C"]
    assert [held(c) for c in clients] == [np.flatnonzero(owner == k).tolist() for k in range(3)]


def test_another_draw_deals_out_the_same_portions_anew(hospitals):
    a, b = (make_clients(hospitals, "natural", n_clients=4, draw=draw) for draw in (0, 1))
    assert [held(client) for client in a] == [held(client) for client in b]
    assert all(set(numbers(c)[1]) != set(numbers(d)[1]) for c, d in zip(a, b, strict=True))


# --- many owners: people ------------------------------------------------------------------------

SIZES = [30, 12, 9, 20, 16, 4, 14, 5, 25, 11]


@pytest.fixture(scope="module")
def people():
    """Ten people who write one of two languages, with 4 to 30 samples each."""
    owner = np.random.default_rng(1).permutation(np.repeat(np.arange(10), SIZES))
    return dataset(owner, [f"p{k}" for k in range(10)], np.arange(10) % 2, ["even", "odd"])


def who(clients):
    return [int(client.name[1:]) for client in clients]


@pytest.mark.parametrize("seed", range(3))
def test_people_are_drawn_by_group_in_turn(people, seed):
    clients = make_clients(people, "natural", n_clients=9, seed=seed)
    chosen = who(clients)
    assert [k % 2 for k in chosen] == [0, 1] * 4 + [0] == clients.groups.tolist()
    assert len(set(chosen)) == 9
    for k, client in zip(chosen, clients, strict=True):
        assert held(client) == np.flatnonzero(people.origin.owner == k).tolist()
        assert len(client.x_test) == round(SIZES[k] / 4)


def test_only_people_with_enough_samples_are_drawn(people):
    seen = set()
    for seed in range(20):
        clients = make_clients(
            people, "natural", 4, seed=seed, samples_per_client=8, test_per_client=3
        )
        assert [(len(c.x), len(c.x_test)) for c in clients] == [(8, 3)] * 4
        seen |= set(who(clients))
    assert seen == {k for k, size in enumerate(SIZES) if size >= 11}


def test_no_sample_is_in_both_parts(people):
    for seed in range(3):
        for client in make_clients(people, "natural", 6, seed=seed):
            train, test = map(set, numbers(client))
            assert not train & test and len(train) == len(client.x)


def test_another_draw_gives_other_samples_of_the_same_people(people):
    a, b = (
        make_clients(people, "natural", 4, samples_per_client=6, test_per_client=2, draw=draw)
        for draw in (0, 1)
    )
    assert who(a) == who(b)
    assert all(set(numbers(c)[0]) != set(numbers(d)[0]) for c, d in zip(a, b, strict=True))
    for client in b:
        assert set(people.origin.owner[held(client)]) == {int(client.name[1:])}


def test_more_clients_leave_the_first_ones_as_they_were(people):
    few, many = (make_clients(people, "natural", n, seed=2) for n in (3, 8))
    assert who(many)[:3] == who(few)
    for a, b in zip(few, many, strict=False):
        assert numbers(a) == numbers(b)


def test_same_seed_same_clients(people, global_rng_untouched):
    a, b, c = (make_clients(people, "natural", 5, seed=seed) for seed in (0, 0, 1))
    assert [numbers(client) for client in a] == [numbers(client) for client in b]
    assert who(a) != who(c)


def test_nobody_has_grouped_them():
    data = dataset([0, 1, 2] * 8, ["a", "b", "c"])
    for n in (2, 5):
        clients = make_clients(data, "natural", n)
        assert clients.groups is None
        assert all(client.group is None for client in clients)


# --- kinds of data ------------------------------------------------------------------------------


def test_tables_are_scaled_by_training_rows():
    rng = np.random.default_rng(0)
    owner = np.arange(40) % 2
    x = np.column_stack([np.arange(40), rng.normal(100, 20, 40), owner]).astype(np.float32)
    x[rng.random(40) < 0.3, 1] = NAN
    clients = make_clients(dataset(owner, "AB", x=x), "natural", 4)
    assert clients.input_shape == (4,)
    together = np.concatenate([client.x for client in clients])
    # Sample numbers went through the same scale: invert it, and the rows that trained are known.
    untouched = natural_clients(
        dataset(owner, "AB"), dataset(owner, "AB").origin, n_clients=4, seed=0
    )
    rows = np.concatenate([client.x[:, 0] for client in untouched])
    train = x[rows].astype(np.float64)
    mean, sd = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    expected = np.nan_to_num((train - mean) / sd)
    np.testing.assert_allclose(together[:, :2], expected[:, :2], atol=1e-5)
    np.testing.assert_array_equal(together[:, 2], train[:, 2])  # zeros and ones stay
    np.testing.assert_array_equal(together[:, 3], np.isnan(train[:, 1]))
    rows = np.concatenate([client.x_test[:, 0] for client in untouched])
    tested = np.concatenate([client.x_test for client in clients])
    expected = np.nan_to_num((x[rows] - mean) / sd)
    np.testing.assert_allclose(tested[:, :2], expected[:, :2], atol=1e-5)
    assert tested.dtype == together.dtype == np.float32


def test_images_and_text_are_left_alone():
    owner = np.arange(20) % 2
    images = np.random.default_rng(0).random((20, 1, 4, 4)).astype(np.float32)
    client = make_clients(dataset(owner, "AB", x=images), "natural", 3)[0]
    assert {c.tobytes() for c in client.x} <= {image.tobytes() for image in images[owner == 0]}
    text = np.arange(100).reshape(20, 5)
    following = np.where(text % 7, text + 1, IGNORED)
    client = make_clients(dataset(owner, "AB", x=text, y=following), "natural", 3)[1]
    assert client.x.dtype == np.int64
    np.testing.assert_array_equal(client.y, np.where(client.x % 7, client.x + 1, IGNORED))


# --- what cannot be used ------------------------------------------------------------------------


def test_more_clients_than_people_with_enough_samples(people):
    with pytest.raises(InputError, match="have enough samples; take fewer clients or samples"):
        make_clients(people, "natural", 7, samples_per_client=14, test_per_client=2)
    with pytest.raises(
        InputError, match=r"2 clients would take 1 owners of group .*, and 0 have enough"
    ):
        make_clients(people, "natural", 2, samples_per_client=50)


def test_portions_too_small_to_train_and_test(hospitals):
    with pytest.raises(
        InputError, match=r"natural: client \d+ would have .* fewer than 40 clients"
    ):
        make_clients(hospitals, "natural", 40)
    with pytest.raises(InputError, match="would have 0 samples to train"):
        make_clients(hospitals, "natural", 4, test_per_client=12)


@pytest.mark.parametrize(
    "setting, params, message",
    [
        ("iid", {}, "theirs has groups of its own; take setting 'natural'"),
        ("rotation", {}, "theirs has groups of its own; take setting 'natural'"),
        ("natural", dict(groups=[0, 1, 0, 1]), "theirs has groups of its own"),
        ("natural", dict(n_clients=0), "n_clients must be a whole number of at least 1, got 0"),
        ("natural", dict(samples_per_client=0), "samples_per_client must be a whole number"),
        ("natural", dict(seed=-1), "seed must be a whole number of at least 0, got -1"),
        ("natural", dict(degrees=3), "unknown parameter of setting 'natural' 'degrees'"),
    ],
)
def test_unusable_arguments(hospitals, setting, params, message):
    with pytest.raises(InputError, match=message):
        make_clients(hospitals, setting, **params)


def test_ordinary_data_do_not_say_whose_they_are(tiny_dataset):
    with pytest.raises(InputError, match=r"tiny does not say whose its samples are.*heart-disease"):
        make_clients(tiny_dataset, "natural")


def test_owners_of_two_samples_are_not_drawn():
    data = dataset(np.repeat(np.arange(6), [2, 2, 1, 1, 9, 9]), "abcdef")
    for seed in range(10):
        assert {c.name for c in make_clients(data, "natural", 2, seed=seed)} <= set("abef")
        few = make_clients(data, "natural", 2, seed=seed, test_per_client=5)
        assert {c.name for c in few} == set("ef")
