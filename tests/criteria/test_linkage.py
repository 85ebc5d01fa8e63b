import numpy as np
import pytest

from rndcfl.common.errors import InputError
from rndcfl.criteria.linkage import (
    calibrated_dissimilarity,
    group,
    in_order_of_appearance,
    log_excess,
    paper_dissimilarity,
)

# Rows: whose data; columns: whose predictor.
# Spread over the peers (population standard deviation): 1, 2, 1.
NOVELTY = np.array([[1.0, 2.0, 4.0], [3.0, 2.0, 7.0], [6.0, 8.0, 4.0]])


# --- log excess ---------------------------------------------------------------------------------


def test_log_excess_by_hand():
    excess = log_excess(NOVELTY)
    # (log 2 + log 3 - log 1 - log 2) / 2 and so on.
    np.testing.assert_allclose(excess[0, 1], np.log(3) / 2)
    np.testing.assert_allclose(excess[0, 2], np.log(6) / 2)
    np.testing.assert_allclose(excess[1, 2], np.log(7) / 2)
    np.testing.assert_allclose(excess, excess.T)
    np.testing.assert_allclose(excess.diagonal(), 0, atol=1e-15)


def test_the_quality_of_predictors_and_the_difficulty_of_data_are_no_excess():
    quality, difficulty = np.array([1.0, 5.0, 0.2]), np.array([3.0, 1.0, 0.5])
    np.testing.assert_allclose(log_excess(np.tile(quality, (3, 1))), 0, atol=1e-12)
    np.testing.assert_allclose(log_excess(np.outer(difficulty, quality)), 0, atol=1e-12)
    np.testing.assert_allclose(log_excess(NOVELTY * quality), log_excess(NOVELTY), atol=1e-12)


# --- the paper's criterion ----------------------------------------------------------------------

# (s_ij - s_ii) / sigma_i of NOVELTY:
#     0    1    3
#     1/2  0    5/2
#     2    4    0


@pytest.mark.parametrize(
    "reading, expected",
    [
        ("mutual", [[0, 1, 3], [1, 0, 4], [3, 4, 0]]),
        ("either", [[0, 0.5, 2], [0.5, 0, 2.5], [2, 2.5, 0]]),
        ("average", [[0, 0.75, 2.5], [0.75, 0, 3.25], [2.5, 3.25, 0]]),
        # |s_ij - s_ii| / s_ii: rows 1 3, 1/2 5/2, 1/2 1; both directions must hold.
        ("two_sided", [[0, 1, 3], [1, 0, 2.5], [3, 2.5, 0]]),
    ],
)
def test_readings_of_equation_9_by_hand(reading, expected):
    np.testing.assert_allclose(paper_dissimilarity(NOVELTY, reading), expected)


def test_only_the_two_sided_reading_minds_smaller_scores():
    novelty = np.array([[4.0, 2, 1], [4, 4, 8], [4, 8, 4]])
    assert paper_dissimilarity(novelty, "mutual")[0, 1] <= 0
    assert paper_dissimilarity(novelty, "two_sided")[0, 1] == 0.5


@pytest.mark.parametrize(
    "reading, tolerance, labels",
    [
        ("mutual", 1.0, [0, 0, 1]),
        ("mutual", 0.9, [0, 1, 2]),
        ("mutual", 3.0, [0, 0, 0]),
        ("either", 0.5, [0, 0, 1]),
        ("average", 0.75, [0, 0, 1]),
        ("two_sided", 2.5, [0, 0, 0]),
    ],
)
def test_compatible_up_to_and_including_the_tolerance(reading, tolerance, labels):
    assert group(paper_dissimilarity(NOVELTY, reading), tolerance).tolist() == labels


# --- the calibrated criterion -------------------------------------------------------------------


def test_each_p_value_counts_as_often_as_there_are_pairs():
    evidence = np.array([[0, 3, 0.2], [3, 0, 5], [0.2, 5, 0]])
    found = calibrated_dissimilarity(evidence)
    expected = evidence - np.log10(3) * (1 - np.eye(3))
    np.testing.assert_allclose(found, expected)
    assert calibrated_dissimilarity(np.zeros((1, 1))).tolist() == [[0]]


def test_the_most_similar_are_joined_first():
    """0 and 1, 2 and 3 are most alike; that 1 and 2 cannot be told apart must not join them."""
    evidence = np.array([[0, 0.1, 9, 9], [0.1, 0, 0.3, 9], [9, 0.3, 0, 0.1], [9, 9, 0.1, 0]])
    found = calibrated_dissimilarity(evidence)
    assert (found[evidence < 1] <= 0).all()  # adjusted, they would all count as 1
    assert group(found, 2.0, "cliques").tolist() == [0, 0, 1, 1]


# --- grouping -----------------------------------------------------------------------------------

CHAIN = np.array([[0, 1, 9, 9], [1, 0, 2, 9], [9, 2, 0, 9], [9, 9, 9, 0]])


@pytest.mark.parametrize(
    "threshold, components, cliques",
    [
        (0.5, [0, 1, 2, 3], [0, 1, 2, 3]),
        (1, [0, 0, 1, 2], [0, 0, 1, 2]),
        (2, [0, 0, 0, 1], [0, 0, 1, 2]),
        (8, [0, 0, 0, 1], [0, 0, 1, 2]),  # the mean of 2 and 9 would do, their maximum does not
        (9, [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_a_chain_is_one_component_but_no_clique(threshold, components, cliques):
    assert group(CHAIN, threshold, "components").tolist() == components
    assert group(CHAIN, threshold, "cliques").tolist() == cliques


def test_the_diagonal_is_ignored():
    assert group(CHAIN + 5 * np.eye(4), 1).tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("threshold, labels", [(-2, [0, 1, 0]), (-3, [0, 1, 2]), (0, [0, 0, 0])])
def test_dissimilarities_and_thresholds_may_be_negative(threshold, labels):
    dissimilarity = np.array([[0, -1, -2], [-1, 0, -1], [-2, -1, 0.0]])
    assert group(dissimilarity, threshold).tolist() == labels


@pytest.mark.parametrize("grouping", ["components", "cliques"])
def test_labels_are_numbered_in_order_of_first_appearance(grouping):
    far = 1 - np.eye(5)
    far[0, 3] = far[3, 0] = far[1, 4] = far[4, 1] = 0
    labels = group(far, 0.5, grouping)
    assert labels.tolist() == [0, 1, 2, 0, 1]
    assert labels.dtype == np.int64


def test_a_single_client_is_its_own_federation():
    assert group(np.zeros((1, 1)), 1.0).tolist() == [0]


def test_unknown_grouping():
    with pytest.raises(InputError, match="unknown grouping 'clique'; did you mean 'cliques'"):
        group(CHAIN, 1, "clique")


@pytest.mark.parametrize(
    "labels, expected",
    [([5, 2, 5, 9], [0, 1, 0, 2]), ([0, 1, 2], [0, 1, 2]), ([2, 1, 0], [0, 1, 2]), ([3], [0])],
)
def test_in_order_of_appearance(labels, expected):
    found = in_order_of_appearance(np.array(labels))
    assert found.tolist() == expected and found.dtype == np.int64
