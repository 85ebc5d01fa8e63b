import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError
from rndcfl.data.tables import from_tables

NORTH = pd.DataFrame({"age": [61.0, 57, 44], "sex": ["f", "m", "f"], "smokes": [True, False, True]})
SOUTH = pd.DataFrame({"smokes": [False, False], "sex": ["m", "x"], "age": [50.0, np.nan]})
COLUMNS = ("age", "sex=f", "sex=m", "sex=x", "smokes", "age missing")


def x_of(frame):
    (client,) = from_tables([frame])
    return client.x.tolist()


def test_columns_are_matched_by_name_and_words_become_columns():
    clients = from_tables({"north": NORTH, "south": SOUTH})
    assert clients.columns == COLUMNS
    assert (clients.names, clients.kind) == (("north", "south"), "table")
    north, south = clients
    assert north.x[:, 1:].tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [1, 0, 0, 1, 0]]
    assert south.x[:, 1:].tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 1]]
    ages = np.array([61, 57, 44, 50])
    np.testing.assert_allclose(north.x[:, 0], (ages[:3] - ages.mean()) / ages.std(), rtol=1e-5)


def test_the_same_is_a_method_of_clients():
    assert Clients.from_tables([NORTH, SOUTH]).columns == COLUMNS


@pytest.mark.parametrize(
    "turn",
    [
        lambda f: f.convert_dtypes(),
        lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
        lambda f: f.astype({"sex": "category"}),
        lambda f: f.astype({"sex": object, "age": object}),
        lambda f: f.set_axis(range(7, 7 + len(f))),
        lambda f: pa.Table.from_pandas(f, preserve_index=False),
    ],
)
def test_tables_of_any_types_are_the_same_table(turn):
    plain, other = from_tables([NORTH, SOUTH]), from_tables([turn(NORTH), turn(SOUTH)])
    assert other.columns == plain.columns
    for a, b in zip(plain, other, strict=True):
        np.testing.assert_array_equal(a.x, b.x)


@pytest.mark.parametrize("gap", [None, np.nan, pd.NA])
def test_missing_words_are_a_level_of_their_own(gap):
    clients = from_tables([NORTH, NORTH.assign(sex=["f", gap, "m"])])
    assert clients.columns == ("age", "sex=f", "sex=m", "sex missing", "smokes")
    assert clients[1].x[:, 1:4].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    "values", [[1, 2, None], ["1", "2", None], pd.array([1, 2, None], dtype="Int64"), [1, 2, pd.NA]]
)
def test_missing_numbers_become_the_mean_and_are_marked(values):
    assert x_of(pd.DataFrame({"a": values})) == [[-1, 0], [1, 0], [0, 1]]


def test_a_column_of_which_one_client_has_nothing_is_what_it_is_elsewhere():
    clients = from_tables([NORTH, NORTH.assign(sex=None), NORTH.assign(age=None)])
    assert clients.columns == ("age", "sex=f", "sex=m", "sex missing", "smokes", "age missing")


def test_labels_are_a_column_and_others_may_be_left_out():
    clients = from_tables([NORTH, SOUTH], target="sex", drop=["smokes"])
    assert (clients.columns, clients.classes) == (("age", "age missing"), ("f", "m", "x"))
    assert clients[1].y.tolist() == [1, 2]
    assert from_tables([NORTH, SOUTH], drop="sex").columns == ("age", "smokes", "age missing")


def test_names_of_columns_need_not_be_words():
    frame = pd.DataFrame([[1, 2, 0], [3, 4, 1]])
    assert from_tables([frame], target=2, drop=[0]).columns == ("1",)
    assert from_tables([NORTH.rename(columns={"age": "age\n(years)"})]).columns[0] == "age (years)"


def test_a_column_that_only_one_client_has_can_be_left_out_at_all():
    more = NORTH.assign(ward=1)
    with pytest.raises(
        InputError, match=r"client 1 has column ward, which client 0 has not; .*drop"
    ):
        from_tables([NORTH, more])
    assert from_tables([NORTH, more], drop=["ward"]).columns == from_tables([NORTH] * 2).columns


def test_test_frames_are_matched_too():
    clients = from_tables([(NORTH, None, SOUTH, None)], target="smokes")
    assert clients.columns == ("age", "sex=f", "sex=m", "sex=x")
    assert clients[0].x_test[:, 1:].tolist() == [[0, 1, 0], [0, 0, 1]]


def one(**column):
    return [pd.DataFrame(column)]


IDS = [f"p{i}" for i in range(60)]


@pytest.mark.parametrize(
    "tables, message",
    [
        ([NORTH, SOUTH.drop(columns="age")], "client 1 lacks column age; rename columns to match"),
        ([NORTH, SOUTH.rename(columns={"age": "Age"})], "lacks column age and has column Age"),
        ([NORTH, NORTH.assign(sex=0)], "column sex holds words at client 0, numbers at client 1"),
        (one(a=[1, "x", 3]), "column a holds 'x' among numbers, in row 2; if .*missing= of from"),
        (one(a=["1", "?", "3"]), r"column a holds '\?' among numbers, in row 2"),
        (
            one(a=pd.date_range("2020", periods=3)),
            r"column a holds dates; give days .*drop=\['a'\]",
        ),
        (one(a=[datetime.date(2020, 1, 1)]), "column a holds dates"),
        (one(a=["2020-01-01", "2020-02-01"]), "column a holds dates"),
        (one(a=pd.to_timedelta([1, 2], "D")), "column a holds dates"),
        (one(a=pd.period_range("2020", periods=2)), "column a holds dates"),
        (one(a=pd.interval_range(0, 2)), "column a holds Interval, neither numbers nor words"),
        (one(a=[1j, 2]), "column a holds complex numbers"),
        (one(a=[1j, None]), "column a holds complex numbers"),
        (one(a=[1j, pd.NA]), "column a holds complex numbers"),
        (one(a=[[1], [2]]), "column a holds list, neither numbers nor words"),
        (one(a=[10**400, 2]), "column a cannot be read"),
        (one(a=[np.inf, 2]), "column a holds 1 infinite values"),
        (one(a=[1e300, 2]), "column a holds values beyond"),
        (one(a=IDS), r"column a holds 60 different words in 60 rows; .*drop=\['a'\]"),
        ([NORTH.set_axis(["a", "a", "b"], axis=1)], "client 0: column a is there twice"),
        ([pd.DataFrame()], "client 0 has no column left to compare"),
        ([NORTH[:0]], "client 0 has no samples in x"),
        ([NORTH, (np.ones((2, 3)), None)], "client 1 lacks column age"),
        ([pa.array([1, 2])], "client 0: its table is .*Array; give one with columns"),
    ],
)
def test_what_cannot_be_used(tables, message):
    with pytest.raises(InputError, match=message) as caught:
        from_tables(tables)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tables, options, message",
    [
        ([NORTH], {"target": "sx"}, "unknown column of client 0 'sx'; did you mean 'sex'"),
        ([NORTH], {"drop": ["sx"]}, "unknown column to drop 'sx'; did you mean 'sex'"),
        ([(np.ones((2, 2)), None)], {"target": "a"}, "client 0: target= and drop= name columns"),
        ([(np.ones((2, 2)), None)], {"drop": ["a"]}, "client 0: target= and drop= name columns"),
        (NORTH, {}, "a list with one table for each client, got a single DataFrame"),
    ],
)
def test_names_that_are_not_there(tables, options, message):
    with pytest.raises(InputError, match=message):
        from_tables(tables, **options)


def test_test_rows_beyond_all_training_rows():
    x = np.array([[1e-9], [2e-9]])
    with pytest.raises(InputError, match="client 0: x_test holds values beyond"):
        from_tables([(x, None, x + 1e30, None)])
