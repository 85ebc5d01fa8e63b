import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, Notice
from rndcfl.given.classes import numbered
from rndcfl.simulation import simulate

CODES = [2, 0, 1, 2, 0, 0]
RNG = np.random.default_rng(0)
TABLES = RNG.normal(size=(2, 6, 3))
WORDS = np.array(["flu", "none", "well"])


def of(*given, classes=None):
    names = [f"client {i}: y" for i in range(len(given))]
    return numbered(names, given, [len(CODES)] * len(given), classes)


@pytest.mark.parametrize(
    "y, names",
    [
        (CODES, ()),
        (np.array(CODES, dtype=np.float16), ()),
        (np.array(CODES)[:, None], ()),
        (torch.tensor(CODES).bfloat16(), ()),
        ([torch.tensor(k) for k in CODES], ()),
        (np.eye(3)[CODES], ()),
        (np.eye(3, dtype=bool)[CODES], ()),
        (pd.Series(CODES, dtype="Int64"), ()),
        ([Decimal(k) for k in CODES], ()),
        (np.array(CODES) * 10_000_000, (0, 10_000_000, 20_000_000)),
        (np.array(CODES, dtype=np.uint64) + 2**63, (2**63, 2**63 + 1, 2**63 + 2)),
        ([10**30 + k for k in CODES], (10**30, 10**30 + 1, 10**30 + 2)),
        (np.array(CODES) - 1, (-1, 0, 1)),
        (WORDS[CODES], tuple(WORDS)),
        (WORDS.astype(bytes)[CODES], tuple(WORDS)),
        (WORDS.astype(object)[CODES][:, None], tuple(WORDS)),
        (pd.Categorical.from_codes(CODES, WORDS), tuple(WORDS)),
        (pd.Series(WORDS[CODES], dtype="string"), tuple(WORDS)),
        (pd.get_dummies(pd.Series(WORDS[CODES])), tuple(WORDS)),
        (pd.cut(pd.Series(CODES), [-1, 0, 1, 2]), ("(-1, 0]", "(0, 1]", "(1, 2]")),
    ],
)
def test_labels_of_any_kind_are_numbered(y, names):
    found = of(y)
    assert found.arrays[0].tolist() == CODES
    assert (found.n_classes, found.names, found.said) == (3, names, [])


def test_labels_of_two_kinds_of_value():
    assert of([-1, 1, 1, -1, 1, 1]).names == (-1, 1)
    assert of([True, False] * 3).names == (False, True)


def test_classes_are_numbered_over_all_clients():
    found = of(["b"] * 6, ["a", "c"] * 3, None)
    assert [None if y is None else y.tolist() for y in found.arrays] == [[1] * 6, [0, 2] * 3, None]
    assert found.names == ("a", "b", "c")


def test_classes_that_are_known_beforehand():
    found = of(["b"] * 6, classes=("c", "b"))
    assert (found.arrays[0].tolist(), found.names, found.n_classes) == ([1] * 6, ("c", "b"), 2)
    with pytest.raises(InputError, match="client 0: y has the label 'x', which is none of classes"):
        of(["x"] * 6, classes=["a"])


@pytest.mark.parametrize("classes", [5, "abc", [["a"]], ["a", "a"]])
def test_classes_are_different_names(classes):
    with pytest.raises(InputError, match="classes are a list of different names"):
        of(["a"] * 6, classes=classes)


@pytest.mark.parametrize(
    "y, message",
    [
        ([0, 1, np.nan] * 2, "lacks 2 of 6 labels"),
        (["a", None, "b"] * 2, "lacks 2 of 6 labels"),
        (["a", np.nan, "b"] * 2, "lacks 2 of 6 labels"),
        (np.ma.masked_equal(CODES, 1), "lacks 1 of 6 labels"),
        (pd.Series([1, None] * 3, dtype="Int64"), "lacks 3 of 6 labels"),
        (CODES[:5], r"has shape \(5,\), expected \(6,\)"),
        (3, r"has shape \(\), expected \(6,\)"),
        (np.ones((6, 2)), "give one label per sample, or rows of zeros with a single one"),
        ([[0], [1, 2]], "is not a rectangular array"),
        (np.ones(6) * 1j, "holds no classes"),
        (np.eye(3)[CODES] * 1j, "holds no classes"),
        (np.array(["2020-01-01"] * 6, dtype="M8[D]"), "holds no classes"),
        (pd.Series(pd.date_range("2020", periods=6)), "holds Timestamp; give one number or word"),
        ([datetime.date(2020, 1, 1)] * 6, "holds date; give one number or word"),
        ([{}] * 6, "holds dict; give one number or word"),
        ([object()] * 6, "holds object; give one number or word"),
        (["a", 1] * 3, "holds the word 'a', client 0: y the number 1"),
    ],
)
def test_what_is_no_label_is_refused(y, message):
    with pytest.raises(InputError, match=f"client 0: y .*{message}") as caught:
        of(y)
    assert "\n" not in str(caught.value)


def test_words_here_and_numbers_there_are_refused():
    with pytest.raises(InputError, match="client 1: y holds the word 'a', client 0: y the number"):
        of(CODES, ["a", "b"] * 3)


def test_real_targets_are_no_classes_and_discovery_needs_none():
    arrays = [(x, RNG.random(6)) for x in TABLES]
    with pytest.warns(Notice, match="y holds real numbers, which are no classes: federations"):
        clients = Clients.from_arrays(arrays)
    assert clients[0].y is None and clients.n_classes == 0
    with pytest.raises(InputError, match="real numbers, which are no classes; training needs"):
        simulate(clients, method="global", rounds=1)


def test_many_values_may_be_measurements():
    y = np.arange(60)
    found = numbered(["y"], [y], [60])
    assert found.n_classes == 60
    assert found.said == [
        "y holds 60 different values in 60 samples; if they are measurements, cut them into classes"
    ]
