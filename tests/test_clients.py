import numpy as np
import pytest

from rndcfl.clients import Client, Clients
from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED

RNG = np.random.default_rng(0)
IMAGES = RNG.random((6, 1, 4, 4))
TABLE = RNG.random((6, 3))
TEXT = RNG.integers(100, size=(6, 5))
LABELS = np.array([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    "x, dtype",
    [(IMAGES, np.float32), (TABLE, np.float32), (TABLE.tolist(), np.float32), (TEXT, np.int64)],
    ids=["images", "table", "lists", "text"],
)
def test_inputs_get_the_types_of_the_contract(x, dtype):
    kind = "text" if x is TEXT else None
    clients = Clients.from_arrays([(x, LABELS.astype(np.int8))], kind=kind)
    assert clients[0].x.dtype == dtype
    np.testing.assert_array_equal(clients[0].x, np.asarray(x).astype(dtype))
    assert clients[0].y.dtype == np.int64
    assert clients.input_shape == np.shape(x)[1:]


def test_a_sequence_of_clients():
    clients = Clients.from_arrays([(TABLE[:k], LABELS[:k]) for k in (2, 3, 4)], groups=[1, 0, 1])
    assert len(clients) == 3
    assert [len(c) for c in clients] == [2, 3, 4]
    assert clients[-1] is clients.members[2]
    assert clients.groups.tolist() == [1, 0, 1] and clients.groups.dtype == np.int64
    assert clients.n_classes == 3
    assert (clients.dataset, clients.setting) == ("own data", "natural")


def test_a_slice_is_clients_again():
    clients = Clients.from_arrays([(TABLE, LABELS)] * 4, groups=[0, 1, 2, 3], dataset="mine")
    part = clients[1:3]
    assert isinstance(part, Clients)
    assert part.groups.tolist() == [1, 2]
    assert (part.n_classes, part.dataset) == (3, "mine")
    assert part[0] is clients[1]


def test_groups_and_labels_may_be_unknown():
    clients = Clients.from_arrays([(TABLE, None), (TABLE, None)])
    assert clients.groups is None
    assert clients[0].y is None and clients[0].group is None
    assert clients.n_classes == 0
    assert "true groups: unknown" in repr(clients)


def test_repr_says_what_they_are():
    clients = Clients.from_arrays([(TABLE, LABELS), (TABLE[:2], LABELS[:2])], groups=[0, 0])
    assert repr(clients) == (
        "Clients(2 clients of own data, setting natural, 2 to 6 samples of shape (3,), "
        "true groups: 1)"
    )


def test_classes_of_the_test_data_count():
    clients = Clients.from_arrays([(TABLE, LABELS, TABLE[:1], [7])])
    assert (clients.n_classes, clients.classes) == (4, (0, 1, 2, 7))
    assert clients[0].y_test.tolist() == [3]


def with_value(value):
    x = TABLE.copy()
    x[1, 2] = x[4, 0] = value
    return x


@pytest.mark.parametrize(
    "arrays, message",
    [
        ([], "no clients given"),
        ([(TABLE, LABELS), (TABLE[:0], LABELS[:0])], "client 1 has no samples in x"),
        ([(None, None)], "client 0 has no samples in x"),
        ([(TABLE, LABELS, TABLE[:0], LABELS[:0])], "client 0 has no samples in x_test"),
        ([(TABLE, LABELS), (with_value(np.nan), LABELS)], "client 1: x holds 2 NaN or infinite"),
        ([(with_value(-np.inf), LABELS)], "client 0: x holds 2 NaN or infinite"),
        ([(TABLE, LABELS, with_value(np.nan), LABELS)], "client 0: x_test holds 2 NaN"),
        ([(IMAGES[None], LABELS)], r"client 0: x has shape \(1, 6, 1, 4, 4\); allowed are images"),
        ([(TABLE[:, 0], LABELS)], r"client 0: x has shape \(6,\); allowed are images"),
        ([([["a", "b"]] * 6, LABELS)], "client 0: x of dtype <U1 cannot be read as numbers"),
        ([(TABLE, LABELS), (TABLE[:, :2], LABELS)], r"client 1: .* \(2,\), client 0: .* \(3,\)"),
        (
            [(TABLE, LABELS), (IMAGES, LABELS)],
            r"client 1: .* \(6, 1, 4, 4\), client 0: .* \(6, 3\)",
        ),
        ([(TABLE, LABELS, TABLE[:, :2], LABELS)], r"client 0: x_test has samples of shape \(2,\)"),
        ([(TABLE, LABELS[:5])], r"client 0: y has shape \(5,\), expected \(6,\)"),
        ([(TABLE, LABELS, TABLE, LABELS[:2])], r"y_test has shape \(2,\), expected \(6,\)"),
        ([(TABLE, LABELS, TABLE, None)], "client 0: y_test is missing"),
        ([(TABLE, [[0], [1, 2]])], "client 0: y is not a rectangular array"),
        ([(TABLE,)], r"client 0: give \(x, y\) or \(x, y, x_test, y_test\)"),
        ([(TABLE, LABELS, TABLE)], r"client 0: give \(x, y\) or"),
        ([TABLE], r"client 0: give \(x, y\) or"),
    ],
)
def test_unusable_data(arrays, message):
    with pytest.raises(InputError, match=message):
        Clients.from_arrays(arrays)


def test_one_group_per_client():
    with pytest.raises(InputError, match="1 groups given for 2 clients"):
        Clients.from_arrays([(TABLE, LABELS)] * 2, groups=[0])


def test_with_test_holds_out_a_share_of_each_client():
    x = np.arange(20.0)[:, None]
    y = np.arange(20) % 3
    held_out = Clients.from_arrays([(x, y), (x + 100, y)], groups=[4, 5]).with_test(0.25, seed=1)
    for i, client in enumerate(held_out):
        assert (len(client.x), len(client.x_test)) == (15, 5)
        both = np.concatenate([client.x, client.x_test])[:, 0] - 100 * i
        labels = np.concatenate([client.y, client.y_test])
        assert sorted(both) == list(range(20))
        assert (labels == both % 3).all()
    assert held_out.groups.tolist() == [4, 5]
    assert held_out.n_classes == 3


def test_with_test_is_a_draw_of_seed_and_client_alone():
    x, y = np.arange(20.0)[:, None], np.zeros(20, dtype=int)
    few, many, other = (
        Clients.from_arrays([(x, y)] * n).with_test(seed=seed)
        for n, seed in ((2, 0), (3, 0), (2, 1))
    )
    assert np.array_equal(few[1].x_test, many[1].x_test)
    assert not np.array_equal(few[0].x_test, few[1].x_test)
    assert not np.array_equal(few[1].x_test, other[1].x_test)


def test_with_test_keeps_test_data_that_is_there():
    clients = Clients.from_arrays([(TABLE, LABELS, TABLE[:2], LABELS[:2])])
    assert clients.with_test()[0] is clients[0]


@pytest.mark.parametrize(
    "arrays, share, message",
    [
        ((TABLE, None), 0.2, "client 0 has no labels"),
        ((TABLE[:1], LABELS[:1]), 0.2, "client 0 has 1 samples, too few to hold out 1"),
        ((TABLE, LABELS), 1.0, "client 0 has 6 samples, too few to hold out 6"),
        ((TABLE, LABELS), 1.5, "share must be a number from 0.0 to 1.0, got 1.5"),
    ],
)
def test_with_test_refuses(arrays, share, message):
    with pytest.raises(InputError, match=message):
        Clients.from_arrays([arrays]).with_test(share)


# --- text with a label for each place -----------------------------------------------------------


def test_labels_of_text_may_be_one_for_each_place():
    y = np.roll(TEXT, -1, axis=1)
    y[:, -1] = IGNORED
    clients = Clients.from_arrays([(TEXT, y)], kind="text")
    np.testing.assert_array_equal(clients[0].y, y)
    assert clients[0].y.dtype == np.int64
    assert clients.n_classes == y.max() + 1
    (held_out,) = clients[:1].with_test(0.5)
    both = np.concatenate([held_out.y, held_out.y_test])
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(y, axis=0))


@pytest.mark.parametrize(
    "y, message",
    [
        (TEXT[:, :4], r"y has shape \(6, 4\), expected \(6, 5\), one for each place"),
        (np.where(TEXT > 50, TEXT, -1), "y must hold whole class numbers from 0, got -1"),
        (TEXT / 1.0, "y must hold whole class numbers from 0, got float64"),
        (np.full((6, 5), IGNORED), "y asks for nothing"),
    ],
)
def test_unusable_labels_of_text(y, message):
    with pytest.raises(InputError, match=message):
        Clients.from_arrays([(TEXT, y)], kind="text")


def test_tables_have_a_label_for_each_row():
    with pytest.raises(InputError, match=r"y has shape \(6, 3\); give one label"):
        Clients.from_arrays([(TABLE, np.zeros((6, 3), dtype=int))])


def test_a_name_stays_when_test_data_are_held_out():
    clients = Clients((Client(TABLE, LABELS, group=2, name="Budapest 1"),), 3)
    assert (clients[0].name, clients.with_test()[0].name) == ("Budapest 1",) * 2
    assert Clients.from_arrays([(TABLE, LABELS)])[0].name == ""
