import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED, ari, exact, mean_ci, nmi, top_k


def test_equal_partitions_whatever_the_names():
    groups, labels = [0, 0, 1, 1, 2], [7, 7, 3, 3, 0]
    assert ari(groups, labels) == 1
    assert nmi(groups, labels) == pytest.approx(1)
    assert exact(groups, labels)


def test_ari_by_hand():
    # Pairs of clients: 2 together in groups, 4 in labels, 1 in both, of 10 in all;
    # (1 - 0.8) / (3 - 0.8).
    assert ari([0, 0, 1, 1, 2], [0, 0, 0, 1, 1]) == pytest.approx(0.2 / 2.2)


def test_nmi_by_hand():
    # I = log 2 = H(groups), H(labels) = 2 log 2; normalised by the mean of the entropies.
    assert nmi([0, 0, 1, 1], [0, 1, 2, 3]) == pytest.approx(1 / 1.5)


def test_independent_partitions():
    groups, labels = [0, 0, 1, 1], [0, 1, 0, 1]
    assert nmi(groups, labels) == pytest.approx(0)
    assert ari(groups, labels) == pytest.approx((0 - 2 / 3) / (2 - 2 / 3))


@pytest.mark.parametrize(
    "groups, labels, expected",
    [
        ([0], [5], True),
        ([0, 0, 0], [1, 1, 1], True),
        ([0, 1, 0], [1, 0, 1], True),
        ([0, 0, 1], [0, 1, 1], False),
        ([0, 0, 0, 0], [0, 0, 1, 1], False),  # a split
        ([0, 0, 1, 1], [0, 0, 0, 0], False),  # a merger
        ([0, 0, 1, 1], [0, 1, 0, 1], False),
    ],
)
def test_exact(groups, labels, expected):
    assert exact(groups, labels) is expected
    assert exact(np.array(labels), np.array(groups)) is expected


def test_mean_and_confidence_interval_by_hand():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.3027 from the tables.
    mean, half = mean_ci([1, 2, 3])
    assert mean == 2
    assert half == pytest.approx(4.302653 / np.sqrt(3), rel=1e-6)
    assert mean_ci([1, 2, 3], level=0.9)[1] == pytest.approx(2.919986 / np.sqrt(3), rel=1e-6)


def test_a_single_value_has_no_interval():
    mean, half = mean_ci([0.5])
    assert mean == 0.5 and np.isnan(half)


@pytest.mark.parametrize("score", [ari, nmi, exact])
@pytest.mark.parametrize("labels", [[0, 1], [[0, 1, 2]], 0])
def test_partitions_of_different_clients(score, labels):
    with pytest.raises(InputError, match=r"two partitions of the same clients .* got \(3,\) and"):
        score([0, 0, 1], labels)


@pytest.mark.parametrize("score", [ari, nmi, exact])
def test_no_clients(score):
    with pytest.raises(InputError, match="two partitions of the same clients"):
        score([], [])


# --- the k best ---------------------------------------------------------------------------------

LOGITS = np.array([[3.0, 1, 2], [0, 1, 2], [5, 4, 3], [1, 3, 2]])


def test_the_k_best_by_hand():
    y = [2, 0, 0, 1]  # ranks 2, 3, 1, 1
    assert [top_k(LOGITS, y, k) for k in (1, 2, 3)] == [0.5, 0.75, 1]


def test_the_best_of_every_place_without_those_not_asked_for():
    y = np.array([[2, IGNORED], [2, IGNORED]])  # ranks 2 and 3
    assert [top_k(LOGITS.reshape(2, 2, 3), y, k) for k in (1, 2, 3)] == [0, 0.5, 1]
