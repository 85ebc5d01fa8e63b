from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from rndcfl.common.errors import InputError
from rndcfl.given.arrays import as_array, as_numbers, one_line, reading

ROWS = [[1.0, 2.0], [3.0, 4.0]]
TENSOR = torch.tensor(ROWS)
FRAME = pd.DataFrame(ROWS, columns=["a", "b"])


@pytest.mark.parametrize(
    "given",
    [
        ROWS,
        tuple(map(tuple, ROWS)),
        TENSOR,
        TENSOR.bfloat16(),
        TENSOR.half(),
        TENSOR.to_sparse(),
        TENSOR.clone().requires_grad_(),
        list(TENSOR),
        [t.requires_grad_() for t in TENSOR.clone()],
        np.array(ROWS, dtype=">f8"),
        np.array(ROWS, dtype=np.float16),
        np.array(ROWS, dtype=np.longdouble),
        np.array(ROWS, dtype=object),
        np.ma.array(ROWS),
        scipy.sparse.csr_matrix(ROWS),
        FRAME,
        FRAME.convert_dtypes(),
        FRAME.astype("Int64"),
        FRAME.astype("int64[pyarrow]"),
        [["1", "2"], ["3", "4"]],
        [[Decimal(1), Decimal(2)], [Decimal(3), Decimal(4)]],
    ],
    ids=lambda given: type(given).__name__,
)
def test_whatever_holds_numbers_is_read(given):
    np.testing.assert_array_equal(as_numbers("x", given), ROWS)


def test_whole_numbers_and_truth_values_stay_what_they_are():
    assert as_numbers("x", [[1, 2]]).dtype == np.int64
    assert as_numbers("x", FRAME.astype("Int64")).dtype == np.int64
    assert as_numbers("x", np.array([[True, False]], dtype=object)).dtype == bool
    assert as_numbers("x", torch.ones(2, 2, dtype=torch.uint8)).dtype == np.uint8


@pytest.mark.parametrize(
    "given",
    [
        np.ma.masked_equal([[1, -999], [3, 4]], -999),
        [np.ma.masked_equal([1, -999], -999), np.ma.masked_equal([3, 4], -999)],
        [[1, None], [3, 4]],
        np.array([[1, pd.NA], [3, 4]], dtype=object),
        pd.DataFrame({"a": [1, 3], "b": pd.array([None, 4], dtype="Int64")}),
        pd.DataFrame({"a": [1, 3], "b": pd.array([None, 4], dtype="double[pyarrow]")}),
    ],
)
def test_what_is_missing_is_nan_in_whatever_form_it_comes(given):
    np.testing.assert_array_equal(as_numbers("x", given, missing=True), [[1, np.nan], [3, 4]])
    with pytest.raises(InputError, match=r"x holds 1 NaN or infinite values; .*from_tables"):
        as_numbers("x", given)


@pytest.mark.parametrize(
    "given, message",
    [
        (torch.empty(2, 2, device="meta"), "is a tensor whose values cannot be read"),
        (torch.ones(2, 2, dtype=torch.complex64), "of dtype complex64 cannot be read as numbers"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), "of dates the days since one"),
        ([["a", "b"]], "of dtype <U1 cannot be read as numbers; from_tables"),
        ([["a", 1.5]], "cannot be read as numbers"),
        ([[1, 2], [3]], "is not a rectangular array"),
        ([torch.ones(2), torch.ones(3)], "is not a rectangular array"),
        ([[10**400]], "cannot be read as numbers"),
        ([[Decimal("sNaN")]], "cannot be read"),
        (np.ma.masked_equal([["a", "b"]], "a"), "is masked and not of numbers"),
        (np.ma.array([[1j]], mask=[[True]]), "is masked and not of numbers"),
        ({"a": [1]}, "is dict, no array"),
        (object(), "is object, no array"),
        ([[1e31]], "values beyond 1e"),
        (np.array([[np.inf]], dtype=np.longdouble), "infinite"),
        (pd.DataFrame({"a": [1j, None]}), "cannot be read as numbers"),
    ],
)
def test_what_holds_no_numbers_is_refused_in_one_line(given, message):
    with pytest.raises(InputError, match=message) as caught:
        as_numbers("client 0: x", given)
    assert "\n" not in str(caught.value)


def test_nothing_is_nobody_s_data():
    with pytest.raises(InputError, match=r"^client a: b has no samples in x; leave it out"):
        as_array("client a: b: x", None)


def test_infinite_values_are_never_missing_ones():
    with pytest.raises(InputError, match="x holds 1 infinite values; give NaN"):
        as_numbers("x", [[np.inf, np.nan]], missing=True)


def test_words_and_gaps_of_a_list_are_not_turned_into_words():
    assert as_array("y", ["a", np.nan]).tolist() == ["a", pytest.approx(np.nan, nan_ok=True)]
    assert as_array("y", ["a", "b"]).dtype.kind == "U"


def test_the_errors_of_others_become_one_line():
    with pytest.raises(InputError, match=r"^x cannot be read: a b$"), reading("x"):
        raise OSError("a\n  b")
    with pytest.raises(InputError, match=r"^x cannot be read: RuntimeError$"), reading("x"):
        raise RuntimeError
    with pytest.raises(InputError, match=r"^mine$"), reading("x"):
        raise InputError("mine")
    assert one_line(" a\n\tb ") == "a b"
