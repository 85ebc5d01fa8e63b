import numpy as np
import pytest

from rndcfl.given.hints import column, left_alone, listed, of_columns, of_samples

RNG = np.random.default_rng(0)
TABLES = [RNG.normal(size=(40, 3)) for _ in range(2)]
WHO = ["a", "b"]


def with_column(columns):
    return [np.column_stack([x, new]) for x, new in zip(TABLES, columns, strict=True)]


def said(columns, scaled=True):
    return of_columns(list("pqrs"), with_column(columns), scaled)


def test_usual_data_need_no_word():
    assert of_samples(WHO, TABLES, "table") == []
    assert of_columns(list("pqr"), TABLES, scaled=False) == []
    assert said([RNG.integers(90, size=40) for _ in WHO]) == []


@pytest.mark.parametrize(
    "columns",
    [
        [np.arange(40), np.arange(40)],
        [np.arange(40) + 5000, np.arange(40)],
        [np.arange(40) * 3 + 5000, np.arange(40) * 2],
        [RNG.permutation(40), RNG.permutation(40)],
    ],
)
def test_a_column_that_numbers_the_rows(columns):
    (line,) = said(columns)
    assert line.startswith("column s numbers the rows") and line.endswith("leave it out")


@pytest.mark.parametrize("mark", [-999, 0, 9999])
def test_a_value_that_may_stand_for_missing(mark):
    values = RNG.normal(200, 20, (2, 40))
    values[0, :10] = mark
    (line,) = said(values)
    assert line.startswith(f"column s is {mark} in 12% of its rows, far from all other values")


def test_zeros_near_other_values_are_values():
    values = RNG.poisson(1.5, (2, 40)).astype(float)
    assert said(values) == []


def test_columns_of_unlike_scales():
    columns = RNG.normal(0, 1e6, (2, 40))
    (line,) = said(columns, scaled=False)
    assert line.startswith("column s varies") and "from_tables brings" in line
    assert said(columns) == []
    (line,) = said(columns * 1e12, scaled=False)
    assert "e+17 times" in line


def test_constant_columns_have_no_scale():
    assert said(np.full((2, 40), 14.62), scaled=False) == []


def test_clients_that_hold_the_same_samples():
    (line,) = of_samples(["a", "b", "c"], [TABLES[0], TABLES[1], TABLES[0][:20]], "table")
    assert line.startswith("a, c hold samples that other clients hold as well, to the bit")


def test_copies_of_a_few_images():
    images = RNG.random((3, 1, 4, 4))
    (line,) = of_samples(WHO, [np.repeat(images, 20, axis=0), RNG.random((60, 1, 4, 4))], "images")
    assert line.startswith("a hold each sample several times over")
    assert of_samples(["a"], [np.repeat(TABLES[0], 20, axis=0)], "table") == []


def test_samples_that_never_vary():
    (line,) = of_samples(WHO, [np.zeros((9, 1, 4, 4)), RNG.random((9, 1, 4, 4))], "images")
    assert line.startswith("all samples of a are the same")


def test_lines_name_the_first_and_count_the_others():
    assert listed(list("abcde")) == "a, b, c and 2 more"
    assert column([1, 2]) == "column 1, 2"
    assert left_alone(["a"]).startswith("a with too few samples to compare")
