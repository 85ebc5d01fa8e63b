import numpy as np
import pytest
from scipy import stats

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED, ari, exact, exact_interval, holm, mean_ci, nmi, top_k


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


def test_exact_interval_by_hand():
    # All of n: the rate whose chance of n successes is 2.5 %. None of n: its mirror image.
    assert exact_interval(10, 10) == pytest.approx((0.025**0.1, 1))
    assert exact_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert exact_interval(3, 3, level=0.9) == pytest.approx((0.05 ** (1 / 3), 1))
    assert exact_interval(7, 10) == pytest.approx((0.3475471, 0.9332605))  # R: binom.test(7, 10)


def test_the_ends_of_an_exact_interval_make_what_was_seen_just_unlikely():
    low, high = exact_interval(7, 12)
    assert stats.binom.sf(6, 12, low) == pytest.approx(0.025)
    assert stats.binom.cdf(7, 12, high) == pytest.approx(0.025)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, and never below a smaller p's.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.6, 0.02]), [1, 1, 0.06])
    assert holm([0.03]).tolist() == [0.03] and holm([]).tolist() == []


def test_what_is_no_test_is_not_counted_by_holm():
    np.testing.assert_allclose(holm([np.nan, 0.01, np.nan, 0.04]), [np.nan, 0.02, np.nan, 0.04])


def test_holm_is_between_no_correction_and_bonferronis():
    p = np.random.default_rng(0).random(20) ** 3
    adjusted = holm(p)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(20 * p, 1)).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


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
