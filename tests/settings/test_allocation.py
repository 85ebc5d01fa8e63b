import re

import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.settings.partition import allocate

TWO_CLASSES = np.repeat([0, 1], [16, 4])


def given_out(labels, sizes, shares, wanted, seed=0):
    rng = np.random.default_rng(seed)
    sizes = np.asarray(sizes, dtype=float)
    shares = None if shares is None else np.asarray(shares, dtype=float)
    return allocate(labels, sizes, shares, wanted, rng, "training")


@pytest.mark.parametrize("shares", [None, [[0.9, 0.1], [0.75, 0.25], [1, 0]]])
@pytest.mark.parametrize("wanted", [None, 4])
def test_no_sample_is_given_twice(shares, wanted):
    index = np.concatenate(given_out(TWO_CLASSES, [1, 1, 1], shares, wanted))
    assert len(index) == len(np.unique(index)) >= 12
    assert index.min() >= 0 and index.max() < 20


def test_counts_follow_the_class_shares():
    labels = np.repeat([0, 1, 2], 20)
    clients = given_out(labels, [1, 1], [[0.75, 0.25, 0], [0.25, 0.25, 0.5]], 8)
    counts = [np.bincount(labels[index], minlength=3).tolist() for index in clients]
    assert counts == [[6, 2, 0], [2, 2, 4]]


def test_fractions_go_to_the_largest_remainders():
    labels = np.repeat([0, 1, 2], 20)
    (index,) = given_out(labels, [1], [[0.36, 0.32, 0.32]], 10)  # 3.6, 3.2, 3.2
    assert np.bincount(labels[index]).tolist() == [4, 3, 3]


def test_sizes_are_relative_and_everybody_gets_a_sample():
    clients = given_out(np.zeros(50, dtype=int), [1, 2, 0.5, 0.001], None, 10)
    assert [len(index) for index in clients] == [10, 20, 5, 1]


@pytest.mark.parametrize(
    "labels, sizes, shares, most",
    [
        (np.zeros(20, dtype=int), [1, 1, 1], None, 6),
        # Odd counts give the odd one to class 0, so that class 1 is used up at 5 = 3 + 2.
        (TWO_CLASSES, [1, 1], [[0.5, 0.5]] * 2, 5),
        (np.repeat([0, 1], [1000, 300]), [1], [[0.5, 0.5]], 601),
        (np.repeat([0, 1], [9000, 1500]), [1, 1], [[0.5, 0.5]] * 2, 1501),
    ],
)
def test_the_most_that_can_be_given_is_given_and_named(labels, sizes, shares, most):
    assert {len(index) for index in given_out(labels, sizes, shares, None)} == {most}
    assert {len(index) for index in given_out(labels, sizes, shares, most)} == {most}
    message = f"{len(sizes)} clients of {most + 1} training samples need more than the dataset's "
    message = re.escape(message) + rf"{len(labels)}; .* at most {most}$"
    with pytest.raises(InputError, match=message):
        given_out(labels, sizes, shares, most + 1)


def test_nothing_to_give():
    with pytest.raises(InputError, match=r"5 clients of 1 training samples .* at most 0"):
        given_out(np.zeros(3, dtype=int), np.ones(5), None, None)


@pytest.mark.parametrize("shares", [None, [[0.9, 0.1], [0.75, 0.25], [1, 0]]])
def test_later_clients_do_not_matter(shares):
    two = given_out(TWO_CLASSES, [1, 1], shares and shares[:2], 4)
    three = given_out(TWO_CLASSES, [1, 1, 1], shares, 4)
    for a, b in zip(two, three, strict=False):
        assert np.array_equal(a, b)


def test_the_generator_alone_decides_who_gets_which_samples():
    a, b, c = (given_out(TWO_CLASSES, [1, 1], None, 10, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(a, c, strict=True))
