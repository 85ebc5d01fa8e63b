import numpy as np
import pytest
from scipy import stats

from rndcfl import Clients, InputError
from rndcfl.book.studies.centralised import (
    c2st_p,
    c2st_right,
    centralised_labels,
    mmd_p,
    pair_evidence,
)

TESTS = [mmd_p, c2st_p]


def tables(shifts, n=60, d=5):
    """Clients with normal tables, each shifted."""
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((n, d)) + shift for shift in shifts]
    return Clients.from_arrays([(x.astype(np.float32), None) for x in rows])


# --- both ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("test", TESTS)
def test_clients_far_apart_are_apart(test):
    assert centralised_labels(tables([0, 2, 0, 2, 2]), test).tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("test", TESTS)
def test_clients_that_are_alike_are_together(test):
    assert centralised_labels(tables(np.zeros(6)), test).tolist() == [0] * 6


@pytest.mark.parametrize("test", TESTS)
def test_evidence_is_that_of_each_pair_alone(test):
    clients = tables([0, 0.5, 3])
    evidence = pair_evidence(clients, test)
    np.testing.assert_array_equal(evidence, evidence.T)
    assert not evidence.diagonal().any()
    assert evidence[0, 1] < evidence[0, 2] <= 300
    np.testing.assert_array_equal(pair_evidence(clients[:2], test), evidence[:2, :2])


def test_a_level_holds_for_all_pairs_together():
    """One pair at p = .004 counts among two clients, and not among six."""
    among = [0.004 if i < 1 else 0.5 for i in range(15)]
    values = iter([among[0], *among])
    few, many = tables(np.zeros(2)), tables(np.zeros(6))
    assert centralised_labels(few, lambda x, y: next(values)).tolist() == [0, 1]
    assert centralised_labels(many, lambda x, y: next(values)).max() == 0


def test_images_are_compared_pixel_by_pixel(stripe_clients):
    assert centralised_labels(stripe_clients(4), mmd_p).tolist() == [0, 1, 0, 1]


def test_what_cannot_be_compared_is_refused():
    text = Clients.from_arrays([(np.zeros((9, 4), dtype=np.int64), None)] * 2, kind="text")
    with pytest.raises(InputError, match="not for text"):
        centralised_labels(text, mmd_p)
    with pytest.raises(InputError, match="client 0 has 3 samples"):
        centralised_labels(tables([0, 0], n=3), c2st_p)
    with pytest.raises(InputError, match="alpha must be a number"):
        centralised_labels(tables([0, 0]), mmd_p, alpha=2.0)


# --- MMD ----------------------------------------------------------------------------------------


def test_the_p_values_of_equal_samples_are_uniform():
    rng = np.random.default_rng(1)
    p = [mmd_p(*rng.standard_normal((2, 40, 3))) for _ in range(400)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_the_tail_is_that_of_permutations():
    """What one of 2,000 permutations exceeds has a p-value of some 1/2,000, not of 1/100,000."""
    rng = np.random.default_rng(2)
    z = rng.standard_normal((60, 3)) * [3, 1, 1]
    p = []
    for _ in range(4000):
        order = rng.permutation(60)
        p.append(mmd_p(z[order[:30]], z[order[30:]]))
    assert 2e-4 < np.quantile(p, 1 / 2000) < 2e-3
    assert 0.006 < np.quantile(p, 0.01) < 0.016


def test_the_statistic_is_the_distance_of_mean_embeddings():
    """Two points each; by hand: the median of 1, 9, 10, 9, 10, 1 squared is 9."""
    x, y = np.array([[0.0, 0], [1, 0]]), np.array([[0.0, 3], [1, 3]])
    near, far, farther = np.exp(-np.array([1, 9, 10]) / 18)
    squared = (2 + 2 * near) / 4 * 2 - 2 * (2 * far + 2 * farther) / 4
    kernel = np.array(
        [
            [1, near, far, farther],
            [near, 1, farther, far],
            [far, farther, 1, near],
            [farther, far, near, 1],
        ]
    )
    centring = np.eye(4) - 1 / 4
    weights = np.linalg.eigvalsh(centring @ kernel @ centring) / 3
    moments = [(weights**k).sum() for k in (1, 2, 3)]
    skewness = np.sqrt(8) * moments[2] / moments[1] ** 1.5
    standard = (squared - moments[0]) / np.sqrt(2 * moments[1])
    assert mmd_p(x, y) == pytest.approx(stats.pearson3.sf(standard, skewness), rel=1e-9)


def test_mmd_sees_what_means_do_not():
    """The same mean and another spread, unequal numbers of samples."""
    rng = np.random.default_rng(3)
    assert mmd_p(rng.standard_normal((80, 2)), 2.5 * rng.standard_normal((50, 2))) < 1e-4


def test_samples_that_are_all_the_same_are_alike():
    assert mmd_p(np.ones((5, 2)), np.ones((7, 2))) == 1.0


# --- the classifier -----------------------------------------------------------------------------


def test_on_equal_data_the_classifier_tosses_coins():
    rng = np.random.default_rng(4)
    right, of = np.sum([c2st_right(*rng.standard_normal((2, 40, 3))) for _ in range(100)], axis=0)
    assert of == 100 * 40
    assert abs(right / of - 0.5) < 4 * 0.5 / np.sqrt(of)


def test_the_p_value_is_the_exact_binomial_tests():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((31, 3)), rng.standard_normal((50, 3)) + 0.7
    right, of = c2st_right(x, y)
    assert of == 2 * 16  # of 31 each, 15 to learn and 16 to ask
    assert c2st_p(x, y) == pytest.approx(stats.binomtest(right, of, alternative="greater").pvalue)


def test_the_classifier_is_asked_about_samples_it_has_not_seen():
    """Samples that say nothing and 200 columns to learn them by heart from."""
    rng = np.random.default_rng(6)
    right, of = c2st_right(*rng.standard_normal((2, 40, 200)))
    assert right < 0.75 * of
