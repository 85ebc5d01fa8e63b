import warnings

import numpy as np
import pytest
from sklearn.datasets import load_wine

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import exact
from rndcfl.data.tables import Scale, from_tables
from rndcfl.discovery import discover

NAN = np.nan


def holed(n_clients=3, d=4, seed=0):
    """Tables of different sizes and scales, about a fifth of the values missing."""
    rng = np.random.default_rng(seed)
    tables = [rng.normal(50, [1, 10, 100, 0.01], (20 + 10 * i, d)) for i in range(n_clients)]
    for x in tables:
        x[rng.random(x.shape) < 0.2] = NAN
    return tables


def no_labels(tables):
    return [(x, None) for x in tables]


# --- the scale ----------------------------------------------------------------------------------


def test_the_scale_by_hand():
    scale = Scale.agreed([np.array([[1.0, 8]]), np.array([[3.0, NAN], [NAN, 12]])])
    assert scale.mean.tolist() == [2, 10]
    assert scale.sd.tolist() == [1, 2]
    assert scale.marked.tolist() == [0, 1]
    filled = scale.fill(np.array([[4.0, NAN]]))
    assert filled.tolist() == [[2, 0, 0, 1]]
    assert filled.dtype == np.float32


@pytest.mark.parametrize("seed", range(3))
def test_the_scale_is_that_of_all_rows_together(seed):
    tables = holed(seed=seed)
    scale = Scale.agreed(tables)
    together = np.concatenate(tables)
    np.testing.assert_allclose(scale.mean, np.nanmean(together, axis=0))
    # The sum of squares loses digits where the mean is far above the spread: 5,000 times here.
    np.testing.assert_allclose(scale.sd, np.nanstd(together, axis=0), rtol=1e-6)


def test_how_rows_are_dealt_out_does_not_matter():
    tables = holed()
    a, b = Scale.agreed(tables), Scale.agreed([np.concatenate(tables)])
    np.testing.assert_allclose(a.mean, b.mean)
    np.testing.assert_allclose(a.sd, b.sd, rtol=1e-6)
    np.testing.assert_array_equal(a.marked, b.marked)


def test_scaled_columns_have_mean_zero_and_standard_deviation_one():
    tables = holed()
    clients = from_tables(no_labels(tables))
    x = np.concatenate([client.x for client in clients])[:, :4]
    present = ~np.isnan(np.concatenate(tables))
    for k in range(4):
        assert x[present[:, k], k].mean() == pytest.approx(0, abs=1e-5)
        assert x[present[:, k], k].std() == pytest.approx(1, abs=1e-5)


def test_columns_of_zeros_and_ones_stay_as_they_are():
    tables = [np.array([[0.0, 1, 5], [1, NAN, 7]]), np.array([[1.0, 1, 6]])]
    a, b = from_tables(no_labels(tables))
    assert a.x[:, :2].tolist() == [[0, 1], [1, 0]]  # a missing one is neither: see its marker
    assert b.x[:, :2].tolist() == [[1, 1]]
    assert a.x[:, 3].tolist() == [0, 1]


def test_zeros_and_ones_at_one_client_only_are_numbers():
    scale = Scale.agreed([np.array([[0.0], [1.0]]), np.array([[5.0]])])
    assert scale.mean.tolist() == [2]
    assert scale.sd[0] == pytest.approx(np.std([0, 1, 5]))


@pytest.mark.parametrize("value", [5.0, 1.1, 1e6 / 3, -1e-12])
def test_a_constant_column_becomes_zero(value):
    """Also where the mean of squares and the square of the mean differ by rounding."""
    tables = [np.full((7, 1), value), np.full((4, 1), value)]
    assert Scale.agreed(tables).sd.tolist() == [1]
    for client in from_tables(no_labels(tables)):
        np.testing.assert_allclose(client.x, 0, atol=1e-9)


def test_a_column_that_nobody_has():
    tables = [np.array([[2.0, NAN], [4, NAN]]), np.array([[3.0, NAN]])]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, b = from_tables(no_labels(tables))
    assert a.x[:, 1:].tolist() == [[0, 1], [0, 1]]
    assert b.x[:, 1:].tolist() == [[0, 1]]
    assert np.isfinite(a.x).all()


def test_markers_are_exactly_where_values_are_missing():
    tables = holed()
    for x in tables:
        x[:, 1] = np.arange(len(x))  # nobody lacks this one
    clients = from_tables(no_labels(tables))
    assert clients.input_shape == (4 + 3,)
    for x, client in zip(tables, clients, strict=True):
        np.testing.assert_array_equal(client.x[:, 4:], np.isnan(x)[:, [0, 2, 3]])
        assert (client.x[:, :4][np.isnan(x)] == 0).all()


def test_what_one_client_lacks_is_marked_at_all():
    tables = [np.array([[1.0, 2], [3, 4]]), np.array([[1.0, NAN], [2, 5]])]
    a, b = from_tables(no_labels(tables))
    assert a.x[:, 2].tolist() == [0, 0] and b.x[:, 2].tolist() == [1, 0]


def test_test_rows_have_no_say():
    x, y = np.array([[1.0, 2], [3, 6]]), np.array([0, 1])
    wild = np.array([[1e6, NAN], [NAN, -5]])
    (client,) = from_tables([(x, y, wild, y)])
    assert client.x.tolist() == [[-1, -1], [1, 1]]
    # No training row lacks a value, so there is no marker; what is missing becomes the mean.
    np.testing.assert_allclose(client.x_test, [[1e6 - 2, 0], [0, (-5 - 4) / 2]])


def test_groups_labels_and_names_are_passed_on():
    x = holed(2)
    y = [np.arange(len(part)) % 3 for part in x]
    clients = from_tables(zip(x, y, strict=True), groups=[1, 0], dataset="patients")
    assert clients.groups.tolist() == [1, 0]
    assert (clients.n_classes, clients.dataset) == (3, "patients")
    np.testing.assert_array_equal(clients[1].y, y[1])


def test_the_tables_given_are_left_alone():
    tables = holed()
    before = [x.copy() for x in tables]
    from_tables(no_labels(tables))
    for x, old in zip(tables, before, strict=True):
        np.testing.assert_array_equal(x, old)


# --- what cannot be used ------------------------------------------------------------------------

OK = np.array([[1.0, 2], [3, 4]])


@pytest.mark.parametrize(
    "bad, message",
    [
        (np.ones(3), r"client 1: a table \[n, d\] is expected, got shape \(3,\)"),
        (np.ones((2, 1, 4, 4)), r"client 1: a table \[n, d\] is expected, got shape \(2, 1, 4, 4"),
        (np.ones((2, 3)), "client 1 has a table of 3 columns, client 0 one of 2"),
        ([["male", 1], ["female", 2]], "column 0 holds numbers at client 0, words at client 1"),
        ([[1, 2], [3]], "client 1: its table is not a rectangular array"),
        (np.empty((0, 2)), "client 1 has no samples in x"),
    ],
)
def test_what_is_no_table(bad, message):
    with pytest.raises(InputError, match=message):
        from_tables([(OK, None), (bad, None)])


def test_test_tables_are_checked_too():
    with pytest.raises(InputError, match="client 0 has a table of 3 columns"):
        from_tables([(OK, [0, 1], np.ones((2, 3)), [0, 1])])
    with pytest.raises(InputError, match="client 1 has a table of 3 columns, client 0 one of 2"):
        from_tables([(OK, None), (np.ones((2, 3)), [0, 1], OK, [0, 1])])


@pytest.mark.filterwarnings("ignore:invalid value")
def test_infinite_values_are_refused():
    infinite = np.array([[1.0, np.inf], [3, 4]])
    with pytest.raises(InputError, match="client 1: its table holds 1 infinite"):
        from_tables([(OK, None), (infinite, None)])
    with pytest.raises(InputError, match="client 0: its table holds 1 infinite"):
        from_tables([(OK, [0, 1], infinite, [0, 1])])


def test_no_tables():
    with pytest.raises(InputError, match="no clients given"):
        from_tables([])


# --- what it is for -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_the_cultivars_of_wine_are_found(seed):
    x, cultivar = load_wine(return_X_y=True)
    rng = np.random.default_rng(seed)
    x[rng.random(x.shape) < 0.05] = NAN
    rows = [rng.permutation(np.flatnonzero(cultivar == c)) for c in range(3)]
    tables = [x[rows[i % 3][i // 3 :: 2]] for i in range(6)]
    clients = from_tables(no_labels(tables), groups=[i % 3 for i in range(6)])
    found = discover(clients, seed=seed)
    assert exact(clients.groups, found.labels)
